package utxo

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
)

// TestInterleavedModel connects and disconnects blocks while flushes run in a
// goroutine of their own, others look coins up and so fill the cache with what
// they read, and the budget changes. What the writer sees must be what the
// model says at every moment, and so must what is on disk in the end.
func TestInterleavedModel(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			s := &simulation{T: t, rng: rand.New(rand.NewPCG(seed, 2)), disk: newMemory(), model: make(coins)}
			s.disk.before = runtime.Gosched
			s.cache = NewCache(s.disk, 3<<20, Stats{})
			end := s.disturb(seed)
			flushed := make(chan error, 1)
			flushed <- nil
			flush := func(wait bool) {
				if !wait && len(flushed) == 0 {
					return
				}
				if err := <-flushed; err != nil {
					t.Fatal(err)
				}
				f := s.cache.Freeze()
				go func() {
					err := s.disk.commit(f)
					s.cache.Release(f)
					flushed <- err
				}()
			}
			for range 300 {
				switch n := s.rng.IntN(100); {
				case n < 55:
					s.connect()
				case n < 70:
					s.disconnect(1 + s.rng.IntN(4))
				case n < 90:
					flush(false)
				default:
					s.cache.SetBudget([]int64{0, 100 << 10, leastReads, 8 << 20}[s.rng.IntN(4)])
				}
				at := max(0, len(s.ever)-60)
				s.check(s.ever[at:])
				s.checkBatch(s.ever[s.rng.IntN(at+1):])
			}
			flush(true)
			if err := <-flushed; err != nil {
				t.Fatal(err)
			}
			end()
			s.check(s.ever)
			if !sameCoins(s.disk.committed(t), s.model) {
				t.Error("the committed set is not that of the model")
			}
			if n := s.cache.active.len(); n != 0 || s.cache.Entries() != s.cache.recent.len()+s.cache.older.len() {
				t.Errorf("%d changed coins after all", n)
			}
		})
	}
}

// checkBatch is check by Lookup.
func (s *simulation) checkBatch(ops []wire.OutPoint) {
	s.Helper()
	found, ok := lookupAll(s.T, s.cache, ops)
	for i, op := range ops {
		want, exists := s.model[op]
		if ok[i] != exists || exists && !sameCoins(coins{op: found[i]}, coins{op: want}) {
			s.Fatalf("coin %v: %v, %v; the model has %v, %v", op, found[i], ok[i], want, exists)
		}
	}
}

// readSlowly is Prefetch by a reader whose answers take long to come.
func (s *simulation) readSlowly(ops []wire.OutPoint, wait func()) {
	c := s.cache
	var read []fetched
	c.gate.RLock()
	epoch := c.epoch
	c.gate.RUnlock()
	for i := range ops {
		k := toOutpoint(&ops[i])
		if value, err := c.read(&ops[i]); err != nil {
			s.Error(err)
		} else if value != nil {
			read = append(read, fetched{k, k.hash(c.seed), value})
		}
	}
	wait()
	c.remember(read, epoch)
}

// disturb looks up what the simulation ever made, until end is called. The
// amount and script of a coin that is found never change.
func (s *simulation) disturb(seed uint64) (end func()) {
	var known atomic.Pointer[[]wire.OutPoint]
	var stop atomic.Bool
	var group sync.WaitGroup
	known.Store(&[]wire.OutPoint{{}})
	for n := range 2 {
		rng := rand.New(rand.NewPCG(seed, uint64(n)+10))
		group.Go(func() {
			seen := make(map[wire.OutPoint]consensus.Coin)
			for !stop.Load() {
				all := *known.Load()
				var ops []wire.OutPoint
				for range 1 + rng.IntN(200) {
					ops = append(ops, all[rng.IntN(len(all))])
				}
				switch rng.IntN(3) {
				case 0:
					s.cache.Prefetch(ops)
					continue
				case 1:
					s.readSlowly(ops, func() {
						for range rng.IntN(6) { // blocks meanwhile
							for now := known.Load(); known.Load() == now && !stop.Load(); {
								runtime.Gosched()
							}
						}
					})
					continue
				}
				got, ok := make([]consensus.Coin, len(ops)), make([]bool, len(ops))
				if err := s.cache.Lookup(ops, got, ok); err != nil {
					s.Error(err)
				}
				for i, op := range ops {
					first, met := seen[op]
					if ok[i] && met && (first.Amount != got[i].Amount || string(first.Script) != string(got[i].Script)) {
						s.Errorf("coin %v changed", op)
					} else if ok[i] && !met {
						seen[op] = got[i]
					}
				}
			}
		})
	}
	s.grown = func() {
		all := slices.Clone(s.ever)
		known.Store(&all)
	}
	return func() {
		stop.Store(true)
		group.Wait()
	}
}
