package utxo

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
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
	grown       func() // nil, or called when ever has grown
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
	if s.grown != nil {
		s.grown()
	}
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
