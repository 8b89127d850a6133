package sigcheck

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/params"
)

// attempt is a spend under some rules.
type attempt struct {
	spend Spend
	flags txscript.ScriptFlags
}

// repeat is n times the same operation.
func repeat(op byte, n int) []byte { return bytes.Repeat([]byte{op}, n) }

// pushes builds a script that pushes each item.
func pushes(tb testing.TB, items ...[]byte) []byte {
	tb.Helper()
	b := txscript.NewScriptBuilder()
	for _, item := range items {
		b.AddFullData(item)
	}
	script, err := b.Script()
	if err != nil {
		tb.Fatal(err)
	}
	return script
}

// bare spends a script with an input script.
func bare(script, sigScript []byte) Spend {
	s := scripted(1, script)
	s.Tx.Msg.TxIn[0].SignatureScript = sigScript
	return Spend{Tx: consensus.NewTx(s.Tx.Msg), Coins: s.Coins}
}

// program spends a witness program.
func program(version byte, data []byte, witness ...[]byte) Spend {
	op := version
	if version > 0 {
		op = txscript.OP_1 + version - 1
	}
	s := scripted(1, append([]byte{op, byte(len(data))}, data...))
	s.Tx.Msg.TxIn[0].Witness = witness
	return Spend{Tx: consensus.NewTx(s.Tx.Msg), Coins: s.Coins}
}

// p2wsh spends a witness script; the items come before it.
func p2wsh(script []byte, items ...[]byte) Spend {
	return program(0, chainhash.HashB(script), append(slices.Clone(items), script)...)
}

// leaf spends a script of a taproot output that has only this one. behind are
// the items after the control block (an annex).
func leaf(tb testing.TB, version txscript.TapscriptLeafVersion, script []byte, items [][]byte, behind ...[]byte) Spend {
	tb.Helper()
	tree := txscript.AssembleTaprootScriptTree(txscript.NewTapLeaf(version, script))
	control := tree.LeafMerkleProofs[0].ToControlBlock(testKey().PubKey())
	raw, err := control.ToBytes()
	if err != nil {
		tb.Fatal(err)
	}
	root := tree.RootNode.TapHash()
	key := schnorr.SerializePubKey(txscript.ComputeTaprootOutputKey(testKey().PubKey(), root[:]))
	return program(1, key, append(append(slices.Clone(items), script, raw), behind...)...)
}

// tapscript spends a leaf of the known version.
func tapscript(tb testing.TB, script []byte, items ...[]byte) Spend {
	return leaf(tb, txscript.BaseLeafVersion, script, items)
}

// budgeted runs n signature operations in tapscript whose witness takes just
// 50 bytes each, less the 50 that are free, and spare more. The keys are of
// an unknown type, so no signature is checked; they count all the same.
func budgeted(tb testing.TB, n, spare int) Spend {
	script := append([]byte{txscript.OP_SWAP, txscript.OP_DROP}, bytes.Repeat([]byte{txscript.OP_DUP, 2, 9, 9, txscript.OP_CHECKSIGVERIFY}, n)...)
	with := func(padding int) Spend { return tapscript(tb, script, repeat(1, padding), []byte{1}) }
	const some = 300 // so that the length of the padding takes as many bytes
	size := with(some).Tx.Msg.TxIn[0].Witness.SerializeSize()
	s := with(some + 50*(n-1) + spare - size)
	if got := s.Tx.Msg.TxIn[0].Witness.SerializeSize(); got != 50*(n-1)+spare {
		tb.Fatalf("the witness has %d bytes", got)
	}
	return s
}

