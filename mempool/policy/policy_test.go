package policy

import (
	"bytes"
	"errors"
	"math"
	"os"
	"testing"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/params"
)

func limits() *params.Policy {
	return &params.Policy{MinRelayFee: 1000, DustRelayFee: 3000, MaxDataBytes: 83}
}

// Scripts of the standard forms.
var (
	p2pkh = concat([]byte{txscript.OP_DUP, txscript.OP_HASH160, 20}, make([]byte, 20), []byte{txscript.OP_EQUALVERIFY, txscript.OP_CHECKSIG})
	p2sh  = concat([]byte{txscript.OP_HASH160, 20}, make([]byte, 20), []byte{txscript.OP_EQUAL})
	p2wpk = concat([]byte{txscript.OP_0, 20}, make([]byte, 20))
	p2wsh = concat([]byte{txscript.OP_0, 32}, make([]byte, 32))
	p2tr  = concat([]byte{txscript.OP_1, 32}, make([]byte, 32))
)

func concat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func repeat(op byte, n int) []byte { return bytes.Repeat([]byte{op}, n) }

func data(n int) []byte { // OP_RETURN script of n bytes
	return concat([]byte{txscript.OP_RETURN, txscript.OP_PUSHDATA1, byte(n - 3)}, make([]byte, n-3))
}

func multisig(n int) []byte {
	script := []byte{txscript.OP_1}
	for range n {
		script = append(script, 33, 2)
		script = append(script, make([]byte, 32)...)
	}
	return append(script, byte(txscript.OP_1-1+n), txscript.OP_CHECKMULTISIG)
}

// plain returns a standard transaction for tests to spoil.
func plain(change func(*wire.MsgTx)) *consensus.Tx {
	msg := wire.NewMsgTx(2)
	msg.AddTxIn(&wire.TxIn{Sequence: math.MaxUint32})
	msg.AddTxOut(wire.NewTxOut(1e6, p2tr))
	if change != nil {
		change(msg)
	}
	return consensus.NewTx(msg)
}

func payTo(script []byte) func(*wire.MsgTx) {
	return func(m *wire.MsgTx) { m.TxOut[0].PkScript = script }
}

func sigScript(script []byte) func(*wire.MsgTx) {
	return func(m *wire.MsgTx) { m.TxIn[0].SignatureScript = script }
}

// weighing pads the witness up to a weight.
func weighing(weight int64) func(*wire.MsgTx) {
	return func(m *wire.MsgTx) {
		m.TxIn[0].Witness = wire.TxWitness{make([]byte, 100_000)}
		m.TxIn[0].Witness[0] = make([]byte, 100_000+int(weight-consensus.NewTx(m).Weight))
	}
}

