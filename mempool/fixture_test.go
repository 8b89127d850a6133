package mempool

import (
	"context"
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/sigcheck"
)

// fakeChain is a chain in memory that believes every block it is given, and
// sends events as the real one does.
type fakeChain struct {
	params *params.Params
	salt   uint32
	sink   func(chain.Event)

	mu      sync.RWMutex
	blocks  []*fakeBlock // by height
	coins   map[wire.OutPoint]consensus.Coin
	failing error // returned by Coin
	looked  func()
}

type fakeBlock struct {
	*consensus.Block
	spent [][]consensus.Coin
}

func newFakeChain(p *params.Params) *fakeChain {
	c := &fakeChain{params: p, coins: make(map[wire.OutPoint]consensus.Coin), sink: func(chain.Event) {}}
	c.blocks = []*fakeBlock{{Block: consensus.NewBlock(p.GenesisBlock)}}
	return c
}

func (c *fakeChain) top() *fakeBlock { return c.blocks[len(c.blocks)-1] }

func (c *fakeChain) infoLocked() chain.BlockInfo {
	b := c.top()
	return chain.BlockInfo{
		Hash: b.Hash, Header: b.Header, Height: int32(len(c.blocks) - 1), OnBest: true,
		MedianTime: time.Unix(consensus.MedianTimePast(c.ancestryLocked()), 0),
	}
}

func (c *fakeChain) Best() chain.BlockInfo {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.infoLocked()
}

func (c *fakeChain) Next() chain.NextBlock {
	c.mu.RLock()
	defer c.mu.RUnlock()
	height := int32(len(c.blocks))
	a := c.ancestryLocked()
	return chain.NextBlock{
		Prev: c.infoLocked(), Height: height, MedianTime: consensus.MedianTimePast(a),
		MinTime: consensus.MinTime(a, c.params),
		Bits:    func(t uint32) uint32 { return consensus.NextBits(a, t, c.params) },
		Flags:   consensus.ScriptFlags(height, chainhash.Hash{}, c.params),
		Subsidy: consensus.Subsidy(height, c.params),
	}
}

// branch is an immutable consensus.Ancestry.
type branch []consensus.HeaderFields

func (b branch) Height() int32                          { return int32(len(b) - 1) }
func (b branch) At(height int32) consensus.HeaderFields { return b[height] }

func (c *fakeChain) ancestryLocked() consensus.Ancestry {
	var b branch
	for _, block := range c.blocks {
		b = append(b, consensus.HeaderFields{Time: uint32(block.Header.Timestamp.Unix()), Bits: block.Header.Bits})
	}
	return b
}

func (c *fakeChain) Ancestry() consensus.Ancestry {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.ancestryLocked()
}

func (c *fakeChain) Coin(op wire.OutPoint) (consensus.Coin, bool, error) {
	if c.looked != nil {
		c.looked() // without the lock: it may change the chain
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	coin, ok := c.coins[op]
	return coin, ok, c.failing
}

// make returns a block on the best one, 60 seconds later.
func (c *fakeChain) make(txs ...*consensus.Tx) *consensus.Block {
	height := int32(len(c.blocks))
	c.salt++
	coinbase := wire.NewMsgTx(2)
	script := append(consensus.CoinbaseHeightScript(height), 4)
	coinbase.AddTxIn(&wire.TxIn{
		PreviousOutPoint: wire.OutPoint{Index: wire.MaxPrevOutIndex},
		SignatureScript:  binary.BigEndian.AppendUint32(script, c.salt),
		Sequence:         wire.MaxTxInSequenceNum,
	})
	coinbase.AddTxOut(wire.NewTxOut(50e8, chaintest.AnyoneCanSpend()))
	msg := &wire.MsgBlock{Header: wire.BlockHeader{
		PrevBlock: c.top().Hash, Timestamp: c.top().Header.Timestamp.Add(time.Minute),
		Bits: c.top().Header.Bits, Nonce: c.salt,
	}}
	msg.Transactions = append(msg.Transactions, coinbase)
	for _, tx := range txs {
		msg.Transactions = append(msg.Transactions, tx.Msg)
	}
	return consensus.NewBlock(msg)
}

// connect makes b the best block.
func (c *fakeChain) connect(b *consensus.Block) {
	c.mu.Lock()
	height := int32(len(c.blocks))
	fb := &fakeBlock{Block: b}
	for i, tx := range b.Txs {
		if i > 0 {
			var spent []consensus.Coin
			for _, in := range tx.Msg.TxIn {
				coin, ok := c.coins[in.PreviousOutPoint]
				if !ok {
					panic("a test's block spends what is not there")
				}
				spent = append(spent, coin)
				delete(c.coins, in.PreviousOutPoint)
			}
			fb.spent = append(fb.spent, spent)
		}
		for n, out := range tx.Msg.TxOut {
			c.coins[wire.OutPoint{Hash: tx.TxID, Index: uint32(n)}] = consensus.Coin{
				Amount: out.Value, Script: out.PkScript, Height: height, Coinbase: i == 0,
			}
		}
	}
	c.blocks = append(c.blocks, fb)
	info := c.infoLocked()
	c.mu.Unlock()
	c.sink(chain.Event{Kind: chain.Connected, Block: b, Info: info, Spent: fb.spent})
}

// add makes b the best block, whatever it spends, and tells nobody.
func (c *fakeChain) add(b *consensus.Block) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.blocks = append(c.blocks, &fakeBlock{Block: b})
}