// TestScriptRules has the rules of scripts at their boundaries: the last
// spend that passes, the first that fails, and why.
func TestScriptRules(t *testing.T) {
	const all, none = allConsensus, txscript.ScriptFlags(0)
	standard := consensus.StandardScriptFlags()
	ops := func(n int) []byte { return append(repeat(txscript.OP_NOP, n), txscript.OP_1) }
	sized := func(n int) []byte { // pushes that are dropped, of a length that takes 2 bytes
		var script []byte
		for range n / 526 {
			script = append(append(script, pushes(t, repeat(1, 500))...), txscript.OP_DROP)
		}
		script = append(append(script, pushes(t, repeat(1, n-len(script)-5))...), txscript.OP_DROP)
		return append(script, txscript.OP_1)
	}
	stack := func(n int) []byte { return append(repeat(txscript.OP_1, n-1), txscript.OP_1) }
	multi := func(keys int) []byte { // 0 of n: no signature needed
		b := txscript.NewScriptBuilder().AddInt64(0)
		for range keys {
			b.AddInt64(0)
		}
		script, err := b.AddInt64(int64(keys)).AddOp(txscript.OP_CHECKMULTISIG).Script()
		if err != nil {
			t.Fatal(err)
		}
		return script
	}
	p2sh := func(redeem []byte) Spend {
		script, err := txscript.NewScriptBuilder().AddOp(txscript.OP_HASH160).AddData(address.Hash160(redeem)).AddOp(txscript.OP_EQUAL).Script()
		if err != nil {
			t.Fatal(err)
		}
		return bare(script, pushes(t, redeem))
	}
	dummy := func(item byte) Spend { return bare(multi(1), []byte{item}) }
	locked := func(op byte, lock int64) Spend { // CLTV or CSV; the locktime of tx is 0, its sequence too
		script, err := txscript.NewScriptBuilder().AddInt64(lock).AddOp(op).AddOp(txscript.OP_DROP).AddInt64(1).Script()
		if err != nil {
			t.Fatal(err)
		}
		return bare(script, nil)
	}
	key32 := schnorr.SerializePubKey(testKey().PubKey())
	checkSig := func(key []byte) []byte { return append(pushes(t, key), txscript.OP_CHECKSIG) }
	long := repeat(txscript.OP_NOP, 11_000)

	for _, c := range []struct {
		name        string
		last, first attempt
		note        string // Bitcoin Core's reason; "" where nothing fails
	}{
		// Limits of scripts that are not tapscripts.
		{"201 operations", attempt{bare(ops(201), nil), all}, attempt{bare(ops(202), nil), all}, "Operation limit exceeded"},
		{"201 operations in a witness script", attempt{p2wsh(ops(201)), all}, attempt{p2wsh(ops(202)), all}, "Operation limit exceeded"},
		{"10,000 bytes", attempt{bare(sized(10_000), nil), all}, attempt{bare(sized(10_001), nil), all}, "Script is too big"},
		{"520 bytes in an item", attempt{bare(append(pushes(t, repeat(1, 520)), txscript.OP_DROP, txscript.OP_1), nil), all},
			attempt{bare(append(pushes(t, repeat(1, 521)), txscript.OP_DROP, txscript.OP_1), nil), all}, "Push value size limit exceeded"},
		{"520 bytes in an item of a witness", attempt{p2wsh([]byte{txscript.OP_DROP, txscript.OP_1}, repeat(1, 520)), all},
			attempt{p2wsh([]byte{txscript.OP_DROP, txscript.OP_1}, repeat(1, 521)), all}, "Push value size limit exceeded"},
		{"1,000 items on the stack", attempt{bare(stack(1000), nil), all}, attempt{bare(stack(1001), nil), all}, "Stack size limit exceeded"},
		{"20 keys", attempt{bare(multi(20), []byte{txscript.OP_0}), all}, attempt{bare(multi(21), []byte{txscript.OP_0}), all}, "Pubkey count negative or limit exceeded"},
		{"disabled operations, even where they do not run", attempt{bare([]byte{txscript.OP_0, txscript.OP_IF, txscript.OP_RESERVED, txscript.OP_ENDIF, txscript.OP_1}, nil), all},
			attempt{bare([]byte{txscript.OP_0, txscript.OP_IF, txscript.OP_CAT, txscript.OP_ENDIF, txscript.OP_1}, nil), all}, "Attempted to use a disabled opcode"},

		// What each deployment changes: the same spend before and after.
		{"BIP16", attempt{p2sh([]byte{txscript.OP_1, txscript.OP_0}), none}, attempt{p2sh([]byte{txscript.OP_1, txscript.OP_0}), txscript.ScriptBip16},
			"Script evaluated without error but finished with a false/empty top stack element"},
		{"BIP65", attempt{locked(txscript.OP_CHECKLOCKTIMEVERIFY, 1), none}, attempt{locked(txscript.OP_CHECKLOCKTIMEVERIFY, 1), txscript.ScriptVerifyCheckLockTimeVerify},
			"Locktime requirement not satisfied"},
		{"BIP65 at the locktime", attempt{locked(txscript.OP_CHECKLOCKTIMEVERIFY, 0), all}, attempt{locked(txscript.OP_CHECKLOCKTIMEVERIFY, 1), all},
			"Locktime requirement not satisfied"},
		{"BIP112", attempt{locked(txscript.OP_CHECKSEQUENCEVERIFY, 1), none}, attempt{locked(txscript.OP_CHECKSEQUENCEVERIFY, 1), txscript.ScriptVerifyCheckSequenceVerify},
			"Locktime requirement not satisfied"},
		{"BIP112 at the sequence", attempt{locked(txscript.OP_CHECKSEQUENCEVERIFY, 0), all}, attempt{locked(txscript.OP_CHECKSEQUENCEVERIFY, 1), all},
			"Locktime requirement not satisfied"},
		{"BIP147", attempt{dummy(txscript.OP_1), none}, attempt{dummy(txscript.OP_1), txscript.ScriptStrictMultiSig}, "Dummy CHECKMULTISIG argument must be zero"},
		{"BIP147, empty", attempt{dummy(txscript.OP_0), all}, attempt{dummy(txscript.OP_1), all}, "Dummy CHECKMULTISIG argument must be zero"},
		{"BIP141", attempt{p2wsh(fail()), txscript.ScriptBip16}, attempt{p2wsh(fail()), txscript.ScriptBip16 | txscript.ScriptVerifyWitness},
			"Script evaluated without error but finished with a false/empty top stack element"},
		{"BIP341", attempt{program(1, key32, []byte{1}), all &^ txscript.ScriptVerifyTaproot}, attempt{program(1, key32, []byte{1}), all}, "Invalid Schnorr signature size"},

		// Witness programs of today and of the future.
		{"version 0 has 20 or 32 bytes", attempt{p2wsh(pass()), all}, attempt{program(0, repeat(1, 31), pass()), all}, "Witness program has incorrect length"},
		{"version 0 within BIP16 leaves no rest", attempt{p2sh(append([]byte{0, 32}, chainhash.HashB(pass())...)).with(pass()), all},
			attempt{bare([]byte{txscript.OP_1}, nil).with(pass()), all}, "Witness provided for non-witness script"},
		{"version 1 of another length", attempt{program(1, repeat(1, 31), fail()), all}, attempt{program(1, repeat(1, 32), fail()), all}, "Invalid Schnorr signature size"},
		{"version 2", attempt{program(2, repeat(1, 32), fail()), all}, attempt{program(2, repeat(1, 32), fail()), standard}, "Witness version reserved for soft-fork upgrades"},
		{"version 16", attempt{program(16, repeat(1, 40)), all}, attempt{program(16, repeat(1, 40)), standard}, "Witness version reserved for soft-fork upgrades"},
		{"a program of 41 bytes is none", attempt{program(16, repeat(1, 40), fail()), all}, attempt{program(16, repeat(1, 41), fail()), all},
			"Witness provided for non-witness script"},

		// Taproot.
		{"a leaf", attempt{tapscript(t, pass()), all}, attempt{tapscript(t, fail()), all},
			"Script evaluated without error but finished with a false/empty top stack element"},
		{"a leaf of unknown version", attempt{leaf(t, 0xc2, fail(), nil), all}, attempt{leaf(t, 0xc2, fail(), nil), standard}, "Taproot version reserved for soft-fork upgrades"},
		{"OP_SUCCESS", attempt{tapscript(t, []byte{txscript.OP_RETURN, 0x50}), all}, attempt{tapscript(t, []byte{txscript.OP_RETURN, 0x51}), all}, "OP_RETURN was encountered"},
		{"OP_SUCCESS by policy", attempt{tapscript(t, []byte{0xfe}), all}, attempt{tapscript(t, []byte{0xfe}), standard}, "OP_SUCCESSx reserved for soft-fork upgrades"},
		{"OP_SUCCESS behind what does not parse", attempt{tapscript(t, []byte{0x50, txscript.OP_PUSHDATA1}), all},
			attempt{tapscript(t, []byte{txscript.OP_PUSHDATA1, 0x50}), all}, "Opcode missing or not understood"},
		{"a key of unknown type", attempt{tapscript(t, checkSig([]byte{9, 9}), []byte{1}), all}, attempt{tapscript(t, checkSig([]byte{9, 9}), []byte{1}), standard},
			"Public key version reserved for soft-fork upgrades"},
		{"an empty key", attempt{tapscript(t, checkSig([]byte{9, 9}), []byte{1}), all}, attempt{tapscript(t, []byte{txscript.OP_0, txscript.OP_CHECKSIG}, []byte{1}), all},
			"Empty public key in tapscript"},
		{"the budget of signatures", attempt{budgeted(t, 10, 0), all}, attempt{budgeted(t, 10, -1), all},
			"Too much signature validation relative to witness weight"},
		{"no limit of size or operations", attempt{tapscript(t, append(long, txscript.OP_1)), all}, attempt{tapscript(t, append(long, txscript.OP_0)), all},
			"Script evaluated without error but finished with a false/empty top stack element"},
		{"multisignature", attempt{p2wsh(multi(1), nil), all}, attempt{tapscript(t, multi(1), nil), all}, "OP_CHECKMULTISIG(VERIFY) is not available in tapscript"},
		{"the argument of OP_IF", attempt{tapscript(t, []byte{txscript.OP_IF, txscript.OP_1, txscript.OP_ELSE, txscript.OP_1, txscript.OP_ENDIF}, []byte{1}), all},
			attempt{tapscript(t, []byte{txscript.OP_IF, txscript.OP_1, txscript.OP_ELSE, txscript.OP_1, txscript.OP_ENDIF}, []byte{2}), all}, "OP_IF/NOTIF argument must be minimal"},
		{"an annex", attempt{leaf(t, txscript.BaseLeafVersion, pass(), nil, []byte{0x50, 1, 2}), all},
			attempt{leaf(t, txscript.BaseLeafVersion, pass(), nil, []byte{0x51, 1, 2}), all}, "Invalid Taproot control block size"},
		{"another leaf", attempt{tapscript(t, pass()), all}, attempt{tapscript(t, pass()).changed(0, func(s []byte) { s[0]++ }), all}, "Witness program hash mismatch"},
	} {
		t.Run(c.name, func(t *testing.T) {
			checker := New(Config{Workers: 1})
			if err := checker.CheckTx(t.Context(), c.last.spend.Tx, c.last.spend.Coins, c.last.flags); err != nil {
				t.Errorf("the last that passes: %v", err)
			}
			if err := checker.CheckBlock(t.Context(), []Spend{c.last.spend}, c.last.flags); err != nil {
				t.Errorf("the last that passes, in a block: %v", err)
			}
			for rule, err := range map[consensus.Rule]error{
				consensus.RuleTxScript:    checker.CheckTx(t.Context(), c.first.spend.Tx, c.first.spend.Coins, c.first.flags),
				consensus.RuleBlockScript: checker.CheckBlock(t.Context(), []Spend{c.first.spend}, c.first.flags),
			} {
				broken := consensus.AsRule(err)
				if broken == nil || !errors.Is(err, rule) || broken.Note != " ("+c.note+")" {
					t.Errorf("the first that fails: got %v, want %s (%s)", err, rule, c.note)
				}
			}
		})
	}
}

