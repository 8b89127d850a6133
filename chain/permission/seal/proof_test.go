package seal

import (
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
)

func TestBranch(t *testing.T) {
	for n := 1; n <= 40; n++ {
		ids := make([]chainhash.Hash, n)
		for i := range ids {
			ids[i] = chainhash.HashH([]byte{byte(i)})
		}
		root, leaf := consensus.MerkleRoot(ids), ids[0]
		if got := climb(leaf, consensus.FirstBranch(ids)); got != root {
			t.Errorf("%d leaves: branch leads to %v, root is %v", n, got, root)
		}
	}
}

// TestCheckPlace moves a sealed block about: the seal is good for one place,
// and for one content.
func TestCheckPlace(t *testing.T) {
	block := sealed(t, 3)
	proof := proofOf(block)
	tests := []struct {
		name   string
		change func(genesis *chainhash.Hash, h *wire.BlockHeader, height *int32)
		rule   consensus.Rule
	}{
		{"in its place", func(*chainhash.Hash, *wire.BlockHeader, *int32) {}, ""},
		{"another nonce", func(_ *chainhash.Hash, h *wire.BlockHeader, _ *int32) { h.Nonce++ }, ""},
		{"another chain", func(g *chainhash.Hash, _ *wire.BlockHeader, _ *int32) { g[0] ^= 1 }, RuleSignature},
		{"another height", func(_ *chainhash.Hash, _ *wire.BlockHeader, height *int32) { *height++ }, RuleSignature},
		{"another parent", func(_ *chainhash.Hash, h *wire.BlockHeader, _ *int32) { h.PrevBlock[31] ^= 1 }, RuleSignature},
		{"another version", func(_ *chainhash.Hash, h *wire.BlockHeader, _ *int32) { h.Version ^= 1 << 30 }, RuleSignature},
		{"another time", func(_ *chainhash.Hash, h *wire.BlockHeader, _ *int32) { h.Timestamp = h.Timestamp.Add(time.Second) }, RuleSignature},
		{"other bits", func(_ *chainhash.Hash, h *wire.BlockHeader, _ *int32) { h.Bits-- }, RuleSignature},
		{"another merkle root", func(_ *chainhash.Hash, h *wire.BlockHeader, _ *int32) { h.MerkleRoot[0] ^= 1 }, RuleProof},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			genesis, h, height := testGenesis(), block.Header, int32(testHeight)
			test.change(&genesis, &h, &height)
			s, cert, _, err := proof.Check(genesis, &h, height)
			wantRule(t, err, test.rule)
			if err == nil && (s.Key != KeyOf(testKey(1)) || s.Output != 1 || cert != nil) {
				t.Errorf("seal %v, certificate %v", s, cert)
			}
			if re := consensus.AsRule(err); re != nil && re.Mutated != (test.rule == RuleProof) {
				t.Errorf("%v: Mutated is %v", err, re.Mutated)
			}
		})
	}
}

