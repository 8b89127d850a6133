package utxo

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
)

func coinOf(i int) (wire.OutPoint, consensus.Coin) {
	op := wire.OutPoint{Hash: chainhash.HashH(fmt.Append(nil, i)), Index: uint32(i % 3)}
	script := append([]byte{0x51, 0x20}, op.Hash[:]...)
	return op, consensus.Coin{Amount: int64(i) * 1234, Script: script, Height: int32(i % 1000)}
}

func apply(t testing.TB, c *Cache, change func(v *View)) {
	t.Helper()
	v := NewView(c)
	change(v)
	c.Apply(v)
}

func mustAdd(t testing.TB, v *View, i int) wire.OutPoint {
	t.Helper()
	op, coin := coinOf(i)
	if existed, err := v.Add(op, coin); err != nil || existed {
		t.Fatalf("coin %d: existed %v, %v", i, existed, err)
	}
	return op
}

func mustSpend(t testing.TB, v *View, op wire.OutPoint) {
	t.Helper()
	if _, err := v.Spend(op); err != nil {
		t.Fatal(err)
	}
}

// addUnseen adds without a look at what is there.
func addUnseen(v *View, op wire.OutPoint, coin consensus.Coin) {
	k := toOutpoint(&op)
	v.add(&k, k.hash(v.cache.seed), &coin)
}

// flushAll commits everything.
func flushAll(t testing.TB, c *Cache, m *memory) {
	t.Helper()
	f := c.Freeze()
	if err := m.commit(f); err != nil {
		t.Fatal(err)
	}
	c.Release(f)
}

// TestLateRead lets a reader come back from the disk with a coin that was
// spent, committed and released meanwhile: it must not be remembered.
func TestLateRead(t *testing.T) {
	m := newMemory()
	c := NewCache(m, 1<<20, Stats{})
	var op wire.OutPoint
	apply(t, c, func(v *View) { op = mustAdd(t, v, 1) })
	flushAll(t, c, m)
	c = NewCache(m, 1<<20, Stats{Coins: 1})
	m.before = func() {
		m.before = nil
		apply(t, c, func(v *View) { mustSpend(t, v, op) })
		flushAll(t, c, m)
		c.gate.Lock()
		c.recent = new(generation) // as if there had been no room
		c.gate.Unlock()
	}
	if _, ok, err := c.Coin(op); !ok || err != nil {
		t.Fatal("the read began before the spend", ok, err)
	}
	if _, ok, _ := c.Coin(op); ok {
		t.Error("a spent coin came back")
	}
}

// TestFresh follows which rows reach the disk.
func TestFresh(t *testing.T) {
	m := newMemory()
	c := NewCache(m, 1<<20, Stats{})
	var a, b wire.OutPoint
	apply(t, c, func(v *View) { a = mustAdd(t, v, 1); b = mustAdd(t, v, 2) })
	apply(t, c, func(v *View) { mustSpend(t, v, b) })
	if n := c.Entries(); n != 1 {
		t.Errorf("%d entries after a coin came and went, want 1", n)
	}
	f := c.Freeze()
	// a is in the frozen generation: its spend must leave a mark.
	apply(t, c, func(v *View) { mustSpend(t, v, a) })
	if _, ok, _ := c.Coin(a); ok {
		t.Error("spent coin of the frozen generation is there")
	}
	if err := m.commit(f); err != nil {
		t.Fatal(err)
	}
	c.Release(f)
	if _, ok, _ := c.Coin(a); ok || len(m.rows) != 1 {
		t.Errorf("spent coin after release: %v, %d rows", ok, len(m.rows))
	}
	flushAll(t, c, m)
	if len(m.rows) != 0 {
		t.Errorf("%d rows left", len(m.rows))
	}
}

// TestNotFreshOverFrozen adds over a coin of the frozen generation without
// having looked: its later spend must still reach the disk.
func TestNotFreshOverFrozen(t *testing.T) {
	m := newMemory()
	c := NewCache(m, 1<<20, Stats{})
	var op wire.OutPoint
	apply(t, c, func(v *View) { op = mustAdd(t, v, 1) })
	f := c.Freeze()
	_, coin := coinOf(1)
	apply(t, c, func(v *View) { addUnseen(v, op, coin) })
	apply(t, c, func(v *View) { mustSpend(t, v, op) })
	if err := m.commit(f); err != nil {
		t.Fatal(err)
	}
	c.Release(f)
	flushAll(t, c, m)
	if len(m.rows) != 0 {
		t.Error("a spent coin stayed on disk")
	}
}

