package fastpath

import (
	"bytes"
	"math/big"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/txscript/v2"

	"github.com/charterchain/charter/chain/consensus"
)

// twoOfThree signs with the first and the last key.
func twoOfThree(f form) forge { return forge{form: f, asks: multi, n: 3, signers: []int{0, 2}} }

// rewrite changes the numbers of a signature with hash type, and puts the
// bytes given in front of each; nil: one that DER needs, if any.
func rewrite(sig []byte, change func(r, s *big.Int), padR, padS []byte) []byte {
	hashType, rest := sig[len(sig)-1], sig[4:]
	r := new(big.Int).SetBytes(rest[:sig[3]])
	rest = rest[sig[3]:]
	s := new(big.Int).SetBytes(rest[2 : 2+rest[1]])
	if change != nil {
		change(r, s)
	}
	var body []byte
	for i, n := range []*big.Int{r, s} {
		b := append(slices.Clone([][]byte{padR, padS}[i]), n.Bytes()...)
		if pad := [][]byte{padR, padS}[i]; pad == nil && (len(b) == 0 || b[0] >= 0x80) {
			b = append([]byte{0}, b...)
		}
		body = append(append(body, 2, byte(len(b))), b...)
	}
	return append(append([]byte{0x30, byte(len(body))}, body...), hashType)
}

func highS(_ int, sig []byte) []byte {
	return rewrite(sig, func(_, s *big.Int) { s.Sub(btcec.S256().N, s) }, nil, nil)
}

