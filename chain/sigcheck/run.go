package sigcheck

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain/consensus"
)

// jobInputs is how many inputs one job checks at most: few enough to spread
// a large transaction over all cores, enough to keep the counting cheap.
const jobInputs = 8

// job is a run of inputs of one transaction.
type job struct {
	tx       *txScripts
	from, to int // inputs from <= i < to
}

func appendJobs(jobs []job, tx *txScripts) []job {
	for from, n := 0, len(tx.coins); from < n; from += jobInputs {
		jobs = append(jobs, job{tx: tx, from: from, to: min(from+jobInputs, n)})
	}
	return jobs
}

// PanicError reports that the script engine panicked: nothing is known about
// the scripts of the input.
type PanicError struct {
	TxID  chainhash.Hash
	Input int
	Value any    // what the engine panicked with
	Stack []byte // for the log
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("script engine panicked at input %d of transaction %v: %v", e.Input, e.TxID, e.Value)
}

// run is one call's work: jobs in block order, taken from the front by
// whoever is free.
type run struct {
	jobs []job
	rule consensus.Rule

	next      atomic.Int64
	checked   atomic.Uint64 // inputs run
	cancelled atomic.Bool   // jobs were left out because the context ended
	broken    atomic.Int64  // 1 + index of the first job known to break a rule; MaxInt64: none

	mu        sync.Mutex // guards the fields below
	failure   error      // of job broken-1
	undecided error      // the first that came up
}

// do works until all jobs are done, or all before one that breaks a rule, or
// the context ends.
func (r *run) do(ctx context.Context, workers int) {
	r.broken.Store(math.MaxInt64)
	var group sync.WaitGroup
	for range min(workers, len(r.jobs)) - 1 {
		group.Go(func() { r.work(ctx) })
	}
	r.work(ctx)
	group.Wait()
}

func (r *run) work(ctx context.Context) {
	for {
		i := r.next.Add(1) - 1
		if i >= int64(len(r.jobs)) || i >= r.broken.Load() {
			return // later jobs cannot change which failure is the first
		}
		if ctx.Err() != nil {
			r.cancelled.Store(true)
			return
		}
		r.record(i, r.check(r.jobs[i]))
	}
}

// check runs the inputs of j up to the first that fails. It recovers from a
// panic of the engine: see the package's documentation for why.
func (r *run) check(j job) (err error) {
	input := j.from
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{TxID: j.tx.tx.TxID, Input: input, Value: v, Stack: debug.Stack()}
		}
	}()
	for ; input < j.to; input++ {
		r.checked.Add(1)
		err := j.tx.run(input)
		switch {
		case err == nil:
		case undecidable(err):
			return fmt.Errorf("run scripts of input %d of transaction %v: %w", input, j.tx.tx.TxID, err)
		default:
			return &consensus.RuleError{
				Rule:   r.rule,
				Note:   " (" + reason(err) + ")",
				Detail: fmt.Sprintf("input %d of transaction %v: %v", input, j.tx.tx.TxID, err),
				Err:    err,
			}
		}
	}
	return nil
}

func (r *run) record(i int64, err error) {
	if err == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if consensus.AsRule(err) == nil {
		if r.undecided == nil {
			r.undecided = err
		}
		return
	}
	if i+1 < r.broken.Load() {
		r.broken.Store(i + 1)
		r.failure = err
	}
}

func (r *run) result(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.cancelled.Load():
		return fmt.Errorf("check scripts: %w", errors.Join(context.Cause(ctx), r.undecided))
	case r.failure != nil:
		return r.failure
	}
	return r.undecided
}
