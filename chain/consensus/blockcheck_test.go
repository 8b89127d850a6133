package consensus

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/params"
)

func TestCheckBlock(t *testing.T) {
	good := func() *Block { return block(coinbaseAt(1, 1), payment(1), payment(2)) }
	txs := func(msgs ...*wire.MsgTx) func() *Block { return func() *Block { return block(msgs...) } }
	// of64 is a transaction of 64 bytes, as long as an inner node of the tree.
	of64 := payment(1)
	of64.TxOut[0].PkScript = []byte{1, 2, 3, 4}
	sigOps := func(n int) *wire.MsgTx {
		m := payment(1)
		m.TxOut[0].PkScript = bytes.Repeat([]byte{txscript.OP_CHECKSIG}, n)
		return m
	}
	for _, c := range []struct {
		name    string
		block   func() *Block
		limits  func(*params.Params, *Block)
		rule    Rule
		mutated bool
	}{
		{"three transactions", good, nil, "", false},
		{"the coinbase alone", txs(coinbaseAt(1, 1)), nil, "", false},
		{"another merkle root", func() *Block { b := good(); b.Header.MerkleRoot[0] ^= 1; return b }, nil, RuleMerkleRoot, true},
		{"a transaction left out", func() *Block { b := good(); b.Txs = b.Txs[:2]; return b }, nil, RuleMerkleRoot, true},
		{"the last transaction repeated", func() *Block { b := good(); b.Txs = append(b.Txs, b.Txs[2]); return b }, nil, RuleDuplicateTxs, true},
		{"no transaction", txs(), nil, RuleBlockLength, false},
		{"as long as allowed", good, func(p *params.Params, b *Block) { p.Limits.BlockWeight = b.strippedSize() * 4 }, "", false},
		{"a byte too long", good, func(p *params.Params, b *Block) { p.Limits.BlockWeight = (b.strippedSize() - 1) * 4 }, RuleBlockLength, false},
		{"more transactions than weight", good, func(p *params.Params, _ *Block) { p.Limits.BlockWeight = 8 }, RuleBlockLength, false},
		{"as many transactions as allowed", good, func(p *params.Params, _ *Block) { p.Limits.BlockTxs = 3 }, "", false},
		{"one transaction too many", good, func(p *params.Params, _ *Block) { p.Limits.BlockTxs = 2 }, RuleBlockTxs, false},
		{"no coinbase", txs(payment(1), payment(2)), nil, RuleCoinbaseMissing, false},
		{"no coinbase, and nodes of the tree for transactions", txs(payment(2), of64), nil, RuleCoinbaseMissing, true},
		{"two coinbases", txs(coinbaseAt(1, 1), coinbaseAt(2, 1)), nil, RuleCoinbaseMultiple, false},
		{"a transaction that breaks a rule", txs(coinbaseAt(1, 1), sigOps(0), &wire.MsgTx{TxOut: payment(1).TxOut, TxIn: append(payment(1).TxIn, payment(1).TxIn...)}), nil, RuleTxDuplicateInputs, false},
		{"as many signature operations as allowed", txs(coinbaseAt(1, 1), sigOps(20_000)), nil, "", false},
		{"one signature operation too many", txs(coinbaseAt(1, 1), sigOps(20_001)), nil, RuleBlockSigOps, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, p := c.block(), mainnet()
			if c.limits != nil {
				c.limits(p, b)
			}
			wantRule(t, CheckBlock(b, p), c.rule, c.mutated)
		})
	}
	if got := NewTx(of64).strippedSize(); got != merkleNodeSize {
		t.Errorf("the transaction of 64 bytes has %d", got)
	}
}

// witnessed is a block at height 1 whose payment has a witness and whose
// coinbase commits to it.
func witnessed(change func(coinbase *wire.MsgTx)) *Block {
	pay, coinbase := payment(1), coinbaseAt(1, 1)
	pay.TxIn[0].Witness = wire.TxWitness{{1, 2, 3}}
	coinbase.TxIn[0].Witness = wire.TxWitness{make([]byte, 32)}
	coinbase.TxOut = append(coinbase.TxOut, WitnessCommitmentOutput([]*Tx{nil, NewTx(pay)}, [32]byte{}))
	if change != nil {
		change(coinbase)
	}
	return block(coinbase, pay)
}

