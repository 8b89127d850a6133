package bench

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/charterchain/charter/node/bench/workload"
)

// check returns what in o cannot work, before chains are made for minutes.
func (o Options) check() error {
	if err := errors.Join(o.checkNumbers(), o.checkNames()); err != nil {
		return err
	}
	for _, name := range o.Benches {
		in, err := find(name)
		if err != nil {
			return err
		}
		if in.spec == nil {
			continue
		}
		for _, kind := range o.kindsOf(in) {
			if err := in.spec(o, kind).Check(); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return nil
}

func (o Options) checkNumbers() error {
	var errs []error
	for _, n := range []struct {
		name  string
		value int64
	}{
		{"blocks", int64(o.Blocks)}, {"weight", o.Weight}, {"txs", int64(o.Txs)},
		{"rounds", int64(o.Rounds)}, {"u-checks", int64(o.Checks)},
	} {
		if n.value < 0 {
			errs = append(errs, fmt.Errorf("%s = %d: must not be negative", n.name, n.value))
		}
	}
	cfg := Job{DBCache: o.DBCache, Par: o.Par}.settings("chain", "data")
	return errors.Join(append(errs, cfg.Validate())...)
}

func (o Options) checkNames() error {
	var errs []error
	for _, kind := range o.Kinds {
		if !slices.Contains(workload.Kinds(), kind) {
			errs = append(errs, fmt.Errorf("kind %q: must be one of %q", kind, workload.Kinds()))
		}
	}
	for _, name := range []string{o.CPUProfile, o.MemProfile, o.Trace} {
		if name == "" {
			continue
		}
		dir := filepath.Dir(name)
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			errs = append(errs, fmt.Errorf("%s cannot be written: there is no folder %s", name, dir))
		}
	}
	return errors.Join(errs...)
}
