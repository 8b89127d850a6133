package sigcheck

import (
	"fmt"
	"testing"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/btcsuite/btcd/txscript/v2"

	"github.com/charterchain/charter/chain/consensus"
)

// Kinds of coins that the tests spend.
const (
	p2tr   = "p2tr"
	p2wpkh = "p2wpkh"
	p2pkh  = "p2pkh"
	twoOf2 = "2-of-2"
	oneOf2 = "1-of-2"
	odd    = "odd script" // no signature, nothing standard
)

// numbered is the same key in every run.
func numbered(n int) *btcec.PrivateKey {
	key, _ := btcec.PrivKeyFromBytes(append(bytesOf(29, 9), byte(n>>16), byte(n>>8), byte(n)))
	return key
}

// coinScript gives the script of a coin of the kind.
func coinScript(tb testing.TB, kind string, n int) []byte {
	tb.Helper()
	b := txscript.NewScriptBuilder()
	pub := numbered(n).PubKey()
	hash := address.Hash160(pub.SerializeCompressed())
	switch kind {
	case p2tr:
		script, err := txscript.PayToTaprootScript(txscript.ComputeTaprootKeyNoScript(pub))
		if err != nil {
			tb.Fatal(err)
		}
		return script
	case p2wpkh:
		b.AddOp(txscript.OP_0).AddData(hash)
	case p2pkh:
		b.AddOp(txscript.OP_DUP).AddOp(txscript.OP_HASH160).AddData(hash).AddOp(txscript.OP_EQUALVERIFY).AddOp(txscript.OP_CHECKSIG)
	case twoOf2, oneOf2:
		m := byte(txscript.OP_1)
		if kind == twoOf2 {
			m = txscript.OP_2
		}
		b.AddOp(m).AddData(pub.SerializeCompressed()).AddData(numbered(n + 1).PubKey().SerializeCompressed())
		b.AddOp(txscript.OP_2).AddOp(txscript.OP_CHECKMULTISIG)
	case odd:
		b.AddInt64(int64(n)).AddOp(txscript.OP_DROP).AddOp(txscript.OP_1)
	}
	script, err := b.Script()
	if err != nil {
		tb.Fatal(err)
	}
	return script
}

// spendOf signs a transaction that spends a coin of each kind, by keys of
// their own. n makes it differ from others.
func spendOf(tb testing.TB, n int, kinds ...string) Spend {
	tb.Helper()
	scripts := make([][]byte, len(kinds))
	for i, kind := range kinds {
		scripts[i] = coinScript(tb, kind, 1000*n+2*i)
	}
	s := scripted(n, scripts...)
	common := prepare(&s)
	for i, kind := range kinds {
		if err := sign(&s, common, i, kind, 1000*n+2*i); err != nil {
			tb.Fatal(err)
		}
	}
	s.Tx = consensus.NewTx(s.Tx.Msg)
	return s
}

func sign(s *Spend, common shared, i int, kind string, n int) (err error) {
	in, coin, key := s.Tx.Msg.TxIn[i], s.Coins[i], numbered(n)
	switch kind {
	case p2tr:
		in.Witness, err = txscript.TaprootWitnessSignature(s.Tx.Msg, common.hashes, i, coin.Amount, coin.Script, txscript.SigHashDefault, key)
	case p2wpkh:
		in.Witness, err = txscript.WitnessSignature(s.Tx.Msg, common.hashes, i, coin.Amount, coin.Script, txscript.SigHashAll, key, true)
	case p2pkh:
		in.SignatureScript, err = txscript.SignatureScript(s.Tx.Msg, i, coin.Script, txscript.SigHashAll, key, true)
	case twoOf2, oneOf2:
		b := txscript.NewScriptBuilder().AddOp(txscript.OP_0)
		for k := n; k <= n+1; k++ {
			if kind == oneOf2 && k == n {
				continue
			}
			var sig []byte
			if sig, err = txscript.RawTxInSignature(s.Tx.Msg, i, coin.Script, txscript.SigHashAll, numbered(k)); err != nil {
				return err
			}
			b.AddData(sig)
		}
		in.SignatureScript, err = b.Script()
	}
	return err
}

