package consensus

import (
	"math"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/params"
)

func TestCheckTx(t *testing.T) {
	const most = 21_000_000_0000_0000
	small := func(p *params.Params) { p.Limits.TxWeight = 61 * 4 } // payment has 61 bytes
	outs := func(amounts ...int64) func(*wire.MsgTx) {
		return func(m *wire.MsgTx) {
			m.TxOut = nil
			for _, a := range amounts {
				m.TxOut = append(m.TxOut, &wire.TxOut{Value: a})
			}
		}
	}
	spends := func(n ...uint32) func(*wire.MsgTx) {
		return func(m *wire.MsgTx) {
			m.TxIn = nil
			for _, i := range n {
				m.TxIn = append(m.TxIn, &wire.TxIn{PreviousOutPoint: wire.OutPoint{Hash: chainhash.Hash{1}, Index: i}})
			}
		}
	}
	coinbase := func(script int) func(*wire.MsgTx) {
		return func(m *wire.MsgTx) {
			*m = *coinbaseAt(1, 1)
			m.TxIn[0].SignatureScript = make([]byte, script)
		}
	}
	null := wire.OutPoint{Index: math.MaxUint32}
	for _, c := range []struct {
		name   string
		change func(*wire.MsgTx)
		limits func(*params.Params)
		rule   Rule
	}{
		{"one input, one output", func(*wire.MsgTx) {}, nil, ""},
		{"no input", func(m *wire.MsgTx) { m.TxIn = nil }, nil, RuleTxNoInputs},
		{"no output", func(m *wire.MsgTx) { m.TxOut = nil }, nil, RuleTxNoOutputs},
		{"largest size", func(*wire.MsgTx) {}, small, ""},
		{"a byte more", func(m *wire.MsgTx) { m.TxOut[0].PkScript = []byte{1, 2} }, small, RuleTxOversize},
		{"witness does not count", func(m *wire.MsgTx) { m.TxIn[0].Witness = wire.TxWitness{make([]byte, 100)} }, small, ""},
		{"amount 0", outs(0), nil, ""},
		{"amount -1", outs(-1), nil, RuleTxOutputNegative},
		{"least amount", outs(math.MinInt64), nil, RuleTxOutputNegative},
		{"all money", outs(most), nil, ""},
		{"more than all money", outs(most + 1), nil, RuleTxOutputTooLarge},
		{"largest amount", outs(math.MaxInt64), nil, RuleTxOutputTooLarge},
		{"all money in two", outs(most-1, 1), nil, ""},
		{"more than all money in two", outs(most, 1), nil, RuleTxOutputsTooLarge},
		{"different inputs", spends(0, 1, 2, 3, 4, 5, 6, 7, 8, 9), nil, ""},
		{"one of two inputs twice", spends(3, 3), nil, RuleTxDuplicateInputs},
		{"one of many inputs twice", spends(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0), nil, RuleTxDuplicateInputs},
		{"eight inputs, the last twice", spends(0, 1, 2, 3, 4, 5, 6, 6), nil, RuleTxDuplicateInputs},
		{"coinbase script of 1", coinbase(1), nil, RuleCoinbaseLength},
		{"coinbase script of 2", coinbase(2), nil, ""},
		{"coinbase script of 100", coinbase(100), nil, ""},
		{"coinbase script of 101", coinbase(101), nil, RuleCoinbaseLength},
		{"an input that spends nothing", func(m *wire.MsgTx) {
			m.TxIn = append(m.TxIn, &wire.TxIn{PreviousOutPoint: null})
		}, nil, RuleTxNullInput},
		{"highest index of a transaction", func(m *wire.MsgTx) { m.TxIn[0].PreviousOutPoint.Index = math.MaxUint32 }, nil, ""},
		{"hash of zeros", func(m *wire.MsgTx) { m.TxIn[0].PreviousOutPoint = wire.OutPoint{} }, nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, msg := mainnet(), payment(0)
			if c.limits != nil {
				c.limits(p)
			}
			c.change(msg)
			wantRule(t, CheckTx(NewTx(msg), p), c.rule, false)
		})
	}
}

func TestCheckTxWeight(t *testing.T) {
	msg := payment(0)
	msg.TxIn[0].Witness = wire.TxWitness{make([]byte, 10)}
	tx, p := NewTx(msg), mainnet()
	p.Limits.TxWeight = tx.Weight
	wantRule(t, CheckTxWeight(tx, p), "", false)
	p.Limits.TxWeight--
	wantRule(t, CheckTxWeight(tx, p), RuleTxWeight, false)
	if got, want := tx.strippedSize(), int64(msg.SerializeSizeStripped()); got != want {
		t.Errorf("size without witness %d, want %d", got, want)
	}
}