func TestCheckForm(t *testing.T) {
	tests := []struct {
		name   string
		change func(*wire.MsgTx)
		want   error // nil: standard
	}{
		{"plain", nil, nil},
		{"version 0", func(m *wire.MsgTx) { m.Version = 0 }, CodeVersion},
		{"version 1", func(m *wire.MsgTx) { m.Version = 1 }, nil},
		{"version 3", func(m *wire.MsgTx) { m.Version = 3 }, CodeVersion},
		{"largest", weighing(MaxTxWeight), nil},
		{"too large", weighing(MaxTxWeight + 1), CodeTxSize},
		{"least size", payTo(concat([]byte{txscript.OP_RETURN}, repeat(txscript.OP_0, MinStripped-61))), nil},
		{"too small", payTo(concat([]byte{txscript.OP_RETURN}, repeat(txscript.OP_0, MinStripped-62))), CodeTxSizeSmall},
		{"longest signature script", sigScript(repeat(txscript.OP_0, MaxSigScript)), nil},
		{"signature script too long", sigScript(repeat(txscript.OP_0, MaxSigScript+1)), CodeSigScript},
		{"last push operation", sigScript([]byte{txscript.OP_16}), nil},
		{"more than pushes", sigScript([]byte{txscript.OP_NOP}), CodeNotPushOnly},
		{"cut-off push", sigScript([]byte{txscript.OP_DATA_2, 0}), CodeNotPushOnly},
		{"p2pkh", payTo(p2pkh), nil},
		{"p2sh", payTo(p2sh), nil},
		{"p2wpkh", payTo(p2wpk), nil},
		{"p2wsh", payTo(p2wsh), nil},
		{"anchor", func(m *wire.MsgTx) { m.AddTxOut(wire.NewTxOut(240, txscript.PayToAnchorScript)) }, nil},
		{"witness program to come", payTo(concat([]byte{txscript.OP_16, 40}, make([]byte, 40))), nil},
		{"witness program too long", payTo(concat([]byte{txscript.OP_16, 41}, make([]byte, 41))), CodeOutputScript},
		{"three keys", payTo(multisig(3)), nil},
		{"four keys", payTo(multisig(4)), CodeOutputScript},
		{"anything else", payTo(repeat(txscript.OP_TRUE, 20)), CodeOutputScript},
		{"empty", payTo(nil), CodeTxSizeSmall},
		{"most data", payTo(data(83)), nil},
		{"too much data", payTo(data(84)), CodeDataOutput},
		{"data with an operation", payTo(concat(data(40), []byte{txscript.OP_NOP})), CodeOutputScript},
		{"data in two outputs", func(m *wire.MsgTx) {
			m.TxOut[0].PkScript = data(40)
			m.AddTxOut(wire.NewTxOut(0, data(43)))
		}, nil},
		{"too much data in two outputs", func(m *wire.MsgTx) {
			m.TxOut[0].PkScript = data(40)
			m.AddTxOut(wire.NewTxOut(0, data(44)))
		}, CodeDataOutput},
		{"least amount", func(m *wire.MsgTx) { m.TxOut[0].Value = 330 }, nil},
		{"dust", func(m *wire.MsgTx) { m.TxOut[0].Value = 329 }, CodeDust},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			tx := plain(test.change)
			if err := CheckForm(tx, limits(), false); !errors.Is(err, test.want) {
				t.Errorf("CheckForm: %v, want %v (weight %d)", err, test.want, tx.Weight)
			}
		})
	}
}

