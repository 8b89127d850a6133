package miner

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/chain/permission/seal"
	"github.com/charterchain/charter/chain/sigcheck"
	"github.com/charterchain/charter/mempool"
)

// office is a member's node on a real permissioned chain: chain, pool, miner.
type office struct {
	*Miner
	t    *testing.T
	net  *chaintest.Consortium
	h    *chaintest.Harness
	pool *mempool.Pool
}

// newOffice opens one for a member of net; of the given configuration, change
// may change what it likes. It has to be called in a bubble of synctest, whose
// clock starts at the genesis time and a day.
func newOffice(t *testing.T, net *chaintest.Consortium, member *chaintest.Member, change func(*Config)) *office {
	t.Helper()
	ahead := time.Until(net.Params.GenesisBlock.Header.Timestamp.Add(24 * time.Hour))
	now := func() time.Time { return time.Now().Add(ahead) }
	o := &office{t: t, net: net}
	t.Cleanup(func() { time.Sleep(2 * time.Second) }) // in which the database ends a goroutine
	o.h = chaintest.New(t, chaintest.Options{Consortium: net, Now: now})
	o.pool = mempool.New(mempool.Config{Chain: o.h.Chain, Params: net.Params, Checker: sigcheck.New(sigcheck.Config{Workers: 1, Recheck: 256}), Now: now})
	t.Cleanup(o.h.Chain.Subscribe(o.pool.HandleEvent))
	cfg := Config{Chain: o.h.Chain, Pool: o.pool, Params: net.Params, Now: now, Threads: 1}
	if member != nil {
		cfg.Key, cfg.PayoutScript = member.Signer(), member.Key.Script()
	}
	if change != nil {
		change(&cfg)
	}
	o.Miner = New(cfg)
	return o
}

func (o *office) start() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- o.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			o.t.Errorf("Run: %v", err)
		}
	})
	o.t.Cleanup(stop)
	return stop
}

func (o *office) height() int32 { return o.h.Chain.Best().Height }

// expect expects a state, in words too.
func (o *office) expect(state State, words string) {
	o.t.Helper()
	if s := o.Status(); s.State != state || s.Mining != (state == StateMining) || !strings.Contains(s.Reason, words) {
		o.t.Errorf("status %+v, want %s, %q", s, state, words)
	}
}

// pass lets virtual time pass, and all settle.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// join passes blocks on between offices, from each to all others.
func join(offices ...*office) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	offices[0].t.Cleanup(func() { cancel(); running.Wait() })
	for _, o := range offices {
		blocks := make(chan *consensus.Block, 1000)
		o.t.Cleanup(o.h.Chain.Subscribe(func(ev chain.Event) {
			if ev.Kind == chain.Connected {
				blocks <- ev.Block
			}
		}))
		running.Go(func() {
			for {
				select {
				case b := <-blocks:
					for _, other := range offices {
						if other == o {
							continue
						}
						if _, err := other.h.Chain.AcceptBlock(ctx, b); err != nil && ctx.Err() == nil {
							o.t.Errorf("a member refuses another's block: %v", err)
						}
					}
				case <-ctx.Done():
					return
				}
			}
		})
	}
}

func one() *chaintest.Consortium {
	return chaintest.NewConsortium(chaintest.ConsortiumOptions{Members: []chaintest.Genesis{{Name: "alpha", Permissions: "admin"}}})
}

func three() *chaintest.Consortium { return chaintest.NewConsortium(chaintest.ConsortiumOptions{}) }

