package miner

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/mempool"
)

// memChain is a chain in memory that checks what miners must get right: bits,
// times, proof of work, form.
type memChain struct {
	params *params.Params
	now    func() time.Time

	mu      sync.Mutex
	blocks  []*consensus.Block
	subs    []func(chain.Event)
	failing error
	held    bool // AcceptBlock says that another was faster
}

func newMemChain(p *params.Params, now func() time.Time) *memChain {
	return &memChain{params: p, now: now, blocks: []*consensus.Block{consensus.NewBlock(p.GenesisBlock)}}
}

type branch []consensus.HeaderFields

func (b branch) Height() int32                          { return int32(len(b) - 1) }
func (b branch) At(height int32) consensus.HeaderFields { return b[height] }

func (c *memChain) ancestry() (b branch) {
	for _, block := range c.blocks {
		b = append(b, consensus.HeaderFields{Time: uint32(block.Header.Timestamp.Unix()), Bits: block.Header.Bits})
	}
	return b
}

func (c *memChain) info() chain.BlockInfo {
	b := c.blocks[len(c.blocks)-1]
	return chain.BlockInfo{Hash: b.Hash, Header: b.Header, Height: int32(len(c.blocks) - 1), TxCount: len(b.Txs)}
}

func (c *memChain) Best() chain.BlockInfo {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.info()
}

func (c *memChain) Ancestry() consensus.Ancestry {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ancestry()
}

func (c *memChain) Next() chain.NextBlock {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.ancestry()
	height := a.Height() + 1
	return chain.NextBlock{
		Prev: c.info(), Height: height, MedianTime: consensus.MedianTimePast(a), MinTime: consensus.MinTime(a, c.params),
		Bits:    func(t uint32) uint32 { return consensus.NextBits(a, t, c.params) },
		Flags:   consensus.ScriptFlags(height, chainhash.Hash{}, c.params),
		Subsidy: consensus.Subsidy(height, c.params),
	}
}

func (c *memChain) Coin(wire.OutPoint) (consensus.Coin, bool, error) {
	return consensus.Coin{}, false, nil
}

func (c *memChain) Lookup(hash chainhash.Hash) (chain.BlockInfo, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for height, b := range c.blocks {
		if b.Hash == hash {
			return chain.BlockInfo{Hash: hash, Header: b.Header, Height: int32(height), TxCount: len(b.Txs)}, true
		}
	}
	return chain.BlockInfo{}, false
}

func (c *memChain) Sealers(int) []chain.Sealing { return nil }

func (c *memChain) Conflict() (chain.Conflict, bool) { return chain.Conflict{}, false }

func (c *memChain) Subscribe(fn func(chain.Event)) func() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.subs = append(c.subs, fn)
	return func() {}
}

func (c *memChain) CheckProposal(_ context.Context, b *consensus.Block) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := consensus.CheckBlock(b, c.params); err != nil {
		return err
	}
	return consensus.CheckBlockContext(b, c.ancestry(), c.params)
}

func (c *memChain) AcceptBlock(ctx context.Context, b *consensus.Block) (chain.Result, error) {
	if err := c.CheckProposal(ctx, b); err != nil {
		return 0, err
	}
	c.mu.Lock()
	for _, err := range []error{
		c.failing, consensus.CheckHeader(&b.Header, c.params),
		consensus.CheckHeaderContext(&b.Header, c.ancestry(), c.params),
		consensus.CheckHeaderTime(&b.Header, c.now(), c.params),
	} {
		if err != nil {
			c.mu.Unlock()
			return 0, err
		}
	}
	if c.held || b.Header.PrevBlock != c.info().Hash {
		c.held = false
		c.mu.Unlock()
		return chain.ResultSide, nil
	}
	c.blocks = append(c.blocks, b)
	info, subs := c.info(), c.subs
	c.mu.Unlock()
	for _, fn := range subs {
		fn(chain.Event{Kind: chain.Connected, Block: b, Info: info})
		fn(chain.Event{Kind: chain.Settled, Info: info})
	}
	return chain.ResultConnected, nil
}

// site is a miner with a pool and a chain.
type site struct {
	*Miner
	t     *testing.T
	chain *memChain
	pool  *spyPool
}

// spyPool tells of each template.
type spyPool struct {
	*mempool.Pool
	made chan *mempool.Template // when not nil

	mu      sync.Mutex
	changed uint64 // added to the generation
}

func (p *spyPool) Template(ctx context.Context, opts mempool.TemplateOptions) (*mempool.Template, error) {
	t, err := p.Pool.Template(ctx, opts)
	if err == nil && p.made != nil {
		select {
		case p.made <- t:
		case <-ctx.Done():
		}
	}
	return t, err
}