// disconnect takes the best block away.
func (c *fakeChain) disconnect() *consensus.Block {
	c.mu.Lock()
	info, b := c.infoLocked(), c.top()
	for i, tx := range slices.Backward(b.Txs) {
		for n := range tx.Msg.TxOut {
			delete(c.coins, wire.OutPoint{Hash: tx.TxID, Index: uint32(n)})
		}
		if i > 0 {
			for n, in := range tx.Msg.TxIn {
				c.coins[in.PreviousOutPoint] = b.spent[i-1][n]
			}
		}
	}
	c.blocks = c.blocks[:len(c.blocks)-1]
	c.mu.Unlock()
	c.sink(chain.Event{Kind: chain.Disconnected, Block: b.Block, Info: info, Spent: b.spent})
	return b.Block
}

func (c *fakeChain) settle() { c.sink(chain.Event{Kind: chain.Settled, Info: c.Best()}) }

// mine connects one block with the given transactions and settles.
func (c *fakeChain) mine(txs ...*consensus.Tx) *consensus.Block {
	b := c.make(txs...)
	c.connect(b)
	c.settle()
	return b
}

// world is a pool on a fake chain, with a clock of its own.
type world struct {
	t     testing.TB
	chain *fakeChain
	pool  *Pool
	clock time.Time
	log   []TxEvent
	salt  uint32
}

// setUp changes what a world is made of before it is made.
type setUp func(p *params.Params, cfg *Config)

func newWorld(t testing.TB, changes ...setUp) *world {
	t.Helper()
	p := chaintest.Params(chaintest.ChainFile)
	w := &world{t: t, clock: p.GenesisBlock.Header.Timestamp.Add(24 * time.Hour)}
	cfg := Config{
		Params:  p,
		Checker: sigcheck.New(sigcheck.Config{Workers: 1, CacheEntries: 1000, Recheck: 256}),
		Now:     func() time.Time { return w.clock },
	}
	for _, change := range changes {
		change(p, &cfg)
	}
	w.chain = newFakeChain(p)
	cfg.Chain = w.chain
	w.pool = New(cfg)
	w.chain.sink = w.pool.HandleEvent
	w.pool.Subscribe(func(ev TxEvent) { w.log = append(w.log, ev) })
	return w
}

// output is a coin or an output of a transaction in the pool.
type output struct {
	wire.OutPoint
	amount int64
}

func outputOf(tx *consensus.Tx, n int) output {
	return output{wire.OutPoint{Hash: tx.TxID, Index: uint32(n)}, tx.Msg.TxOut[n].Value}
}

// coin puts a coin of the given amount into the chain's set, as from genesis.
func (w *world) coin(amount int64) output {
	return w.coinWith(consensus.Coin{Amount: amount, Script: chaintest.AnyoneCanSpend()})
}

