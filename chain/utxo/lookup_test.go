package utxo

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
)

func lookupAll(t *testing.T, c *Cache, ops []wire.OutPoint) ([]consensus.Coin, []bool) {
	t.Helper()
	coins, found := make([]consensus.Coin, len(ops)), make([]bool, len(ops))
	if err := c.Lookup(ops, coins, found); err != nil {
		t.Fatal(err)
	}
	return coins, found
}

// counted counts the reads of a backend.
type counted struct {
	*memory
	reads atomic.Int64
}

func (b *counted) Get(key []byte) ([]byte, bool, error) {
	b.reads.Add(1)
	return b.memory.Get(key)
}

// TestLookup finds coins in every layer, and reads each from disk once.
func TestLookup(t *testing.T) {
	disk := &counted{memory: newMemory()}
	c := NewCache(disk, 8<<20, Stats{})
	const n = 1000
	add := func(from, to int) {
		apply(t, c, func(v *View) {
			for i := from; i < to; i++ {
				mustAdd(t, v, i)
			}
		})
	}
	spend := func(i int) {
		op, _ := coinOf(i)
		apply(t, c, func(v *View) { mustSpend(t, v, op) })
	}
	add(0, n)
	flushAll(t, c, disk.memory)
	c = NewCache(disk, 8<<20, c.Stats()) // on disk only
	add(n, 2*n)
	flushAll(t, c, disk.memory)
	add(2*n, 3*n)
	f := c.Freeze()
	add(3*n, 4*n)
	gone := map[int]bool{}
	for _, i := range []int{5, n + 5, 2*n + 5, 3*n + 5} {
		spend(i)
		gone[i] = true
	}
	var ops []wire.OutPoint
	for i := range 5 * n {
		op, _ := coinOf(i)
		ops = append(ops, op)
	}
	disk.reads.Store(0)
	for range 2 {
		coins, found := lookupAll(t, c, ops)
		for i := range ops {
			_, want := coinOf(i)
			if found[i] != (i < 4*n && !gone[i]) {
				t.Fatalf("coin %d found %v", i, found[i])
			}
			if found[i] && (coins[i].Amount != want.Amount || string(coins[i].Script) != string(want.Script)) {
				t.Fatalf("coin %d: %v", i, coins[i])
			}
		}
	}
	if got := disk.reads.Load(); got != n-1+2*(n+1) {
		t.Errorf("%d reads for %d coins on disk and twice %d that are nowhere", got, n-1, n+1)
	}
	if err := disk.commit(f); err != nil {
		t.Fatal(err)
	}
	c.Release(f)
	if _, found := lookupAll(t, c, ops[5:6]); found[0] {
		t.Error("a coin that was read is back after its spend was committed")
	}
	disk.rows[string(appendKey(nil, &ops[5*n-1]))] = []byte{1}
	if err := c.Lookup(ops[5*n-1:], make([]consensus.Coin, 1), make([]bool, 1)); !errors.Is(err, ErrDamaged) {
		t.Errorf("a row that does not decode: %v", err)
	}
	c.Prefetch(ops) // must not mind
}

// TestReadShare: where changed coins take all that they may, coins that were
// read ahead stay for the block that spends them.
func TestReadShare(t *testing.T) {
	disk := &counted{memory: newMemory()}
	c := NewCache(disk, 4<<20, Stats{})
	const n = 2000
	apply(t, c, func(v *View) {
		for i := range n {
			mustAdd(t, v, i)
		}
	})
	flushAll(t, c, disk.memory)
	c = NewCache(disk, 4<<20, c.Stats())
	var f *Frozen
	for next := n; f == nil || !c.OverBudget(); next += 100 {
		if f == nil && c.OverBudget() {
			f = c.Freeze()
		}
		apply(t, c, func(v *View) {
			for i := range 100 {
				mustAdd(t, v, next+i)
			}
		})
	}
	var ops []wire.OutPoint
	for i := range n {
		op, _ := coinOf(i)
		ops = append(ops, op)
	}
	c.Prefetch(ops)
	reads := disk.reads.Load()
	v := NewView(c)
	for _, op := range ops {
		mustSpend(t, v, op)
	}
	if got := disk.reads.Load() - reads; got != 0 {
		t.Errorf("%d coins were read again", got)
	}
	if c.Size() > 4<<20 {
		t.Errorf("%d bytes, budget 4 MiB", c.Size())
	}
	c.Apply(v)
	if n := c.readsGated(); c.recent.len()+c.older.len() != 0 {
		t.Errorf("%d bytes of coins that were read and spent", n)
	}
}

// TestApplyAtOnce: a reader who sees one change of a block sees all of them
// from then on.
func TestApplyAtOnce(t *testing.T) {
	c := NewCache(newMemory(), 1<<30, Stats{})
	const rounds, width = 60, 300
	at := func(round, i int) int { return round*width + i }
	apply(t, c, func(v *View) {
		for i := range width {
			mustAdd(t, v, at(0, i))
		}
	})
	var done atomic.Bool
	var round atomic.Int64
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			var ops []wire.OutPoint
			for i := 0; !done.Load(); i = (i + 1) % width {
				r := int(round.Load()) + 1
				first, _ := coinOf(at(r, i))
				if _, ok, _ := c.Coin(first); !ok {
					continue // not applied yet
				}
				ops = ops[:0]
				for j := range width {
					op, _ := coinOf(at(r-1, j))
					ops = append(ops, op)
				}
				if _, found := lookupAll(t, c, ops); found[(i+1)%width] || found[(i+width-1)%width] {
					t.Errorf("round %d: a coin is there that was spent when another came", r)
					return
				}
			}
		})
	}
	for r := 1; r < rounds; r++ {
		apply(t, c, func(v *View) {
			for i := range width {
				op, _ := coinOf(at(r-1, i))
				mustSpend(t, v, op)
				mustAdd(t, v, at(r, i))
			}
		})
		round.Store(int64(r))
	}
	done.Store(true)
	wg.Wait()
}

// TestCleanStays: while there is room, coins of every flush stay in memory,
// and those that went while their flush was written do not come back.
func TestCleanStays(t *testing.T) {
	disk := &counted{memory: newMemory()}
	c := NewCache(disk, 64<<20, Stats{})
	const n, flushes = 500, 4
	var gone []wire.OutPoint
	for f := range flushes {
		apply(t, c, func(v *View) {
			for i := range n {
				mustAdd(t, v, f*n+i)
			}
		})
		frozen := c.Freeze()
		op, _ := coinOf(f * n)
		apply(t, c, func(v *View) { mustSpend(t, v, op) }) // of the frozen ones
		gone = append(gone, op)
		if err := disk.commit(frozen); err != nil {
			t.Fatal(err)
		}
		c.Release(frozen)
	}
	flushAll(t, c, disk.memory)
	disk.reads.Store(0)
	for i := range n * flushes {
		op, want := coinOf(i)
		got, ok, err := c.Coin(op)
		if err != nil || ok != (i%n != 0) || ok && got.Amount != want.Amount {
			t.Fatalf("coin %d: %v, %v, %v", i, got, ok, err)
		}
	}
	if reads := disk.reads.Load(); reads > int64(len(gone)) { // of some nothing in memory tells that they went
		t.Errorf("%d reads, want %d at most", reads, len(gone))
	}
	c.SetBudget(3 << 20)
	if c.Size() > 3<<20 {
		t.Errorf("%d bytes", c.Size())
	}
}