// spoiled is the same spend with one signature that does not hold.
func spoiled(tb testing.TB, s Spend, input int) Spend {
	tb.Helper()
	msg := s.Tx.Msg.Copy()
	in := msg.TxIn[input]
	switch sig := in.Witness; {
	case len(sig) == 1: // taproot: s gets another
		sig[0][40] ^= 1
	case len(sig) == 2: // the low bits of s, which stay where they are in DER
		sig[0][len(sig[0])-2] ^= 1
	case len(in.SignatureScript) > 0:
		b := in.SignatureScript
		if b[0] == txscript.OP_0 {
			b = b[1:]
		}
		b[b[0]-1] ^= 1
	default:
		coins := append([]consensus.Coin(nil), s.Coins...)
		coins[input].Script = fail()
		return Spend{Tx: s.Tx, Coins: coins}
	}
	return Spend{Tx: consensus.NewTx(msg), Coins: s.Coins}
}

// referee is the outcome of the interpreter alone, input after input.
func referee(spends []Spend, flags txscript.ScriptFlags) (detail string, fails bool) {
	for i := range spends {
		scripts := newTxScripts(&spends[i], flags)
		for input := range spends[i].Coins {
			if err := scripts.run(input); err != nil {
				return fmt.Sprintf("input %d of transaction %v: %v", input, spends[i].Tx.TxID, err), true
			}
		}
	}
	return "", false
}

// sameAsReferee compares an outcome with the interpreter's.
func sameAsReferee(tb testing.TB, what string, err error, spends []Spend, flags txscript.ScriptFlags) {
	tb.Helper()
	detail, fails := referee(spends, flags)
	rule := consensus.AsRule(err)
	switch {
	case err != nil && rule == nil:
		tb.Errorf("%s: undecided: %v", what, err)
	case fails != (err != nil):
		tb.Errorf("%s: got %v, the interpreter says %q", what, err, detail)
	case fails && rule.Detail != detail:
		tb.Errorf("%s: got %q, the interpreter says %q", what, rule.Detail, detail)
	}
}

// parity is computed from the definition: of the y of u1 G + u2 P.
func parity(tb testing.TB, hash []byte, der []byte, pub *btcec.PublicKey) bool {
	tb.Helper()
	sig, err := ecdsa.ParseDERSignature(der)
	if err != nil {
		tb.Fatal(err)
	}
	r, s := sig.R(), sig.S()
	s.InverseNonConst()
	var u1, u2 btcec.ModNScalar
	u1.SetByteSlice(hash)
	u1.Mul(&s)
	u2.Mul2(&r, &s)
	var p, a, b, sum btcec.JacobianPoint
	pub.AsJacobian(&p)
	btcec.ScalarBaseMultNonConst(&u1, &a)
	btcec.ScalarMultNonConst(&u2, &p, &b)
	btcec.AddNonConst(&a, &b, &sum)
	sum.ToAffine()
	return sum.Y.IsOdd()
}

// trueHints are the hints of spends that spendOf made, by btcec.
func trueHints(tb testing.TB, spends []Spend) Hints {
	tb.Helper()
	var bits []bool
	for i := range spends {
		s := &spends[i]
		common := prepare(s)
		for input, in := range s.Tx.Msg.TxIn {
			script := s.Coins[input].Script
			var sig, key, hash []byte
			var err error
			switch {
			case len(in.Witness) == 2: // p2wpkh
				sig, key = in.Witness[0], in.Witness[1]
				hash, err = txscript.CalcWitnessSigHash(script, common.hashes, txscript.SigHashAll, s.Tx.Msg, input, s.Coins[input].Amount)
			case len(script) == 25: // p2pkh
				b := in.SignatureScript
				sig, key = b[1:1+b[0]], b[2+b[0]:]
				hash, err = txscript.CalcSignatureHash(script, txscript.SigHashAll, s.Tx.Msg, input)
			default:
				bits = append(bits, false)
				continue
			}
			if err != nil {
				tb.Fatal(err)
			}
			pub, err := btcec.ParsePubKey(key)
			if err != nil {
				tb.Fatal(err)
			}
			bits = append(bits, parity(tb, hash, sig[:len(sig)-1], pub))
		}
	}
	h := make(Hints, HintsLen(len(bits)))
	for i, odd := range bits {
		if odd {
			h[i/8] |= 1 << (i % 8)
		}
	}
	return h
}

// inputsOf counts the inputs.
func inputsOf(spends []Spend) (n int) {
	for _, s := range spends {
		n += len(s.Coins)
	}
	return n
}
