package miner

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/chaintest"
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
	ahead := net.Params.GenesisBlock.Header.Timestamp.Add(24 * time.Hour).Sub(time.Now())
	now := func() time.Time { return time.Now().Add(ahead) }
	o := &office{t: t, net: net}
	t.Cleanup(func() { time.Sleep(2 * time.Second) }) // in which the database ends a goroutine
	o.h = chaintest.New(t, chaintest.Options{Consortium: net, Now: now})
	o.pool = mempool.New(mempool.Config{Chain: o.h.Chain, Params: net.Params, Checker: sigcheck.New(sigcheck.Config{Workers: 1}), Now: now})
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

func one() *chaintest.Consortium {
	return chaintest.NewConsortium(chaintest.ConsortiumOptions{Members: []chaintest.Genesis{{Name: "alpha", Permissions: "admin"}}})
}

func TestSealedAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := one()
		o := newOffice(t, net, net.Member("alpha"), nil)
		stop := o.start()
		pass(5*time.Minute + time.Second)
		stop()
		if got := o.height(); got != 6 {
			t.Errorf("height is %d after five minutes, want 6", got)
		}
		seals := o.h.Chain.Sealers(10)
		if len(seals) != 6 || seals[0].Member != net.Member("alpha").ID {
			t.Errorf("sealers: %+v", seals)
		}
		for height := int32(2); height <= 6; height++ {
			a, _ := o.h.Chain.AtHeight(height - 1)
			b, _ := o.h.Chain.AtHeight(height)
			if d := b.Header.Timestamp.Sub(a.Header.Timestamp); d != time.Minute {
				t.Errorf("block %d comes %v after the one before", height, d)
			}
		}
	})
}

func TestSealedWithoutKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, one(), nil, nil)
		stop := o.start()
		pass(time.Minute)
		o.expect(StateNoKey, "no miner key")
		stop()
		if _, err := o.Generate(context.Background(), 1, nil, 100); !errors.Is(err, ErrNoKey) {
			t.Errorf("Generate: %v", err)
		}
	})
}

var _ Chain = (*chain.Chain)(nil)
