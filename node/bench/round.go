package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/charterchain/charter/node/bench/workload"
)

// Job is what one round needs to know.
type Job struct {
	Bench   string        `json:"bench"`
	Spec    workload.Spec `json:"spec"`
	Dir     string        `json:"dir"`
	Scratch string        `json:"scratch"`
	DBCache int           `json:"dbcache"`
	Par     int           `json:"par"`
	Txs     int           `json:"txs"`
	Hints   bool          `json:"hints"`

	Phase int    `json:"phase"`
	Data  string `json:"data,omitempty"` // folder that the phases of a round share
	Alone bool   `json:"alone"`          // the process is the job's own

	CPUProfile string `json:"cpuprofile,omitempty"`
	MemProfile string `json:"memprofile,omitempty"`
	Trace      string `json:"trace,omitempty"`
}

// rounds measures U before, between and after the rounds.
func (o Options) rounds(ctx context.Context, in instrument, name string, job Job, unit *meter) ([]measured, error) {
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
		o.Note("%s: round %d of %d", name, i+1, o.Rounds)
		result, err := o.round(ctx, in, job)
		if err != nil {
			return nil, fmt.Errorf("%s, round %d: %w", name, i+1, err)
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