// TestCheckContent changes the block and lets the header commit to that.
func TestCheckContent(t *testing.T) {
	original := sealed(t, 3)
	tests := []struct {
		name   string
		change func(b *wire.MsgBlock)
		rule   consensus.Rule
	}{
		{"unchanged", func(*wire.MsgBlock) {}, ""},
		{"another witness of the coinbase", func(b *wire.MsgBlock) { b.Transactions[0].TxIn[0].Witness = nil }, ""},
		{"payout", func(b *wire.MsgBlock) { b.Transactions[0].TxOut[0].Value++ }, RuleSignature},
		{"coinbase script", func(b *wire.MsgBlock) { b.Transactions[0].TxIn[0].SignatureScript[4]++ }, RuleSignature},
		{"signature", func(b *wire.MsgBlock) { b.Transactions[0].TxOut[1].PkScript[sigStart+40] ^= 1 }, RuleSignature},
		{"signature zero", func(b *wire.MsgBlock) { clear(b.Transactions[0].TxOut[1].PkScript[sigStart:]) }, RuleSignature},
		{"key of another", func(b *wire.MsgBlock) {
			other := KeyOf(testKey(2))
			copy(b.Transactions[0].TxOut[1].PkScript[sigStart-keySize:], other[:])
		}, RuleSignature},
		{"key off the curve", func(b *wire.MsgBlock) {
			for i := range keySize {
				b.Transactions[0].TxOut[1].PkScript[sigStart-keySize+i] = 0xff
			}
		}, RuleSignature},
		{"seal in another output", func(b *wire.MsgBlock) {
			outs := b.Transactions[0].TxOut
			outs[0], outs[1] = outs[1], outs[0]
		}, RuleSignature},
		{"another transaction", func(b *wire.MsgBlock) { b.Transactions[2].LockTime++ }, RuleSignature},
		{"transactions in another order", func(b *wire.MsgBlock) {
			b.Transactions[1], b.Transactions[2] = b.Transactions[2], b.Transactions[1]
		}, RuleSignature},
		{"one transaction less", func(b *wire.MsgBlock) { b.Transactions = b.Transactions[:2] }, RuleSignature},
		{"no seal", func(b *wire.MsgBlock) { b.Transactions[0].TxOut = b.Transactions[0].TxOut[:1] }, RuleMissing},
		{"two seals", func(b *wire.MsgBlock) { AppendPlaceholder(b.Transactions[0]) }, RuleMultiple},
		{"amount", func(b *wire.MsgBlock) { b.Transactions[0].TxOut[1].Value = 1 }, RuleMalformed},
		{"no coinbase", func(b *wire.MsgBlock) { b.Transactions[0].TxIn[0].PreviousOutPoint.Index-- }, consensus.RuleCoinbaseMissing},
		{"two inputs", func(b *wire.MsgBlock) {
			b.Transactions[0].AddTxIn(&wire.TxIn{})
		}, consensus.RuleCoinbaseMissing},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := &wire.MsgBlock{Header: original.Header}
			for _, tx := range original.Transactions {
				b.Transactions = append(b.Transactions, tx.Copy())
			}
			test.change(b)
			commit(b)
			_, err := check(b)
			wantRule(t, err, test.rule)
			if re := consensus.AsRule(err); re != nil && re.Mutated {
				t.Errorf("%v speaks of the copy", err)
			}
		})
	}
}

func TestWrongBranch(t *testing.T) {
	block := sealed(t, 5)
	good := proofOf(block)
	deep := append(good.Branch, make([]chainhash.Hash, MaxBranch+1-len(good.Branch))...)
	tests := map[string][]chainhash.Hash{
		"empty":         nil,
		"short":         good.Branch[:2],
		"long":          append(good.Branch[:3:3], chainhash.Hash{}),
		"other order":   {good.Branch[1], good.Branch[0], good.Branch[2]},
		"other sibling": {good.Branch[0], good.Branch[0], good.Branch[2]},
		"too many":      deep,
	}
	for name, branch := range tests {
		t.Run(name, func(t *testing.T) {
			h := block.Header
			p := &Proof{Coinbase: good.Coinbase, Branch: branch}
			if name == "too many" { // it leads to the root
				h.MerkleRoot = climb(p.Coinbase.TxHash(), branch)
			}
			_, _, _, err := p.Check(testGenesis(), &h, testHeight)
			wantRule(t, err, RuleProof)
			if !consensus.AsRule(err).Mutated {
				t.Error("condemns the header")
			}
		})
	}
	other := &Proof{Coinbase: proofOf(sealed(t, 4)).Coinbase, Branch: good.Branch}
	_, _, _, err := other.Check(testGenesis(), &block.Header, testHeight)
	wantRule(t, err, RuleProof)

	most := &Proof{Coinbase: good.Coinbase, Branch: deep[:MaxBranch]}
	h := block.Header
	h.MerkleRoot = climb(most.Coinbase.TxHash(), most.Branch)
	_, _, _, err = most.Check(testGenesis(), &h, testHeight)
	wantRule(t, err, RuleSignature)
}

func TestInnerNode(t *testing.T) {
	tx := wire.NewMsgTx(1)
	tx.AddTxIn(&wire.TxIn{PreviousOutPoint: wire.OutPoint{Index: 1<<32 - 1}, SignatureScript: []byte{1, 2}})
	tx.AddTxOut(wire.NewTxOut(0, []byte{txscript.OP_RETURN, 0}))
	if n := tx.SerializeSizeStripped(); n != innerNodeSize {
		t.Fatalf("%d bytes", n)
	}
	h := wire.BlockHeader{MerkleRoot: tx.TxHash()}
	_, _, _, err := (&Proof{Coinbase: tx}).Check(testGenesis(), &h, 1)
	wantRule(t, err, RuleProof)
	tx.TxOut[0].PkScript = tx.TxOut[0].PkScript[:1]
	h.MerkleRoot = tx.TxHash()
	_, _, _, err = (&Proof{Coinbase: tx}).Check(testGenesis(), &h, 1)
	wantRule(t, err, RuleMissing)
}

