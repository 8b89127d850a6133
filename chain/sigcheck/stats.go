package sigcheck

import "sync/atomic"

// Stats counts what a Checker did since it was made.
type Stats struct {
	Checked     uint64 // inputs whose scripts were checked
	Skipped     uint64 // inputs whose transaction was known to succeed
	Batches     uint64 // sums of signatures that were checked
	Batched     uint64 // signatures in them; one that is in several counts as often
	Singles     uint64 // signatures checked one by one, apart from multisig and the interpreter's
	Interpreted uint64 // inputs whose scripts the interpreter ran
	WrongHints  uint64 // hints that were found wrong
	Overruled   uint64 // inputs that the interpreter accepts against the checks here: a bug here
}

type counts struct {
	checked, skipped, batches, batched, singles, interpreted, wrongHints, overruled atomic.Uint64
	rechecks                                                                        atomic.Uint64 // batches that passed
}

// Checked is the number of inputs whose scripts were checked so far.
func (c *Checker) Checked() uint64 { return c.counts.checked.Load() }

// Skipped is the number of inputs whose scripts were not checked because
// their transaction was known to succeed.
func (c *Checker) Skipped() uint64 { return c.counts.skipped.Load() }

// Stats gives all counts.
func (c *Checker) Stats() Stats {
	n := &c.counts
	return Stats{
		Checked:     n.checked.Load(),
		Skipped:     n.skipped.Load(),
		Batches:     n.batches.Load(),
		Batched:     n.batched.Load(),
		Singles:     n.singles.Load(),
		Interpreted: n.interpreted.Load(),
		WrongHints:  n.wrongHints.Load(),
		Overruled:   n.overruled.Load(),
	}
}
