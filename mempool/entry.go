package mempool

import (
	"slices"
	"time"
	"unsafe"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/mempool/policy"
)

// Limits on a transaction's relatives in the pool, each with itself.
const (
	maxRelatives      = 25
	maxRelativesVSize = 101_000
)

// totals sums up a transaction and some of its relatives.
type totals struct {
	count  int
	vsize  int64
	fees   int64
	sigOps int64

	records int // transactions with records in which members speak
}

func (t *totals) add(e *entry) {
	t.records += e.speaking()
	t.count++
	t.vsize += e.vsize
	t.fees += e.fee
	t.sigOps += e.sigOps
}

func (t *totals) sub(e *entry) {
	t.records -= e.speaking()
	t.count--
	t.vsize -= e.vsize
	t.fees -= e.fee
	t.sigOps -= e.sigOps
}

// entry is a transaction in the pool. Pool.mu guards what changes.
type entry struct {
	tx     *consensus.Tx
	fee    int64
	vsize  int64 // as policy counts: see policy.VSize
	sigOps int64 // cost, as the block limit counts
	time   time.Time
	height int32 // of the best block when it came
	flags  txscript.ScriptFlags
	usage  int64
	told   bool // subscribers know that it is here

	gov *governing // of a transaction with records, else nil

	spendsCoinbase bool // a reorganisation could make it immature
	timeLocked     bool // a reorganisation could make it not final

	seq      uint64 // higher than those of its ancestors
	slot     uint32 // in the roster
	attached bool   // is in the pool
	parents  []*entry
	children []*entry
	up, down totals // with ancestors, with descendants; both with itself

	mark *mark // of the choice under way; Pool.choosing guards it
}

// speaking is 1 for a transaction with records in which members speak.
func (e *entry) speaking() int {
	if e.gov != nil && len(e.gov.members) > 0 {
		return 1
	}
	return 0
}

// Entry describes a transaction in the pool as it was at one moment. The
// totals count the transaction itself.
type Entry struct {
	Tx        *consensus.Tx
	Fee       int64 // smallest unit
	VSize     int64 // as policy counts: weight or signature operations
	SigOpCost int64
	Time      time.Time // when it came
	Height    int32     // of the best block when it came
	Seq       uint64    // order in which they came; parents before children

	AncestorCount   int
	AncestorVSize   int64
	AncestorFees    int64
	DescendantCount int
	DescendantVSize int64
	DescendantFees  int64

	Depends []chainhash.Hash // txids of its parents in the pool
	SpentBy []chainhash.Hash // txids of its children
}

// FeeRate returns what it pays per 1,000 virtual bytes.
func (e *Entry) FeeRate() policy.FeeRate { return policy.RateOf(e.Fee, e.VSize) }

func (e *entry) describe() Entry {
	return Entry{
		Tx: e.tx, Fee: e.fee, VSize: e.vsize, SigOpCost: e.sigOps,
		Time: e.time, Height: e.height, Seq: e.seq,
		AncestorCount: e.up.count, AncestorVSize: e.up.vsize, AncestorFees: e.up.fees,
		DescendantCount: e.down.count, DescendantVSize: e.down.vsize, DescendantFees: e.down.fees,
		Depends: txids(e.parents), SpentBy: txids(e.children),
	}
}

func txids(list []*entry) []chainhash.Hash {
	ids := make([]chainhash.Hash, 0, len(list))
	for _, e := range inOrder(slices.Clone(list)) {
		ids = append(ids, e.tx.TxID)
	}
	return ids
}

// announceLocked tells the world of an entry.
func (p *Pool) announceLocked(e *entry, returned bool) {
	e.told = true
	p.notify.queueEvent(TxEvent{Kind: Added, Tx: e.tx, Fee: e.fee, VSize: e.vsize, Returned: returned})
}

// attachLocked adds an entry that fits: e.parents are the entries whose
// outputs it spends, and nothing in the pool spends its outputs yet. Nobody
// is told.
func (p *Pool) attachLocked(e *entry) {
	p.seq++
	e.seq, e.attached, e.children = p.seq, true, nil
	e.up, e.down = totals{}, totals{}
	e.up.add(e)
	e.down.add(e)
	for _, parent := range e.parents {
		parent.children = append(parent.children, e)
	}
	for _, a := range e.ancestors() {
		e.up.add(a)
		a.down.add(e)
		p.worth.move(a)
	}
	p.list(e)
	p.roster.add(e)
	p.best.put(e)
	p.worth.put(e)
	p.account(e, 1)
}

