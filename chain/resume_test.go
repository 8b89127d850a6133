package chain_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/chaintest"
)

// endsLater is a context that is done once it was asked so many times.
type endsLater struct {
	context.Context
	mu   sync.Mutex
	left int
}

func (c *endsLater) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left == 0 {
		return context.Canceled
	}
	c.left--
	return nil
}

// TestCancelledHalfWay: wherever a call is cancelled, the same block offered
// again brings the chain to where it would have been.
func TestCancelledHalfWay(t *testing.T) {
	for left := range 9 {
		h, last := halfWay(t, left)
		if _, err := h.Chain.AcceptBlock(t.Context(), last.Block); err != nil {
			t.Fatal(err)
		}
		h.ExpectTip("b4a")
	}
}

// halfWay offers a block that changes the branch, and cancels the call after
// so many looks at its context.
func halfWay(t *testing.T, left int) (*chaintest.Harness, *chaintest.Step) {
	t.Helper()
	h := chaintest.New(t, chaintest.Options{})
	h.Next("b1").Accept()
	h.Next("b2", h.Spend("b1")).Accept()
	h.Next("b3").Accept()
	h.On("b1").Next("b2a", h.Spend("b1")).Side()
	h.Next("b3a").Side()
	last := h.Next("b4a")
	_, err := h.Chain.AcceptBlock(&endsLater{Context: t.Context(), left: left}, last.Block)
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	return h, last
}

// TestRunFinishesCancelled: nobody has to offer the block again.
func TestRunFinishesCancelled(t *testing.T) {
	h, last := halfWay(t, 2)
	if h.Chain.Best().Hash == last.Hash {
		t.Fatal("the call was not cancelled")
	}
	there := make(chan struct{})
	h.Chain.Subscribe(func(ev chain.Event) {
		if ev.Kind == chain.Settled && ev.Info.Hash == last.Hash {
			close(there)
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- h.Chain.Run(ctx) }()
	<-there
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
