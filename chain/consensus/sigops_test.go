package consensus

import (
	"crypto/sha256"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/params"
)

const bip16AndWitness = txscript.ScriptBip16 | txscript.ScriptVerifyWitness

func push(tb testing.TB, data ...[]byte) []byte {
	tb.Helper()
	builder := txscript.NewScriptBuilder()
	for _, d := range data {
		builder.AddFullData(d)
	}
	script, err := builder.Script()
	if err != nil {
		tb.Fatal(err)
	}
	return script
}

// p2sh and p2wsh are scripts of the right form; only the form counts.
func p2sh() []byte   { return append(append([]byte{0xa9, 0x14}, make([]byte, 20)...), 0x87) }
func p2wsh() []byte  { return append([]byte{0x00, 0x20}, make([]byte, 32)...) }
func p2wpkh() []byte { return append([]byte{0x00, 0x14}, make([]byte, 20)...) }
func p2tr() []byte   { return append([]byte{0x51, 0x20}, make([]byte, 32)...) }

func TestSigOpCost(t *testing.T) {
	const sig, multi = txscript.OP_CHECKSIG, txscript.OP_CHECKMULTISIG
	twoOfThree := []byte{txscript.OP_2, txscript.OP_3, multi}
	unparsed := []byte{sig, txscript.OP_PUSHDATA1}
	for _, c := range []struct {
		name      string
		coin      []byte
		sigScript []byte
		witness   wire.TxWitness
		flags     txscript.ScriptFlags
		want      int64
	}{
		{"nothing", []byte{txscript.OP_1}, nil, nil, bip16AndWitness, 0},
		{"in the coin's script: counted where it was made", []byte{sig}, nil, nil, bip16AndWitness, 0},
		{"in the input script", []byte{txscript.OP_1}, []byte{sig, txscript.OP_CHECKSIGVERIFY}, nil, bip16AndWitness, 8},
		{"multisig without reading the keys", []byte{txscript.OP_1}, twoOfThree, nil, bip16AndWitness, 80},
		{"up to what does not parse", []byte{txscript.OP_1}, unparsed, nil, bip16AndWitness, 4},

		{"redeem script", p2sh(), push(t, []byte{sig}), nil, bip16AndWitness, 4},
		{"redeem script with keys read", p2sh(), push(t, twoOfThree), nil, bip16AndWitness, 12},
		{"redeem script without BIP16", p2sh(), push(t, twoOfThree), nil, 0, 0},
		{"only the last push", p2sh(), push(t, []byte{sig, sig}, []byte{sig, sig, sig}), nil, bip16AndWitness, 12},
		{"an input script that does more than push", p2sh(), append([]byte{txscript.OP_NOP}, push(t, []byte{sig})...), nil, bip16AndWitness, 0},
		{"an input script that does not parse", p2sh(), append(push(t, []byte{sig}), txscript.OP_PUSHDATA1), nil, bip16AndWitness, 0},
		{"a number pushed last", p2sh(), append(push(t, []byte{sig}), txscript.OP_1), nil, bip16AndWitness, 0},
		{"16 keys", p2sh(), push(t, []byte{txscript.OP_16, multi}), nil, bip16AndWitness, 64},
		{"17 keys count as 20", p2sh(), push(t, []byte{1, 17, multi}), nil, bip16AndWitness, 80},
		{"no keys count as 20", p2sh(), push(t, []byte{txscript.OP_0, multi}), nil, bip16AndWitness, 80},

		{"p2wpkh", p2wpkh(), nil, nil, bip16AndWitness, 1},
		{"p2wpkh before BIP141", p2wpkh(), nil, nil, txscript.ScriptBip16, 0},
		{"p2wsh", p2wsh(), nil, wire.TxWitness{{sig}, twoOfThree}, bip16AndWitness, 3},
		{"p2wsh without witness", p2wsh(), nil, nil, bip16AndWitness, 0},
		{"p2wpkh within p2sh", p2sh(), push(t, p2wpkh()), nil, bip16AndWitness, 1},
		{"p2wsh within p2sh", p2sh(), push(t, p2wsh()), wire.TxWitness{{sig, sig}}, bip16AndWitness, 2},
		{"p2tr", p2tr(), nil, wire.TxWitness{{sig, sig}}, bip16AndWitness, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			msg := payment(0)
			msg.TxIn[0].SignatureScript, msg.TxIn[0].Witness = c.sigScript, c.witness
			if got := SigOpCost(NewTx(msg), []Coin{{Script: c.coin}}, c.flags); got != c.want {
				t.Errorf("got %d, want %d", got, c.want)
			}
		})
	}
	coinbase := coinbaseAt(1, 1)
	coinbase.TxOut[0].PkScript = []byte{sig}
	if got := SigOpCost(NewTx(coinbase), nil, bip16AndWitness); got != 4 {
		t.Errorf("coinbase: got %d", got)
	}
}

