package sigcheck

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/sigcheck/fastpath"
)

// mixedBlock has spends of all kinds.
func mixedBlock(tb testing.TB, from int) []Spend {
	return []Spend{
		spendOf(tb, from, p2tr, p2wpkh),
		spendOf(tb, from+1, odd),
		spendOf(tb, from+2, p2pkh, p2tr, p2tr, twoOf2),
		spendOf(tb, from+3, oneOf2, p2wpkh, p2tr, odd),
		spendOf(tb, from+4, p2tr),
		spendOf(tb, from+5, p2wpkh, p2wpkh, p2pkh),
	}
}

func TestMixedBlocks(t *testing.T) {
	block := mixedBlock(t, 1)
	for workers := 1; workers <= 3; workers++ {
		c := New(Config{Workers: workers, Recheck: 1})
		if err := c.CheckBlock(t.Context(), block, allConsensus); err != nil {
			t.Fatalf("%d workers: %v", workers, err)
		}
		got := c.Stats()
		// Inputs by kind: 5 p2tr, 6 with one ECDSA signature, 2-of-2 with
		// two, 1-of-2, and two that only the interpreter knows.
		if got.Checked != 15 || got.Batched != 5 || got.Singles != 8 || got.Interpreted != 2 || got.Overruled != 0 || got.WrongHints != 0 {
			t.Errorf("%d workers: %+v", workers, got)
		}
	}
}

// TestOneBadInput spoils each input in turn, with and without hints: the
// outcome is the interpreter's.
func TestOneBadInput(t *testing.T) {
	block := mixedBlock(t, 1)
	hints := trueHints(t, block)
	c := New(Config{Workers: 2, Recheck: 1})
	for i := range block {
		for input := range block[i].Coins {
			bad := append([]Spend(nil), block...)
			bad[i] = spoiled(t, block[i], input)
			for _, h := range []Hints{nil, hints} {
				err := c.Begin(bad, allConsensus, h).Wait(t.Context())
				what := fmt.Sprintf("input %d of transaction %d", input, i)
				if !errors.Is(err, consensus.RuleBlockScript) {
					t.Errorf("%s: got %v", what, err)
				}
				sameAsReferee(t, what, err, bad, allConsensus)
			}
		}
	}
	if got := c.Stats(); got.Overruled != 0 {
		t.Errorf("%+v", got)
	}
}

// TestBatchesSpanBlocks queues blocks, of which one has two bad signatures,
// while no worker is to spare: they share a batch, and not the outcome.
func TestBatchesSpanBlocks(t *testing.T) {
	c := New(Config{Workers: 1})
	c.running = 1 // nobody takes any
	var blocks [][]Spend
	var pending []*Pending
	for n := range 5 {
		var block []Spend
		for k := range 6 {
			block = append(block, spendOf(t, 10*n+k, p2tr, p2tr))
		}
		if n == 2 {
			block[1], block[4] = spoiled(t, block[1], 1), spoiled(t, block[4], 0)
		}
		blocks = append(blocks, block)
		pending = append(pending, c.Begin(block, allConsensus, nil))
	}
	c.work()
	for n, p := range pending {
		if !p.isDone() {
			t.Fatalf("block %d is left", n)
		}
		err := p.Wait(t.Context())
		if (err != nil) != (n == 2) {
			t.Errorf("block %d: got %v", n, err)
		}
		sameAsReferee(t, fmt.Sprintf("block %d", n), err, blocks[n], allConsensus)
	}
	got := c.Stats()
	// All in one, then the halves of those with the first bad one; what
	// comes behind that in its block needs no check.
	if got.Batches < 3 || got.Batches > 9 || got.Interpreted != 1 || got.Singles > settleSingly {
		t.Errorf("%+v", got)
	}
}