// detachLocked takes one entry out, without an event, and leaves the totals
// of its relatives right. Its children lose it as their parent. tx is as for
// unlist.
func (p *Pool) detachLocked(e *entry, tx *consensus.Tx) {
	for _, a := range e.ancestors() {
		a.down.sub(e)
		p.worth.move(a)
	}
	for _, d := range e.descendants() {
		d.up.sub(e)
		p.best.move(d)
	}
	for _, parent := range e.parents {
		parent.children = without(parent.children, e)
	}
	for _, child := range e.children {
		child.parents = without(child.parents, e)
	}
	p.unlist(e, tx)
	e.attached = false
	p.best.drop(e)
	p.worth.drop(e)
	p.roster.remove(e)
	p.account(e, -1)
}

// account keeps the sums over all entries. Every change of content passes
// here.
func (p *Pool) account(e *entry, sign int64) {
	p.usage += sign * e.usage
	p.vsize += sign * e.vsize
	p.fees += sign * e.fee
	p.countRecords(e, int(sign))
	p.generation.Add(1)
}

// tidyLocked removes what entries that left have left behind.
func (p *Pool) tidyLocked() {
	if p.roster.sparse() {
		p.roster.compact(&p.best, &p.worth)
	}
}

// unlockShown shows the sums to the metrics, ends a change, and passes on
// what it brought about.
func (p *Pool) unlockShown() {
	p.metrics.content(len(p.byTxID), p.vsize, p.usage, p.fees)
	p.tidyLocked()
	p.mu.Unlock()
	p.notify.deliver()
}

// removeLocked takes one entry out for a reason.
func (p *Pool) removeLocked(e *entry, why Reason) {
	p.detachLocked(e, e.tx)
	p.gone(e, why)
}

// gone tells the world that an entry which was taken out stays out.
func (p *Pool) gone(e *entry, why Reason) {
	if !e.told {
		return
	}
	p.metrics.removed(why)
	p.notify.queueEvent(TxEvent{Kind: Removed, Tx: e.tx, Fee: e.fee, VSize: e.vsize, Reason: why})
}

// removeTreeLocked takes entries out with all that depends on them, children
// before parents, and returns how many went.
func (p *Pool) removeTreeLocked(why Reason, roots ...*entry) int {
	list := inOrder(descendantsOf(roots...))
	for _, e := range slices.Backward(list) {
		p.removeLocked(e, why)
	}
	return len(list)
}

// What an entry takes in memory beside its scripts: itself, its places in
// maps and heap, and the allocator's rounding. Estimates.
const (
	mapSlot    = 64
	entryBase  = int64(unsafe.Sizeof(entry{})+unsafe.Sizeof(consensus.Tx{})+unsafe.Sizeof(wire.MsgTx{})) + 4*mapSlot + 128
	inputBase  = int64(unsafe.Sizeof(wire.TxIn{})+unsafe.Sizeof(wire.OutPoint{})) + 2*mapSlot
	outputBase = int64(unsafe.Sizeof(wire.TxOut{})) + 24
	itemBase   = int64(unsafe.Sizeof([]byte(nil)))
	coinBase   = int64(unsafe.Sizeof(consensus.Coin{})) + 16
)

// usageOf estimates the bytes of memory that a transaction takes.
func usageOf(tx *consensus.Tx) int64 {
	n := entryBase
	for _, in := range tx.Msg.TxIn {
		n += inputBase + int64(len(in.SignatureScript))
		for _, item := range in.Witness {
			n += itemBase + int64(len(item))
		}
	}
	for _, out := range tx.Msg.TxOut {
		n += outputBase + int64(len(out.PkScript))
	}
	return n
}

// score returns the fee and size whose ratio an entry is worth keeping for:
// counted with its descendants where these pay more than itself. What members
// govern with is kept longest, with all that it depends on: there is little
// of it.
func (e *entry) score() (fee, size int64) {
	if policy.CompareRates(e.fee, e.vsize, e.down.fees, e.down.vsize) > 0 {
		return e.fee, e.vsize
	}
	return e.down.fees, e.down.vsize
}
