package bench

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/pprof"
	"runtime/trace"
	"time"
)

// took is what a measured part took.
type took struct {
	wall, cpu time.Duration
}

// measure runs fn under the clock, and under the profilers that the job asks
// for.
func (j Job) measure(fn func() error) (t took, err error) {
	stop, err := j.profile()
	if err != nil {
		return t, err
	}
	began, used := time.Now(), cpuTime()
	err = fn()
	t = took{time.Since(began), cpuTime() - used}
	return t, errors.Join(err, stop())
}

// profile begins the profiles and returns what ends them.
func (j Job) profile() (stop func() error, err error) {
	var ends []func() error
	stop = func() error {
		var errs []error
		for _, end := range ends {
			errs = append(errs, end())
		}
		return errors.Join(errs...)
	}
	begin := func(name string, start func(io.Writer) error, end func()) error {
		if name == "" {
			return nil
		}
		f, err := os.Create(name)
		if err != nil {
			return err
		}
		if err := start(f); err != nil {
			return errors.Join(fmt.Errorf("profile into %s: %w", name, err), f.Close())
		}
		ends = append(ends, func() error { end(); return f.Close() })
		return nil
	}
	if err := begin(j.CPUProfile, pprof.StartCPUProfile, pprof.StopCPUProfile); err != nil {
		return nil, err
	}
	if err := begin(j.Trace, trace.Start, trace.Stop); err != nil {
		return nil, errors.Join(err, stop())
	}
	if j.MemProfile != "" {
		ends = append(ends, func() error { return writeHeap(j.MemProfile) })
	}
	return stop, nil
}

// writeHeap writes a profile of all allocations since the process began.
func writeHeap(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	runtime.GC() // what is no longer in use is not shown as such
	return errors.Join(pprof.Lookup("allocs").WriteTo(f, 0), f.Close())
}
