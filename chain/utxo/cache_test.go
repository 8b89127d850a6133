package utxo

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
)

// memory is a committed set for tests.
type memory struct {
	mu     sync.RWMutex
	rows   map[string][]byte
	before func() // runs after a read, before its result is returned
}

func newMemory() *memory { return &memory{rows: make(map[string][]byte)} }

func (m *memory) Get(key []byte) ([]byte, bool, error) {
	m.mu.RLock()
	v, ok := m.rows[string(key)]
	before := m.before
	m.mu.RUnlock()
	if before != nil {
		before()
	}
	return slices.Clone(v), ok, nil
}

func (m *memory) Each(prefix []byte, fn func(k, v []byte) error) error {
	for _, k := range slices.Sorted(maps.Keys(m.rows)) {
		if err := fn([]byte(k), m.rows[k]); err != nil {
			return err
		}
	}
	return nil
}

// commit writes f, and checks that no row is removed that was never there.
func (m *memory) commit(f *Frozen) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var wrong error
	err := f.Each(func(k, v []byte) {
		m.rows[string(k)] = slices.Clone(v)
	}, func(k []byte) {
		if _, ok := m.rows[string(k)]; !ok {
			wrong = fmt.Errorf("removes row %x, which never reached the disk", k)
		}
		delete(m.rows, string(k))
	})
	return errors.Join(err, wrong)
}

// coins is the plain model of a coin set.
type coins map[wire.OutPoint]consensus.Coin

func (c coins) stats() (s Stats) {
	for _, coin := range c {
		s.Coins++
		s.Total += coin.Amount
	}
	return s
}