func (p *spyPool) Generation() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.Pool.Generation() + p.changed
}

// impossible makes proof of work that no test will find.
func impossible(p *params.Params, _ *Config) {
	p.PoW.Limit = 0x1b00ffff
	p.PoW.LimitTarget, _, _ = consensus.CompactToTarget(p.PoW.Limit)
}

func newSite(t *testing.T, changes ...func(*params.Params, *Config)) *site {
	p := chaintest.Params(chaintest.ChainFile)
	genesis := *p.GenesisBlock
	genesis.Header.Timestamp = time.Unix(time.Now().Unix()-3600, 0)
	p.GenesisBlock = &genesis
	cfg := Config{Params: p, Now: time.Now, PayoutScript: chaintest.AnyoneCanSpend(), Threads: 2}
	for _, change := range changes {
		change(p, &cfg)
	}
	s := &site{t: t, chain: newMemChain(p, time.Now)}
	s.pool = &spyPool{Pool: mempool.New(mempool.Config{Chain: s.chain, Params: p, Now: time.Now})}
	s.chain.Subscribe(s.pool.HandleEvent)
	cfg.Chain, cfg.Pool = s.chain, s.pool
	s.Miner = New(cfg)
	return s
}

// start runs the miner until the end of the test.
func (s *site) start() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			s.t.Errorf("Run: %v", err)
		}
	})
	s.t.Cleanup(stop)
	return stop
}

func TestGenerate(t *testing.T) {
	s := newSite(t)
	script := []byte{0x51}
	hashes, err := s.Generate(context.Background(), 20, script, 1_000_000)
	if err != nil || len(hashes) != 20 {
		t.Fatalf("Generate: %d blocks, %v", len(hashes), err)
	}
	for i, b := range s.chain.blocks[1:] {
		if b.Hash != hashes[i] || !bytes.Equal(b.Txs[0].Msg.TxOut[0].PkScript, script) {
			t.Errorf("block %d is %v, paying to %x", i+1, b.Hash, b.Txs[0].Msg.TxOut[0].PkScript)
		}
	}
	if got := s.Status().Found; got != 20 {
		t.Errorf("status says %d blocks", got)
	}
}

func TestGenerateGivesUp(t *testing.T) {
	s := newSite(t, impossible)
	const tries = 2*batch + 17
	hashes, err := s.Generate(context.Background(), 1, []byte{0x51}, tries)
	if err != nil || len(hashes) != 0 {
		t.Errorf("Generate: %d blocks, %v", len(hashes), err)
	}
	if got := s.hashes.Load(); got != tries {
		t.Errorf("%d hashes, want %d", got, tries)
	}
	if hashes, err := s.Generate(context.Background(), 1, []byte{0x51}, 0); err != nil || len(hashes) != 0 {
		t.Errorf("Generate without tries: %d blocks, %v", len(hashes), err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.Generate(ctx, 1, []byte{0x51}, tries); !errors.Is(err, context.Canceled) {
		t.Errorf("Generate with a context that is done: %v", err)
	}
}

// When another block was faster, one more is made.
func TestGenerateStale(t *testing.T) {
	s := newSite(t)
	s.chain.held = true
	hashes, err := s.Generate(context.Background(), 2, []byte{0x51}, 1000)
	if err != nil || len(hashes) != 2 || len(s.chain.blocks) != 3 {
		t.Errorf("Generate: %d blocks of %d, %v", len(hashes), len(s.chain.blocks), err)
	}
}

// Blocks are not given to the chain before their time.
func TestGenerateWaits(t *testing.T) {
	t.Run("min_spacing", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newSite(t, func(p *params.Params, _ *Config) { p.PoW.MinSpacing, p.PoW.MaxFuture = 10*time.Second, time.Hour })
			began := time.Now()
			if _, err := s.Generate(context.Background(), 4, []byte{0x51}, 1000); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took != 30*time.Second {
				t.Errorf("4 blocks took %v, want 30s", took)
			}
		})
	})
	t.Run("max_future", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newSite(t, func(p *params.Params, _ *Config) { p.PoW.MaxFuture = 2 * time.Second })
			began := time.Now()
			hashes, err := s.Generate(context.Background(), 100, []byte{0x51}, 100_000)
			if err != nil || len(hashes) != 100 {
				t.Fatalf("%d blocks, %v", len(hashes), err)
			}
			// The median of 11 lets six blocks share each second.
			if took := time.Since(began); took < 10*time.Second || took > 20*time.Second {
				t.Errorf("100 blocks took %v", took)
			}
		})
	})
}