// A chain with one member goes on at its spacing.
func TestSealedAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := one()
		o := newOffice(t, net, net.Member("alpha"), nil)
		stop := o.start()
		pass(5*time.Minute + time.Second)
		o.expect(StateMinSpacing, "least time")
		if s := o.Status(); s.Member != net.Member("alpha").ID || s.Rank != 0 || !s.Next.Equal(o.h.Chain.Best().Header.Timestamp.Add(time.Minute)) {
			t.Errorf("status %+v", s)
		}
		stop()
		if got := o.height(); got != 6 {
			t.Errorf("height is %d after five minutes, want 6", got)
		}
		for height := int32(2); height <= 6; height++ {
			a, _ := o.h.Chain.AtHeight(height - 1)
			b, _ := o.h.Chain.AtHeight(height)
			if d := b.Header.Timestamp.Sub(a.Header.Timestamp); d != time.Minute || b.Sealer != net.Member("alpha").ID {
				t.Errorf("block %d comes %v after the one before, by %v", height, d, b.Sealer)
			}
		}
	})
}

// Three members take turns to the second, without a lost block; when one is
// gone the others wait for it now and then, and soon not any more.
func TestSealedTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := three()
		var offices []*office
		for _, m := range net.Members {
			offices = append(offices, newOffice(t, net, m, nil))
		}
		join(offices...)
		var stops []func()
		for _, o := range offices {
			stops = append(stops, o.start())
		}
		c := offices[0].h.Chain
		pass(9 * time.Minute)
		if got := c.Best().Height; got < 9 {
			t.Fatalf("height %d", got)
		}
		// At the start all are given time alike: the first few blocks tell
		// nothing. From then on they take turns.
		seals := c.Sealers(6)
		for i := range 3 {
			if seals[i].Member != seals[i+3].Member {
				t.Errorf("members do not take turns: %+v", seals)
			}
		}
		stops[2]()
		pass(20 * time.Minute)
		tip := c.Best()
		four, _ := c.AtHeight(tip.Height - 4)
		if d := tip.Header.Timestamp.Sub(four.Header.Timestamp); d != 4*time.Minute {
			t.Errorf("four blocks of the two that are left take %v", d)
		}
		for _, o := range offices {
			if got := o.h.Chain.Best().Hash; got != tip.Hash {
				t.Errorf("tips differ: %v and %v", got, tip.Hash)
			}
		}
		stops[0]()
		stops[1]()
	})
}

// What keeps a member from mining is said in words.
func TestSealedStates(t *testing.T) {
	net := chaintest.NewConsortium(chaintest.ConsortiumOptions{Members: []chaintest.Genesis{
		{Name: "alpha", Permissions: "admin"}, {Name: "beta", Permissions: "admin"}, {Name: "rich", Permissions: "send receive"},
	}})
	fresh := chaintest.NewMember("fresh")
	tests := []struct {
		name   string
		member *chaintest.Member
		change func(*Config)
		state  State
		words  string
	}{
		{"no key", nil, nil, StateNoKey, "no miner key"},
		{"a stranger", chaintest.NewMember("stranger"), nil, StateNoMember, "no member"},
		{"no miner", net.Member("rich"), nil, StateNotPermitted, "may not mine"},
		{"not ready", fresh, nil, StateNotActive, "ready"},
		{"others first", net.Member("alpha"), nil, StateBarred, "other members have to seal first"},
		{"cut off", net.Member("alpha"), func(c *Config) {
			c.Present = func(time.Duration) [][32]byte { return [][32]byte{net.Member("rich").SealKey(), {1}} }
		}, StateIsolated, "1 of 2 members"},
		{"held", net.Member("alpha"), func(c *Config) { c.Hold = func() string { return "syncing" } }, StateHeld, "syncing"},
		{"conflicting history", net.Member("alpha"), func(c *Config) { c.Chain = forked{c.Chain} }, StateConflict, "an operator has to decide"},
		{"idle", net.Member("beta"), func(c *Config) { c.SkipEmpty = true }, StateIdle, "nothing waits"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				reg := prometheus.NewRegistry()
				o := newOffice(t, net, test.member, func(c *Config) {
					c.Metrics = NewMetrics(reg)
					if test.change != nil {
						test.change(c)
					}
				})
				both := []*chaintest.Member{net.Member("alpha"), net.Member("beta")}
				o.h.Next("b1", net.Vote(both, net.Create(fresh, chaintest.EveryRole), net.Grant(fresh, record.Mine))).Accept()
				for _, name := range []string{"b2", "b3"} {
					o.h.Next(name).Accept() // by alpha and beta in turn, alpha the last
				}
				stop := o.start()
				pass(2 * time.Second)
				o.expect(test.state, test.words)
				for _, s := range States() {
					if got := testutil.ToFloat64(o.metrics.states.WithLabelValues(string(s))); (got == 1) != (s == test.state) {
						t.Errorf("metric of %s is %v", s, got)
					}
				}
				stop()
				o.expect(StateStopped, "stopped")
				if got := o.height(); got != 3 {
					t.Errorf("height is %d", got)
				}
			})
		})
	}
}