func TestCheckBlockContext(t *testing.T) {
	parent := spaced(1, 1_200_000_000, 1, 0x207fffff)
	locked := func(lock uint32) *Block {
		pay := payment(1)
		pay.LockTime, pay.TxIn[0].Sequence = lock, 0
		return block(coinbaseAt(1, 1), pay)
	}
	never := func(d *params.Deployments) { d.CSV, d.Segwit, d.BIP34 = params.Never, params.Never, params.Never }
	next := func(d *params.Deployments) { d.CSV, d.Segwit, d.BIP34 = 2, 2, 2 }
	const blockTime = 1_300_000_000
	for _, c := range []struct {
		name    string
		block   *Block
		deploy  func(*params.Deployments)
		rule    Rule
		mutated bool
	}{
		{"no locktime", locked(0), nil, "", false},
		{"locked until this height", locked(1), nil, RuleNonFinal, false},
		{"locked until before the median time", locked(1_200_000_000 - 1), nil, "", false},
		{"locked until the median time", locked(1_200_000_000), nil, RuleNonFinal, false},
		{"before BIP113: locked until before the block's time", locked(blockTime - 1), next, "", false},
		{"before BIP113: locked until the block's time", locked(blockTime), next, RuleNonFinal, false},
		{"BIP113 from this height: locked until before the block's time", locked(blockTime - 1),
			func(d *params.Deployments) { d.CSV = 1 }, RuleNonFinal, false},
		{"BIP113 never", locked(blockTime - 1), never, "", false},

		{"height in the coinbase", block(coinbaseAt(1, 1)), nil, "", false},
		{"another height", block(coinbaseAt(2, 1)), nil, RuleCoinbaseHeight, false},
		{"another height before BIP34", block(coinbaseAt(2, 1)), next, "", false},

		{"commitment", witnessed(nil), nil, "", false},
		{"no witness, no commitment", block(coinbaseAt(1, 1), payment(1)), nil, "", false},
		{"of two commitments the last", witnessed(func(cb *wire.MsgTx) {
			wrong := &wire.TxOut{PkScript: append(commitmentPrefix(), make([]byte, 32)...)}
			cb.TxOut = append([]*wire.TxOut{wrong}, cb.TxOut...)
		}), nil, "", false},
		{"the last commitment is wrong", witnessed(func(cb *wire.MsgTx) {
			cb.TxOut = append(cb.TxOut, &wire.TxOut{PkScript: append(commitmentPrefix(), make([]byte, 32)...)})
		}), nil, RuleWitnessMerkle, true},
		{"commitment in the first output", witnessed(func(cb *wire.MsgTx) { slices.Reverse(cb.TxOut) }), nil, "", false},
		{"bytes behind the commitment", witnessed(func(cb *wire.MsgTx) {
			cb.TxOut[1].PkScript = append(cb.TxOut[1].PkScript, 9)
		}), nil, "", false},
		{"commitment a byte short is none", witnessed(func(cb *wire.MsgTx) {
			cb.TxOut[1].PkScript = cb.TxOut[1].PkScript[:37]
		}), nil, RuleWitnessUnasked, true},
		{"no reserved value", witnessed(func(cb *wire.MsgTx) { cb.TxIn[0].Witness = nil }), nil, RuleWitnessNonce, true},
		{"reserved value of 31 bytes", witnessed(func(cb *wire.MsgTx) { cb.TxIn[0].Witness[0] = make([]byte, 31) }), nil, RuleWitnessNonce, true},
		{"two reserved values", witnessed(func(cb *wire.MsgTx) {
			cb.TxIn[0].Witness = append(cb.TxIn[0].Witness, make([]byte, 32))
		}), nil, RuleWitnessNonce, true},
		{"another reserved value", witnessed(func(cb *wire.MsgTx) { cb.TxIn[0].Witness[0][0] = 1 }), nil, RuleWitnessMerkle, true},
		{"a witness before BIP141", witnessed(nil), next, RuleWitnessUnasked, true},
		{"BIP141 from this height", witnessed(nil), func(d *params.Deployments) { d.Segwit = 1 }, "", false},
		{"a witness and BIP141 never", witnessed(nil), never, RuleWitnessUnasked, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := mainnet()
			if c.deploy != nil {
				c.deploy(&p.Deployments)
			}
			wantRule(t, CheckBlockContext(c.block, parent, p), c.rule, c.mutated)
		})
	}
}