// TestOverwrite is Bitcoin's pair of equal coinbases: the second replaces
// the first, and after its spend nothing comes back.
func TestOverwrite(t *testing.T) {
	m := newMemory()
	c := NewCache(m, 1<<20, Stats{})
	msg := wire.NewMsgTx(1)
	msg.AddTxIn(&wire.TxIn{PreviousOutPoint: wire.OutPoint{Index: ^uint32(0)}})
	msg.AddTxOut(wire.NewTxOut(50, []byte{0x51}))
	tx := consensus.NewTx(msg)
	for height := range int32(2) {
		apply(t, c, func(v *View) {
			if _, err := v.ConnectTx(tx, height, true); err != nil {
				t.Fatal(err)
			}
		})
		flushAll(t, c, m)
		c = NewCache(m, 1<<20, c.Stats())
	}
	if got := c.Stats(); got != (Stats{Coins: 1, Total: 50}) {
		t.Errorf("stats %+v", got)
	}
	op := wire.OutPoint{Hash: tx.TxID}
	apply(t, c, func(v *View) {
		if _, err := v.ConnectTx(tx, 2, true); err != nil {
			t.Fatal(err)
		}
		mustSpend(t, v, op)
	})
	if _, ok, _ := c.Coin(op); ok {
		t.Error("overwritten coin came back in the cache")
	}
	flushAll(t, c, m)
	if len(m.rows) != 0 {
		t.Error("overwritten coin came back on disk")
	}
}

func TestViewErrors(t *testing.T) {
	m := newMemory()
	c := NewCache(m, 1<<20, Stats{})
	op, coin := coinOf(1)
	v := NewView(c)
	if _, err := v.Spend(op); !errors.Is(err, ErrMissing) {
		t.Errorf("spend of nothing: %v", err)
	}
	if _, err := v.Add(op, coin); err != nil {
		t.Fatal(err)
	}
	if existed, err := v.Add(op, coin); !existed || err != nil {
		t.Errorf("add twice: %v, %v", existed, err)
	}
	mustSpend(t, v, op)
	if _, err := v.Spend(op); !errors.Is(err, ErrMissing) {
		t.Errorf("spend twice: %v", err)
	}
	m.rows[string(appendKey(nil, &op))] = []byte{0xff}
	if _, _, err := c.Coin(op); !errors.Is(err, ErrDamaged) {
		t.Errorf("row that does not decode: %v", err)
	}
	if err := EachCoin(m, func(wire.OutPoint, consensus.Coin) error { return nil }); !errors.Is(err, ErrDamaged) {
		t.Errorf("walk over a row that does not decode: %v", err)
	}
}