// forked has a conflicting history.
type forked struct{ Chain }

func (forked) Conflict() (chain.Conflict, bool) { return chain.Conflict{}, true }

// A member that was cut off gives the others their time when it is back.
func TestSealedAfterIsolation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := three()
		var mu sync.Mutex
		var seen [][32]byte
		var log bytes.Buffer
		o := newOffice(t, net, net.Member("gamma"), func(c *Config) {
			c.Log = newLog(&log)
			c.Present = func(within time.Duration) [][32]byte {
				if within != 3*time.Minute {
					t.Errorf("asked who was seen within %v", within)
				}
				mu.Lock()
				defer mu.Unlock()
				return seen
			}
		})
		o.h.Next("b1", chaintest.By(net.Member("alpha"))).Accept()
		o.h.Next("b2", chaintest.By(net.Member("gamma"))).Accept()
		o.h.Next("b3", chaintest.By(net.Member("alpha"))).Accept()
		o.start()
		pass(10 * time.Second)
		o.expect(StateIsolated, "1 of 3 members")
		mu.Lock()
		seen = [][32]byte{net.Member("alpha").SealKey()}
		mu.Unlock()
		pass(retryAfter)
		o.expect(StateTurn, "1 members that sealed longer ago") // beta's, which never sealed
		pass(seal.Delay(1, time.Minute) - retryAfter - 1)
		if got := o.height(); got != 3 {
			t.Errorf("height %d before its turn", got)
		}
		pass(retryAfter + 1)
		if got := o.height(); got != 4 {
			t.Errorf("height %d after its turn", got)
		}
		for _, line := range []string{"not mining\" pkg=miner state=isolated", "mining goes on\" pkg=miner state=turn"} {
			if got := strings.Count(log.String(), line); got != 1 {
				t.Errorf("%d lines %q in the log:\n%s", got, line, log.String())
			}
		}
	})
}

// Without empty blocks the chain rests when all is safe, and goes on at once
// when something waits.
func TestSkipEmpty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := one()
		alpha := net.Member("alpha")
		o := newOffice(t, net, alpha, func(c *Config) { c.SkipEmpty = true })
		o.start()
		pass(5 * time.Minute)
		o.expect(StateIdle, "nothing waits")
		if got := o.height(); got != 0 {
			t.Fatalf("height %d before anything waits", got)
		}
		coin := []chaintest.Output{net.Funds(alpha)}
		for round := range int32(2) {
			tx := chaintest.Pay(alpha.Key, coin, alpha.Key, 1, 1000)
			coin = chaintest.Outputs(tx)
			if err := o.pool.Accept(context.Background(), consensus.NewTx(tx)); err != nil {
				t.Fatal(err)
			}
			pass(idlePoll)
			if got := o.height(); got != 2*round+1 {
				t.Fatalf("height %d with a transaction", got)
			}
			pass(5 * time.Minute)
			o.expect(StateIdle, "1 empty blocks")
			if got := o.height(); got != 2*round+2 {
				t.Fatalf("height %d after five minutes", got)
			}
		}
	})
}