func TestBlockWeight(t *testing.T) {
	b, parent, p := witnessed(nil), spaced(1, 0, 1, 0x207fffff), mainnet()
	var full bytes.Buffer
	if err := b.Msg().Serialize(&full); err != nil {
		t.Fatal(err)
	}
	if b.Size() != full.Len() || b.Weight() != int64(b.Msg().SerializeSizeStripped()*3+full.Len()) {
		t.Errorf("size %d, weight %d; encoded it has %d bytes", b.Size(), b.Weight(), full.Len())
	}
	p.Limits.BlockWeight = b.Weight()
	wantRule(t, CheckBlockContext(b, parent, p), "", false)
	p.Limits.BlockWeight--
	wantRule(t, CheckBlockContext(b, parent, p), RuleBlockWeight, false)

	p = mainnet() // a chain with larger blocks than transactions
	p.Limits.TxWeight = max(b.Txs[0].Weight, b.Txs[1].Weight)
	wantRule(t, CheckBlockContext(b, parent, p), "", false)
	p.Limits.TxWeight--
	wantRule(t, CheckBlockContext(b, parent, p), RuleTxWeight, false)
}

func TestCoinbaseHeightScript(t *testing.T) {
	for height, want := range map[int32][]byte{
		0: {0x00}, 1: {0x51}, 16: {0x60}, 17: {0x01, 0x11}, 127: {0x01, 0x7f}, 128: {0x02, 0x80, 0x00},
		255: {0x02, 0xff, 0x00}, 256: {0x02, 0x00, 0x01}, 32767: {0x02, 0xff, 0x7f}, 32768: {0x03, 0x00, 0x80, 0x00},
		227_931:   {0x03, 0x5b, 0x7a, 0x03}, // BIP34's first block on the main chain
		1<<31 - 1: {0x04, 0xff, 0xff, 0xff, 0x7f},
	} {
		got := CoinbaseHeightScript(height)
		if !bytes.Equal(got, want) {
			t.Errorf("height %d: got %x, want %x", height, got, want)
		}
		if built, err := txscript.NewScriptBuilder().AddInt64(int64(height)).Script(); err != nil || !bytes.Equal(got, built) {
			t.Errorf("height %d: txscript builds %x (%v), got %x", height, built, err, got)
		}
	}
}

func hashes(t testing.TB, texts ...string) []chainhash.Hash {
	t.Helper()
	out := make([]chainhash.Hash, len(texts))
	for i, text := range texts {
		hash, err := chainhash.NewHashFromStr(text)
		if err != nil {
			t.Fatal(err)
		}
		out[i] = *hash
	}
	return out
}

func TestMerkleRoot(t *testing.T) {
	// Blocks 1, 170 and 100000 of Bitcoin's main chain.
	for _, c := range []struct{ root, ids []chainhash.Hash }{
		{hashes(t, "0e3e2357e806b6cdb1f70b54c3a3a17b6714ee1f0e68bebb44a74b1efd512098"),
			hashes(t, "0e3e2357e806b6cdb1f70b54c3a3a17b6714ee1f0e68bebb44a74b1efd512098")},
		{hashes(t, "7dac2c5666815c17a3b36427de37bb9d2e2c5ccec3f8633eb91a4205cb4c10ff"),
			hashes(t, "b1fea52486ce0c62bb442b530a3f0132b826c74e473d1f2c220bfa78111c5082",
				"f4184fc596403b9d638783cf57adfe4c75c605f6356fbc91338530e9831e9e16")},
		{hashes(t, "f3e94742aca4b5ef85488dc37c06c3282295ffec960994b2c0d5ac2a25a95766"),
			hashes(t, "8c14f0db3df150123e6f3dbbf30f8b955a8249b62ac1d1ff16284aefa3d06d87",
				"fff2525b8931402dd09222c50775608f75787bd2b87e56995a7bdd30f79702c4",
				"6359f0868171b1d194cbee1af2f16ea598ae8fad666d9b012c8ed2b79a236ec4",
				"e9a66845e05d5abc0ad04ec80f774a7e585c6e8db975962d069a522137b80c1d")},
	} {
		before := append([]chainhash.Hash(nil), c.ids...)
		if got := MerkleRoot(c.ids); got != c.root[0] {
			t.Errorf("got %v, want %v", got, c.root[0])
		}
		for i := range before {
			if before[i] != c.ids[i] {
				t.Error("the ids were changed")
			}
		}
	}
	if got := MerkleRoot(nil); got != (chainhash.Hash{}) {
		t.Errorf("no ids: got %v", got)
	}
}

