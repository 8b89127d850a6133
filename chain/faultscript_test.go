package chain_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"
	"golang.org/x/sync/errgroup"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/store/storetest"
	"github.com/charterchain/charter/chain/utxo"
)

// maxWrites is how many changes of the disk the script may take.
const maxWrites = 150

// faultKinds are the ways in which the disk fails under the script. Torn
// copies of them are made by the test.
var faultKinds = []struct {
	name  string
	fault storetest.Fault
	loss  [2]storetest.Loss // what the next process finds: whole, torn
}{
	{"killed", storetest.Fault{Err: storetest.ErrStopped}, [2]storetest.Loss{storetest.LoseNothing, storetest.LoseNothing}},
	{"power lost", storetest.Fault{Err: storetest.ErrStopped}, [2]storetest.Loss{storetest.LoseUnsynced, storetest.TearUnsynced}},
	// Done, once, and reported as failed: nothing may be tried again. Where
	// it is a sync, what it was for is lost, whatever a second one says.
	{"EIO", storetest.Fault{Err: syscall.EIO, Once: true, Done: true, LosesDirty: true}, [2]storetest.Loss{storetest.LoseNothing, storetest.LoseNothing}},
	{"ENOSPC", storetest.Fault{Err: syscall.ENOSPC, Room: true}, [2]storetest.Loss{storetest.LoseNothing, storetest.LoseNothing}},
}

// TestFaultScript makes the disk fail at each change of a script with
// reorganisations, a flush at each block, pruning and an operator's verdicts,
// and on a chain with permissions.
// The faults are below the store: everything that LevelDB writes (journals,
// tables, manifests, CURRENT) and every record of the block files passes the
// disk that fails.
//
// By default every change fails as a whole and every fifth half way, each in
// one of the ways; CHARTER_FAULTS=all takes every change in every way.
func TestFaultScript(t *testing.T) {
	for _, tt := range []struct {
		name  string
		make  func(*testing.T) *faultScript
		cache int64
		steps func(*faultScript)
	}{
		{"flushed when told", newFaultScript, 8 << 20, (*faultScript).toldToFlush},
		{"flushed at each block", newFaultScript, 1, (*faultScript).reorganised},
		{"permissions, flushed when told", newPermFaultScript, 8 << 20, (*faultScript).permToldToFlush},
		{"permissions, flushed at each block", newPermFaultScript, 1, (*faultScript).reorganised},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := tt.make(t)
			s.cache = tt.cache
			tt.steps(s)
			s.failEverywhere(t)
		})
	}
}

// toldToFlush has all that changes the chain.
func (s *faultScript) toldToFlush() {
	s.accept("y1")
	s.accept("y2") // to the y branch
	s.step(func(c *chain.Chain) error {
		_, err := c.PruneTo(context.Background(), 3)
		return err
	})
	s.invalidate("y2") // back to x1
	s.flush()
	s.reconsider("y2")
	s.accept("y3")
	s.end = "y3"
}

// reorganised is short, as each block brings a flush.
func (s *faultScript) reorganised() {
	s.accept("y1")
	s.step(func(c *chain.Chain) error { return c.Precious(context.Background(), s.blocks["y1"].Hash) })
	s.end = "y1"
}