// How many empty blocks follow: until the last one that holds something is
// under w of them.
func TestSkipEmptyDepth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := three() // w = 2
		alpha := net.Member("alpha")
		o := newOffice(t, net, alpha, func(c *Config) { c.SkipEmpty = true })
		o.h.Next("b1", chaintest.Tx(chaintest.Pay(alpha.Key, []chaintest.Output{net.Funds(alpha)}, alpha.Key, 1, 0), 0)).Accept()
		for i, want := range []bool{false, false, true} {
			p := o.look()
			_, idle := o.needless(&p, &mempool.Template{})
			if idle != want {
				t.Errorf("%d empty blocks on top: idle %t", i, idle)
			}
			if _, idle := o.needless(&p, &mempool.Template{Txs: make([]*consensus.Tx, 1)}); idle {
				t.Error("idle with a transaction")
			}
			o.h.Next(fmt.Sprintf("b%d", i+2)).Accept()
		}
		p := o.look()
		p.parent.Restart = true
		if _, idle := o.needless(&p, &mempool.Template{}); idle {
			t.Error("idle right after a restart")
		}
	})
}

// Blocks on demand need a key that may seal, and wait for nobody's turn.
func TestSealedOnDemand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := three()
		o := newOffice(t, net, net.Member("gamma"), nil)
		if hashes, err := o.Generate(context.Background(), 1, net.Member("gamma").Key.Script(), 1000); err != nil || len(hashes) != 1 {
			t.Fatalf("Generate: %v", err)
		}
		if _, err := o.Generate(context.Background(), 1, nil, 1000); err == nil || !strings.Contains(err.Error(), "other members") {
			t.Errorf("Generate out of turn: %v", err)
		}
		without := newOffice(t, net, nil, nil)
		if _, err := without.Generate(context.Background(), 1, nil, 100); !errors.Is(err, ErrNoKey) {
			t.Errorf("Generate without a key: %v", err)
		}
		if _, err := without.GenerateBlock(context.Background(), nil, nil, false); !errors.Is(err, ErrNoKey) {
			t.Errorf("GenerateBlock without a key: %v", err)
		}
	})
}

// Two machines with one key make variants of a block: that is no fault.
func TestSealedTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := one()
		o := newOffice(t, net, net.Member("alpha"), nil)
		tpl, err := o.pool.Template(context.Background(), mempool.TemplateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []bool{true, false} {
			b, err := o.grind(context.Background(), tpl, nil)
			if err != nil {
				t.Fatal(err)
			}
			if best, err := o.submit(context.Background(), b); best != want || err != nil {
				t.Errorf("variant %d: best %t, %v", i, best, err)
			}
		}
	})
}

// A seal lasts for some time only, and each makes new work.
func TestSealedNonceRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := one()
		o := newOffice(t, net, net.Member("alpha"), nil)
		tpl, err := o.pool.Template(context.Background(), mempool.TemplateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		bits := tpl.BitsAt
		tpl.BitsAt = func(at uint32) uint32 { bits(at); return 0x1b00ffff }
		o.nonces = 2 * batch
		tries := uint64(5 * batch)
		before := o.extraNonce.Load()
		if b, err := o.grind(context.Background(), tpl, &tries); b != nil || err != nil {
			t.Fatalf("found %v, %v", b, err)
		}
		if got := o.extraNonce.Load() - before; got != 3 {
			t.Errorf("%d seals for two and a half ranges of nonces, want 3", got)
		}
		// By a clock on which each look takes a second.
		o.nonces, tries, before = 1<<32, 30*batch, o.extraNonce.Load()
		var looks int64
		o.cfg.Now = func() time.Time { looks++; return time.Unix(1_800_000_000+looks, 0) }
		if b, err := o.grind(context.Background(), tpl, &tries); b != nil || err != nil {
			t.Fatalf("found %v, %v", b, err)
		}
		if got := o.extraNonce.Load() - before; got != 3 {
			t.Errorf("%d seals in half a minute, want 3", got)
		}
	})
}

var _ Chain = (*chain.Chain)(nil)
