package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/charterchain/charter/node/bench/workload"
)

// Options say what to measure, and how.
type Options struct {
	Bench  string        // one of Names
	Kind   workload.Kind // where the bench has several
	Blocks int           // full blocks; 0: what the bench has as a rule
	Weight int64         // of a full block; 0: 4,000,000
	Txs    int           // transactions of long chains; 0: what the bench has as a rule
	Seed   uint64
	Rounds int

	DBCache int // MiB
	Par     int // threads that check; 0: one per core

	Dir     string // made chains are kept here
	Scratch string // folder for data of nodes; "": Dir
	Commit  string // of the program
	Samples int    // of U around each round; 0: 2, and 5 in all at least

	CPUProfile, MemProfile, Trace string // files, for the measured part of the last round

	// Start runs a job in a process of its own and returns what that writes;
	// nil: rounds run in this process and share its memory.
	Start func(ctx context.Context, job []byte) ([]byte, error)

	// Note is told what goes on; nil: nobody.
	Note func(format string, args ...any)

	checks int // of one sample of U; 0: 200
}

// Job is what one round needs to know.
type Job struct {
	Bench   string        `json:"bench"`
	Spec    workload.Spec `json:"spec"`
	Dir     string        `json:"dir"`
	Scratch string        `json:"scratch"`
	DBCache int           `json:"dbcache"`
	Par     int           `json:"par"`
	Txs     int           `json:"txs"`

	Phase int    `json:"phase"`
	Data  string `json:"data,omitempty"` // folder that the phases of a round share
	Alone bool   `json:"alone"`          // the process is the job's own

	CPUProfile string `json:"cpuprofile,omitempty"`
	MemProfile string `json:"memprofile,omitempty"`
	Trace      string `json:"trace,omitempty"`
}

// instrument measures one thing.
type instrument struct {
	name     string
	about    string
	kinds    []workload.Kind                            // nil: it is the same for all
	standard workload.Kind                              // where none is asked for; "": P2TR
	spec     func(Options) workload.Spec                // the chain it runs on; nil: none
	round    func(context.Context, Job) (Result, error) // one round

	// phases, where there is no round, are its parts, each a process of its
	// own; Job.Data is theirs.
	phases []func(context.Context, Job) (Result, error)
}

func instruments() []instrument {
	return []instrument{
		importInstrument(),
		connectInstrument(),
		acceptInstrument(),
		rpcInstrument(),
		templateInstrument(),
		stagesInstrument(),
		sigsInstrument(),
		flushInstrument(),
		startupInstrument(),
	}
}

// Names returns the benches with what they measure, in the order of the table.
func Names() [][2]string {
	var list [][2]string
	for _, in := range instruments() {
		list = append(list, [2]string{in.name, in.about})
	}
	return list
}

func find(name string) (instrument, error) {
	list := instruments()
	i := slices.IndexFunc(list, func(in instrument) bool { return in.name == name })
	if i < 0 {
		return instrument{}, fmt.Errorf("no bench %q", name)
	}
	return list[i], nil
}

// Run measures and reports.
func Run(ctx context.Context, o Options) (*Report, error) {
	in, err := find(o.Bench)
	if err != nil {
		return nil, err
	}
	o = o.withDefaults(in)
	unit, err := newMeter(o.checks)
	if err != nil {
		return nil, err
	}
	job := Job{Bench: o.Bench, Dir: o.Dir, Scratch: o.Scratch, DBCache: o.DBCache, Par: o.Par, Txs: o.Txs}
	name := o.Bench
	if in.kinds != nil {
		name += " " + string(o.Kind)
	}
	if in.spec != nil {
		job.Spec = in.spec(o)
		_, err := workload.Open(ctx, o.Dir, job.Spec, func(done, total int) {
			o.Note("making the chain %s: %d of %d blocks", o.Kind, done, total)
		})
		if err != nil {
			return nil, err
		}
	}
	rounds, err := o.rounds(ctx, in, job, unit)
	if err != nil {
		return nil, err
	}
	return &Report{
		Machine: thisMachine(o.Commit),
		U:       spreadOf(unit.wall), UCPU: spreadOf(unit.cpu),
		Lines: lines(name, rounds),
	}, nil
}