// committed returns what m holds.
func (m *memory) committed(t testing.TB) coins {
	t.Helper()
	all := make(coins)
	err := EachCoin(m, func(op wire.OutPoint, coin consensus.Coin) error {
		all[op] = coin
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// simulation drives a cache and a model with the same blocks.
type simulation struct {
	*testing.T
	rng    *rand.Rand
	disk   *memory
	cache  *Cache
	frozen *Frozen
	model  coins
	blocks []simBlock

	saved       coins // model and blocks as of the freeze
	savedBlocks int
	onDisk      int // blocks as of the last commit
	made        uint32
	ever        []wire.OutPoint
}

type simBlock struct {
	block *consensus.Block
	undo  []byte
}

func (s *simulation) output() *wire.TxOut {
	scripts := [][]byte{{0x51}, {0x6a, 1, 2}, append([]byte{0x51, 0x20}, make([]byte, 32)...), nil,
		make([]byte, s.rng.IntN(300))}
	return wire.NewTxOut(s.rng.Int64N(1e15), scripts[s.rng.IntN(len(scripts))])
}

// tx spends the given coins; a number makes each transaction another one.
func (s *simulation) tx(inputs []wire.OutPoint, outputs int) *consensus.Tx {
	s.made++
	msg := wire.NewMsgTx(2)
	msg.LockTime = s.made
	for _, op := range inputs {
		msg.AddTxIn(&wire.TxIn{PreviousOutPoint: op})
	}
	for range outputs {
		msg.AddTxOut(s.output())
	}
	return consensus.NewTx(msg)
}

// connect makes a block of random spends, of coins of the same block too.
func (s *simulation) connect() {
	height := int32(len(s.blocks))
	block := &consensus.Block{Txs: []*consensus.Tx{s.tx([]wire.OutPoint{{Index: ^uint32(0)}}, 2)}}
	block.Hash = chainhash.Hash(block.Txs[0].TxID)
	after := maps.Clone(s.model)
	s.addOutputs(after, block.Txs[0], height, true)
	var spent [][]consensus.Coin
	for range s.rng.IntN(6) {
		var inputs []wire.OutPoint
		var used []consensus.Coin
		for _, op := range s.pick(after, 1+s.rng.IntN(3)) {
			inputs = append(inputs, op)
			used = append(used, after[op])
			delete(after, op)
		}
		if len(inputs) == 0 {
			continue
		}
		tx := s.tx(inputs, 1+s.rng.IntN(4))
		s.addOutputs(after, tx, height, false)
		block.Txs = append(block.Txs, tx)
		spent = append(spent, used)
	}
	v := NewView(s.cache)
	got, err := v.ConnectBlock(block, height)
	if err != nil {
		s.Fatal(err)
	}
	if diff := cmp.Diff(spent, got, cmp.Comparer(func(a, b []byte) bool { return string(a) == string(b) })); diff != "" && len(spent) > 0 {
		s.Fatal(diff)
	}
	s.cache.Apply(v)
	s.model = after
	s.blocks = append(s.blocks, simBlock{block, EncodeUndo(got)})
}

func (s *simulation) addOutputs(to coins, tx *consensus.Tx, height int32, coinbase bool) {
	for i, out := range tx.Msg.TxOut {
		op := wire.OutPoint{Hash: tx.TxID, Index: uint32(i)}
		s.ever = append(s.ever, op)
		if !Unspendable(out.PkScript) {
			to[op] = consensus.Coin{Amount: out.Value, Script: out.PkScript, Height: height, Coinbase: coinbase}
		}
	}
}

// pick returns n coins, preferring recent ones.
func (s *simulation) pick(from coins, n int) (ops []wire.OutPoint) {
	for i := 0; i < 40 && len(ops) < n; i++ {
		back := s.rng.IntN(min(len(s.ever), 1+s.rng.IntN(200)))
		op := s.ever[len(s.ever)-1-back]
		if _, ok := from[op]; ok && !slices.Contains(ops, op) {
			ops = append(ops, op)
		}
	}
	return ops
}

// disconnect takes the last blocks back, in one view.
func (s *simulation) disconnect(n int) {
	v := NewView(s.cache)
	for range min(n, len(s.blocks)-s.onDisk/2) {
		last := s.blocks[len(s.blocks)-1]
		s.blocks = s.blocks[:len(s.blocks)-1]
		var inputs []int
		for _, tx := range last.block.Txs[1:] {
			inputs = append(inputs, len(tx.Msg.TxIn))
		}
		spent, err := DecodeUndo(last.undo, inputs)
		if err != nil {
			s.Fatal(err)
		}
		if err := v.DisconnectBlock(last.block, int32(len(s.blocks)), spent); err != nil {
			s.Fatal(err)
		}
		for i := len(last.block.Txs) - 1; i >= 0; i-- {
			tx := last.block.Txs[i]
			for j := range tx.Msg.TxOut {
				delete(s.model, wire.OutPoint{Hash: tx.TxID, Index: uint32(j)})
			}
			for j := range tx.Msg.TxIn {
				if i > 0 {
					s.model[tx.Msg.TxIn[j].PreviousOutPoint] = spent[i-1][j]
				}
			}
		}
	}
	s.cache.Apply(v)
}

// flush freezes, commits or releases, whichever comes next.
func (s *simulation) flush() {
	switch {
	case s.frozen == nil:
		s.frozen = s.cache.Freeze()
		s.saved, s.savedBlocks = maps.Clone(s.model), len(s.blocks)
		if s.cache.Freeze() != nil {
			s.Fatal("a second freeze")
		}
	case s.saved != nil:
		if err := s.disk.commit(s.frozen); err != nil {
			s.Fatal(err)
		}
		if diff := cmp.Diff(s.saved.stats(), s.frozen.Stats()); diff != "" {
			s.Fatal(diff)
		}
		if got := s.disk.committed(s.T); !sameCoins(got, s.saved) {
			s.Fatal("the committed set is not the one of the freeze")
		}
		s.saved, s.onDisk = nil, s.savedBlocks
	default:
		s.cache.Release(s.frozen)
		s.frozen = nil
	}
}

func sameCoins(a, b coins) bool {
	return maps.EqualFunc(a, b, func(x, y consensus.Coin) bool {
		return x.Amount == y.Amount && x.Height == y.Height && x.Coinbase == y.Coinbase && string(x.Script) == string(y.Script)
	})
}

// check compares what can be seen with the model.
func (s *simulation) check(ops []wire.OutPoint) {
	for _, op := range ops {
		got, ok, err := s.cache.Coin(op)
		want, exists := s.model[op]
		if err != nil || ok != exists || (ok && !sameCoins(coins{op: got}, coins{op: want})) {
			s.Fatalf("coin %v: %v, %v, %v; the model has %v, %v", op, got, ok, err, want, exists)
		}
	}
	if diff := cmp.Diff(s.model.stats(), s.cache.Stats()); diff != "" {
		s.Fatal(diff)
	}
}

// TestCacheAgainstModel connects and disconnects random blocks, with
// freezes, commits, releases and crashes in between.
func TestCacheAgainstModel(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			s := &simulation{T: t, rng: rand.New(rand.NewPCG(seed, 1)), disk: newMemory(), model: make(coins)}
			budget := []int64{0, 200 << 10, 1 << 30}[seed%3]
			s.cache = NewCache(s.disk, budget, Stats{})
			for range 400 {
				switch n := s.rng.IntN(100); {
				case n < 60:
					s.connect()
				case n < 68:
					s.disconnect(1 + s.rng.IntN(4))
				case n < 90:
					s.flush()
				case n < 91:
					s.crash(budget)
				}
				s.check(s.ever[max(0, len(s.ever)-50):])
				if len(s.ever) > 0 {
					at := s.rng.IntN(len(s.ever))
					s.check(s.ever[at:min(at+20, len(s.ever))])
				}
			}
			s.check(s.ever)
		})
	}
}