// TestOddities has one row for each thing that the fast path looks at and
// leaves to the interpreter. Most are valid by some rules, which shows that
// the row is what it says; whatever they are, both must agree.
func TestOddities(t *testing.T) {
	const some = txscript.ScriptBip16 | txscript.ScriptVerifyWitness | txscript.ScriptVerifyTaproot
	wsh := twoOfThree(p2wsh)
	rows := []struct {
		name     string
		f        forge
		after    func(m *made) // changes the finished spend
		flags    txscript.ScriptFlags
		accepted bool // by the interpreter
	}{
		// Flags.
		{"unknown flag", forge{form: p2tr}, nil, allPolicy | 1<<30, true},
		{"clean stack without P2SH", forge{}, nil, txscript.ScriptVerifyCleanStack, false},
		{"witness without P2SH", forge{}, nil, txscript.ScriptVerifyWitness, false},
		{"P2TR without taproot", forge{form: p2tr}, nil, allConsensus &^ txscript.ScriptVerifyTaproot, true},
		{"P2WPKH without witness", forge{form: p2wpkh}, nil, txscript.ScriptBip16, true},
		{"P2WSH without witness", wsh, nil, txscript.ScriptBip16, true},
		{"nested without witness", forge{form: p2shP2WPKH}, nil, txscript.ScriptBip16, true},
		{"P2SH without BIP16", twoOfThree(p2sh), nil, 0, true},

		// Taproot.
		{"annex", forge{form: p2tr}, func(m *made) { m.in().Witness = append(m.in().Witness, []byte{0x50}) }, some, false},
		{"no witness", forge{form: p2tr}, func(m *made) { m.in().Witness = nil }, some, false},
		{"script in P2TR", forge{form: p2tr}, func(m *made) { m.in().SignatureScript = []byte{0x51} }, some, false},
		{"type 0 as a byte", forge{form: p2tr}, func(m *made) { m.in().Witness[0] = append(m.in().Witness[0], 0) }, some, false},
		{"short Schnorr signature", forge{form: p2tr}, func(m *made) { m.in().Witness[0] = m.in().Witness[0][:63] }, some, false},
		{"long Schnorr signature", forge{form: p2tr, hashType: 1}, func(m *made) { m.in().Witness[0] = append(m.in().Witness[0], 1) }, some, false},
		{"P2TR in P2SH", forge{form: p2tr}, nestP2TR(t), some, true},
		{"version 2", forge{form: p2tr}, func(m *made) { m.coins[m.at].Script[0] = txscript.OP_2 }, some, true},
		{"script path", forge{form: p2tr}, func(m *made) { m.in().Witness = append(m.in().Witness, make([]byte, 33)) }, some, false},

		// Witness programs of version 0.
		{"key not compressed in P2WPKH", forge{form: p2wpkh, keys: uncompressed}, nil, allPolicy, false},
		{"hybrid key in P2WPKH", forge{form: p2wpkh, keys: hybrid}, nil, some, true},
		{"key not compressed in P2WSH", forge{form: p2wsh, asks: multi, keys: uncompressed, n: 2, signers: []int{0, 1}}, nil, allPolicy, false},
		{"third item in P2WPKH", forge{form: p2wpkh}, func(m *made) { m.in().Witness = append(m.in().Witness, []byte{1}) }, some, false},
		{"one item in P2WPKH", forge{form: p2wpkh}, func(m *made) { m.in().Witness = m.in().Witness[:1] }, some, false},
		{"another key in P2WPKH", forge{form: p2wpkh}, func(m *made) { m.in().Witness[1] = forge{}.key(5) }, some, false},
		{"script in P2WPKH", forge{form: p2wpkh}, func(m *made) { m.in().SignatureScript = []byte{0x51} }, some, false},
		{"script in P2WSH", wsh, func(m *made) { m.in().SignatureScript = []byte{0x51} }, some, false},
		{"no witness in P2WSH", wsh, func(m *made) { m.in().Witness = nil }, some, false},
		{"another script in P2WSH", wsh, func(m *made) { last(m.in().Witness)[9] ^= 1 }, some, false},
		{"P2WSH of P2PKH", forge{form: p2wsh, asks: aKeyHash}, nil, allPolicy, true},
		{"P2WSH of P2PK", forge{form: p2wsh}, nil, allPolicy, true},
		{"program of 31 bytes", forge{form: p2wpkh}, func(m *made) { m.coins[m.at].Script = append([]byte{0, 31}, make([]byte, 31)...) }, some, false},
		{"program by PUSHDATA1", forge{form: p2wpkh}, func(m *made) {
			m.coins[m.at].Script = slices.Concat([]byte{0, txscript.OP_PUSHDATA1, 20}, m.coins[m.at].Script[2:])
		}, some, false},

		// BIP16.
		{"nested, pushed by PUSHDATA1", forge{form: p2shP2WPKH, push: byPushdata1}, nil, some, false},
		{"nested, a push of another length", forge{form: p2shP2WPKH, push: func(s []byte) []byte { return append([]byte{21}, s[1:]...) }}, nil, some, false},
		{"nested, one more push", forge{form: p2shP2WPKH, push: prepend(txscript.OP_0)}, nil, some, false},
		{"nested, another program", forge{form: p2shP2WPKH}, func(m *made) { m.in().SignatureScript[5] ^= 1 }, some, false},
		{"nested P2WSH, another program", twoOfThree(p2shP2WS), func(m *made) { m.in().SignatureScript[5] ^= 1 }, some, false},
		{"P2SH of P2PKH", forge{form: p2sh, asks: aKeyHash}, nil, allPolicy, true},
		{"P2SH, another script", twoOfThree(p2sh), func(m *made) { m.coins[m.at].Script[5] ^= 1 }, some, false},
		{"P2SH with a witness", twoOfThree(p2sh), func(m *made) { m.in().Witness = [][]byte{{1}} }, some, false},
		{"P2SH with a witness, before BIP141", twoOfThree(p2sh), func(m *made) { m.in().Witness = [][]byte{{1}} }, txscript.ScriptBip16, true},
		{"P2SH, more than 520 bytes", forge{form: p2sh, asks: multi, n: 16, signers: []int{3}}, nil, some, false},
		{"empty script for P2SH", twoOfThree(p2sh), func(m *made) { m.in().SignatureScript = nil }, some, false},
		{"operation in the script for P2SH", forge{form: p2sh, asks: multi, n: 1, signers: []int{0}, push: prepend(txscript.OP_NOP)}, nil, some, false},

		// P2PKH and P2PK.
		{"P2PKH with a witness", forge{asks: aKeyHash}, func(m *made) { m.in().Witness = [][]byte{{1}} }, some, false},
		{"P2PK with a witness", forge{}, func(m *made) { m.in().Witness = [][]byte{{1}} }, 0, true},
		{"another key in P2PKH", forge{asks: aKeyHash}, func(m *made) { m.coins[m.at].Script[4] ^= 1 }, some, false},
		{"hybrid key in P2PKH", forge{asks: aKeyHash, keys: hybrid}, nil, some, true},
		{"hybrid key in P2PK", forge{keys: hybrid}, nil, some, true},
		{"hybrid key by policy", forge{keys: hybrid}, nil, allPolicy, false},
		{"one more item below", forge{asks: aKeyHash, push: prepend(txscript.OP_1)}, nil, some, true},
		{"unclean stack", forge{asks: aKeyHash, push: prepend(txscript.OP_1)}, nil, allPolicy, false},
		{"one more item on top", forge{asks: aKeyHash, push: func(s []byte) []byte { return append(s, 2, 1, 1) }}, nil, some, false},
		{"one more item on top of P2PK", forge{push: func(s []byte) []byte { return append(s, 2, 1, 1) }}, nil, some, false},
		{"operation in the script", forge{push: prepend(txscript.OP_NOP)}, nil, some, true},
		{"signature by PUSHDATA1", forge{push: byPushdata1}, nil, some, true},
		{"signature by PUSHDATA1, by policy", forge{push: byPushdata1}, nil, allPolicy, false},
		{"signature by PUSHDATA2", forge{push: byPushdata2}, nil, some, true},
		{"signature by PUSHDATA4", forge{push: byPushdata4}, nil, some, true},
		{"key only", forge{asks: aKeyHash}, func(m *made) { m.in().SignatureScript = m.in().SignatureScript[1+m.in().SignatureScript[0]:] }, some, false},
		{"script cut", forge{asks: aKeyHash}, func(m *made) { m.in().SignatureScript = m.in().SignatureScript[:100] }, some, false},
		{"code separator", forge{code: func(c []byte) []byte { return append([]byte{txscript.OP_CODESEPARATOR}, c...) }}, nil, some, true},
		{"NOP behind", forge{code: func(c []byte) []byte { return append(c, txscript.OP_NOP) }}, nil, some, true},
		{"CHECKSIGVERIFY", forge{code: func(c []byte) []byte {
			return append(slices.Clone(c[:len(c)-1]), txscript.OP_CHECKSIGVERIFY, txscript.OP_1)
		}}, nil, some, true},
		{"empty coin", forge{}, func(m *made) { m.coins[m.at].Script = nil }, 0, true},

		// Signatures.
		{"empty signature", forge{sig: func(int, []byte) []byte { return nil }}, nil, some, false},
		{"high s by policy", forge{form: p2wpkh, sig: highS}, nil, allPolicy, false},
		{"high s in multisig, by policy", forge{form: p2wsh, asks: multi, n: 2, signers: []int{1}, sig: highS}, nil, allPolicy, false},
		{"padded r", forge{form: p2wpkh, sig: func(_ int, s []byte) []byte { return rewrite(s, nil, []byte{0, 0}, nil) }}, nil, some, true},
		{"padded s", forge{form: p2wpkh, sig: func(_ int, s []byte) []byte { return rewrite(s, nil, nil, []byte{0, 0}) }}, nil, some, true},
		{"padded r, strict", forge{form: p2wpkh, sig: func(_ int, s []byte) []byte { return rewrite(s, nil, []byte{0, 0}, nil) }}, nil, allConsensus, false},
		{"negative s", forge{form: p2wpkh, sig: func(_ int, s []byte) []byte { return rewrite(highS(0, s), nil, nil, []byte{}) }}, nil, some, true},
		{"negative s, strict", forge{form: p2wpkh, sig: func(_ int, s []byte) []byte { return rewrite(highS(0, s), nil, nil, []byte{}) }}, nil, allConsensus, false},
		{"length one too large", forge{sig: setByte(1, 1)}, nil, allConsensus, false},
		{"no sequence", forge{sig: setByte(0, 1)}, nil, allConsensus, false},
		{"r is no integer", forge{sig: setByte(2, 1)}, nil, allConsensus, false},
		{"r one too long", forge{sig: setByte(3, 1)}, nil, allConsensus, false},
		{"byte behind s, counted", forge{sig: func(_ int, s []byte) []byte {
			s[1]++
			return slices.Insert(s, len(s)-1, 7)
		}}, nil, allConsensus, false},
		{"byte behind s", forge{form: p2wpkh, sig: func(_ int, s []byte) []byte { return slices.Insert(s, len(s)-1, 7) }}, nil, some, true},
		{"r of 0", forge{sig: func(_ int, s []byte) []byte { return rewrite(s, func(r, _ *big.Int) { r.SetInt64(0) }, nil, nil) }}, nil, allConsensus, false},
		{"s of 0", forge{sig: func(_ int, s []byte) []byte { return rewrite(s, func(_, n *big.Int) { n.SetInt64(0) }, nil, nil) }}, nil, allConsensus, false},
		{"r above the order", forge{sig: func(_ int, s []byte) []byte {
			return rewrite(s, func(r, _ *big.Int) { r.Add(r, btcec.S256().N) }, nil, nil)
		}}, nil, allConsensus, false},
		{"s is the order", forge{sig: func(_ int, s []byte) []byte {
			return rewrite(s, func(_, n *big.Int) { n.Set(btcec.S256().N) }, nil, nil)
		}}, nil, allConsensus, false},
		{"type not defined", forge{hashType: 4}, nil, allConsensus, true},
		{"type not defined, P2WPKH", forge{form: p2wpkh, hashType: 0x41}, nil, allConsensus, true},
		{"legacy NONE", forge{hashType: 2}, nil, allPolicy, true},
		{"legacy ALL by anyone", forge{hashType: 0x81}, nil, allPolicy, true},
		{"legacy SINGLE without output", forge{hashType: 3, inputs: 2, outputs: 1, at: 1}, nil, allPolicy, true},
		{"taproot SINGLE without output", forge{form: p2tr, hashType: 3, inputs: 2, outputs: 1, at: 1}, nil, allPolicy, false},

		// Multisig.
		{"dummy of 1", forge{asks: multi, n: 2, signers: []int{0, 1}, push: dummy(1)}, nil, txscript.ScriptBip16, true},
		{"dummy of 1, strict", forge{asks: multi, n: 2, signers: []int{0, 1}, push: dummy(1)}, nil, allConsensus, false},
		{"dummy in a witness", wsh, func(m *made) { m.in().Witness[0] = []byte{0} }, some, true},
		{"one more item in multisig", forge{asks: multi, n: 2, signers: []int{0, 1}, push: prepend(txscript.OP_1)}, nil, some, true},
		{"one item too few", twoOfThree(bare), func(m *made) { m.in().SignatureScript = m.in().SignatureScript[1:] }, some, false},
		{"no dummy in a witness", wsh, func(m *made) { m.in().Witness = m.in().Witness[1:] }, some, false},
		{"an empty signature", forge{form: p2wsh, asks: multi, n: 3, signers: []int{0, 2}, sig: func(i int, s []byte) []byte { return s[:len(s)*i] }}, nil, allPolicy, false},
		{"0 of 2", forge{form: p2wsh, asks: multi, n: 2}, nil, allPolicy, true},
		{"0 of 0", forge{form: p2wsh, asks: multi}, nil, allPolicy, true},
		{"17 keys", forge{form: p2wsh, asks: multi, n: 17, signers: []int{16}}, nil, allPolicy, true},
		{"more signatures than keys", forge{form: p2wsh, asks: multi, n: 1, signers: []int{0, 0}}, nil, allConsensus, false},
		{"numbers as pushes", forge{form: p2wsh, asks: multi, n: 2, signers: []int{1}, code: func(c []byte) []byte {
			return append([]byte{1, 1}, c[1:]...)
		}}, nil, allConsensus, true},
		{"more keys said than there are", forge{asks: multi, n: 2, signers: []int{0, 1}, code: func(c []byte) []byte {
			c[len(c)-2]++
			return c
		}}, nil, some, false},
		{"fewer keys said than there are", forge{asks: multi, n: 2, signers: []int{0}, code: func(c []byte) []byte {
			c[len(c)-2]--
			return c
		}}, nil, some, false},
		{"multisig without operation", forge{asks: multi, n: 2, signers: []int{0, 1}, code: func(c []byte) []byte {
			c[len(c)-1] = txscript.OP_NOP
			return c
		}}, nil, some, true},
		{"bare multisig with a witness", forge{asks: multi, n: 2, signers: []int{0, 1}}, func(m *made) { m.in().Witness = [][]byte{{1}} }, some, false},
		{"hybrid key in multisig", forge{form: p2wsh, asks: multi, keys: hybrid, n: 2, signers: []int{1}}, nil, allConsensus, true},
		{"no key at all, never looked at", forge{form: p2wsh, asks: multi, n: 2, signers: []int{1}, code: func(c []byte) []byte {
			c[2] = 9
			return c
		}}, nil, allPolicy, true},
		{"key of 20 bytes, never looked at", forge{asks: multi, n: 2, signers: []int{1}, code: func(c []byte) []byte {
			return slices.Concat(c[:1], []byte{20}, c[15:])
		}}, nil, allConsensus, true},
		{"key by PUSHDATA1", forge{form: p2wsh, asks: multi, n: 2, signers: []int{1}, code: func(c []byte) []byte {
			return slices.Insert(c, 1, txscript.OP_PUSHDATA1)
		}}, nil, allConsensus, true},
		{"code separator in multisig", forge{form: p2wsh, asks: multi, n: 2, signers: []int{1}, code: func(c []byte) []byte {
			return append([]byte{txscript.OP_CODESEPARATOR}, c...)
		}}, nil, allConsensus, false},
		{"CHECKMULTISIGVERIFY", forge{asks: multi, n: 2, signers: []int{1}, code: func(c []byte) []byte {
			return append(slices.Clone(c[:len(c)-1]), txscript.OP_CHECKMULTISIGVERIFY, txscript.OP_1)
		}}, nil, allConsensus, true},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			m := row.f.make(t)
			if row.after != nil {
				row.after(&m)
			}
			ok, accepted := agree(t, m, row.flags)
			if ok {
				t.Error("taken")
			}
			if accepted != row.accepted {
				t.Errorf("the interpreter says %v", m.interpret(row.flags))
			}
		})
	}
}