// with gives the first input a witness.
func (s Spend) with(items ...[]byte) Spend {
	msg := s.Tx.Msg.Copy()
	msg.TxIn[0].Witness = items
	return Spend{Tx: consensus.NewTx(msg), Coins: s.Coins}
}

// changed changes one item of the first input's witness.
func (s Spend) changed(item int, change func([]byte)) Spend {
	msg := s.Tx.Msg.Copy()
	change(msg.TxIn[0].Witness[item])
	return Spend{Tx: consensus.NewTx(msg), Coins: s.Coins}
}

// TestSignatureForms has ECDSA signatures in forms that BIP66 ended, of which
// the numbers are those of a good signature.
func TestSignatureForms(t *testing.T) {
	script := append(pushes(t, testKey().PubKey().SerializeCompressed()), txscript.OP_CHECKSIG)
	s := bare(script, nil)
	sign := func(hashType txscript.SigHashType) []byte {
		hash, err := txscript.CalcSignatureHash(script, hashType, s.Tx.Msg, 0)
		if err != nil {
			t.Fatal(err)
		}
		return append(ecdsa.Sign(testKey(), hash).Serialize(), byte(hashType))
	}
	good := sign(txscript.SigHashAll)
	// padded has zeros before R that it does not need.
	padded := slices.Insert(slices.Clone(good), 4, 0)
	padded[1]++
	padded[3]++
	highS := func() []byte {
		rLen := int(good[3])
		r, sBytes := good[4:4+rLen], good[6+rLen:len(good)-1]
		var v btcec.ModNScalar
		v.SetByteSlice(sBytes)
		raw := v.Negate().Bytes() // more than half the order, so the top bit is set
		der := append(append([]byte{0x30, byte(4 + rLen + 33), 2, byte(rLen)}, r...), 2, 33, 0)
		return append(append(der, raw[:]...), byte(txscript.SigHashAll))
	}()
	const strict = txscript.ScriptVerifyDERSignatures
	for _, c := range []struct {
		name          string
		sig           []byte
		before, after bool // whether it passes before BIP66 and after
	}{
		{"strict", good, true, true},
		{"zeros before R", padded, true, false},
		{"a byte behind S", slices.Insert(slices.Clone(good), len(good)-1, 0), true, false},
		{"S in its upper half", highS, true, true},
		{"undefined hash type", sign(5), true, true},
		{"hash type 0", sign(0), true, true},
		{"no hash type", nil, false, false},
		{"the hash type alone", []byte{1}, false, false},
		{"another R", func() []byte { b := slices.Clone(good); b[10] ^= 1; return b }(), false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			spend := bare(script, pushes(t, c.sig))
			for flags, ok := range map[txscript.ScriptFlags]bool{0: c.before, strict: c.after, allConsensus: c.after} {
				err := New(Config{}).CheckTx(t.Context(), spend.Tx, spend.Coins, flags)
				if (err == nil) != ok || err != nil && consensus.AsRule(err) == nil {
					t.Errorf("flags %b: got %v", flags, err)
				}
			}
		})
	}
}