// The figures that every wallet knows: Bitcoin Core's at 3,000 per 1,000.
func TestDustLimit(t *testing.T) {
	tests := []struct {
		name   string
		script []byte
		want   int64
	}{
		{"p2pkh", p2pkh, 546},
		{"p2sh", p2sh, 540},
		{"p2wpkh", p2wpk, 294},
		{"p2wsh", p2wsh, 330},
		{"p2tr", p2tr, 330},
		{"anchor", txscript.PayToAnchorScript, 240},
		{"data", data(20), 0},
	}
	for _, test := range tests {
		if got := DustLimit(wire.NewTxOut(0, test.script), 3000); got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
}

func TestFee(t *testing.T) {
	tests := []struct {
		rate  FeeRate
		vsize int64
		want  int64
	}{
		{1000, 141, 141}, {0, 1000, 0}, {1, 1, 1}, {1, 1000, 1}, {1, 1001, 2}, {999, 1, 1}, {1001, 1000, 1001},
		{math.MaxInt64, 1000, math.MaxInt64}, {math.MaxInt64, 1001, math.MaxInt64}, {math.MaxInt64, math.MaxInt64, math.MaxInt64},
	}
	for _, test := range tests {
		if got := test.rate.Fee(test.vsize); got != test.want {
			t.Errorf("rate %d for %d bytes: %d, want %d", test.rate, test.vsize, got, test.want)
		}
	}
	rates := []struct{ fee, vsize, want int64 }{
		{141, 141, 1000}, {1, 3, 333}, {0, 5, 0}, {math.MaxInt64, 1000, math.MaxInt64}, {math.MaxInt64, 1, math.MaxInt64},
	}
	for _, test := range rates {
		if got := RateOf(test.fee, test.vsize); got != FeeRate(test.want) {
			t.Errorf("fee %d for %d bytes: rate %d, want %d", test.fee, test.vsize, got, test.want)
		}
	}
	compare := []struct {
		a, b, c, d int64
		want       int
	}{
		{1, 2, 2, 4, 0}, {1, 3, 333, 1000, 1}, {333, 1000, 1, 3, -1}, {0, 1, 0, 9, 0},
		{math.MaxInt64, math.MaxInt64 - 1, math.MaxInt64 - 1, math.MaxInt64, 1},
	}
	for _, test := range compare {
		if got := CompareRates(test.a, test.b, test.c, test.d); got != test.want {
			t.Errorf("%d/%d against %d/%d: %d, want %d", test.a, test.b, test.c, test.d, got, test.want)
		}
	}
}

func TestVSize(t *testing.T) {
	for _, test := range []struct{ weight, cost, want int64 }{
		{400, 0, 100}, {401, 0, 101}, {400, 20, 100}, {400, 21, 105},
	} {
		if got := VSize(test.weight, test.cost); got != test.want {
			t.Errorf("weight %d, cost %d: %d, want %d", test.weight, test.cost, got, test.want)
		}
	}
}

// redeem makes a signature script that shows a redeem script.
func redeem(script []byte) []byte {
	b := txscript.NewScriptBuilder()
	s, err := b.AddData(script).Script()
	if err != nil {
		panic(err)
	}
	return s
}

func TestCheckInputs(t *testing.T) {
	tests := []struct {
		name   string
		script []byte
		sig    []byte
		inputs int
		want   error
	}{
		{"taproot", p2tr, nil, 1, nil},
		{"anchor", txscript.PayToAnchorScript, nil, 1, nil},
		{"unknown form", []byte{txscript.OP_TRUE}, nil, 1, CodeInputs},
		{"witness program to come", concat([]byte{txscript.OP_2, 32}, make([]byte, 32)), nil, 1, CodeInputs},
		{"no redeem script", p2sh, nil, 1, CodeInputs},
		{"most checks", p2sh, redeem(repeat(txscript.OP_CHECKSIG, MaxRedeemSigOps)), 1, nil},
		{"too many checks", p2sh, redeem(repeat(txscript.OP_CHECKSIG, MaxRedeemSigOps+1)), 1, CodeInputs},
		{"most checks in all", p2pkh, nil, MaxLegacySigOps, nil},
		{"too many checks in all", p2pkh, nil, MaxLegacySigOps + 1, CodeInputs},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var coins []consensus.Coin
			tx := plain(func(m *wire.MsgTx) {
				m.TxIn = nil
				for range test.inputs {
					m.AddTxIn(&wire.TxIn{SignatureScript: test.sig})
					coins = append(coins, consensus.Coin{Script: test.script})
				}
			})
			if err := CheckInputs(tx, coins); !errors.Is(err, test.want) {
				t.Errorf("CheckInputs: %v, want %v", err, test.want)
			}
		})
	}
}

func items(n, size int, rest ...[]byte) wire.TxWitness {
	w := wire.TxWitness{}
	for range n {
		w = append(w, make([]byte, size))
	}
	return append(w, rest...)
}

func TestCheckWitness(t *testing.T) {
	nested := redeem(p2wsh)
	control, future := make([]byte, 33), make([]byte, 33)
	control[0], future[0] = 0xc1, 0xc2
	tests := []struct {
		name    string
		script  []byte
		sig     []byte
		witness wire.TxWitness
		want    error
	}{
		{"none", p2pkh, nil, nil, nil},
		{"none needed", p2pkh, nil, items(1, 1), CodeWitness},
		{"none needed by a redeem script", p2sh, redeem([]byte{txscript.OP_TRUE}), items(1, 1), CodeWitness},
		{"anchor", txscript.PayToAnchorScript, nil, items(1, 1), CodeWitness},
		{"key", p2wpk, nil, items(2, 73), nil},
		{"longest script", p2wsh, nil, items(1, MaxWitnessScript), nil},
		{"script too long", p2wsh, nil, items(1, MaxWitnessScript+1), CodeWitness},
		{"most items", p2wsh, nil, items(MaxWitnessItems+1, 1), nil},
		{"too many items", p2wsh, nil, items(MaxWitnessItems+2, 1), CodeWitness},
		{"longest item", p2wsh, nil, items(1, MaxWitnessItem, nil), nil},
		{"item too long", p2wsh, nil, items(1, MaxWitnessItem+1, nil), CodeWitness},
		{"nested item too long", p2sh, nested, items(1, MaxWitnessItem+1, nil), CodeWitness},
		{"key path", p2tr, nil, items(1, 64), nil},
		{"annex", p2tr, nil, items(1, 64, []byte{0x50}), CodeWitness},
		{"script path", p2tr, nil, items(1, MaxWitnessItem, make([]byte, 5000), control), nil},
		{"script path item too long", p2tr, nil, items(1, MaxWitnessItem+1, nil, control), CodeWitness},
		{"leaf version to come", p2tr, nil, items(1, MaxWitnessItem+1, nil, future), nil},
		{"empty control block", p2tr, nil, items(2, 0), CodeWitness},
		{"nested taproot means nothing", p2sh, redeem(p2tr), items(1, 64, []byte{0x50}), nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			tx := plain(func(m *wire.MsgTx) {
				m.TxIn[0].SignatureScript, m.TxIn[0].Witness = test.sig, test.witness
			})
			if err := CheckWitness(tx, []consensus.Coin{{Script: test.script}}); !errors.Is(err, test.want) {
				t.Errorf("CheckWitness: %v, want %v", err, test.want)
			}
		})
	}
}