// TestTaken has what looks odd and is not: by these rules both succeed.
func TestTaken(t *testing.T) {
	rows := map[string]struct {
		f     forge
		flags txscript.ScriptFlags
	}{
		"high s in a block":                   {forge{form: p2wpkh, sig: highS}, allConsensus},
		"key not compressed in a block":       {forge{form: p2wpkh, keys: uncompressed}, allConsensus},
		"multisig key not compressed":         {forge{form: p2wsh, asks: multi, keys: uncompressed, n: 3, signers: []int{1}}, allConsensus},
		"P2WPKH SINGLE without output":        {forge{form: p2wpkh, hashType: 3, inputs: 2, outputs: 1, at: 1}, allPolicy},
		"P2WPKH SINGLE by anyone, no outputs": {forge{form: p2wpkh, hashType: 0x83}, allPolicy},
		"p2sh 15 of 15":                       {forge{form: p2sh, asks: multi, n: 15, signers: []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14}}, allPolicy},
		"hash types by turns":                 {forge{form: p2wsh, asks: multi, n: 4, signers: []int{0, 1, 2, 3}, types: []byte{1, 0x83, 1, 2}, outputs: 1}, allPolicy},
		"hash types by turns, 3 of 4":         {forge{form: p2shP2WS, asks: multi, n: 4, signers: []int{0, 1, 3}, types: []byte{0x81, 1, 0x81}, outputs: 1}, allPolicy},
		"300 inputs and outputs, legacy":      {forge{asks: aKeyHash, inputs: 300, outputs: 300, at: 299}, allPolicy},
		"300 inputs and outputs, BIP143":      {forge{form: p2wpkh, inputs: 300, outputs: 300, at: 150}, allPolicy},
		"300 inputs and outputs, BIP341":      {forge{form: p2tr, inputs: 300, outputs: 300, at: 299}, allPolicy},
		"script of 0xfd bytes and more":       {forge{form: p2sh, asks: multi, n: 8, signers: []int{0, 7}}, allPolicy},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			if ok, accepted := agree(t, row.f.make(t), row.flags); !ok || !accepted {
				t.Errorf("taken %v, accepted %v", ok, accepted)
			}
		})
	}
}

