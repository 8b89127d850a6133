package chain

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/hints"
	"github.com/charterchain/charter/chain/sigcheck"
)

const (
	// maxHintWork is how many blocks may wait to have their hints made.
	maxHintWork = 16

	// hintStep is how many inputs are checked at a time for hints, before
	// other work has its turn.
	hintStep = 256
)

// hintWork is the list of blocks whose hints are missing and were asked for.
type hintWork struct {
	kick chan struct{} // holds a value when there is something to do
	one  chan struct{} // holds a value while hints are made: of one block at a time
	step int           // hintStep outside tests

	mu    sync.Mutex // guards the field below
	queue []chainhash.Hash
}

func newHintWork() *hintWork {
	return &hintWork{kick: make(chan struct{}, 1), one: make(chan struct{}, 1), step: hintStep}
}

// WantHints lets Run make the hints of a block when there is nothing else to
// do. The request is dropped if too many are waiting, or if it could not be met.
func (c *Chain) WantHints(hash chainhash.Hash) {
	c.mu.RLock()
	n := c.index[hash]
	able := n != nil && n.status&statusData != 0 && n.status&statusUndo != 0
	c.mu.RUnlock()
	if !able {
		return
	}
	w := c.hintWork
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue) >= maxHintWork || slices.Contains(w.queue, hash) {
		return
	}
	w.queue = append(w.queue, hash)
	select {
	case w.kick <- struct{}{}:
	default:
	}
}

func (w *hintWork) take() (hash chainhash.Hash, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue) == 0 {
		return hash, false
	}
	hash, w.queue = w.queue[0], w.queue[1:]
	return hash, true
}

// runHints makes the hints that were asked for until ctx is done.
func (c *Chain) runHints(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.hintWork.kick:
		}
		c.makeWanted(ctx)
	}
}

// makeWanted makes the hints of the blocks in the list. While many blocks wait
// to be connected it drops them: who wants them asks again.
func (c *Chain) makeWanted(ctx context.Context) {
	for hash, ok := c.hintWork.take(); ok && ctx.Err() == nil; hash, ok = c.hintWork.take() {
		if c.InitialSync() {
			continue
		}
		if _, err := c.makeHints(ctx, hash, c.letPass); err != nil && ctx.Err() == nil {
			c.log.Debug("hints of a block not made", "hash", hash, "err", err)
		}
	}
}

// letPass returns when no block is being connected: that comes first.
func (c *Chain) letPass() {
	c.change.Lock()
	defer c.change.Unlock()
}

// MakeHints returns the hints of a stored block that was connected once. Where
// they are not known the block's signatures are checked again, for one caller at
// a time. ErrUnknownBlock, ErrNoData.
func (c *Chain) MakeHints(ctx context.Context, hash chainhash.Hash) (hints.Frame, error) {
	return c.makeHints(ctx, hash, func() {})
}

// makeHints is MakeHints; pause is called between pieces of the work.
func (c *Chain) makeHints(ctx context.Context, hash chainhash.Hash, pause func()) (hints.Frame, error) {
	f, ok := c.knownHints(hash)
	if ok {
		return f, nil
	}
	select {
	case c.hintWork.one <- struct{}{}:
		defer func() { <-c.hintWork.one }()
	case <-ctx.Done():
		return f, context.Cause(ctx)
	}
	c.mu.RLock()
	n := c.index[hash]
	c.mu.RUnlock()
	if n == nil {
		return f, fmt.Errorf("block %v: %w", hash, ErrUnknownBlock)
	}
	b, err := c.readBody(n)
	if err != nil {
		return f, err
	}
	f.Inputs = hints.Inputs(b)
	f.Hints = make(sigcheck.Hints, hints.Size(f.Inputs))
	if n.parent == nil {
		return f, nil // spends nothing
	}
	spent, err := c.loadUndo(n, b)
	if err != nil {
		return f, err
	}
	spends := spendsOf(b, spent)
	if err := c.findHints(ctx, n, spends, f.Hints, pause); err != nil {
		return f, fmt.Errorf("check block %v again: %w", hash, err)
	}
	return f, c.keepHints(n, spends, f.Hints)
}

// findHints checks the signatures of a block that is valid, a few at a time, and
// sets the bits of h.
func (c *Chain) findHints(ctx context.Context, n *node, spends []sigcheck.Spend, h sigcheck.Hints, pause func()) error {
	flags := consensus.ScriptFlags(n.height, n.hash, c.p)
	at := 0
	for from := 0; from < len(spends); {
		to, inputs := from, 0
		for ; to < len(spends) && inputs < c.hintWork.step; to++ {
			inputs += len(spends[to].Coins)
		}
		pause()
		pending := c.cfg.Checker.Begin(spends[from:to], flags, nil)
		if err := pending.Wait(ctx); err != nil {
			pending.Abandon()
			return err
		}
		copyBits(h, at, pending.Hints(), inputs)
		at += inputs
		from = to
	}
	return nil
}

// copyBits sets count bits of dst from bit `at` on to the first ones of src.
func copyBits(dst []byte, at int, src []byte, count int) {
	for i := range count {
		if src[i/8]>>(i%8)&1 != 0 {
			dst[(at+i)/8] |= 1 << ((at + i) % 8)
		}
	}
}

// spendsOf pairs the transactions of a block after the coinbase with the coins
// that they spend.
func spendsOf(b *consensus.Block, spent [][]consensus.Coin) []sigcheck.Spend {
	spends := make([]sigcheck.Spend, len(spent))
	for i, coins := range spent {
		spends[i] = sigcheck.Spend{Tx: b.Txs[i+1], Coins: coins}
	}
	return spends
}