func TestCheckSigOps(t *testing.T) {
	if err := CheckSigOps(MaxSigOpCost); err != nil {
		t.Error(err)
	}
	if err := CheckSigOps(MaxSigOpCost + 1); !errors.Is(err, CodeSigOps) {
		t.Errorf("CheckSigOps: %v", err)
	}
}

func TestError(t *testing.T) {
	cause := errors.New("cause")
	err := error(&Error{Code: CodeDust, Detail: "output 1", Err: cause})
	if !errors.Is(err, CodeDust) || !errors.Is(err, cause) || errors.Is(err, CodeFull) || err.Error() != "dust: output 1" {
		t.Errorf("%v", err)
	}
	if got := (&Error{Code: CodeFull}).Error(); got != "mempool full" {
		t.Errorf("%q", got)
	}
	src, err := os.ReadFile("error.go")
	if err != nil {
		t.Fatal(err)
	}
	if declared := bytes.Count(src, []byte(`Code = "`)); declared != len(Codes()) {
		t.Errorf("Codes lists %d of %d codes", len(Codes()), declared)
	}
	seen := map[Code]bool{}
	for _, c := range Codes() {
		if seen[c] {
			t.Errorf("%q is listed twice", c)
		}
		seen[c] = true
	}
}

// On chains with members their records are no data that counts, and the
// outputs by which they speak are no dust: as many as there are inputs and
// records.
func TestCheckFormOfRecords(t *testing.T) {
	script := append([]byte{txscript.OP_RETURN, txscript.OP_PUSHDATA2, 0x08, 0x02}, append([]byte("CHR"), make([]byte, 517)...)...)
	with := func(authority int, more ...*wire.TxOut) *consensus.Tx {
		return plain(func(m *wire.MsgTx) {
			m.AddTxOut(wire.NewTxOut(0, script))
			for range authority {
				m.AddTxOut(wire.NewTxOut(0, p2tr))
			}
			m.TxOut = append(m.TxOut, more...)
		})
	}
	tests := []struct {
		name    string
		tx      *consensus.Tx
		records bool
		want    error
	}{
		{"a record", with(2), true, nil},
		{"of a chain without members", with(0), false, CodeDataOutput},
		{"too many outputs of amount 0", with(3), true, CodeDust},
		{"of another kind", with(0, wire.NewTxOut(0, p2wpk)), true, CodeDust},
		{"with an amount", with(0, wire.NewTxOut(1, p2tr)), true, CodeDust},
		{"other data beside it", with(0, wire.NewTxOut(0, data(83))), true, nil},
		{"too much other data beside it", with(0, wire.NewTxOut(0, data(84))), true, CodeDataOutput},
		{"no record", plain(func(m *wire.MsgTx) { m.AddTxOut(wire.NewTxOut(0, p2tr)) }), true, CodeDust},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if err := CheckForm(test.tx, limits(), test.records); !errors.Is(err, test.want) {
				t.Errorf("CheckForm: %v, want %v", err, test.want)
			}
		})
	}
}
