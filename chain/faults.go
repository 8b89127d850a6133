package chain

import (
	"container/list"
	"errors"
	"sync"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain/consensus"
)

// maxFaults is for how many blocks the last fault is remembered; and for as
// many that are not in the block index, so that these drive out no others.
const maxFaults = 1000

// Fault is what went wrong with a block the last time: no decision was
// possible, the copy that came was bad, or the stored one is. It is for
// people to read: nothing is decided by it.
type Fault struct {
	Err   string
	Rule  consensus.Rule // that the copy, or the header, broke; else empty
	At    time.Time      // the last time
	Times int            // in a row

	// VerifyLevel is the level of VerifyChain that found it; -1: it was
	// found when the block came or was connected.
	VerifyLevel int
}

// faults remembers the last fault of each block, in memory only: the one
// whose fault is the longest ago is forgotten first. Safe for concurrent use.
type faults struct {
	mu     sync.Mutex
	order  list.List // of *faultOf, the oldest first
	byHash map[chainhash.Hash]*list.Element
}

type faultOf struct {
	hash chainhash.Hash
	Fault
}

// noteOffer notes what came of a block or header that was offered. change
// held.
func (c *Chain) noteOffer(hash chainhash.Hash, result Result, err error) {
	if c.index[hash] == nil { // written under change
		c.strange.accepting(hash, result, err, c.cfg.Now())
		return
	}
	c.strange.settle(hash, -1)
	c.faults.accepting(hash, result, err, c.cfg.Now())
}

// accepting notes what came of a block or header that was offered. That a
// header lacks its proof of work is not worth a place: anybody can make one.
func (f *faults) accepting(hash chainhash.Hash, result Result, err error, now time.Time) {
	switch {
	case err != nil && !errors.Is(err, consensus.RuleHighHash):
		f.note(hash, err, -1, now)
	case err == nil && result != ResultDuplicate && result != ResultOrphan:
		f.settle(hash, -1)
	}
}

func (f *faults) note(hash chainhash.Hash, err error, level int, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.byHash == nil {
		f.byHash = make(map[chainhash.Hash]*list.Element)
	}
	e, ok := f.byHash[hash]
	if !ok {
		e = f.order.PushBack(&faultOf{hash: hash})
		f.byHash[hash] = e
	}
	at := e.Value.(*faultOf)
	text := err.Error()
	var rule consensus.Rule
	if broken := consensus.AsRule(err); broken != nil {
		rule = broken.Rule
	}
	if at.Err != text {
		at.Times = 0
	}
	at.Fault = Fault{Err: text, Rule: rule, At: now, Times: at.Times + 1, VerifyLevel: level}
	f.order.MoveToBack(e)
	for f.order.Len() > maxFaults {
		f.removeLocked(f.order.Front())
	}
}

// settle forgets the fault of a block that is well now: as far as level goes,
// where VerifyChain found the fault.
func (f *faults) settle(hash chainhash.Hash, level int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if e, ok := f.byHash[hash]; ok && e.Value.(*faultOf).VerifyLevel <= level {
		f.removeLocked(e)
	}
}

func (f *faults) removeLocked(e *list.Element) {
	delete(f.byHash, e.Value.(*faultOf).hash)
	f.order.Remove(e)
}

func (f *faults) get(hash chainhash.Hash) (Fault, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if e, ok := f.byHash[hash]; ok {
		return e.Value.(*faultOf).Fault, true
	}
	return Fault{}, false
}