// TestFirstBranch climbs from the first id to the root.
func TestFirstBranch(t *testing.T) {
	var ids []chainhash.Hash
	for n := 1; n <= 40; n++ {
		ids = append(ids, chainhash.Hash{byte(n)})
		node := ids[0]
		for _, sibling := range FirstBranch(ids) {
			node = chainhash.DoubleHashH(append(node[:], sibling[:]...))
		}
		if want := MerkleRoot(ids); node != want {
			t.Errorf("%d ids: the branch leads to %v, the root is %v", n, node, want)
		}
	}
	if branch := FirstBranch(nil); branch != nil {
		t.Errorf("no ids: %v", branch)
	}
}

// TestMerkleRepetition appends to n ids the part of them that leaves the root
// as it is: that, and only that, must be noticed (CVE-2012-2459).
func TestMerkleRepetition(t *testing.T) {
	ids := make([]chainhash.Hash, 40)
	for i := range ids {
		ids[i] = chainhash.Hash{byte(i + 1)}
	}
	for n := 1; n <= len(ids)/2; n++ {
		tree := merkleOf(ids[:n])
		root, repeated := tree.root, tree.repeated
		if repeated {
			t.Errorf("%d different ids count as repeated", n)
		}
		for part := 1; part <= n; part++ {
			longer := append(append([]chainhash.Hash(nil), ids[:n]...), ids[n-part:n]...)
			tree := merkleOf(longer)
			got, repeated := tree.root, tree.repeated
			if got == root && !repeated {
				t.Errorf("%d ids and the last %d again: same root, not noticed", n, part)
			}
		}
		if n > 1 && n%2 == 1 {
			tree := merkleOf(append(append([]chainhash.Hash(nil), ids[:n]...), ids[n-1]))
			got, repeated := tree.root, tree.repeated
			if got != root || !repeated {
				t.Errorf("%d ids and the last again: same root %v, noticed %v", n, got == root, repeated)
			}
		}
	}
}

// TestWitnessCommitment computes one by hand for three transactions.
func TestWitnessCommitment(t *testing.T) {
	a, b := payment(1), payment(2)
	a.TxIn[0].Witness = wire.TxWitness{{7}}
	txs := []*Tx{nil, NewTx(a), NewTx(b)}
	pair := func(l, r chainhash.Hash) chainhash.Hash { return chainhash.DoubleHashH(append(l[:], r[:]...)) }
	reserved := [32]byte{5}
	right := pair(txs[2].WTxID, txs[2].WTxID)
	want := pair(pair(pair(chainhash.Hash{}, txs[1].WTxID), right), reserved)
	if got := WitnessCommitment(txs, reserved); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	coinbase := coinbaseAt(1, 1)
	if got := FindWitnessCommitment(coinbase); got != -1 {
		t.Errorf("found one at %d where there is none", got)
	}
	coinbase.TxOut = append(coinbase.TxOut, WitnessCommitmentOutput(txs, reserved))
	if got := FindWitnessCommitment(coinbase); got != 1 {
		t.Errorf("found at %d", got)
	}
}

func TestBlockChecksLeaveTimeOut(t *testing.T) {
	b := block(coinbaseAt(1, 1))
	b.Header.Timestamp = time.Unix(1<<32-1, 0)
	wantRule(t, CheckBlock(b, mainnet()), "", false)
	wantRule(t, CheckBlockContext(b, spaced(1, 0, 1, 0), mainnet()), "", false)
}

func BenchmarkMerkleRoot4000(b *testing.B) {
	ids := make([]chainhash.Hash, 4000)
	for i := range ids {
		ids[i] = chainhash.Hash{byte(i), byte(i >> 8)}
	}
	b.ReportAllocs()
	for b.Loop() {
		MerkleRoot(ids)
	}
}

// TestMerkleOnce counts what a block's merkle tree costs: it is hashed once,
// and a copy of the block with other transactions does not inherit it.
func TestMerkleOnce(t *testing.T) {
	b := block(coinbaseAt(1, 1), payment(1), payment(2))
	first := b.merkle()
	if err := CheckBlock(b, mainnet()); err != nil {
		t.Fatal(err)
	}
	branch := b.CoinbaseBranch()
	if b.merkle() != first || &branch[0] != &first.branch[0] {
		t.Error("the merkle tree was made again")
	}
	if want := FirstBranch(TxIDs(b.Txs)); !slices.Equal(branch, want) {
		t.Errorf("branch %v, want %v", branch, want)
	}
	other := &Block{Header: b.Header, Hash: b.Hash, Txs: b.Txs[:2]}
	if rule := AsRule(CheckBlock(other, mainnet())); rule == nil || rule.Rule != RuleMerkleRoot {
		t.Errorf("a block without its last transaction: %v", rule)
	}
}