// TestVectorsInBatches runs every published line of BIP340 at every position
// of batches of valid ones. Where it is not valid, the input at that position
// is blamed, and no other.
func TestVectorsInBatches(t *testing.T) {
	rows, err := csv.NewReader(bytes.NewReader(readVectors(t, "bip340.csv"))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	type line struct {
		name  string
		sig   fastpath.Sig
		valid bool
	}
	var lines, valid []line
	for _, row := range rows[1:] {
		l := line{name: row[0] + " " + row[7], valid: row[6] == "TRUE"}
		if len(row[4]) != 64 {
			continue // scripts only ever sign 32 bytes
		}
		l.sig.KeyLen = 32
		copy(l.sig.Key[:], unhex(t, row[2]))
		copy(l.sig.Hash[:], unhex(t, row[4]))
		copy(l.sig.Sig[:], unhex(t, row[5]))
		if lines = append(lines, l); l.valid {
			valid = append(valid, l)
		}
	}
	c := New(Config{Workers: 1})
	for _, l := range lines {
		for _, size := range []int{1, 7, 19} {
			for at := range size {
				sigs := make([]fastpath.Sig, size)
				for i := range sigs {
					sigs[i] = valid[i%len(valid)].sig
				}
				sigs[at] = l.sig
				err := settled(t, c, sigs)
				if l.valid && err != nil || !l.valid && (err == nil || !strings.Contains(err.Error(), fmt.Sprintf("input %d of", at))) {
					t.Errorf("%s: at %d of %d: got %v", l.name, at, size, err)
				}
			}
		}
	}
}

// settled is the outcome of a batch of signatures, each of an input that the
// interpreter refuses if it is asked.
func settled(t *testing.T, c *Checker, sigs []fastpath.Sig) error {
	t.Helper()
	scripts := make([][]byte, len(sigs))
	for i := range scripts {
		scripts[i] = fail()
	}
	c.running = 1 // nobody else takes any
	p := c.Begin([]Spend{scripted(1, scripts...)}, allConsensus, nil)
	w := c.worker()
	for {
		s, _ := c.take()
		if s.n == 0 {
			break
		}
		w.slices = append(w.slices, s)
	}
	for i, sig := range sigs {
		w.sigs, w.refs = append(w.sigs, sig), append(w.refs, ref{p: p, place: place{input: i}})
	}
	w.settle()
	c.idle = append(c.idle, w)
	return p.Wait(t.Context())
}

// TestCancellingSignatures adds to one signature's s what it takes from
// another's: a plain sum of both would hold.
func TestCancellingSignatures(t *testing.T) {
	var sigs []fastpath.Sig
	for n := range 12 {
		sig := fastpath.Sig{KeyLen: 32, Hash: [32]byte{byte(n)}}
		made, err := schnorr.Sign(numbered(n), sig.Hash[:])
		if err != nil {
			t.Fatal(err)
		}
		copy(sig.Sig[:], made.Serialize())
		copy(sig.Key[:], schnorr.SerializePubKey(numbered(n).PubKey()))
		sigs = append(sigs, sig)
	}
	c := New(Config{Workers: 1, Recheck: 1})
	if err := settled(t, c, sigs); err != nil {
		t.Fatal(err)
	}
	// Identical ones stand beside each other as often as one likes.
	if err := settled(t, c, append(append(sigs[:3:3], sigs...), sigs...)); err != nil {
		t.Fatal(err)
	}
	shift := func(sig *fastpath.Sig, by *btcec.ModNScalar) {
		var s btcec.ModNScalar
		s.SetByteSlice(sig.Sig[32:])
		s.Add(by)
		s.PutBytesUnchecked(sig.Sig[32:])
	}
	var by, back btcec.ModNScalar
	by.SetInt(12345)
	back.NegateVal(&by)
	shift(&sigs[4], &by)
	shift(&sigs[9], &back)
	if err := settled(t, c, sigs); err == nil || !strings.Contains(err.Error(), "input 4 of") {
		t.Errorf("got %v, want a failure of input 4", err)
	}
}

// TestPanics: wherever one comes from, nothing is decided, and the Checker
// goes on.
func TestPanics(t *testing.T) {
	good := spendOf(t, 1, p2tr, p2tr)
	for _, kind := range []string{p2tr, odd} { // on the fast path, in the interpreter
		s := spendOf(t, 2, p2tr, kind, p2tr)
		broken := Spend{Tx: &consensus.Tx{Msg: s.Tx.Msg.Copy(), TxID: s.Tx.TxID, WTxID: s.Tx.WTxID}, Coins: s.Coins}
		broken.Tx.Msg.TxOut = append(broken.Tx.Msg.TxOut, nil)
		c := New(Config{Workers: 1})
		var panicked *PanicError
		if err := c.CheckBlock(t.Context(), []Spend{good, broken, good}, allConsensus); !errors.As(err, &panicked) || consensus.AsRule(err) != nil {
			t.Fatalf("%s: got %v", kind, err)
		}
		if panicked.TxID != broken.Tx.TxID || panicked.Input != 0 || len(panicked.Stack) == 0 {
			t.Errorf("%s: got %v", kind, panicked)
		}
		if got := c.Checked(); got != 7 {
			t.Errorf("%s: %d inputs checked", kind, got)
		}
		if err := c.CheckBlock(t.Context(), []Spend{good}, allConsensus); err != nil {
			t.Errorf("%s: afterwards: %v", kind, err)
		}
		err := c.CheckBlock(t.Context(), []Spend{broken, spoiled(t, good, 1)}, allConsensus)
		if !errors.Is(err, consensus.RuleBlockScript) {
			t.Errorf("%s: a failure elsewhere decides: got %v", kind, err)
		}
	}
	random := &randomness{panics: true}
	c := New(Config{Workers: 1, Random: random})
	var many []Spend
	for n := range 5 {
		many = append(many, spendOf(t, n, p2tr, p2tr))
	}
	var panicked *PanicError
	if err := c.CheckBlock(t.Context(), many, allConsensus); !errors.As(err, &panicked) {
		t.Errorf("in a batch: got %v", err)
	}
	random.panics = false
	if err := c.CheckBlock(t.Context(), many, allConsensus); err != nil {
		t.Errorf("after a batch that panicked: %v", err)
	}
	random.broken = true
	if err := c.CheckBlock(t.Context(), many, allConsensus); err != nil || c.Stats().Batches < 4 {
		t.Errorf("without randomness: %v, %+v", err, c.Stats())
	}
}

// randomness fails as it is told.
type randomness struct{ panics, broken bool }

func (r *randomness) Read(b []byte) (int, error) {
	switch {
	case r.panics:
		panic("no randomness")
	case r.broken:
		return 0, io.ErrUnexpectedEOF
	}
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	return len(b), nil
}

// TestRecheckFindsWrongBatch: should a batch pass that must not, nothing is
// decided.
func TestRecheckFindsWrongBatch(t *testing.T) {
	for _, kind := range []string{p2tr, p2wpkh} {
		s := spendOf(t, 1, kind)
		c := New(Config{Workers: 1})
		c.running = 1
		p := c.Begin([]Spend{s}, allConsensus, Hints{0})
		w := c.worker()
		part, _ := c.take()
		w.collect(part)
		if len(w.sigs) != 1 {
			t.Fatalf("%s: %d signatures collected", kind, len(w.sigs))
		}
		if w.again(0); p.undecided != nil {
			t.Errorf("%s: a valid signature: %v", kind, p.undecided)
		}
		w.sigs[0].Hash[3] ^= 1
		if w.again(0); p.undecided == nil || consensus.AsRule(p.undecided) != nil || !strings.Contains(p.undecided.Error(), "btcec refuses") {
			t.Errorf("%s: got %v", kind, p.undecided)
		}
	}
}

// TestManyAtOnce lets callers of all sorts meet; the race detector watches.
func TestManyAtOnce(t *testing.T) {
	c := New(Config{Workers: 2, CacheEntries: 8, Recheck: 256})
	good := mixedBlock(t, 1)
	bad := append([]Spend(nil), good...)
	bad[3] = spoiled(t, bad[3], 1)
	hints := trueHints(t, good)
	var group sync.WaitGroup
	for n := range 6 {
		group.Go(func() {
			r := rand.New(rand.NewPCG(uint64(n), 1))
			for range 12 {
				block := good
				if r.IntN(3) == 0 {
					block = bad
				}
				fails := &block[0] == &bad[0]
				switch r.IntN(4) {
				case 0:
					if err := c.CheckBlock(t.Context(), block, allConsensus); (err != nil) != fails {
						t.Errorf("block: got %v", err)
					}
				case 1:
					s := block[3]
					if err := c.CheckTx(t.Context(), s.Tx, s.Coins, allConsensus); (err != nil) != fails {
						t.Errorf("transaction: got %v", err)
					}
				case 2:
					c.Begin(block, allConsensus, nil).Abandon()
				case 3:
					p := c.Begin(block, allConsensus, hints)
					if err := p.Wait(t.Context()); (err != nil) != fails {
						t.Errorf("block with hints: got %v", err)
					} else if err == nil && !bytes.Equal(p.Hints(), hints) {
						t.Errorf("hints %x, want %x", p.Hints(), hints)
					}
				}
			}
		})
	}
	group.Wait()
}