func (o Options) withDefaults(in instrument) Options {
	o.Rounds = max(o.Rounds, 1)
	if o.Kind == "" {
		o.Kind = in.standard
	}
	if o.Kind == "" {
		o.Kind = workload.P2TR
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
	if o.checks == 0 {
		o.checks = 200
	}
	if o.Samples == 0 {
		o.Samples = max(2, (5+o.Rounds)/(o.Rounds+1))
	}
	return o
}

// rounds measures U before, between and after the rounds.
func (o Options) rounds(ctx context.Context, in instrument, job Job, unit *meter) ([]measured, error) {
	var list []measured
	if _, _, err := unit.sample(1); err != nil { // caches and clock rate come up
		return nil, err
	}
	unit.wall, unit.cpu = nil, nil
	wall, cpu, err := unit.sample(o.Samples)
	if err != nil {
		return nil, err
	}
	for i := range o.Rounds {
		if i == o.Rounds-1 {
			job.CPUProfile, job.MemProfile, job.Trace = o.CPUProfile, o.MemProfile, o.Trace
		}
		o.Note("%s: round %d of %d", o.Bench, i+1, o.Rounds)
		result, err := o.round(ctx, in, job)
		if err != nil {
			return nil, fmt.Errorf("round %d: %w", i+1, err)
		}
		wallAfter, cpuAfter, err := unit.sample(o.Samples)
		if err != nil {
			return nil, err
		}
		list = append(list, measured{result, (wall + wallAfter) / 2, (cpu + cpuAfter) / 2})
		wall, cpu = wallAfter, cpuAfter
	}
	return list, nil
}

// round runs a round, phase by phase.
func (o Options) round(ctx context.Context, in instrument, job Job) (all Result, err error) {
	job.Alone = o.Start != nil
	if in.round != nil {
		return o.phase(ctx, in, job)
	}
	err = job.inScratch(func(dir string) error {
		job.Data = dir
		for job.Phase = range in.phases {
			result, err := o.phase(ctx, in, job)
			if err != nil {
				return err
			}
			all.Figures = append(all.Figures, result.Figures...)
			job.CPUProfile, job.MemProfile, job.Trace = "", "", "" // they are for the first
		}
		return nil
	})
	return all, err
}

func (o Options) phase(ctx context.Context, in instrument, job Job) (result Result, err error) {
	if o.Start == nil {
		return in.do(ctx, job)
	}
	text, err := json.Marshal(job)
	if err != nil {
		return result, err
	}
	out, err := o.Start(ctx, text)
	if err != nil {
		return result, err
	}
	return result, json.Unmarshal(out, &result)
}

// do runs a round, or the phase of it that the job asks for.
func (in instrument) do(ctx context.Context, job Job) (Result, error) {
	switch {
	case in.round != nil:
		return in.round(ctx, job)
	case job.Phase >= 0 && job.Phase < len(in.phases):
		return in.phases[job.Phase](ctx, job)
	}
	return Result{}, fmt.Errorf("bench %s has no phase %d", in.name, job.Phase)
}

// Round is a process of its own: it reads a Job, runs it, and writes a Result.
// It may leave a node open: the process is to end then.
func Round(ctx context.Context, r io.Reader, w io.Writer) error {
	var job Job
	if err := json.NewDecoder(r).Decode(&job); err != nil {
		return fmt.Errorf("read what to measure: %w", err)
	}
	in, err := find(job.Bench)
	if err != nil {
		return err
	}
	result, err := in.do(ctx, job)
	if err != nil {
		return err
	}
	return json.NewEncoder(w).Encode(result)
}