// TestAnnexIsSigned: a signature of taproot commits to the annex.
func TestAnnexIsSigned(t *testing.T) {
	key := schnorr.SerializePubKey(testKey().PubKey())
	script := append(pushes(t, key), txscript.OP_CHECKSIG)
	annex := []byte{0x50, 7, 7}
	signed := func(opts ...txscript.TaprootSigHashOption) []byte {
		s := leaf(t, txscript.BaseLeafVersion, script, [][]byte{nil}, annex)
		common := prepare(&s)
		hash, err := txscript.CalcTapscriptSignaturehash(common.hashes, txscript.SigHashDefault, s.Tx.Msg, 0, common.fetcher,
			txscript.NewBaseTapLeaf(script), opts...)
		if err != nil {
			t.Fatal(err)
		}
		sig, err := schnorr.Sign(testKey(), hash)
		if err != nil {
			t.Fatal(err)
		}
		return sig.Serialize()
	}
	for _, c := range []struct {
		name  string
		sig   []byte
		annex [][]byte
		ok    bool
	}{
		{"the annex", signed(txscript.WithAnnex(annex)), [][]byte{annex}, true},
		{"another annex", signed(txscript.WithAnnex([]byte{0x50, 7, 8})), [][]byte{annex}, false},
		{"an annex that is not signed", signed(), [][]byte{annex}, false},
		{"none", signed(), nil, true},
		{"none, but one is signed", signed(txscript.WithAnnex(annex)), nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := leaf(t, txscript.BaseLeafVersion, script, [][]byte{c.sig}, c.annex...)
			err := New(Config{}).CheckTx(t.Context(), s.Tx, s.Coins, allConsensus)
			if (err == nil) != c.ok || err != nil && !errors.Is(err, consensus.RuleTxScript) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestFirstBlockUnderEachRule: flags by height decide, one block apart.
func TestFirstBlockUnderEachRule(t *testing.T) {
	p := bitcoinLimits()
	p.Deployments = params.Deployments{BIP16: 10, BIP65: 20, BIP66: 30, CSV: 40, Segwit: 50, Taproot: 60, BIP54: params.Never}
	redeem := []byte{txscript.OP_1, txscript.OP_0}
	p2sh, err := txscript.NewScriptBuilder().AddOp(txscript.OP_HASH160).AddData(address.Hash160(redeem)).AddOp(txscript.OP_EQUAL).Script()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		spend  Spend
		height int32 // of the first block in which it fails
	}{
		{"BIP16", bare(p2sh, pushes(t, redeem)), 10},
		{"BIP65", bare([]byte{txscript.OP_1, txscript.OP_CHECKLOCKTIMEVERIFY}, nil), 20},
		{"BIP112", bare([]byte{txscript.OP_1, txscript.OP_CHECKSEQUENCEVERIFY}, nil), 40},
		{"BIP141", p2wsh(fail()), 50},
		{"BIP147", bare([]byte{txscript.OP_0, txscript.OP_0, txscript.OP_1, txscript.OP_CHECKMULTISIG}, []byte{txscript.OP_1}), 50},
		{"BIP341", program(1, schnorr.SerializePubKey(testKey().PubKey()), []byte{1}), 60},
	} {
		for height, ok := range map[int32]bool{c.height - 1: true, c.height: false} {
			flags := consensus.ScriptFlags(height, chainhash.Hash{}, p)
			err := New(Config{}).CheckBlock(t.Context(), []Spend{c.spend}, flags)
			if (err == nil) != ok || err != nil && !errors.Is(err, consensus.RuleBlockScript) {
				t.Errorf("%s at height %d: got %v", c.name, height, err)
			}
		}
	}
}