// FuzzSigOps compares the counting with that of txscript.
func FuzzSigOps(f *testing.F) {
	f.Add([]byte{0xac, 0xae}, []byte{0x52, 0x53, 0xae}, []byte{0x4c}, byte(0))
	f.Add([]byte{}, []byte{0x60, 0xae, 0xaf}, []byte{0x01}, byte(1))
	f.Add([]byte{0x51, 0xae}, []byte{0xac, 0x4d, 0xff}, []byte{0x00}, byte(2))
	f.Add([]byte{0x76}, []byte{0xad}, []byte{0x61}, byte(3))
	f.Fuzz(func(t *testing.T, raw, script, tail []byte, kind byte) {
		msg := payment(0)
		coin := [][]byte{p2sh(), p2wsh(), p2wpkh(), raw}[kind%4]
		sigScript := raw
		if len(script) < 10_000 && kind&4 != 0 {
			sigScript = append(push(t, script), tail...)
		}
		if kind&8 != 0 {
			sigScript = push(t, p2wsh())
		}
		msg.TxIn[0].SignatureScript, msg.TxIn[0].Witness = sigScript, wire.TxWitness{tail, script}
		msg.TxOut[0].PkScript = raw

		want := 4 * (txscript.GetSigOpCount(sigScript) + txscript.GetSigOpCount(raw))
		if txscript.IsPayToScriptHash(coin) {
			want += 4 * txscript.GetPreciseSigOpCount(sigScript, coin, true)
		}
		want += txscript.GetWitnessSigOpCount(sigScript, coin, msg.TxIn[0].Witness)
		if got := SigOpCost(NewTx(msg), []Coin{{Script: coin}}, bip16AndWitness); got != int64(want) {
			t.Errorf("got %d, txscript counts %d", got, want)
		}
	})
}

func TestScriptFlags(t *testing.T) {
	exceptional := chainhash.Hash(sha256.Sum256([]byte("exceptional")))
	all := txscript.ScriptBip16 | txscript.ScriptVerifyDERSignatures | txscript.ScriptVerifyCheckLockTimeVerify |
		txscript.ScriptVerifyCheckSequenceVerify | txscript.ScriptVerifyWitness | txscript.ScriptStrictMultiSig | txscript.ScriptVerifyTaproot
	witness := txscript.ScriptVerifyWitness | txscript.ScriptVerifyTaproot
	for _, c := range []struct {
		name   string
		deploy func(*params.Params)
		want   txscript.ScriptFlags
	}{
		{"all", func(*params.Params) {}, all},
		{"all at this height", func(p *params.Params) {
			p.Deployments = params.Deployments{BIP16: 9, BIP34: 9, BIP65: 9, BIP66: 9, CSV: 9, Segwit: 9, Taproot: 9}
		}, all},
		{"none before the next", func(p *params.Params) {
			p.Deployments = params.Deployments{BIP16: 10, BIP34: 10, BIP65: 10, BIP66: 10, CSV: 10, Segwit: 10, Taproot: 10}
		}, 0},
		{"without BIP66", func(p *params.Params) { p.Deployments.BIP66 = -1 }, all &^ txscript.ScriptVerifyDERSignatures},
		{"without BIP65", func(p *params.Params) { p.Deployments.BIP65 = -1 }, all &^ txscript.ScriptVerifyCheckLockTimeVerify},
		{"without BIP112", func(p *params.Params) { p.Deployments.CSV = -1 }, all &^ txscript.ScriptVerifyCheckSequenceVerify},
		{"without segwit", func(p *params.Params) { p.Deployments.Segwit = -1 }, all &^ (witness | txscript.ScriptStrictMultiSig)},
		{"without taproot", func(p *params.Params) { p.Deployments.Taproot = -1 }, all &^ txscript.ScriptVerifyTaproot},
		{"without BIP16", func(p *params.Params) { p.Deployments.BIP16 = -1 }, all &^ (witness | txscript.ScriptBip16)},
		{"exception from BIP16", func(p *params.Params) {
			p.Exceptions = map[chainhash.Hash]params.Exception{exceptional: {BIP16: true}}
		}, all &^ (witness | txscript.ScriptBip16)},
		{"exception from taproot", func(p *params.Params) {
			p.Exceptions = map[chainhash.Hash]params.Exception{exceptional: {Taproot: true}}
		}, all &^ txscript.ScriptVerifyTaproot},
		{"exception of another block", func(p *params.Params) {
			p.Exceptions = map[chainhash.Hash]params.Exception{{}: {BIP16: true}}
		}, all},
	} {
		p := mainnet()
		c.deploy(p)
		got := ScriptFlags(9, exceptional, p)
		if got != c.want {
			t.Errorf("%s: got %b, want %b", c.name, got, c.want)
		}
		if StandardScriptFlags()&got != got {
			t.Errorf("%s: policy asks for less", c.name)
		}
	}
}