// crash starts again from what is committed and connects the blocks behind it.
func (s *simulation) crash(budget int64) {
	committed := s.disk.committed(s.T)
	s.cache = NewCache(s.disk, budget, committed.stats())
	s.frozen, s.saved, s.model = nil, nil, committed
	blocks := s.blocks
	if s.onDisk > len(blocks) {
		s.onDisk = len(blocks)
	}
	s.blocks = nil
	s.ever = slices.Collect(maps.Keys(committed))
	slices.SortFunc(s.ever, func(a, b wire.OutPoint) int {
		return slices.Compare(append(a.Hash[:], byte(a.Index)), append(b.Hash[:], byte(b.Index)))
	})
	s.onDisk = 0
}

// TestDisconnectRestores takes every block of a chain back.
func TestDisconnectRestores(t *testing.T) {
	s := &simulation{T: t, rng: rand.New(rand.NewPCG(7, 7)), disk: newMemory(), model: make(coins)}
	s.cache = NewCache(s.disk, 1<<20, Stats{})
	var before []coins
	for range 40 {
		before = append(before, maps.Clone(s.model))
		s.connect()
	}
	for n := len(before) - 1; n >= 0; n-- {
		s.disconnect(1)
		if !sameCoins(s.model, before[n]) {
			t.Fatalf("model after taking back block %d differs", n)
		}
		s.check(s.ever)
	}
	if n := s.cache.Stats(); n != (Stats{}) {
		t.Errorf("stats of an empty set: %+v", n)
	}
}

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
		c.mu.Lock()
		c.clean = nil // as if there had been no room
		c.mu.Unlock()
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
	apply(t, c, func(v *View) { v.add(toOutpoint(&op), coin) })
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
	if n := c.Size(); n < budget/2 || n > budget*8/10 {
		t.Errorf("%d bytes at the first freeze, budget %d", n, budget)
	}
	f := c.Freeze()
	if c.OverBudget() {
		t.Error("over budget right after a freeze")
	}
	fill()
	if n := c.Size(); n < budget || n > budget*15/10 {
		t.Errorf("%d bytes with both generations full, budget %d", n, budget)
	}
	if err := m.commit(f); err != nil {
		t.Fatal(err)
	}
	c.Release(f)
	if n := c.Size(); n > budget*8/10 {
		t.Errorf("%d bytes after release", n)
	}
	flushAll(t, c, m)
	if got := c.Stats().Coins; got != int64(next) || len(m.rows) != next {
		t.Errorf("%d coins, %d rows, want %d", got, len(m.rows), next)
	}
	// Reads fill the rest of the budget and no more.
	c = NewCache(m, budget/4, c.Stats())
	for i := range next {
		op, _ := coinOf(i)
		if _, ok, err := c.Coin(op); !ok || err != nil {
			t.Fatal(i, ok, err)
		}
	}
	if n := c.Size(); n < budget/5 || n > budget/2 || c.OverBudget() {
		t.Errorf("%d bytes of clean coins, over budget %v", n, c.OverBudget())
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
					v.add(toOutpoint(&op), coin)
				}
			})
		}
		used := heap() - before
		t.Logf("%d coins: %d bytes used, %d counted, %.0f per entry besides values", n, used, c.Size(),
			float64(used-int64(len(c.active.arena.chunks))*chunkSize)/float64(n))
		if ratio := float64(c.Size()) / float64(used); ratio < 0.8 || ratio > 1.5 {
			t.Errorf("%d coins: counted %d bytes, used %d", n, c.Size(), used)
		}
		runtime.KeepAlive(c)
	}
}

// TestArenaReuse spends and makes coins of one size: the arena must not grow.
func TestArenaReuse(t *testing.T) {
	c := NewCache(newMemory(), 1<<30, Stats{})
	for i := range 5000 {
		op, coin := coinOf(i)
		coin.Amount, coin.Height = 5, 5
		apply(t, c, func(v *View) { v.add(toOutpoint(&op), coin) })
		apply(t, c, func(v *View) { mustSpend(t, v, op) })
	}
	if n := len(c.active.arena.chunks); n != 1 {
		t.Errorf("%d chunks for one coin at a time", n)
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