func (w *world) coinWith(coin consensus.Coin) output {
	w.salt++
	var op wire.OutPoint
	binary.BigEndian.PutUint32(op.Hash[:], w.salt)
	w.chain.mu.Lock()
	defer w.chain.mu.Unlock()
	w.chain.coins[op] = coin
	return output{op, coin.Amount}
}

// spend makes a standard transaction that pays fee and splits the rest evenly
// over outs outputs.
func spend(fee int64, outs int, ins ...output) *consensus.Tx {
	return consensus.NewTx(spendMsg(fee, outs, ins...))
}

func spendMsg(fee int64, outs int, ins ...output) *wire.MsgTx {
	msg := wire.NewMsgTx(2)
	var total int64
	for _, in := range ins {
		msg.AddTxIn(&wire.TxIn{
			PreviousOutPoint: in.OutPoint, Sequence: wire.MaxTxInSequenceNum,
			Witness: wire.TxWitness{{txscript.OP_TRUE}},
		})
		total += in.amount
	}
	for i := range outs {
		amount := (total - fee) / int64(outs)
		if i == 0 {
			amount += (total - fee) % int64(outs)
		}
		msg.AddTxOut(wire.NewTxOut(amount, chaintest.AnyoneCanSpend()))
	}
	return msg
}

func (w *world) accept(txs ...*consensus.Tx) {
	w.t.Helper()
	for _, tx := range txs {
		if err := w.pool.Accept(context.Background(), tx); err != nil {
			w.t.Fatalf("Accept(%v): %v", tx.TxID, err)
		}
	}
}

// refuse expects an error that is want.
func (w *world) refuse(tx *consensus.Tx, want error) {
	w.t.Helper()
	before := w.pool.Generation()
	if err := w.pool.Accept(context.Background(), tx); !errors.Is(err, want) {
		w.t.Fatalf("Accept: error %v, want %v", err, want)
	}
	if w.pool.Generation() != before {
		w.t.Error("a refused transaction changed the pool")
	}
}

// expectPool expects exactly these transactions, and a pool in order.
func (w *world) expectPool(txs ...*consensus.Tx) {
	w.t.Helper()
	want := make(map[chainhash.Hash]bool)
	for _, tx := range txs {
		want[tx.TxID] = true
	}
	got := make(map[chainhash.Hash]bool)
	for _, id := range w.pool.TxIDs() {
		got[id] = true
	}
	if !maps.Equal(got, want) {
		w.t.Fatalf("pool holds %v, want %v", got, want)
	}
	w.checkPool()
}

// expectEvents expects these events since the last call, in order.
func (w *world) expectEvents(want ...TxEvent) {
	w.t.Helper()
	got := w.log
	w.log = nil
	if len(got) != len(want) {
		w.t.Fatalf("%d events %v, want %d", len(got), got, len(want))
	}
	for i := range want {
		if got[i].Kind != want[i].Kind || got[i].Tx.TxID != want[i].Tx.TxID || got[i].Reason != want[i].Reason || got[i].Returned != want[i].Returned {
			w.t.Errorf("event %d: %d %v %q returned %t, want %d %v %q %t", i, got[i].Kind, got[i].Tx.TxID, got[i].Reason, got[i].Returned,
				want[i].Kind, want[i].Tx.TxID, want[i].Reason, want[i].Returned)
		}
	}
}

