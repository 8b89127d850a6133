package chaintest

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/sigcheck"
	"github.com/charterchain/charter/chain/store"
)

// Options say what a harness runs on. The zero value is good.
type Options struct {
	Params     *params.Params   // nil: ChainFile
	Consortium *Consortium      // a permissioned chain, with its own Params
	FS         store.FS         // nil: the real one
	Dir        string           // empty: a temporary folder
	CacheBytes int64            // 0: 8 MiB
	Settle     int32            // chain.Config.SettleDepth
	Now        func() time.Time // nil: a day after genesis, standing still
	Log        *slog.Logger     // nil: none
}

// Harness is a chain under test with a maker of blocks for it.
type Harness struct {
	*Maker
	Chain *chain.Chain
	Store *store.Store

	t      testing.TB
	opts   Options
	named  map[string]*consensus.Block
	names  map[chainhash.Hash]string
	at     chainhash.Hash // the next block's parent
	closed bool
}

// New opens a chain. It is closed at the end of the test.
func New(t testing.TB, opts Options) *Harness {
	t.Helper()
	if opts.Consortium != nil {
		opts.Params = opts.Consortium.Params
	}
	if opts.Params == nil {
		opts.Params = Params(ChainFile)
	}
	if opts.FS == nil {
		opts.FS = store.OS()
	}
	if opts.Dir == "" {
		opts.Dir = t.TempDir()
	}
	if opts.CacheBytes == 0 {
		opts.CacheBytes = 8 << 20
	}
	if opts.Now == nil {
		now := opts.Params.GenesisBlock.Header.Timestamp.Add(24 * time.Hour)
		opts.Now = func() time.Time { return now }
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	h := &Harness{Maker: NewMaker(opts.Params), t: t, opts: opts}
	h.Maker.consortium = opts.Consortium
	genesis := consensus.NewBlock(opts.Params.GenesisBlock)
	h.named = map[string]*consensus.Block{"genesis": genesis}
	h.names = map[chainhash.Hash]string{genesis.Hash: "genesis"}
	h.at = genesis.Hash
	h.Open()
	t.Cleanup(h.Close)
	return h
}

// Open opens the chain again after Close or Kill.
func (h *Harness) Open() {
	h.t.Helper()
	if err := h.TryOpen(); err != nil {
		h.t.Fatalf("open the chain: %v", err)
	}
}

// TryOpen is Open for tests that expect it to fail.
func (h *Harness) TryOpen() error { return h.TryOpenWith(nil) }

// TryOpenWith is TryOpen with settings that change alters.
func (h *Harness) TryOpenWith(change func(*store.Config, *chain.Config)) error {
	sc := store.Config{
		Dir:      h.opts.Dir,
		FS:       h.opts.FS,
		Magic:    h.Params.Network.Magic,
		DBCache:  1 << 20,
		MaxBlock: h.Params.Limits.BlockSerialized,
		FileSize: 1 << 20,
		Log:      h.opts.Log,
	}
	cc := chain.Config{
		Params:      h.Params,
		Checker:     sigcheck.New(sigcheck.Config{Workers: 2, CacheEntries: 1000, Recheck: 256}),
		Now:         h.opts.Now,
		Log:         h.opts.Log,
		CacheBytes:  h.opts.CacheBytes,
		SettleDepth: h.opts.Settle,
	}
	if change != nil {
		change(&sc, &cc)
	}
	s, err := store.Open(sc)
	if err != nil {
		return err
	}
	cc.Store = s
	c, err := chain.New(context.Background(), cc)
	if err != nil {
		return errors.Join(err, s.Close())
	}
	h.Chain, h.Store, h.closed = c, s, false
	return nil
}

// Close flushes and closes the chain.
func (h *Harness) Close() {
	h.t.Helper()
	if h.closed {
		return
	}
	h.closed = true
	if err := errors.Join(h.Chain.Close(), h.Store.Close()); err != nil {
		h.t.Errorf("close the chain: %v", err)
	}
}

// Kill closes the files without flushing the chain, as a killed process
// leaves them.
func (h *Harness) Kill() {
	h.t.Helper()
	h.closed = true
	if err := h.Store.Close(); err != nil {
		h.t.Errorf("close the store: %v", err)
	}
}

// On makes the named block the parent of the next one.
func (h *Harness) On(name string) *Harness {
	h.at = h.Block(name).Hash
	return h
}

// OnParent makes the parent of the named block the parent of the next one.
func (h *Harness) OnParent(name string) *Harness {
	h.at = h.Block(name).Header.PrevBlock
	return h
}

// Block returns a block by its name.
func (h *Harness) Block(name string) *consensus.Block {
	h.t.Helper()
	b := h.named[name]
	if b == nil {
		h.t.Fatalf("no block is named %q", name)
	}
	return b
}

// Coin returns the output that the named block's coinbase pays.
func (h *Harness) Coin(name string) Output { return CoinbaseOutput(h.Block(name)) }

// Spend adds a transaction that spends the coinbase of the named block into
// two outputs, for a fee of 1,000.
func (h *Harness) Spend(name string) Option {
	return Tx(SpendTx(1000, 2, h.Coin(name)), 1000)
}

// Next makes a block on the one made last, or named by On. It is not offered
// to the chain yet.
func (h *Harness) Next(name string, opts ...Option) *Step {
	h.t.Helper()
	if h.named[name] != nil {
		h.t.Fatalf("there is a block %q already", name)
	}
	b := h.Make(h.at, opts...)
	h.named[name], h.names[b.Hash] = b, name
	h.at = b.Hash
	return &Step{h: h, Block: b, name: name}
}

// Step is a block about to be offered.
type Step struct {
	*consensus.Block
	h    *Harness
	name string
}

// handAhead hands every second block to the chain ahead, which must not change
// what becomes of it.
func (s *Step) handAhead() {
	if s.Hash[0]%2 == 0 {
		s.h.Chain.Ahead(s.Block, nil)
	}
}

func (s *Step) offer(want chain.Result) {
	s.h.t.Helper()
	s.handAhead()
	got, err := s.h.Chain.AcceptBlock(context.Background(), s.Block)
	if err != nil {
		s.h.t.Fatalf("block %s: %v", s.name, err)
	}
	if got != want {
		s.h.t.Fatalf("block %s: result %d, want %d", s.name, got, want)
	}
}

// Accept offers the block, which must become the tip.
func (s *Step) Accept() {
	s.h.t.Helper()
	s.offer(chain.ResultConnected)
	s.h.ExpectTip(s.name)
}

// Side offers the block, which must be stored beside the best branch.
func (s *Step) Side() { s.h.t.Helper(); s.offer(chain.ResultSide) }

// Orphan offers the block, whose parent the chain must not know.
func (s *Step) Orphan() { s.h.t.Helper(); s.offer(chain.ResultOrphan) }

// Duplicate offers the block, which the chain must have.
func (s *Step) Duplicate() { s.h.t.Helper(); s.offer(chain.ResultDuplicate) }

// Reject offers the block, which must break rule; the next block stands on
// its parent.
func (s *Step) Reject(rule consensus.Rule) {
	s.h.t.Helper()
	s.handAhead()
	_, err := s.h.Chain.AcceptBlock(context.Background(), s.Block)
	if !errors.Is(err, rule) {
		s.h.t.Fatalf("block %s: error %v, want rule %s", s.name, err, rule)
	}
	s.h.at = s.Header.PrevBlock
}

// Again offers a named block a second time.
func (h *Harness) Again(name string) *Step {
	return &Step{h: h, Block: h.Block(name), name: name}
}

// ExpectTip checks the best block.
func (h *Harness) ExpectTip(name string) {
	h.t.Helper()
	if got := h.Chain.Best(); got.Hash != h.Block(name).Hash {
		h.t.Fatalf("best block is %s at height %d, want %s", h.name(got.Hash), got.Height, name)
	}
}

func (h *Harness) name(hash chainhash.Hash) string {
	if n := h.names[hash]; n != "" {
		return n
	}
	return hash.String()
}
