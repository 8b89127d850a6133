package sigcheck

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"

	"github.com/btcsuite/btcd/txscript/v2"

	"github.com/charterchain/charter/chain/consensus"
)

// Pending is a check that was begun: of the scripts of a block's transactions,
// or of one that came to the pool. Safe for concurrent use.
type Pending struct {
	c      *Checker
	spends []Spend
	flags  txscript.ScriptFlags
	rule   consensus.Rule // that a failure breaks
	hints  Hints          // for all inputs, or nil
	todo   []todo         // transactions not known to succeed, in block order
	inputs int            // of all transactions

	parities parities      // found by checks, for all inputs
	misled   atomic.Bool   // a hint was wrong: none is used any more
	left     atomic.Int64  // inputs of todo that are not dealt with
	broken   atomic.Int64  // the first input known to fail, all inputs counted; MaxInt64: none
	done     chan struct{} // closed when left gets 0

	// Where the inputs begin that nobody took yet, and how many these are.
	// Guarded by c.mu.
	next    place
	waiting int

	mu        sync.Mutex // guards the fields below
	failure   error      // of the input `broken`
	undecided error      // the first that came up
	dropped   bool       // inputs were left out, though no earlier one fails

	// Room for a single transaction.
	one     [1]todo
	oneBits [fewInputs / 32]uint32
}

// todo is a transaction to check.
type todo struct {
	spend int32
	first int32 // its first input, all inputs of the Pending counted
}

// place is an input of todo's.
type place struct{ todo, input int }

func (p *Pending) spend(t todo) *Spend { return &p.spends[t.spend] }

// newPending finds what there is to check.
func (c *Checker) newPending(spends []Spend, flags txscript.ScriptFlags, rule consensus.Rule, hints Hints) *Pending {
	p := &Pending{c: c, spends: spends, flags: flags, rule: rule, hints: hints, done: make(chan struct{})}
	p.broken.Store(math.MaxInt64)
	for _, s := range spends {
		if len(s.Coins) != len(s.Tx.Msg.TxIn) {
			p.undecided = fmt.Errorf("check scripts of %v: %d coins given for %d inputs", s.Tx.TxID, len(s.Coins), len(s.Tx.Msg.TxIn))
			close(p.done)
			return p
		}
		p.inputs += len(s.Coins)
	}
	if len(hints) != HintsLen(p.inputs) {
		p.hints = nil
	}
	if p.inputs <= fewInputs {
		p.parities = p.oneBits[:(p.inputs+31)/32]
	} else {
		p.parities = makeParities(p.inputs)
	}
	p.collect()
	if p.waiting == 0 {
		close(p.done)
	}
	return p
}

// collect lists the transactions that are not known to succeed.
func (p *Pending) collect() {
	if len(p.spends) == 1 {
		p.todo = p.one[:0]
	} else {
		p.todo = make([]todo, 0, len(p.spends))
	}
	first := 0
	for i := range p.spends {
		s := &p.spends[i]
		inputs := len(s.Coins)
		if p.c.passed.has(s.Tx.WTxID, p.flags, p.parities, first, inputs) {
			p.c.counts.skipped.Add(uint64(inputs))
		} else if inputs > 0 {
			p.todo = append(p.todo, todo{spend: int32(i), first: int32(first)})
			p.waiting += inputs
		}
		first += inputs
	}
	p.left.Store(int64(p.waiting))
}

// Wait returns the outcome when it is known, and checks what is queued in the
// meantime if a worker is to spare. If the context ends first its cause is the
// error, and the check goes on: Wait may be called again.
func (p *Pending) Wait(ctx context.Context) error {
	if p.c.join(p) {
		p.help(ctx)
	}
	return p.await(ctx)
}

// checkNow queues p and waits for the outcome; at the end of the context it
// gives up.
func (p *Pending) checkNow(ctx context.Context) error {
	if ctx.Err() != nil {
		p.drop()
	} else if p.c.enqueue(p, true) {
		p.help(ctx)
	}
	err := p.await(ctx)
	if ctx.Err() != nil {
		p.drop()
	}
	return err
}

// help makes the caller, for whom there is room, a worker until p is done.
func (p *Pending) help(ctx context.Context) {
	w := p.c.worker()
	stop := func() bool { return p.isDone() || ctx.Err() != nil }
	for !stop() && w.turn(stop) {
	}
	p.c.leave(w)
}

func (p *Pending) isDone() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

func (p *Pending) await(ctx context.Context) error {
	if !p.isDone() {
		select {
		case <-p.done:
		case <-ctx.Done():
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case !p.isDone() || p.dropped && p.failure == nil && ctx.Err() != nil:
		return fmt.Errorf("check scripts: %w", errors.Join(context.Cause(ctx), p.undecided))
	case p.failure != nil:
		return p.failure
	case p.undecided != nil:
		return p.undecided
	case p.dropped:
		return errAbandoned
	}
	return nil
}

var errAbandoned = errors.New("check scripts: the check was abandoned")

// Abandon drops what was not begun; nobody needs the outcome any more.
func (p *Pending) Abandon() { p.drop() }

// Hints are those of all inputs, proven, once Wait has returned nil; before,
// and after an error, nil.
func (p *Pending) Hints() Hints {
	if !p.isDone() || p.await(context.Background()) != nil {
		return nil
	}
	return p.parities.hints(p.inputs)
}

// drop gives up the inputs that nobody took yet.
func (p *Pending) drop() {
	if n := p.c.unqueue(p); n > 0 {
		p.mu.Lock()
		p.dropped = true
		p.mu.Unlock()
		p.finish(n)
	}
}

// finish counts inputs that are dealt with.
func (p *Pending) finish(n int) {
	if p.left.Add(-int64(n)) == 0 {
		close(p.done)
	}
}

// record notes that an input fails, or could not be judged. All inputs that
// nobody took yet come later: they cannot change which failure is the first.
func (p *Pending) record(input int64, err error) {
	p.mu.Lock()
	broken := consensus.AsRule(err) != nil
	switch {
	case broken && input < p.broken.Load():
		p.broken.Store(input)
		p.failure = err
	case !broken && p.undecided == nil:
		p.undecided = err
	}
	p.mu.Unlock()
	if broken {
		p.drop()
	}
}