// checkPool checks everything that must hold of a pool at rest.
func (w *world) checkPool() {
	w.t.Helper()
	p := w.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	spent := make(map[wire.OutPoint]*entry)
	var usage, vsize, fees int64
	for txid, e := range p.byTxID {
		usage, vsize, fees = usage+e.usage, vsize+e.vsize, fees+e.fee
		if txid != e.tx.TxID || p.byWTxID[e.tx.WTxID] != e || !e.attached {
			w.t.Fatalf("%v is not where it should be in the pool's maps", e.tx.TxID)
		}
		parents := make(map[*entry]struct{})
		var in, out int64
		for _, txIn := range e.tx.Msg.TxIn {
			op := txIn.PreviousOutPoint
			if by := spent[op]; by != nil {
				w.t.Fatalf("%v and %v both spend %v", e.tx.TxID, by.tx.TxID, op)
			}
			spent[op] = e
			if parent := p.byTxID[op.Hash]; parent != nil {
				parents[parent] = struct{}{}
				in += parent.tx.Msg.TxOut[op.Index].Value
				if parent.seq >= e.seq {
					w.t.Fatalf("%v comes before its parent", e.tx.TxID)
				}
			} else if coin, ok := w.chain.coins[op]; ok {
				in += coin.Amount
			} else {
				w.t.Fatalf("%v spends %v, which is nowhere", e.tx.TxID, op)
			}
		}
		for _, txOut := range e.tx.Msg.TxOut {
			out += txOut.Value
		}
		if !maps.Equal(parents, setOf(e.parents)) || len(parents) != len(e.parents) {
			w.t.Fatalf("parents of %v are wrong", e.tx.TxID)
		}
		if in-out != e.fee {
			w.t.Fatalf("fee of %v is %d, not %d", e.tx.TxID, in-out, e.fee)
		}
		if got, want := e.up, sum(ancestorsOf(e)); got != want {
			w.t.Fatalf("ancestors of %v sum up to %+v, not %+v", e.tx.TxID, want, got)
		}
		if got, want := e.down, sum(descendantsOf(e)); got != want {
			w.t.Fatalf("descendants of %v sum up to %+v, not %+v", e.tx.TxID, want, got)
		}
		for child := range setOf(e.children) {
			if !slices.Contains(child.parents, e) || p.byTxID[child.tx.TxID] != child {
				w.t.Fatalf("child of %v does not know it", e.tx.TxID)
			}
		}
	}
	if !maps.Equal(spent, p.spent) {
		w.t.Fatal("the index of spent outputs is wrong")
	}
	if len(p.byWTxID) != len(p.byTxID) {
		w.t.Fatal("the pool's maps differ in size")
	}
	w.checkOrder()
	if usage != p.usage || vsize != p.vsize || fees != p.fees {
		w.t.Fatalf("sums are %d %d %d, not %d %d %d", usage, vsize, fees, p.usage, p.vsize, p.fees)
	}
}

// checkOrder checks the list of entries and both rankings.
func (w *world) checkOrder() {
	w.t.Helper()
	p := w.pool
	var last *entry
	n := 0
	for e := range p.roster.all() {
		if p.roster.entries[e.slot] != e || last != nil && last.seq >= e.seq || p.byTxID[e.tx.TxID] != e {
			w.t.Fatalf("%v is not where it should be in the list", e.tx.TxID)
		}
		last = e
		n++
	}
	if n != len(p.byTxID) || n != p.roster.live {
		w.t.Fatalf("%d entries in the list, %d in the pool", n, len(p.byTxID))
	}
	w.checkRanking(&p.best, func(e *entry) (int64, int64, bool) { return e.up.fees, e.up.vsize, false })
	w.checkRanking(&p.worth, func(e *entry) (int64, int64, bool) {
		fee, size := e.score()
		return fee, size, e.down.records > 0
	})
}

func (w *world) checkRanking(q *ranking, key func(*entry) (fee, size int64, kept bool)) {
	w.t.Helper()
	seen := make(map[*entry]bool)
	for i := range q.heap {
		r := &q.heap[i]
		if i > 0 && q.before(r, &q.heap[(i-1)/2]) {
			w.t.Fatal("a ranking is no heap")
		}
		if q.isVoid(r) {
			continue
		}
		e := q.of.entries[r.slot]
		fee, size, kept := key(e)
		if seen[e] || !e.attached || r.fee != fee || r.size != size || r.kept != kept || r.seq != e.seq {
			w.t.Fatalf("the rank of %v is wrong", e.tx.TxID)
		}
		seen[e] = true
	}
	if len(seen) != len(w.pool.byTxID) || q.valid != len(seen) {
		w.t.Fatalf("%d entries are ranked, %d counted, %d in the pool", len(seen), q.valid, len(w.pool.byTxID))
	}
}

func setOf(list []*entry) map[*entry]struct{} {
	set := make(map[*entry]struct{})
	for _, e := range list {
		set[e] = struct{}{}
	}
	return set
}

func sum(list []*entry) (t totals) {
	for _, e := range list {
		t.add(e)
	}
	return t
}