func TestGenerateBlock(t *testing.T) {
	s := newSite(t)
	b, err := s.GenerateBlock(context.Background(), []byte{0x51}, nil, false)
	if err != nil || s.chain.Best().Height != 0 {
		t.Fatalf("GenerateBlock without submit: %v, height %d", err, s.chain.Best().Height)
	}
	if err := consensus.CheckHeader(&b.Header, s.chain.params); err != nil {
		t.Errorf("the block lacks proof of work: %v", err)
	}
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(&wire.TxIn{PreviousOutPoint: wire.OutPoint{Hash: chainhash.Hash{1}}})
	tx.AddTxOut(wire.NewTxOut(1, make([]byte, 40)))
	good := consensus.NewTx(tx)
	b, err = s.GenerateBlock(context.Background(), []byte{0x51}, []*consensus.Tx{good}, true)
	if err != nil || s.chain.Best().Hash != b.Hash || len(b.Txs) != 2 || b.Txs[1].TxID != good.TxID {
		t.Fatalf("GenerateBlock: %v", err)
	}
	bad := tx.Copy()
	bad.TxOut[0].Value = -1
	_, err = s.GenerateBlock(context.Background(), []byte{0x51}, []*consensus.Tx{consensus.NewTx(bad)}, true)
	if !errors.Is(err, consensus.RuleTxOutputNegative) || s.chain.Best().Height != 1 {
		t.Errorf("GenerateBlock of a bad transaction: %v", err)
	}
}

// With a block time the chain has a steady beat, however easy the work.
func TestRunBlockTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, func(_ *params.Params, cfg *Config) { cfg.BlockTime = 2 * time.Second })
		stop := s.start()
		for want := int32(1); want <= 5; want++ {
			synctest.Wait()
			if got := s.chain.Best().Height; got != want {
				t.Fatalf("height is %d, want %d", got, want)
			}
			if st := s.Status(); st.Mining || !strings.Contains(st.Reason, "block time") {
				t.Errorf("status between blocks: %+v", st)
			}
			time.Sleep(2*time.Second - 1)
			synctest.Wait()
			if got := s.chain.Best().Height; got != want {
				t.Fatalf("height is %d before its time", got)
			}
			time.Sleep(time.Nanosecond)
		}
		stop()
		if st := s.Status(); st.Mining || st.Reason != "stopped" {
			t.Errorf("status at the end: %+v", st)
		}
	})
}

func TestRunSpacing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, func(p *params.Params, _ *Config) { p.PoW.MinSpacing, p.PoW.MaxFuture = 10*time.Second, time.Hour })
		stop := s.start()
		time.Sleep(95 * time.Second)
		synctest.Wait()
		stop()
		if got := s.chain.Best().Height; got != 10 {
			t.Errorf("%d blocks in 95 s, want 10", got)
		}
	})
}

func TestRunHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		reason := "syncing"
		s := newSite(t, func(_ *params.Params, cfg *Config) {
			cfg.BlockTime = time.Hour
			cfg.Hold = func() string { mu.Lock(); defer mu.Unlock(); return reason }
		})
		stop := s.start()
		time.Sleep(time.Minute)
		synctest.Wait()
		if st := s.Status(); st.Mining || st.Reason != "syncing" || s.chain.Best().Height != 0 {
			t.Errorf("status while on hold: %+v, height %d", st, s.chain.Best().Height)
		}
		mu.Lock()
		reason = ""
		mu.Unlock()
		time.Sleep(retryAfter)
		synctest.Wait()
		if got := s.chain.Best().Height; got != 1 {
			t.Errorf("height is %d, want 1", got)
		}
		stop()
	})
}

// A chain that fails does not stop the miner, nor does the miner spin.
func TestRunGoesOnAfterErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		s := newSite(t, func(_ *params.Params, cfg *Config) {
			cfg.BlockTime = time.Hour
			cfg.Log = newLog(&log)
		})
		s.chain.failing = errors.New("disk on fire")
		stop := s.start()
		time.Sleep(3*retryAfter - 1)
		synctest.Wait()
		s.chain.mu.Lock()
		s.chain.failing = nil
		s.chain.mu.Unlock()
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		stop()
		if got := s.chain.Best().Height; got != 1 {
			t.Errorf("height is %d, want 1", got)
		}
		if got := strings.Count(log.String(), "disk on fire"); got != 3 {
			t.Errorf("%d lines about it:\n%s", got, log.String())
		}
	})
}