// TestDisconnectDamage gives undo data or a coin set that does not fit.
func TestDisconnectDamage(t *testing.T) {
	newChain := func() (*Cache, *consensus.Block, [][]consensus.Coin) {
		s := &simulation{T: t, rng: rand.New(rand.NewPCG(1, 2)), disk: newMemory(), model: make(coins)}
		s.cache = NewCache(s.disk, 1<<20, Stats{})
		for len(s.blocks) < 5 || len(s.blocks[len(s.blocks)-1].block.Txs) < 3 {
			s.connect()
		}
		last := s.blocks[len(s.blocks)-1]
		var inputs []int
		for _, tx := range last.block.Txs[1:] {
			inputs = append(inputs, len(tx.Msg.TxIn))
		}
		spent, err := DecodeUndo(last.undo, inputs)
		if err != nil {
			t.Fatal(err)
		}
		return s.cache, last.block, spent
	}
	height := func(c *Cache, b *consensus.Block) int32 {
		for i, out := range b.Txs[0].Msg.TxOut {
			coin, ok, _ := c.Coin(wire.OutPoint{Hash: b.Txs[0].TxID, Index: uint32(i)})
			if ok && !Unspendable(out.PkScript) {
				return coin.Height
			}
		}
		t.Fatal("no coinbase coin")
		return 0
	}
	tests := []struct {
		name string
		do   func(c *Cache, b *consensus.Block, spent [][]consensus.Coin, h int32) error
	}{
		{"transaction missing", func(c *Cache, b *consensus.Block, spent [][]consensus.Coin, h int32) error {
			return NewView(c).DisconnectBlock(b, h, spent[1:])
		}},
		{"coin missing", func(c *Cache, b *consensus.Block, spent [][]consensus.Coin, h int32) error {
			spent[0] = spent[0][1:]
			return NewView(c).DisconnectBlock(b, h, spent)
		}},
		{"other height", func(c *Cache, b *consensus.Block, spent [][]consensus.Coin, h int32) error {
			return NewView(c).DisconnectBlock(b, h+1, spent)
		}},
		{"twice", func(c *Cache, b *consensus.Block, spent [][]consensus.Coin, h int32) error {
			v := NewView(c)
			if err := v.DisconnectBlock(b, h, spent); err != nil {
				t.Fatal(err)
			}
			return v.DisconnectBlock(b, h, spent)
		}},
	}
	for _, tt := range tests {
		c, b, spent := newChain()
		if err := tt.do(c, b, spent, height(c, b)); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// TestSetBudget: a smaller budget costs clean coins at once, and changed ones
// nothing but a freeze.
func TestSetBudget(t *testing.T) {
	const budget = 4 << 20
	m := newMemory()
	c := NewCache(m, budget, Stats{})
	add := func(from, to int) {
		apply(t, c, func(v *View) {
			for i := from; i < to; i++ {
				mustAdd(t, v, i)
			}
		})
	}
	add(0, 2000)
	flushAll(t, c, m)
	add(2000, 4000)
	size := c.Size()
	c.SetBudget(size)
	if c.OverBudget() || c.Size() != size {
		t.Errorf("%d of %d bytes left where they are just the budget", c.Size(), size)
	}
	c.SetBudget(size - 1)
	if n := c.Entries(); c.Size() >= size || n < 3900 || n == 4000 {
		t.Errorf("%d bytes, %d entries left: some of the clean ones had to go", c.Size(), n)
	}
	changed := c.active.size()
	c.SetBudget(changed)
	if c.Size() != changed || c.Entries() != 2000 {
		t.Errorf("%d bytes, %d entries left: the clean ones had to go", c.Size(), c.Entries())
	}
	c.SetBudget(changed*2 - 2)
	if !c.OverBudget() {
		t.Error("not over half of the new budget")
	}
	for i := range 4000 {
		op, want := coinOf(i)
		if got, ok, err := c.Coin(op); err != nil || !ok || got.Amount != want.Amount {
			t.Fatalf("coin %d: %v, %v, %v", i, got, ok, err)
		}
	}
}

// TestOverBudget follows a cache through its budget.
func TestOverBudget(t *testing.T) {
	m := newMemory()
	const budget = 4 << 20
	c := NewCache(m, budget, Stats{})
	next := 0
	fill := func() {
		for before := next; !c.OverBudget(); {
			apply(t, c, func(v *View) {
				for range 100 {
					mustAdd(t, v, next)
					next++
				}
			})
			if next-before > 100000 {
				t.Fatal("never over budget")
			}
		}
	}
	fill()
	if n := c.Size(); n < budget*7/16 || n > budget/2 {
		t.Errorf("%d bytes at the first freeze, budget %d", n, budget)
	}
	f := c.Freeze()
	if c.OverBudget() {
		t.Error("over budget right after a freeze")
	}
	fill()
	if n := c.Size(); n < budget*7/8 || n > budget {
		t.Errorf("%d bytes with both generations full, budget %d", n, budget)
	}
	if err := m.commit(f); err != nil {
		t.Fatal(err)
	}
	c.Release(f)
	if n := c.Size(); n > budget {
		t.Errorf("%d bytes after release", n)
	}
	flushAll(t, c, m)
	if got := c.Stats().Coins; got != int64(next) || len(m.rows) != next {
		t.Errorf("%d coins, %d rows, want %d", got, len(m.rows), next)
	}
	// Reads fill the rest of the budget, half of it at least, and no more.
	c = NewCache(m, budget/4, c.Stats())
	for i := range next {
		op, _ := coinOf(i)
		if _, ok, err := c.Coin(op); !ok || err != nil {
			t.Fatal(i, ok, err)
		}
	}
	if n := c.Size(); n < budget*4/10/4 || n > budget/4 || c.OverBudget() {
		t.Errorf("%d bytes of clean coins, over budget %v", n, c.OverBudget())
	}
}

// TestPace: the more comes during a flush, the earlier the next one begins.
func TestPace(t *testing.T) {
	const budget, room = 2 << 20, 7 << 18
	m := newMemory()
	c := NewCache(m, budget, Stats{})
	next := 0
	fillTo := func(size int64) {
		for c.active.size() < size {
			apply(t, c, func(v *View) {
				for range 100 {
					mustAdd(t, v, next)
					next++
				}
			})
		}
	}
	for _, tt := range []struct {
		before, during int64 // bytes
		from, to       int64 // at which the next freeze is due
	}{
		{room / 2, 0, room * 7 / 10, room * 8 / 10},
		{room * 3 / 4, room / 4, room * 65 / 100, room * 75 / 100},
		{room / 2, room / 2, room * 40 / 100, room * 48 / 100},
		{room / 4, room * 3 / 4, room * 30 / 100, room * 36 / 100}, // no earlier than that
		{room / 20, 0, room * 30 / 100, room * 36 / 100},           // says nothing
		{room / 3, 0, room * 7 / 10, room * 8 / 10},
	} {
		fillTo(tt.before)
		f := c.Freeze()
		fillTo(tt.during)
		if err := m.commit(f); err != nil {
			t.Fatal(err)
		}
		c.Release(f)
		if at := int64(c.freezeAt * room); at < tt.from || at > tt.to {
			t.Errorf("%d bytes came during a flush of %d: the next at %d, want %d to %d", tt.during, tt.before, at, tt.from, tt.to)
		}
		part := c.freezeAt
		flushAll(t, c, m)
		c.freezeAt = part
	}
}

// TestSizeIsHonest compares Size with what the runtime says.
func TestSizeIsHonest(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a quiet heap")
	}
	heap := func() int64 {
		runtime.GC()
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		return int64(s.HeapAlloc)
	}
	for _, n := range []int{50_000, 130_000} {
		before := heap()
		c := NewCache(newMemory(), 1<<40, Stats{})
		for i := 0; i < n; i += 1000 {
			apply(t, c, func(v *View) {
				for j := range 1000 {
					op, coin := coinOf(i + j)
					addUnseen(v, op, coin)
				}
			})
		}
		used := heap() - before
		t.Logf("%d coins: %d bytes used, %d counted, %.0f per entry besides values", n, used, c.Size(),
			float64(used-arenaBytes(c.active))/float64(n))
		if ratio := float64(c.Size()) / float64(used); ratio < 0.8 || ratio > 1.5 {
			t.Errorf("%d coins: counted %d bytes, used %d", n, c.Size(), used)
		}
		runtime.KeepAlive(c)
	}
}

func arenaBytes(g *generation) (n int64) {
	for i := range g.tables {
		n += int64(g.tables[i].arena.bytes)
	}
	return n
}

// TestArenaReuse spends and makes coins of one size: the arena must not grow.
func TestArenaReuse(t *testing.T) {
	c := NewCache(newMemory(), 1<<30, Stats{})
	for i := range 5000 {
		op, coin := coinOf(i)
		coin.Amount, coin.Height = 5, 5
		apply(t, c, func(v *View) { addUnseen(v, op, coin) })
		apply(t, c, func(v *View) { mustSpend(t, v, op) })
	}
	if n := arenaBytes(c.active); n > shards*firstChunk {
		t.Errorf("%d bytes for one coin at a time", n)
	}
}

// TestConcurrentReads reads while blocks are applied and flushed. A coin that
// is never spent must always be seen; one that was spent, never again.
func TestConcurrentReads(t *testing.T) {
	m := newMemory()
	c := NewCache(m, 64<<10, Stats{})
	const n = 300
	apply(t, c, func(v *View) {
		for i := range 2 * n {
			mustAdd(t, v, i)
		}
	})
	flushAll(t, c, m)
	var mu sync.RWMutex
	gone := make(map[int]bool)
	done := make(chan struct{})
	var wg sync.WaitGroup
	for r := range 2 {
		wg.Go(func() {
			for i := r; ; i++ {
				select {
				case <-done:
					return
				default:
				}
				k := i % (2 * n)
				mu.RLock()
				mustBeGone := gone[k]
				mu.RUnlock()
				op, want := coinOf(k)
				got, ok, err := c.Coin(op)
				if err != nil || (ok && got.Amount != want.Amount) || (ok && mustBeGone) || (!ok && k >= n) {
					t.Errorf("coin %d: %v, %v, gone %v", k, ok, err, mustBeGone)
					return
				}
			}
		})
	}
	for i := range n {
		op, _ := coinOf(i)
		apply(t, c, func(v *View) { mustSpend(t, v, op) })
		mu.Lock()
		gone[i] = true
		mu.Unlock()
		if i%7 == 0 {
			flushAll(t, c, m)
		}
	}
	close(done)
	wg.Wait()
}
