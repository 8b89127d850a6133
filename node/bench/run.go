package bench

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/charterchain/charter/node/bench/workload"
)

// Options say what to measure, and how.
type Options struct {
	Benches []string        // of Names
	Kinds   []workload.Kind // for the benches that have several; nil: each bench's usual one
	Blocks  int             // full blocks; 0: what the bench has as a rule
	Weight  int64           // of a full block; 0: 4,000,000
	Hints   bool            // import: from a file with hints about ECDSA signatures
	Txs     int             // transactions of long chains; 0: what the bench has as a rule
	Seed    uint64
	Rounds  int // 0: one

	DBCache int // MiB
	Par     int // threads that check; 0: one per core

	Dir     string // made chains are kept here
	Scratch string // folder for data of nodes; "": Dir
	Commit  string // of the program
	Checks  int    // in one sample of U; 0: 200
	Samples int    // of U around each round; 0: 2, and 5 in all at least

	CPUProfile, MemProfile, Trace string // files, for the measured part of the last round

	// Start runs a job in a process of its own and returns what that writes;
	// nil: rounds run in this process and share its memory.
	Start func(ctx context.Context, job []byte) ([]byte, error)

	// Note is told what goes on; nil: nobody.
	Note func(format string, args ...any)
}

// Run measures and reports. When ctx is done it ends with its cause.
func Run(ctx context.Context, o Options) (*Report, error) {
	o = o.withDefaults()
	if err := o.check(); err != nil {
		return nil, err
	}
	report, err := o.run(ctx)
	if err != nil && ctx.Err() != nil { // where it was stopped is of no interest
		return nil, fmt.Errorf("stopped: %w", context.Cause(ctx))
	}
	return report, err
}

func (o Options) run(ctx context.Context) (*Report, error) {
	unit, err := newMeter(o.Checks)
	if err != nil {
		return nil, err
	}
	report := &Report{Machine: thisMachine(o.Commit)}
	for _, name := range o.Benches {
		in, err := find(name)
		if err != nil {
			return nil, err
		}
		for _, kind := range o.kindsOf(in) {
			list, err := o.runKind(ctx, in, kind, unit)
			if err != nil {
				return nil, err
			}
			report.Lines = append(report.Lines, list...)
		}
	}
	report.U, report.UCPU = spreadOf(unit.wall), spreadOf(unit.cpu)
	return report, nil
}

// kindsOf returns the kinds of payments that in is to be run with.
func (o Options) kindsOf(in instrument) []workload.Kind {
	switch {
	case in.spec == nil:
		return []workload.Kind{""}
	case len(o.Kinds) > 0:
		return o.Kinds
	}
	return []workload.Kind{in.standard}
}

// runKind runs all rounds of one instrument with one kind of payments.
func (o Options) runKind(ctx context.Context, in instrument, kind workload.Kind, unit *meter) ([]Line, error) {
	name := in.name
	if kind != "" {
		name += " " + string(kind)
	}
	if o.Hints {
		name += ", hints"
	}
	job := Job{Bench: in.name, Dir: o.Dir, Scratch: o.Scratch, DBCache: o.DBCache, Par: o.Par, Txs: o.Txs, Hints: o.Hints}
	if err := o.prepare(ctx, in, kind, &job); err != nil {
		return nil, err
	}
	rounds, err := o.rounds(ctx, in, name, job, unit)
	if err != nil {
		return nil, err
	}
	return lines(name, rounds), nil
}

// prepare makes the files that the rounds need.
func (o Options) prepare(ctx context.Context, in instrument, kind workload.Kind, job *Job) error {
	if in.spec == nil {
		return nil
	}
	job.Spec = in.spec(o, kind)
	c, err := workload.Open(ctx, o.Dir, job.Spec, func(done, total int) {
		o.Note("making the chain of %s for %s: %d of %d blocks", kind, in.name, done, total)
	})
	if err != nil || !o.Hints {
		return err
	}
	err = job.makeHinted(ctx, c)
	debug.FreeOSMemory() // what that took is not to disturb the measurement of U
	return err
}

func (o Options) withDefaults() Options {
	if o.Rounds == 0 {
		o.Rounds = 1
	}
	if o.Scratch == "" {
		o.Scratch = o.Dir
	}
	if o.DBCache == 0 {
		o.DBCache = 100
	}
	if o.Note == nil {
		o.Note = func(string, ...any) {}
	}
	if o.Checks == 0 {
		o.Checks = 200
	}
	if o.Samples == 0 && o.Rounds > 0 {
		o.Samples = max(2, (5+o.Rounds)/(o.Rounds+1))
	}
	return o
}