// filled is draft with a coinbase of size bytes without witness.
func filled(n, size int) *wire.MsgBlock {
	block := draft(n)
	coinbase := block.Transactions[0]
	coinbase.AddTxOut(wire.NewTxOut(0, nil))
	missing := size - coinbase.SerializeSizeStripped() - 2 // its length then takes 3 bytes
	coinbase.TxOut[2].PkScript = make([]byte, missing)
	return block
}

func TestCoinbaseSize(t *testing.T) {
	fits := filled(2, MaxCoinbaseSize)
	if n := fits.Transactions[0].SerializeSizeStripped(); n != 16384 {
		t.Fatalf("%d bytes", n)
	}
	if err := SealBlock(testGenesis(), fits, testHeight, testKey(1)); err != nil {
		t.Fatal(err)
	}
	_, err := check(fits)
	wantRule(t, err, "")
	if _, err := ParseProof(proofOf(fits).Encode(), nil); err != nil {
		t.Error(err)
	}

	large := filled(2, MaxCoinbaseSize+1)
	wantRule(t, SealBlock(testGenesis(), large, testHeight, testKey(1)), RuleCoinbaseSize)
	commit(large)
	_, err = check(large)
	wantRule(t, err, RuleCoinbaseSize)
	_, err = ParseProof(proofOf(large).Encode(), nil)
	wantRule(t, err, RuleProof)
}

func TestParseProof(t *testing.T) {
	block := sealed(t, 3)
	p := proofOf(block)
	raw := p.Encode()
	again, err := ParseProof(raw, p.Branch)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := again.Check(testGenesis(), &block.Header, testHeight); err != nil {
		t.Error(err)
	}
	if !block.Transactions[0].HasWitness() || p.Coinbase.HasWitness() {
		t.Error("ProofOf must drop the witness of its copy and of nothing else")
	}
	witness := make(appender, 0)
	if err := block.Transactions[0].Serialize(&witness); err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string][]byte{
		"empty": nil, "cut": raw[:len(raw)-1], "trailing byte": append(raw[:len(raw):len(raw)], 0), "witness": witness,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseProof(bad, p.Branch)
			wantRule(t, err, RuleProof)
		})
	}
}

// TestVariants checks which blocks are variants of one block.
func TestVariants(t *testing.T) {
	seal := func(change func(b *wire.MsgBlock), aux byte) (VariantID, chainhash.Hash) {
		b := draft(2)
		change(b)
		coinbase, err := SealHeader(testGenesis(), &b.Header, b.Transactions[0],
			[]chainhash.Hash{b.Transactions[1].TxHash()}, testHeight, testKey(1), [32]byte{aux})
		if err != nil {
			t.Fatal(err)
		}
		b.Transactions[0] = coinbase
		id, err := check(b)
		if err != nil {
			t.Fatal(err)
		}
		return id, b.BlockHash()
	}
	id, hash := seal(func(*wire.MsgBlock) {}, 0)
	for _, test := range []struct {
		name   string
		change func(*wire.MsgBlock)
		aux    byte
		same   bool
	}{
		{"nonce", func(b *wire.MsgBlock) { b.Header.Nonce++ }, 0, true},
		{"randomness of the signature", func(*wire.MsgBlock) {}, 1, true},
		{"time", func(b *wire.MsgBlock) { b.Header.Timestamp = b.Header.Timestamp.Add(time.Second) }, 0, false},
		{"extra nonce", func(b *wire.MsgBlock) { b.Transactions[0].TxIn[0].SignatureScript[4]++ }, 0, false},
		{"transactions", func(b *wire.MsgBlock) { b.Transactions[1].LockTime++ }, 0, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			otherID, otherHash := seal(test.change, test.aux)
			if (otherID == id) != test.same || otherHash == hash {
				t.Errorf("same message %v, want %v; same hash %v", otherID == id, test.same, otherHash == hash)
			}
		})
	}
}
