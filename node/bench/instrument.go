package bench

import (
	"context"
	"fmt"
	"slices"

	"github.com/charterchain/charter/node/bench/workload"
)

// instrument measures one thing.
type instrument struct {
	name     string
	about    string
	standard workload.Kind                              // payments, where none are asked for
	spec     func(Options, workload.Kind) workload.Spec // the chain it runs on; nil: none
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
