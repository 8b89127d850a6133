package index

import (
	"bytes"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/store"
	"github.com/charterchain/charter/chain/store/storetest"
)

// fakeChain is a tree of blocks that nobody has checked.
type fakeChain struct {
	p *params.Params

	mu      sync.Mutex // guards the rest
	blocks  map[chainhash.Hash]*fakeBlock
	best    []*fakeBlock
	missing map[chainhash.Hash]error // what reading a block answers
	syncing bool
	reads   int
	salt    uint32
}

type fakeBlock struct {
	*consensus.Block
	parent *fakeBlock
	height int32
	spent  [][]consensus.Coin
	coins  map[wire.OutPoint]consensus.Coin // after it; do not modify
	order  []wire.OutPoint                  // keys of coins, in a fixed order
}

// testParams is a chain whose genesis block pays 700 and 300 to two scripts.
func testParams(t testing.TB) *params.Params {
	t.Helper()
	load := func(file string) *params.Params {
		p, err := params.Load([]byte(file), "test")
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	file := "format = 1\nname = \"test\"\n[address]\nbech32_hrp = \"ct\"\n[genesis]\ntime = 1700000000\nbits = 0x207fffff\n" +
		"[pow]\nlimit = 0x207fffff\nalgorithm = \"fixed\"\n[subsidy]\ninitial = 5000\n"
	p := load(file)
	for _, amount := range []int{700, 300} {
		addr, ok := p.Address.Encode(allocated(amount))
		if !ok {
			t.Fatal("no address")
		}
		file += fmt.Sprintf("[[genesis.allocation]]\naddress = %q\namount = %d\n", addr, amount)
	}
	return load(file)
}

func allocated(n int) []byte {
	return append([]byte{txscript.OP_0, txscript.OP_DATA_20}, slices.Repeat([]byte{byte(n)}, 20)...)
}

func newFakeChain(p *params.Params) *fakeChain {
	genesis := &fakeBlock{Block: consensus.NewBlock(p.GenesisBlock), coins: map[wire.OutPoint]consensus.Coin{}}
	for _, out := range p.GenesisCoins() {
		op := wire.OutPoint{Hash: genesis.Txs[0].TxID, Index: out.Index}
		genesis.coins[op] = consensus.Coin{Amount: out.Amount, Script: out.Script}
		genesis.order = append(genesis.order, op)
	}
	return &fakeChain{
		p: p, best: []*fakeBlock{genesis},
		blocks:  map[chainhash.Hash]*fakeBlock{genesis.Hash: genesis},
		missing: map[chainhash.Hash]error{},
	}
}

func (c *fakeChain) tip() *fakeBlock { return c.best[len(c.best)-1] }

func (c *fakeChain) blockOf(b *fakeBlock) Block {
	out := Block{Hash: b.Hash, Height: b.height, OnBest: int(b.height) < len(c.best) && c.best[b.height] == b}
	if b.parent != nil {
		out.Parent = b.parent.Hash
	}
	return out
}

func (c *fakeChain) Best() Block {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.blockOf(c.tip())
}

func (c *fakeChain) AtHeight(h int32) (Block, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if h < 0 || int(h) >= len(c.best) {
		return Block{}, false
	}
	return c.blockOf(c.best[h]), true
}

func (c *fakeChain) Lookup(hash chainhash.Hash) (Block, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := c.blocks[hash]
	if b == nil {
		return Block{}, false
	}
	return c.blockOf(b), true
}

func (c *fakeChain) Syncing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.syncing
}

func (c *fakeChain) get(hash chainhash.Hash) (*fakeBlock, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reads++
	if err := c.missing[hash]; err != nil {
		return nil, fmt.Errorf("block %v: %w", hash, err)
	}
	return c.blocks[hash], nil
}

func (c *fakeChain) ReadBlock(hash chainhash.Hash) (*consensus.Block, error) {
	b, err := c.get(hash)
	if err != nil {
		return nil, err
	}
	return b.Block, nil
}

func (c *fakeChain) ReadRaw(hash chainhash.Hash) ([]byte, error) {
	b, err := c.get(hash)
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	err = b.Msg().Serialize(&buf)
	return buf.Bytes(), err
}

func (c *fakeChain) ReadSpent(hash chainhash.Hash) ([][]consensus.Coin, error) {
	b, err := c.get(hash)
	if err != nil {
		return nil, err
	}
	return b.spent, nil
}

// script is one of a few that random histories pay to. Number 0 cannot be
// spent, number 1 is empty.
func script(n int) []byte {
	switch n {
	case 0:
		return []byte{txscript.OP_RETURN, 1, 7}
	case 1:
		return nil
	}
	return []byte{txscript.OP_DATA_2, byte(n), byte(n >> 8), txscript.OP_DROP, txscript.OP_TRUE}
}

// draft is a block being made on top of parent.
type draft struct {
	*fakeBlock
	msg *wire.MsgBlock
}

func (c *fakeChain) draft(parent *fakeBlock) *draft {
	c.salt++
	d := &draft{
		fakeBlock: &fakeBlock{parent: parent, height: parent.height + 1, coins: map[wire.OutPoint]consensus.Coin{}},
		msg:       &wire.MsgBlock{Header: wire.BlockHeader{PrevBlock: parent.Hash, Nonce: c.salt}},
	}
	d.order = slices.Clone(parent.order)
	for op, coin := range parent.coins {
		d.coins[op] = coin
	}
	return d
}