// A round ends when the best block changes.
func TestRunNewTip(t *testing.T) {
	s := newSite(t, impossible, func(_ *params.Params, cfg *Config) { cfg.Refresh = time.Hour })
	s.pool.made = make(chan *mempool.Template)
	stop := s.start()
	first := <-s.pool.made
	// A block by somebody else: this chain believes that it is there.
	s.chain.mu.Lock()
	b := consensus.NewBlock(first.WithExtraNonce(99))
	s.chain.blocks = append(s.chain.blocks, b)
	info, subs := s.chain.info(), s.chain.subs
	s.chain.mu.Unlock()
	for _, fn := range subs {
		fn(chain.Event{Kind: chain.Connected, Block: b, Info: info})
		fn(chain.Event{Kind: chain.Settled, Info: info})
	}
	if second := <-s.pool.made; second.Prev.Hash != b.Hash {
		t.Errorf("the next template is on %v, want %v", second.Prev.Hash, b.Hash)
	}
	stop()
}

// A round ends when the pool has something better, but not at once.
func TestRunBetterTemplate(t *testing.T) {
	s := newSite(t, impossible, func(_ *params.Params, cfg *Config) { cfg.Refresh = time.Millisecond })
	s.pool.made = make(chan *mempool.Template)
	stop := s.start()
	first := <-s.pool.made
	s.pool.mu.Lock()
	s.pool.changed++
	s.pool.mu.Unlock()
	if second := <-s.pool.made; second == first {
		t.Error("the same template again")
	}
	stop()
}

func TestRunWithoutPayout(t *testing.T) {
	s := newSite(t, func(_ *params.Params, cfg *Config) { cfg.PayoutScript = nil })
	if err := s.Run(context.Background()); err == nil || !strings.Contains(err.Error(), "payout") {
		t.Errorf("Run: %v", err)
	}
}

// When the nonces of a header are used up, the next extra nonce follows.
func TestNonceRoom(t *testing.T) {
	s := newSite(t, impossible, func(_ *params.Params, cfg *Config) { cfg.ExtraNonce = 1<<40 - 1 })
	s.nonces = 2 * batch
	if _, err := s.Generate(context.Background(), 1, []byte{0x51}, 5*batch); err != nil {
		t.Fatal(err)
	}
	if got := s.extraNonce.Load(); got != 1<<40+2 {
		t.Errorf("the next extra nonce is %d, want %d", got, 1<<40+2)
	}
}

// Bitcoin's genesis block is found where it was found.
func TestWork(t *testing.T) {
	const header = "0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c"
	raw, err := hex.DecodeString(header)
	if err != nil {
		t.Fatal(err)
	}
	var h wire.BlockHeader
	if err := h.Deserialize(bytes.NewReader(raw)); err != nil {
		t.Fatal(err)
	}
	w := newWork(&h)
	if nonce, hashed, ok := w.try(h.Nonce-10, 20); !ok || nonce != h.Nonce || hashed != 11 {
		t.Errorf("found %t at %d after %d hashes", ok, nonce, hashed)
	}
	if _, hashed, ok := w.try(h.Nonce-10, 10); ok || hashed != 10 {
		t.Errorf("found %t after %d hashes", ok, hashed)
	}
	w.setTime(w.time+1, w.bits)
	if _, _, ok := w.try(h.Nonce, 1); ok {
		t.Error("the time is not part of the work")
	}
	target := [chainhash.HashSize]byte{1}
	for last, want := range map[byte]bool{0: true, 1: false} {
		hash := [chainhash.HashSize]byte{0: last, chainhash.HashSize - 1: 1}
		if got := atMost(&hash, &target); got != want {
			t.Errorf("a hash of the target plus %d is at most the target: %t", last, got)
		}
	}
}

func TestMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	s := newSite(t, func(_ *params.Params, cfg *Config) { cfg.Metrics = NewMetrics(reg) })
	if _, err := s.Generate(context.Background(), 3, []byte{0x51}, 1000); err != nil {
		t.Fatal(err)
	}
	if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) != 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}
	if got := testutil.ToFloat64(s.metrics.found); got != 3 {
		t.Errorf("%v blocks counted, want 3", got)
	}
}

func BenchmarkHash(b *testing.B) {
	w := newWork(&wire.BlockHeader{Timestamp: time.Unix(0, 0)})
	for b.Loop() {
		w.try(0, batch)
	}
	b.ReportMetric(float64(b.N)*batch/b.Elapsed().Seconds(), "hashes/s")
}

func newLog(w *bytes.Buffer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }
