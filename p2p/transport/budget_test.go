package transport

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/charterchain/charter/p2p/message"
)

func TestBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(100)
		ctx := context.Background()
		if err := b.take(ctx, 100, 0); err != nil {
			t.Fatalf("all of it: %v", err)
		}
		began := time.Now()
		if err := b.take(ctx, 1, 10*time.Second); !errors.Is(err, ErrBudget) || time.Since(began) != 10*time.Second {
			t.Errorf("one more: %v after %v", err, time.Since(began))
		}
		if err := b.take(ctx, 101, time.Hour); !errors.Is(err, ErrBudget) {
			t.Errorf("more than there is: %v", err)
		}
		ended, cancel := context.WithCancel(ctx)
		cancel()
		if err := b.take(ended, 1, time.Hour); !errors.Is(err, context.Canceled) {
			t.Errorf("ended context: %v", err)
		}

		// Who came first is served first, although the second would fit.
		var order []int64
		done := make(chan struct{}, 2)
		for _, n := range []int64{80, 10} {
			go func() {
				if err := b.take(ctx, n, time.Hour); err != nil {
					t.Errorf("take %d: %v", n, err)
				}
				order = append(order, n)
				done <- struct{}{}
			}()
			synctest.Wait()
		}
		b.give(50)
		synctest.Wait()
		if len(order) != 0 {
			t.Errorf("served %v while 50 of 80 are free", order)
		}
		if err := b.take(ctx, 5, time.Second); !errors.Is(err, ErrBudget) {
			t.Errorf("one that came later: %v, want ErrBudget", err)
		}
		b.give(30)
		<-done
		if len(order) != 1 || order[0] != 80 {
			t.Errorf("served %v, want 80", order)
		}
		b.give(20)
		<-done
		if got := b.Used(); got != 90 {
			t.Errorf("Used = %d, want 90", got)
		}
	})
}

// TestBudgetExhausted: links that hold parts of messages and wait for each
// other come apart, and nothing stays taken.
func TestBudgetExhausted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget := NewBudget(testLimits().Largest())
		shared := func(c *Config) { c.Budget = budget }
		var outcomes []chan error
		block := &message.Block{Raw: bigBlock(3_900_000)}
		hog := budget.Size() - 2_000_000 // what other links hold
		if err := budget.take(t.Context(), hog, 0); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			e := link(t, config(dialler), config(listener, shared))
			outcome := make(chan error, 1)
			outcomes = append(outcomes, outcome)
			d, l := run(e.dialled), run(e.accepted)
			if err := e.dialled.Send(t.Context(), block); err != nil {
				t.Fatal(err)
			}
			go func() {
				_, err := e.dialled.Receive(context.Background())
				var gone *DisconnectedError
				if !errors.As(err, &gone) || gone.Code != message.CodeResources {
					t.Errorf("peer heard %v", err)
				}
			}()
			go func() {
				_, err := e.accepted.Receive(context.Background())
				l()
				d()
				outcome <- err
			}()
		}
		for _, o := range outcomes {
			if err := <-o; !errors.Is(err, ErrBudget) {
				t.Errorf("receive: %v, want ErrBudget", err)
			}
		}
		budget.give(hog)
		if used := budget.Used(); used != 0 {
			t.Errorf("%d bytes are still taken", used)
		}
	})
}

// TestBudgetReturned: a message is charged until the next Receive, then free.
func TestBudgetReturned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := link(t, config(dialler), config(listener))
		d, l := run(e.dialled), run(e.accepted)
		for _, m := range []message.Message{&message.Block{Raw: bigBlock(1_000_000)}, &message.Ping{}} {
			if err := e.dialled.Send(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := e.accepted.Receive(t.Context()); err != nil { // the ping
			t.Fatal(err)
		}
		if _, err := e.accepted.Receive(t.Context()); err != nil {
			t.Fatal(err)
		}
		b := e.accepted.reader.budget
		if used := b.Used(); used < 2_000_000 || used > 4_000_000 { // payload and decoded form
			t.Errorf("%d bytes are taken for a block of 1,000,000", used)
		}
		if err := e.dialled.Send(t.Context(), &message.Ping{}); err != nil {
			t.Fatal(err)
		}
		if _, err := e.accepted.Receive(t.Context()); err != nil {
			t.Fatal(err)
		}
		if used := b.Used(); used != 0 {
			t.Errorf("%d bytes are still taken", used)
		}
		d()
		l()
	})
}

// TestLargestAlone: a block whose decoded form exceeds the whole budget is
// received when the link is alone.
func TestLargestAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget := NewBudget(testLimits().Largest())
		e := link(t, config(dialler), config(listener, func(c *Config) { c.Budget = budget }))
		d, l := run(e.dialled), run(e.accepted)
		budget.size = 4_000_000
		raw := bigBlock(3_900_000)
		if err := e.dialled.Send(t.Context(), &message.Block{Raw: raw}); err != nil {
			t.Fatal(err)
		}
		m, err := e.accepted.Receive(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		compare(t, m, raw)
		d()
		l()
		if used := budget.Used(); used != 0 {
			t.Errorf("%d bytes are still taken", used)
		}
	})
}

func TestGate(t *testing.T) {
	addr := func(s string) netip.Addr { return netip.MustParseAddr(s) }
	g := NewGate(6, 2, 2)
	var leave []func()
	enter := func(s string, pinned bool, want error) {
		t.Helper()
		l, err := g.Enter(addr(s), pinned)
		if !errors.Is(err, want) {
			t.Fatalf("enter %s: %v, want %v", s, err, want)
		}
		if err == nil {
			leave = append(leave, l)
		}
	}
	enter("192.0.2.1", false, nil)
	enter("192.0.3.1", false, nil)
	enter("::ffff:192.0.4.1", false, ErrGateGroup) // the same /16
	enter("2001:db8::1", false, nil)
	enter("2001:db8:1::1", false, nil)
	enter("203.0.113.1", false, ErrGateFull) // two slots are reserved
	enter("192.0.2.9", true, nil)            // for pinned peers, whatever their group
	enter("192.0.2.9", true, nil)
	enter("203.0.113.1", true, ErrGateFull)
	leave[0]()
	leave[0]() // twice counts once
	if got := g.HalfOpen(); got != 5 {
		t.Errorf("HalfOpen = %d, want 5", got)
	}
	enter("192.0.2.1", false, nil)
	for _, l := range leave {
		l()
	}
	if got := g.HalfOpen(); got != 0 || len(g.groups) != 0 || g.pinned != 0 {
		t.Errorf("%d slots, %d groups, %d pinned left", got, len(g.groups), g.pinned)
	}
	for range 3 {
		enter("127.0.0.1", false, nil) // loopback has no group
	}
}

// Who shares the address of a pinned peer does not get all the slots.
func TestGatePinnedAddress(t *testing.T) {
	g := NewGate(8, 2, 2)
	pinned, other := netip.MustParseAddr("192.0.2.9"), netip.MustParseAddr("203.0.113.1")
	enter := func(a netip.Addr, pinned bool) (leave func(), err error) {
		leave, err = g.Enter(a, pinned)
		if err == nil {
			t.Cleanup(leave)
		}
		return leave, err
	}
	for i := range 4 { // two as a pinned peer's, two as its network's
		if _, err := enter(pinned, true); err != nil {
			t.Fatalf("link %d: %v", i, err)
		}
	}
	if _, err := enter(pinned, true); !errors.Is(err, ErrGateGroup) {
		t.Errorf("fifth link of a pinned address: %v, want %v", err, ErrGateGroup)
	}
	leave, err := enter(other, true)
	if err != nil {
		t.Fatalf("another pinned address: %v", err)
	}
	leave()
	if len(g.hosts) != 1 {
		t.Errorf("%d addresses remembered, want 1", len(g.hosts))
	}
}

func TestMetrics(t *testing.T) { synctest.Test(t, testMetrics) }

func testMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	m := NewMetrics(reg)
	e := link(t, config(dialler), config(listener, func(c *Config) { c.Metrics = m }))
	d, l := run(e.dialled), run(e.accepted)
	if err := e.dialled.Send(t.Context(), &message.Ping{}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.accepted.Receive(t.Context()); err != nil {
		t.Fatal(err)
	}
	d()
	l()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]float64{}
	for _, f := range families {
		for _, metric := range f.Metric {
			key := f.GetName()
			for _, label := range metric.Label {
				key += " " + label.GetValue()
			}
			found[key] = metric.GetCounter().GetValue()
		}
	}
	for key, want := range map[string]float64{
		"charter_transport_handshakes_total ok listener": 1,
		"charter_transport_messages_total in hello":      1,
		"charter_transport_messages_total out hello":     1,
		"charter_transport_messages_total in ping":       1,
		"charter_transport_bytes_total in ping":          13,
	} {
		if found[key] != want {
			t.Errorf("%s = %v, want %v; all: %v", key, found[key], want, found)
		}
	}
}