// TestOrderOfInputs: hashes do not depend on which inputs were asked for
// before, also where the state of the hash is kept.
func TestOrderOfInputs(t *testing.T) {
	f := forge{asks: aKeyHash, inputs: 80, outputs: 1, at: 60}
	m := f.make(t)
	for i := range m.coins {
		m.coins[i] = m.coins[m.at]
		m.msg.TxIn[i].SignatureScript = m.in().SignatureScript
	}
	if m.msg.SerializeSizeStripped() < longTemplate {
		t.Fatal("the transaction is not large enough")
	}
	tx := consensus.NewTx(m.msg)
	for _, order := range [][]int{{60}, {0, 59, 60}, {60, 60}, {79, 60}, {61, 3, 60}} {
		var fast Tx
		fast.Reset(tx, m.coins)
		var sigs []Sig
		for _, i := range order {
			sigs, _, _ = fast.Input(i, allPolicy, sigs)
		}
		if len(sigs) != len(order) || !holds(&sigs[len(order)-1], sigs[0].KeyBytes()) {
			t.Errorf("after %v the signature does not hold", order)
		}
	}
}

// TestWrongSignatures has spends that look right and whose signatures do not
// hold: they are taken, and what is asked for is not there.
func TestWrongSignatures(t *testing.T) {
	notAPoint := make([]byte, 32)
	notAPoint[31] = 5 // no y has this x
	rows := map[string]struct {
		f     forge
		after func(m *made)
	}{
		"multisig in the wrong order":   {forge{form: p2wsh, asks: multi, n: 3, signers: []int{2, 0}}, nil},
		"n of n in the wrong order":     {forge{form: p2wsh, asks: multi, n: 2, signers: []int{1, 0}}, nil},
		"one signature twice":           {forge{form: p2wsh, asks: multi, n: 3, signers: []int{1, 1}}, nil},
		"a signature by another's key":  {forge{form: p2wsh, asks: multi, n: 3, signers: []int{1, 9}}, nil},
		"output key that is no point":   {forge{form: p2tr}, func(m *made) { copy(m.coins[m.at].Script[2:], notAPoint) }},
		"key in P2PK that is no point":  {forge{}, func(m *made) { copy(m.coins[m.at].Script[2:], notAPoint) }},
		"Schnorr r that is not a field": {forge{form: p2tr}, func(m *made) { copy(m.in().Witness[0], bytes.Repeat([]byte{0xff}, 32)) }},
		"Schnorr s above the order":     {forge{form: p2tr}, func(m *made) { copy(m.in().Witness[0][32:], bytes.Repeat([]byte{0xff}, 32)) }},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			m := row.f.make(t)
			if row.after != nil {
				row.after(&m)
			}
			if ok, accepted := agree(t, m, allConsensus); !ok || accepted {
				t.Errorf("taken %v, accepted %v", ok, accepted)
			}
		})
	}
}