func TestCheckTxInputs(t *testing.T) {
	const most = 21_000_000_0000_0000
	for _, c := range []struct {
		name   string
		coins  []Coin
		out    int64
		height int32
		fee    int64
		rule   Rule
	}{
		{"a fee", []Coin{{Amount: 10}, {Amount: 5}}, 12, 100, 3, ""},
		{"no fee", []Coin{{Amount: 10}, {Amount: 5}}, 15, 100, 0, ""},
		{"a negative fee", []Coin{{Amount: 10}, {Amount: 5}}, 16, 100, 0, RuleTxInputsBelowOut},
		{"all money in", []Coin{{Amount: most - 1}, {Amount: 1}}, 0, 100, most, ""},
		{"more than all money in", []Coin{{Amount: most}, {Amount: 1}}, 0, 100, 0, RuleTxInputValues},
		{"a coin of more than all money", []Coin{{Amount: most + 1}, {}}, 0, 100, 0, RuleTxInputValues},
		{"a negative coin", []Coin{{Amount: -1}, {Amount: 5}}, 0, 100, 0, RuleTxInputValues},
		{"a negative coin after others", []Coin{{Amount: 5}, {Amount: -1}}, 0, 100, 0, RuleTxInputValues},
		{"coins that overflow", []Coin{{Amount: math.MaxInt64}, {Amount: math.MaxInt64}}, 0, 100, 0, RuleTxInputValues},
		{"a coinbase just mature", []Coin{{Amount: 1, Height: 50, Coinbase: true}, {}}, 1, 150, 0, ""},
		{"a coinbase not yet mature", []Coin{{Amount: 1, Height: 51, Coinbase: true}, {}}, 1, 150, 0, RuleTxImmature},
		{"another coin as young", []Coin{{Amount: 1, Height: 51}, {}}, 1, 150, 0, ""},
		{"a coinbase at the highest height", []Coin{{Amount: 1, Height: 0, Coinbase: true}, {}}, 1, math.MaxInt32, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			msg := payment(0)
			msg.TxIn = append(msg.TxIn, payment(1).TxIn...)
			msg.TxOut[0].Value = c.out
			fee, err := CheckTxInputs(NewTx(msg), c.coins, c.height, mainnet())
			wantRule(t, err, c.rule, false)
			if fee != c.fee {
				t.Errorf("fee %d, want %d", fee, c.fee)
			}
		})
	}
	if _, err := CheckTxInputs(NewTx(payment(0)), nil, 1, mainnet()); err == nil || AsRule(err) != nil {
		t.Errorf("missing coins: got %v", err)
	}
}

func TestAmounts(t *testing.T) {
	for _, c := range []struct {
		a, b, sum int64
		ok        bool
	}{
		{1, 2, 3, true}, {-1, -2, -3, true}, {math.MaxInt64, 0, math.MaxInt64, true},
		{math.MaxInt64, 1, 0, false}, {1, math.MaxInt64, 0, false},
		{math.MinInt64, -1, 0, false}, {math.MinInt64, math.MaxInt64, -1, true},
	} {
		if sum, ok := AddAmounts(c.a, c.b); sum != c.sum || ok != c.ok {
			t.Errorf("%d + %d: got %d, %v", c.a, c.b, sum, ok)
		}
	}
	p := mainnet()
	_, err := AddFees(p.Limits.MaxMoney-1, 1, p)
	wantRule(t, err, "", false)
	_, err = AddFees(p.Limits.MaxMoney, 1, p)
	wantRule(t, err, RuleBlockFees, false)
	_, err = AddFees(math.MaxInt64, math.MaxInt64, p)
	wantRule(t, err, RuleBlockFees, false)
}

func TestSubsidy(t *testing.T) {
	p := mainnet()
	for height, want := range map[int32]int64{
		0: 50_0000_0000, 209_999: 50_0000_0000, 210_000: 25_0000_0000, 419_999: 25_0000_0000, 420_000: 12_5000_0000,
		32 * 210_000: 1, 33*210_000 - 1: 1, 33 * 210_000: 0, 64 * 210_000: 0, math.MaxInt32: 0,
	} {
		if got := Subsidy(height, p); got != want {
			t.Errorf("height %d: got %d, want %d", height, got, want)
		}
	}
	var total int64
	for height := int32(0); height < 34*210_000; height += 210_000 {
		total += Subsidy(height, p) * 210_000
	}
	if total != 2099999997690000 {
		t.Errorf("in all %d", total)
	}
	p.Subsidy.HalvingInterval = 0
	if got := Subsidy(math.MaxInt32, p); got != 50_0000_0000 {
		t.Errorf("without halving: got %d", got)
	}
}

func TestCheckCoinbaseAmount(t *testing.T) {
	p := mainnet()
	for _, c := range []struct {
		name string
		paid []int64
		fees int64
		rule Rule
	}{
		{"all of it", []int64{50_0000_0000, 7}, 7, ""},
		{"less", []int64{1}, 7, ""},
		{"one more", []int64{50_0000_0000, 8}, 7, RuleCoinbaseAmount},
		{"overflow", []int64{math.MaxInt64, math.MaxInt64, 2}, 7, RuleCoinbaseAmount},
		{"fees overflow", []int64{1}, math.MaxInt64, RuleBlockFees},
	} {
		msg := coinbaseAt(1, 0)
		msg.TxOut = nil
		for _, amount := range c.paid {
			msg.TxOut = append(msg.TxOut, &wire.TxOut{Value: amount})
		}
		t.Run(c.name, func(t *testing.T) {
			wantRule(t, CheckCoinbaseAmount(NewTx(msg), 1, c.fees, p), c.rule, false)
		})
	}
}
