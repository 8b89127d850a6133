package sigcheck

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/charterchain/charter/chain/consensus"
)

// hintedBlock has spends with ECDSA signatures, so many that their hints need
// several words, and some that need no hint in between.
func hintedBlock(tb testing.TB) (block []Spend, ecdsas int) {
	for n := range 12 {
		block = append(block, spendOf(tb, n, p2wpkh, p2pkh, p2tr))
	}
	block = append(block, spendOf(tb, 12, twoOf2), spendOf(tb, 13, odd, oneOf2))
	return block, 24
}

func TestHints(t *testing.T) {
	block, ecdsas := hintedBlock(t)
	want := trueHints(t, block)
	if len(want) != HintsLen(39) || bytes.Count(want, []byte{0}) == len(want) {
		t.Fatalf("hints %x of %d inputs", want, inputsOf(block))
	}
	r := rand.New(rand.NewPCG(1, 2))
	inverted, random, one := bytes.Clone(want), bytes.Clone(want), bytes.Clone(want)
	for i := range want {
		inverted[i] = ^inverted[i]
		random[i] = byte(r.Uint32())
	}
	one[2] ^= 1 << 2 // input 18, the first of its transaction
	for _, c := range []struct {
		name    string
		hints   Hints
		batched bool // all ECDSA signatures, and at the first attempt
		wrong   bool
	}{
		{"none", nil, false, false},
		{"right", want, true, false},
		{"all wrong", inverted, false, true},
		{"random", random, false, true},
		{"one wrong", one, false, true},
		{"one byte short", want[:len(want)-1], false, false},
		{"one byte more", append(bytes.Clone(want), 0), false, false},
		{"empty", Hints{}, false, false},
	} {
		for _, workers := range []int{1, 2} {
			checker := New(Config{Workers: workers, Recheck: 1})
			p := checker.Begin(block, allConsensus, c.hints)
			if err := p.Wait(t.Context()); err != nil {
				t.Errorf("%s: %v", c.name, err)
				continue
			}
			if got := p.Hints(); !bytes.Equal(got, want) {
				t.Errorf("%s: proven hints %x, want %x", c.name, got, want)
			}
			got := checker.Stats()
			if singles := got.Singles - 2; (singles == 0) != c.batched { // two of the 2-of-2
				t.Errorf("%s: %d of %d signatures checked singly", c.name, singles, ecdsas)
			}
			if (got.WrongHints > 0) != c.wrong || got.WrongHints > uint64(ecdsas) || got.Interpreted != 1 {
				t.Errorf("%s: %+v", c.name, got)
			}
			// The first wrong one ends the search for others.
			if workers == 1 && got.Batches > 8 {
				t.Errorf("%s: %d batches", c.name, got.Batches)
			}
		}
	}
}

// TestHintsDecideNothing: whatever the hints, a bad signature is found, and
// reported as ever.
func TestHintsDecideNothing(t *testing.T) {
	block, _ := hintedBlock(t)
	r := rand.New(rand.NewPCG(3, 4))
	c := New(Config{Workers: 2})
	for range 12 {
		bad := append([]Spend(nil), block...)
		for range 1 + r.IntN(2) {
			i := r.IntN(12)
			bad[i] = spoiled(t, block[i], r.IntN(3))
		}
		hints := trueHints(t, block)
		for range r.IntN(3) {
			hints[r.IntN(len(hints))] ^= 1 << r.IntN(8)
		}
		p := c.Begin(bad, allConsensus, hints)
		err := p.Wait(t.Context())
		sameAsReferee(t, "with hints", err, bad, allConsensus)
		if err == nil || p.Hints() != nil {
			t.Errorf("got %v and hints %x", err, p.Hints())
		}
	}
	if got := c.Stats(); got.Overruled != 0 {
		t.Errorf("%+v", got)
	}
}

// TestHintsOfKnownTransactions: those from the pool are remembered.
func TestHintsOfKnownTransactions(t *testing.T) {
	block, _ := hintedBlock(t)
	kinds := make([]string, fewInputs+3)
	for i := range kinds {
		kinds[i] = p2wpkh
	}
	block = append(block, spendOf(t, 14, kinds[:fewInputs]...), spendOf(t, 15, kinds...), spendOf(t, 16, p2wpkh))
	want := trueHints(t, block)
	c := New(Config{Workers: 2, CacheEntries: 100})
	for n, s := range block {
		if n%4 == 0 && n < 12 {
			continue // these come as news
		}
		if err := c.CheckTx(t.Context(), s.Tx, s.Coins, consensus.StandardScriptFlags()); err != nil {
			t.Fatal(err)
		}
	}
	before := c.Checked()
	p := c.Begin(block, allConsensus, nil)
	if err := p.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := c.Checked() - before; got != 9 {
		t.Errorf("%d inputs checked again, want 9", got)
	}
	if got := p.Hints(); !bytes.Equal(got, want) {
		t.Errorf("hints %x, want %x", got, want)
	}
}

func TestPassedCacheKeepsParities(t *testing.T) {
	for _, inputs := range []int{1, 31, 32, 33, fewInputs, fewInputs + 1, 200} {
		c := newPassedCache(4)
		bits := makeParities(inputs)
		for i := 0; i < inputs; i += 3 {
			bits.set(i)
		}
		s := scripted(inputs, pass())
		c.add(s.Tx.WTxID, 1, bits)
		check := func(when string) {
			got := makeParities(inputs + 5)
			if !c.has(s.Tx.WTxID, 1, got, 5, inputs) {
				t.Fatalf("%d inputs, %s: forgotten", inputs, when)
			}
			for i := range inputs {
				if got.get(i+5) != (i%3 == 0) {
					t.Fatalf("%d inputs, %s: bit %d is %v", inputs, when, i, got.get(i+5))
				}
			}
		}
		check("at once")
		for n := range 2 {
			c.add(scripted(1000+n, pass()).Tx.WTxID, 1, makeParities(1))
		}
		check("of the old generation")
		check("moved to the young one")
		if c.has(s.Tx.WTxID, 2, makeParities(inputs), 0, inputs) {
			t.Errorf("known for flags it was not checked with")
		}
	}
}

func TestHintsBeforeTheOutcome(t *testing.T) {
	c := New(Config{Workers: 1})
	c.running = 1
	p := c.Begin([]Spend{spendOf(t, 1, p2wpkh)}, allConsensus, nil)
	if p.Hints() != nil {
		t.Error("hints before the outcome")
	}
	c.work()
	if err := p.Wait(t.Context()); err != nil || len(p.Hints()) != 1 {
		t.Errorf("err %v, hints %x", err, p.Hints())
	}
	none := c.Begin(nil, allConsensus, nil)
	if err := none.Wait(t.Context()); err != nil || none.Hints() == nil || len(none.Hints()) != 0 {
		t.Errorf("of a block without inputs: err %v, hints %v", err, none.Hints())
	}
	short := spendOf(t, 1, p2wpkh)
	short.Coins = nil
	broken := c.Begin([]Spend{short}, allConsensus, nil)
	if err := broken.Wait(t.Context()); err == nil || errors.Is(err, consensus.RuleBlockScript) || broken.Hints() != nil {
		t.Errorf("coins missing: err %v, hints %x", err, broken.Hints())
	}
}