// TestLowS: half of the order, rounded down, is the largest low s.
func TestLowS(t *testing.T) {
	half := new(big.Int).Rsh(btcec.S256().N, 1)
	for add, low := range []bool{true, false} {
		f := forge{form: p2wpkh, sig: func(_ int, sig []byte) []byte {
			return rewrite(sig, func(_, s *big.Int) { s.Add(half, big.NewInt(int64(add))) }, nil, nil)
		}}
		m := f.make(t)
		if ok, _ := agree(t, m, allPolicy); ok != low {
			t.Errorf("half of the order and %d: taken %v", add, ok)
		}
		if got := !txscript.IsErrorCode(m.interpret(allPolicy), txscript.ErrSigHighS); got != low {
			t.Errorf("half of the order and %d: low for the interpreter %v", add, got)
		}
	}
}

// TestCallersMistakes: an input that is not there and coins that are missing
// are left to the interpreter, which says so.
func TestCallersMistakes(t *testing.T) {
	m := forge{form: p2tr}.make(t)
	var tx Tx
	tx.Reset(consensus.NewTx(m.msg), m.coins)
	for _, i := range []int{-1, 1} {
		if _, _, ok := tx.Input(i, allPolicy, nil); ok {
			t.Errorf("input %d taken", i)
		}
	}
	tx.Reset(consensus.NewTx(m.msg), nil)
	if _, _, ok := tx.Input(0, allPolicy, nil); ok {
		t.Error("taken without its coin")
	}
}