// coinbase adds a coinbase with the given amounts and scripts.
func (d *draft) coinbase(salt uint32, outs ...*wire.TxOut) {
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(&wire.TxIn{PreviousOutPoint: wire.OutPoint{Index: wire.MaxPrevOutIndex}, Sequence: salt})
	d.pay(tx, outs)
}

// spend adds a transaction that spends the coins at ops.
func (d *draft) spend(ops []wire.OutPoint, outs ...*wire.TxOut) {
	tx := wire.NewMsgTx(2)
	var spent []consensus.Coin
	for _, op := range ops {
		tx.AddTxIn(&wire.TxIn{PreviousOutPoint: op, Witness: wire.TxWitness{{1}}})
		spent = append(spent, d.coins[op])
		delete(d.coins, op)
		d.order = slices.DeleteFunc(d.order, func(o wire.OutPoint) bool { return o == op })
	}
	d.spent = append(d.spent, spent)
	d.pay(tx, outs)
}

func (d *draft) pay(tx *wire.MsgTx, outs []*wire.TxOut) {
	tx.TxOut = outs
	coinbase := len(d.msg.Transactions) == 0
	d.msg.Transactions = append(d.msg.Transactions, tx)
	for i, out := range outs {
		if len(out.PkScript) > 0 && out.PkScript[0] == txscript.OP_RETURN {
			continue
		}
		op := wire.OutPoint{Hash: tx.TxHash(), Index: uint32(i)}
		if _, old := d.coins[op]; !old {
			d.order = append(d.order, op)
		}
		d.coins[op] = consensus.Coin{Amount: out.Value, Script: out.PkScript, Height: d.height, Coinbase: coinbase}
	}
}

// done gives the block to the chain, beside the best branch.
func (c *fakeChain) done(d *draft) *fakeBlock {
	d.Block = consensus.NewBlock(d.msg)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.blocks[d.Hash] = d.fakeBlock
	return d.fakeBlock
}

// setTip makes the branch of b the best one.
func (c *fakeChain) setTip(b *fakeBlock) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.best = make([]*fakeBlock, b.height+1)
	for ; b != nil; b = b.parent {
		c.best[b.height] = b
	}
}

// randomBlock makes a block with a few payments between n scripts.
func (c *fakeChain) randomBlock(rng *rand.Rand, parent *fakeBlock, n, txs int) *fakeBlock {
	d := c.draft(parent)
	d.coinbase(c.salt, wire.NewTxOut(5000, script(rng.IntN(n))), wire.NewTxOut(3, script(rng.IntN(n))))
	for range rng.IntN(txs + 1) {
		var ops []wire.OutPoint
		total := int64(0)
		for range 1 + rng.IntN(3) {
			if len(d.order) == 0 {
				break
			}
			op := d.order[rng.IntN(len(d.order))]
			if !slices.Contains(ops, op) {
				ops = append(ops, op)
				total += d.coins[op].Amount
			}
		}
		if len(ops) == 0 {
			break
		}
		var outs []*wire.TxOut
		for range 1 + rng.IntN(3) {
			v := rng.Int64N(total + 1)
			total -= v
			outs = append(outs, wire.NewTxOut(v, script(rng.IntN(n))))
		}
		d.spend(ops, outs...)
	}
	return c.done(d)
}

// setup is indexes over a fake chain on a disk that a test can stop.
type setup struct {
	t     testing.TB
	chain *fakeChain
	disk  *storetest.Disk
	store *store.Store
	set   *Set
}

func newSetup(t testing.TB, c *fakeChain) *setup {
	s := &setup{t: t, chain: c, disk: storetest.New()}
	s.open()
	t.Cleanup(func() { s.store.Close() })
	return s
}

func (s *setup) openStore() {
	s.t.Helper()
	var err error
	s.store, err = store.Open(store.Config{Dir: "d", FS: s.disk, Magic: [4]byte{1, 2, 3, 4}, DBCache: 1})
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *setup) open() {
	s.t.Helper()
	s.openStore()
	var err error
	if s.set, err = s.tryOpen(); err != nil {
		s.t.Fatal(err)
	}
}

func (s *setup) tryOpen() (*Set, error) {
	return Open(Config{Params: s.chain.p, Store: s.store, Source: s.chain, Tx: true, Addr: true, Filter: true,
		Log: slog.New(slog.DiscardHandler)})
}

// follow brings all indexes to the best block.
func (s *setup) follow() error {
	for _, f := range s.set.followers {
		if err := f.follow(s.t.Context()); err != nil {
			return err
		}
	}
	return nil
}

func (s *setup) mustFollow() {
	s.t.Helper()
	if err := s.follow(); err != nil {
		s.t.Fatal(err)
	}
}

// rows returns what is in the databases; of filters those of the best
// branch only.
func (s *setup) rows() map[string]string {
	s.t.Helper()
	rows := make(map[string]string)
	for _, f := range s.set.followers {
		err := f.db.View(func(v *store.IndexView) error {
			return v.Each(store.IndexRange{}, func(k, val []byte) (bool, error) {
				if k[0] == rowFilter {
					if at, ok := s.chain.Lookup(chainhash.Hash(k[1:])); !ok || !at.OnBest {
						return true, nil
					}
				}
				rows[f.kind.folder()+" "+string(k)] = string(val)
				return true, nil
			})
		})
		if err != nil {
			s.t.Fatal(err)
		}
	}
	return rows
}
