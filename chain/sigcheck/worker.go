package sigcheck

import (
	"runtime"
	"runtime/debug"

	"github.com/charterchain/charter/chain/sigcheck/curve"
	"github.com/charterchain/charter/chain/sigcheck/fastpath"
)

// worker is what one goroutine checks inputs with.
type worker struct {
	c     *Checker
	batch *curve.Batch

	// The transaction at hand, for the fast path and for the interpreter.
	at      loaded
	fast    fastpath.Tx
	scripts *txScripts // nil until one of its inputs needs it

	// What waits for the next batch. sigs and refs belong together, and are
	// in the order in which the inputs were taken: that of the block, for
	// each Pending.
	sigs   []fastpath.Sig
	refs   []ref
	slices []slice // whose inputs have some of these
}

// loaded names a transaction of a Pending.
type loaded struct {
	p    *Pending
	todo int
}

// ref says whose a signature is.
type ref struct {
	p       *Pending
	place   place
	odd     bool // the hint, for ECDSA
	settled bool // needs no check any more
}

// input is the number of the input, all inputs of the Pending counted.
func (r *ref) input() int { return int(r.p.todo[r.place.todo].first) + r.place.input }

// turn takes inputs from the queue, a fair share and no more than fill a
// batch, and checks them. If stop says so it takes no more. It reports whether
// anything was queued.
//
// Without stop, in a goroutine of its own, it lets others run between slices:
// those who wait for an outcome have work that only they can do, such as
// connecting a block.
func (w *worker) turn(stop func() bool) bool {
	taken, target := 0, 1
	for taken < target && len(w.sigs) < batchInputs && (taken == 0 || stop == nil || !stop()) {
		s, share := w.c.take()
		if s.n == 0 {
			break
		}
		target = max(target, share)
		taken += s.n
		w.collect(s)
		if stop == nil {
			runtime.Gosched()
		}
	}
	w.settle()
	return taken > 0
}

// collect finds the signatures of the inputs, and checks those at once that
// cannot wait for a batch.
func (w *worker) collect(s slice) {
	before, at := len(w.refs), s.at
	for left := s.n; left > 0; {
		left -= w.collectSome(s.p, &at, left)
	}
	if len(w.refs) > before {
		w.slices = append(w.slices, s)
	} else {
		s.p.finish(s.n)
	}
}

// collectSome is collect for n inputs, or for some of them if there is a
// panic at the last of those. at moves behind them; it returns their number.
func (w *worker) collectSome(p *Pending, at *place, n int) (done int) {
	step := func() {
		done++
		if at.input++; at.input == len(p.spend(p.todo[at.todo]).Coins) {
			*at = place{todo: at.todo + 1}
		}
	}
	defer func() {
		if v := recover(); v != nil {
			w.sigs = w.sigs[:len(w.refs)]
			w.at, w.fast = loaded{}, fastpath.Tx{}
			w.panicked(p, *at, v)
			step()
		}
	}()
	for ; done < n; step() {
		w.input(p, *at)
	}
	return done
}

// input is collect for one input.
func (w *worker) input(p *Pending, at place) {
	t := p.todo[at.todo]
	if int64(t.first)+int64(at.input) > p.broken.Load() {
		return
	}
	w.c.counts.checked.Add(1)
	w.load(p, at.todo)
	before := len(w.sigs)
	sigs, multi, ok := w.fast.Input(at.input, p.flags, w.sigs)
	w.sigs = sigs[:before]
	if !ok || multi != nil && !multi.Check(w.c.verify) {
		w.interpret(p, at, ok)
		return
	}
	sigs = sigs[before:]
	for i := range sigs {
		r := ref{p: p, place: at}
		switch {
		case sigs[i].Kind == fastpath.Schnorr:
		case len(sigs) == 1 && p.hints != nil && !p.misled.Load():
			r.odd = p.hints.odd(r.input())
		default:
			odd, ok := w.ecdsa(&sigs[i])
			if !ok {
				w.interpret(p, at, true)
				// Its other signatures decide nothing any more.
				w.sigs, w.refs = w.sigs[:before], w.refs[:before]
				return
			}
			if odd && len(sigs) == 1 {
				p.parities.set(r.input())
			}
			continue
		}
		w.sigs, w.refs = append(w.sigs, sigs[i]), append(w.refs, r)
	}
}

// load makes the transaction ready, unless it is.
func (w *worker) load(p *Pending, todo int) {
	if w.at == (loaded{p, todo}) {
		return
	}
	s := p.spend(p.todo[todo])
	w.fast.Reset(s.Tx, s.Coins)
	w.at, w.scripts = loaded{p, todo}, nil
}

// forget lets go of everything but memory.
func (w *worker) forget() {
	w.at, w.scripts = loaded{}, nil
	w.fast.Reset(nil, nil)
	w.empty()
}

// panicked records a panic at an input. See the package's documentation for
// why it is caught.
func (w *worker) panicked(p *Pending, at place, v any) {
	t := p.todo[at.todo]
	p.record(int64(t.first)+int64(at.input), &PanicError{TxID: p.spend(t).Tx.TxID, Input: at.input, Value: v, Stack: debug.Stack()})
}