func last(items [][]byte) []byte { return items[len(items)-1] }

func prepend(op byte) func([]byte) []byte {
	return func(script []byte) []byte { return append([]byte{op}, script...) }
}

// dummy replaces the first operation.
func dummy(n int) func([]byte) []byte {
	return func(script []byte) []byte { return append([]byte{txscript.OP_1 + byte(n-1)}, script[1:]...) }
}

func byPushdata1(script []byte) []byte { return append([]byte{txscript.OP_PUSHDATA1}, script...) }

func byPushdata2(script []byte) []byte {
	return append([]byte{txscript.OP_PUSHDATA2, script[0], 0}, script[1:]...)
}

func byPushdata4(script []byte) []byte {
	return append([]byte{txscript.OP_PUSHDATA4, script[0], 0, 0, 0}, script[1:]...)
}

// setByte adds to one byte of a signature.
func setByte(at int, by byte) func(int, []byte) []byte {
	return func(_ int, sig []byte) []byte {
		sig[at] += by
		return sig
	}
}

// nestP2TR moves an output key into P2SH, where it means nothing.
func nestP2TR(t *testing.T) func(m *made) {
	return func(m *made) {
		redeem := m.coins[m.at].Script
		m.coins[m.at].Script = payToScriptHash(t, redeem)
		m.in().SignatureScript = append([]byte{byte(len(redeem))}, redeem...)
	}
}
