package fastpath

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/charterchain/charter/chain/consensus"
)

// steady asks for all inputs of a transaction again and again, as a worker
// does, with what it keeps.
type steady struct {
	tx    *consensus.Tx
	coins []consensus.Coin
	fast  Tx
	sigs  []Sig
}

// newSteady makes a transaction with so many inputs of one kind. Signatures
// are those of the first input, since nothing here checks them.
func newSteady(tb testing.TB, f forge, inputs int) *steady {
	f.inputs, f.outputs = inputs, 2
	m := f.make(tb)
	for i, in := range m.msg.TxIn {
		in.SignatureScript, in.Witness = m.in().SignatureScript, m.in().Witness
		m.coins[i] = m.coins[m.at]
	}
	return &steady{tx: consensus.NewTx(m.msg), coins: m.coins}
}

func (s *steady) do(tb testing.TB) {
	s.fast.Reset(s.tx, s.coins)
	s.sigs = s.sigs[:0]
	for i := range s.coins {
		var ok bool
		if s.sigs, _, ok = s.fast.Input(i, allPolicy, s.sigs); !ok {
			tb.Fatal("not taken")
		}
	}
}

// TestAllocations: nothing is allocated once the buffers have grown, but two
// pieces for a spend by m of n keys, which outlives the Tx.
func TestAllocations(t *testing.T) {
	for name, f := range plain() {
		want := 0.0
		if f.asks == multi && len(f.signers) < f.n {
			want = 2
		}
		const inputs = 3
		s := newSteady(t, f, inputs)
		if got := testing.AllocsPerRun(20, func() { s.do(t) }); got != want*inputs {
			t.Errorf("%s: %v allocations for %d inputs, want %v each", name, got, inputs, want)
		}
	}
}

// TestBuffersShrink: one huge transaction does not occupy memory for ever.
func TestBuffersShrink(t *testing.T) {
	for _, f := range []forge{{asks: aKeyHash}, {form: p2tr}} {
		big := newSteady(t, f, 2)
		big.tx.Msg.TxOut[0].PkScript = make([]byte, 2*keepBytes)
		big.do(t)
		if max(cap(big.fast.buf), cap(big.fast.legacyHasher.template)) <= keepBytes {
			t.Fatal("the transaction is not large enough")
		}
		big.fast.Reset(big.tx, big.coins)
		if max(cap(big.fast.buf), cap(big.fast.legacyHasher.template)) > keepBytes {
			t.Error("the buffers stay large")
		}
	}
}

// unit is the time of one BIP340 check by btcec, the median of five.
func unit(b *testing.B) float64 {
	m := forge{form: p2tr, outputs: 2}.make(b)
	var fast Tx
	fast.Reset(consensus.NewTx(m.msg), m.coins)
	sigs, _, _ := fast.Input(0, allPolicy, nil)
	var took [5]time.Duration
	for i := range took {
		from := time.Now()
		if !holds(&sigs[0], sigs[0].KeyBytes()) {
			b.Fatal("the signature does not hold")
		}
		took[i] = time.Since(from)
	}
	slices.Sort(took[:])
	return float64(took[len(took)/2])
}

// BenchmarkInput is the work for a transaction with 1 and with 2 inputs and 2
// outputs: hashes over all of it, and those that its inputs sign. mU is a
// thousandth of unit, measured before and after.
func BenchmarkInput(b *testing.B) {
	kinds := plain()
	for _, name := range []string{"p2tr", "p2wpkh", "p2sh-p2wpkh", "p2pkh", "p2pk", "p2wsh 2 of 2", "p2wsh 2 of 3", "p2sh 2 of 3"} {
		for inputs, label := range map[int]string{1: "1 in", 2: "2 in"} {
			s := newSteady(b, kinds[name], inputs)
			b.Run(name+"/"+label, func(b *testing.B) {
				b.ReportAllocs()
				before := unit(b)
				b.ResetTimer()
				for b.Loop() {
					s.do(b)
				}
				took := float64(b.Elapsed()) / float64(b.N)
				b.ReportMetric(2*took/(before+unit(b))*1000, "mU/op")
			})
		}
	}
}

// BenchmarkLegacy is for n inputs that all sign the whole transaction.
func BenchmarkLegacy(b *testing.B) {
	for _, inputs := range []int{10, 100, 2500} {
		s := newSteady(b, plain()["p2pkh"], inputs)
		b.Run(fmt.Sprint(inputs), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.do(b)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*inputs), "ns/input")
		})
	}
}

// BenchmarkInterpreter is the same for the interpreter, signature and all.
func BenchmarkInterpreter(b *testing.B) {
	for name, f := range map[string]forge{"p2tr": {form: p2tr}, "p2wpkh": {form: p2wpkh}} {
		f.outputs = 2
		m := f.make(b)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := m.interpret(allPolicy); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
