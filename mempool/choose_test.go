package mempool

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/mempool/policy"
)

// filler puts entries into a pool that nobody judged.
type filler struct {
	pool *Pool
	rng  *rand.Rand
	coin uint64
}

// fresh returns an outpoint that nothing else spends.
func (f *filler) fresh() (op wire.OutPoint) {
	f.coin++
	binary.BigEndian.PutUint64(op.Hash[:], f.coin)
	op.Hash[31] = 1
	return op
}

// put adds a transaction that spends the given outpoints, with outs outputs,
// unless it would have too many relatives.
func (f *filler) put(fee func(vsize int64) int64, sigOps int64, gov *governing, outs int, ins ...wire.OutPoint) *entry {
	msg := wire.NewMsgTx(2)
	for _, op := range ins {
		msg.AddTxIn(&wire.TxIn{PreviousOutPoint: op, Witness: wire.TxWitness{make([]byte, 64)}})
	}
	for range outs {
		msg.AddTxOut(wire.NewTxOut(1000, make([]byte, 34)))
	}
	tx := consensus.NewTx(msg)
	e := &entry{tx: tx, sigOps: sigOps, gov: gov, vsize: policy.VSize(tx.Weight, sigOps), usage: usageOf(tx)}
	e.fee = fee(e.vsize)
	p := f.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.findParents(e, nil) != nil || checkRelatives(e) != nil {
		return nil
	}
	p.attachLocked(e)
	return e
}

// play adds and removes entries at random.
func (f *filler) play(steps int) {
	var all []*entry
	rng := f.rng
	for range steps {
		ins := []wire.OutPoint{f.fresh()}
		for range rng.IntN(4) {
			if len(all) == 0 || rng.IntN(3) == 0 {
				break
			}
			parent := all[max(0, len(all)-1-rng.IntN(40))]
			op := wire.OutPoint{Hash: parent.tx.TxID, Index: uint32(rng.IntN(len(parent.tx.Msg.TxOut)))}
			if parent.attached && f.pool.spent[op] == nil && !slices.Contains(ins, op) {
				ins = append(ins, op)
			}
		}
		rate := 1 + rng.Int64N(6) // few rates: many are equal
		fee := func(vsize int64) int64 { return rate * vsize }
		if rng.IntN(2) == 0 {
			fee = func(int64) int64 { return rng.Int64N(5000) }
		}
		var sigOps int64
		if rng.IntN(8) == 0 {
			sigOps = rng.Int64N(3000)
		}
		var gov *governing
		if rng.IntN(10) == 0 {
			gov = &governing{}
		}
		if e := f.put(fee, sigOps, gov, 1+rng.IntN(20), ins...); e != nil {
			all = append(all, e)
		}
		if e := all[rng.IntN(len(all))]; e.attached && rng.IntN(20) == 0 {
			f.pool.mu.Lock()
			if len(e.parents) == 0 && rng.IntN(2) == 0 {
				f.pool.removeLocked(e, ReasonBlock) // its children stay
			} else {
				f.pool.removeTreeLocked(ReasonExpiry, e)
			}
			f.pool.mu.Unlock()
		}
	}
}

// checkChoice compares what goes into a block with what the plain way finds.
func checkChoice(t testing.TB, p *Pool, left room) {
	t.Helper()
	next := p.chain.Next()
	p.mu.Lock()
	defer p.mu.Unlock()
	want := choosePlainly(p.candidates(), left, draftOf(next))
	got := choose(&p.best, p.speakingLocked(), left, draftOf(next))
	if len(got.txs) != len(want) {
		t.Fatalf("%d transactions chosen, %d by the plain way, of %d", len(got.txs), len(want), len(p.byTxID))
	}
	for i, c := range want {
		if got.txs[i] != c.tx || got.fees[i] != c.fee || got.sigOps[i] != c.sigOps {
			t.Fatalf("place %d of %d: %v, by the plain way %v", i, len(want), got.txs[i].TxID, c.tx.TxID)
		}
	}
	for e := range p.roster.all() {
		if e.mark != nil {
			t.Fatalf("%v keeps its mark", e.tx.TxID)
		}
	}
	if depends := dependencies(got.txs); !slices.EqualFunc(depends, got.depends, slices.Equal) {
		t.Fatalf("dependencies %v, want %v", got.depends, depends)
	}
}

// The quick choice is the plain one, for pools of all shapes and blocks where
// weight, signature operations or the number of transactions are scarce.
func TestChoose(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := newWorld(t)
			f := &filler{pool: w.pool, rng: rand.New(rand.NewPCG(seed, 5))}
			for range 4 {
				f.play(150)
				w.checkOrder()
				for range 6 {
					left := room{weight: f.rng.Int64N(400_000), sigOps: f.rng.Int64N(20_000), txs: f.rng.IntN(400)}
					switch f.rng.IntN(4) {
					case 0:
						left.sigOps = 1 << 30
					case 1:
						left.weight = 1 << 30
					case 2:
						left.txs = 1 << 30
					}
					checkChoice(t, w.pool, left)
				}
			}
			if void := len(w.pool.best.heap) - w.pool.best.valid; void == 0 {
				t.Error("no void ranks: the test tests little")
			}
			w.pool.roster.compact(&w.pool.best, &w.pool.worth)
			w.checkOrder()
			checkChoice(t, w.pool, room{weight: 200_000, sigOps: 80_000, txs: 1 << 20})
		})
	}
}

// A block in which nothing fits any more ends the search.
func TestChooseEndsSoon(t *testing.T) {
	w := newWorld(t)
	f := &filler{pool: w.pool, rng: rand.New(rand.NewPCG(1, 1))}
	for range 3 * maxMisses {
		f.put(func(v int64) int64 { return v + f.rng.Int64N(1000) }, 0, nil, 2, f.fresh())
	}
	left := room{weight: 50_000, sigOps: 80_000, txs: 1 << 20}
	checkChoice(t, w.pool, left)
	ch := &chooser{ranked: w.pool.best.walk(), left: left, chosen: &choice{}}
	ch.pay()
	if passed, most := len(ch.ranked.frontier), len(ch.chosen.txs)+maxMisses+10; passed > most {
		t.Errorf("the search went on to %d places, at most %d are of use", passed, most)
	}
}

// The ranking of what a full pool lets go of gives one after the other, the
// least first.
func TestWorthOrder(t *testing.T) {
	w := newWorld(t)
	f := &filler{pool: w.pool, rng: rand.New(rand.NewPCG(3, 1))}
	f.play(400)
	p := w.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.byTxID) > 0 {
		least := p.worth.top()
		at := rank{fee: -1}
		for i := range p.worth.heap {
			if r := &p.worth.heap[i]; !p.worth.isVoid(r) && (at.fee < 0 || at.above(r)) {
				at = *r
			}
		}
		if p.roster.entries[at.slot] != least {
			t.Fatalf("%v is on top, not %v", least.tx.TxID, p.roster.entries[at.slot].tx.TxID)
		}
		p.removeTreeLocked(ReasonSize, least)
	}
	if p.worth.top() != nil || p.usage != 0 || p.best.valid != 0 {
		t.Errorf("the empty pool has usage %d and %d ranks", p.usage, p.best.valid)
	}
}