func (s *faultScript) failEverywhere(t *testing.T) {
	total := s.total(t)
	all := os.Getenv("CHARTER_FAULTS") == "all"
	var group errgroup.Group
	group.SetLimit(2 * runtime.GOMAXPROCS(0))
	cases := 0
	for k := 1; k <= total; k++ {
		for i := range faultKinds {
			for torn := range 2 {
				whole, half := k%len(faultKinds) == i, k%5 == 0 && k/5%len(faultKinds) == i
				if !all && (torn == 0 && !whole || torn == 1 && !half) {
					continue
				}
				cases++
				group.Go(func() error {
					if err := s.fail(k, i, torn); err != nil {
						return fmt.Errorf("%s at change %d of %d, torn %d: %w", faultKinds[i].name, k, total, torn, err)
					}
					return nil
				})
			}
		}
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d faults in a script of %d changes", cases, total)
}

// faultScript goes on where pruneStory ends.
type faultScript struct {
	*pruneStory
	base   *storetest.Disk
	vetoed map[string]bool // by the operator, at times
	sums   sync.Map        // MuHash of the coins at each block, by name
}

func newFaultScript(t *testing.T) *faultScript {
	s := &faultScript{pruneStory: newPruneStory(), vetoed: map[string]bool{"y2": true, "y3": true}}
	tip := s.end
	s.make("x1", tip, tip)
	d, _, st := s.start(t) // takes all blocks so far
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	s.base = d.Crash(storetest.LoseNothing)
	s.make("y1", tip, tip)
	s.make("y2", "y1", "y1")
	s.make("y3", "y2", "")
	return s
}

// total is the number of changes of an undisturbed run.
func (s *faultScript) total(t *testing.T) int {
	t.Helper()
	d := s.base.Crash(storetest.LoseNothing)
	if r := s.run(d, false); r.err != nil {
		t.Fatal(r.err)
	}
	names := strings.Join(d.Names(), " ")
	for _, want := range []string{"chainstate/MANIFEST", "chainstate/CURRENT", ".ldb", "index/MANIFEST", ".log", "blk", "undo"} {
		if !strings.Contains(names, want) {
			t.Errorf("no file with %s passes the disk", want)
		}
	}
	if n := d.Changes(); n <= maxWrites {
		return n
	}
	t.Fatalf("the script takes %d changes of the disk, want at most %d", d.Changes(), maxWrites)
	return 0
}

// faultRun is what came of a run.
type faultRun struct {
	err     error           // of the first step that failed
	known   map[string]bool // blocks that the chain had taken
	flushed map[string]bool // whose bodies it had at the last flush that succeeded
}

// run goes through the steps up to the first error, and stops in order; with
// blocks handed ahead where ahead says so.
func (s *faultScript) run(d *storetest.Disk, ahead bool) (r faultRun) {
	c, st, err := s.open(d)
	if err != nil {
		return faultRun{err: err}
	}
	for _, step := range slices.Concat(s.steps, []func(*chain.Chain) error{nil}) { // and a flush
		if ahead {
			s.handAhead(c)
		}
		if step != nil {
			err = step(c)
		} else if err = c.Flush(context.Background()); err == nil {
			r.flushed = s.having(c, func(info chain.BlockInfo) bool { return info.HaveData })
		}
		if err != nil {
			break
		}
	}
	if err != nil {
		// A flush beside it may have met the disk first.
		var path *fs.PathError
		if why := c.Run(context.Background()); why == nil || !errors.Is(err, errors.Unwrap(why)) && !errors.As(why, &path) {
			err = fmt.Errorf("Run ended with %v after %v", why, err)
		}
	}
	r.err = err
	r.known = s.having(c, func(chain.BlockInfo) bool { return true })
	if bad := s.condemned(c); bad != "" {
		r.err = fmt.Errorf("block %s counts as invalid", bad)
	}
	if err := errors.Join(c.Close(), st.Close()); err != nil && r.err == nil {
		r.err = err
	}
	return r
}

func (s *faultScript) having(c *chain.Chain, cond func(chain.BlockInfo) bool) map[string]bool {
	names := make(map[string]bool)
	for name, b := range s.blocks {
		if info, ok := c.Lookup(b.Hash); ok && cond(info) {
			names[name] = true
		}
	}
	return names
}

// condemned names a block that counts as invalid, and that nobody vetoed.
func (s *faultScript) condemned(c *chain.Chain) string {
	for name := range s.having(c, func(info chain.BlockInfo) bool { return info.State == chain.StateInvalid }) {
		if !s.vetoed[name] {
			return name
		}
	}
	return ""
}

// fail runs the script on a disk that fails at its k-th change, and then on
// what is left of it, without the fault.
func (s *faultScript) fail(k, kind, torn int) error {
	f := faultKinds[kind]
	f.fault.Torn = torn == 1
	d := s.base.Crash(storetest.LoseNothing)
	d.FailAt(k, f.fault)
	r := s.run(d, k/2%2 == 0)
	if err := wantCause(r.err, f.fault.Err, d.Failed()); err != nil {
		return err
	}
	lock, err := d.Lock("/data/lock")
	if err != nil {
		return err
	}
	lock.Close()
	return s.again(d.Crash(f.loss[torn]), r)
}

// wantCause checks that an error says what the disk did to which file. What
// LevelDB does in the background may fail too late to be noticed.
func wantCause(err, cause error, failed int) error {
	var path *fs.PathError
	switch {
	case err == nil:
		return nil
	case failed == 0:
		return fmt.Errorf("the disk did not fail: %w", err)
	case consensus.AsRule(err) != nil:
		return fmt.Errorf("a failed disk broke a rule: %w", err)
	case !errors.Is(err, cause) || !errors.As(err, &path) || path.Path == "":
		return fmt.Errorf("the error does not name the cause: %w", err)
	}
	return nil
}

// again opens what a run left, and goes through all steps.
func (s *faultScript) again(d *storetest.Disk, r faultRun) error {
	c, st, err := s.open(d)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	defer st.Close()
	tip := s.names[c.Best().Hash]
	if r.known != nil && !r.known[tip] {
		return fmt.Errorf("best block %q, which was never taken", tip)
	}
	for name := range r.flushed {
		if info, ok := c.Lookup(s.blocks[name].Hash); !ok || !info.HaveData && !info.Pruned {
			return fmt.Errorf("flushed block %s is gone", name)
		}
	}
	if bad := s.condemned(c); bad != "" {
		return fmt.Errorf("block %s counts as invalid", bad)
	}
	if err := s.checkSum(c); err != nil {
		return fmt.Errorf("opened: %w", err)
	}
	for name := range s.having(c, func(info chain.BlockInfo) bool { return info.State == chain.StateInvalid }) {
		if err := c.Reconsider(context.Background(), s.blocks[name].Hash); err != nil {
			return fmt.Errorf("reconsider %s: %w", name, err)
		}
	}
	for i, step := range s.steps {
		if step == nil {
			step = func(c *chain.Chain) error { return c.Flush(context.Background()) }
		}
		if err := step(c); err != nil {
			return fmt.Errorf("step %d again: %w", i, err)
		}
	}
	if tip := s.names[c.Best().Hash]; tip != s.end {
		return fmt.Errorf("best block %s at the end, want %s", tip, s.end)
	}
	return errors.Join(s.checkSum(c), c.Close())
}

// checkSum compares number, amount and MuHash of the coins with those of the
// best block's branch, made anew.
func (s *faultScript) checkSum(c *chain.Chain) error {
	got, err := c.SummariseCoins(context.Background(), utxo.WithMuHash)
	if err != nil {
		return err
	}
	name := s.names[got.Block.Hash]
	if name != s.names[c.Best().Hash] {
		return fmt.Errorf("coins of %s, best block is another", name)
	}
	if stats := c.Stats(); stats.Coins != got.Coins || stats.Total != got.Total {
		return fmt.Errorf("statistics say %d coins of %d, there are %d of %d", stats.Coins, stats.Total, got.Coins, got.Total)
	}
	want, ok := s.sums.Load(name)
	if !ok {
		sum, err := utxo.Summarise(utxo.WithMuHash, 1, func(fn func(wire.OutPoint, consensus.Coin) error) error {
			for op, coin := range branchCoins(s.maker.Params, s.branch(name)) {
				if err := fn(op, coin); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		want = sum.MuHash
		s.sums.Store(name, want)
	}
	if want != got.MuHash {
		return fmt.Errorf("the coins at %s are not those of its branch", name)
	}
	return s.checkPermissions(c, name)
}
