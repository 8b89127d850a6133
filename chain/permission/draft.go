package permission

import (
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/permission/record"
)

// Draft is the state while the transactions of block h are taken in one
// after the other: what Apply runs on, and what a template is tried on. It
// is not safe for concurrent use.
type Draft struct {
	parent  *State // gives authority
	h       int32
	cur     State // the running state; its tables are persistent, so a copy is cheap
	touched touched
}

// touched names the rows that may differ from the parent's.
type touched struct {
	members  map[record.MemberID]struct{}
	votes    map[voteKey]struct{}
	upgrades map[string]struct{}
	lone     map[record.MemberID]struct{}
}

// Draft begins a block at height h whose parent left this state.
func (s *State) Draft(h int32) *Draft { return &Draft{parent: s, h: h, cur: *s} }

// Apply takes in the records of block h in one pass, in the order of the
// block. txs are its transactions without the coinbase, and spent[i] is what
// txs[i] spends. They have passed CheckTx. It returns the state after the
// block with what changed, or s itself and nil if nothing did. Errors are
// *consensus.RuleError.
func (s *State) Apply(h int32, txs []*consensus.Tx, spent [][]consensus.Coin) (*State, *Delta, error) {
	var d *Draft
	for i, tx := range txs {
		if !claimsRecord(tx.Msg) {
			continue
		}
		if d == nil {
			d = s.Draft(h)
		}
		if err := d.Add(tx, spent[i]); err != nil {
			return nil, nil, err
		}
	}
	if d == nil {
		return s, nil, nil
	}
	next, delta := d.Finish()
	return next, delta, nil
}

// Add takes in a transaction that passed CheckTx: all of its records, or, if
// it returns a *consensus.RuleError, none.
func (d *Draft) Add(tx *consensus.Tx, coins []consensus.Coin) error {
	if !claimsRecord(tx.Msg) {
		return nil
	}
	records, err := record.FromTx(tx.Msg)
	if err != nil {
		return err
	}
	before := d.cur
	d.sweep()
	speakers := d.parent.speakers(tx.Msg, coins, d.h)
	for _, r := range records {
		a, err := d.parent.checkRecord(r.Record, speakers, d.h)
		if err == nil {
			err = d.take(r.Record, a)
		}
		if err != nil {
			d.cur = before
			return err
		}
	}
	return nil
}

// Finish returns the state after the block and what changed, or the parent's
// state and nil if nothing did. The draft must not be used after.
func (d *Draft) Finish() (*State, *Delta) {
	delta := d.delta()
	if delta == nil {
		return d.parent, nil
	}
	return &d.cur, delta
}

// sweep removes the votes that have lapsed.
func (d *Draft) sweep() {
	if uint64(d.cur.firstLapse) >= uint64(d.h) {
		return
	}
	first := forever
	var lapsed []voteKey
	for _, t := range []table[voteKey, *vote]{d.cur.pending, d.cur.done} {
		for id, v := range t.all() {
			if lapse := v.lapse(); uint64(lapse) < uint64(d.h) {
				lapsed = append(lapsed, id)
			} else {
				first = min(first, lapse)
			}
		}
	}
	for _, id := range lapsed {
		d.setVote(id, nil)
	}
	d.cur.firstLapse = first
}

// take counts a record, and lets it take effect if it is decided.
func (d *Draft) take(r record.Record, a authority) error {
	if ready, ok := r.(record.Ready); ok {
		return d.ready(ready)
	}
	id := voteKey(record.ID(r))
	v := d.cur.vote(id)
	if v != nil && v.done {
		return nil
	}
	if a.own != nil { // no vote: leaves a row only where there was one
		if v != nil {
			d.setVote(id, v.with([]Voter{a.own.voter()}).decided())
		}
		return d.effect(r)
	}
	opened := v != nil
	if !opened {
		v = &vote{rec: r}
	}
	v = v.with(a.votes)
	if len(a.votes) > 0 && (d.parent.count(v.voters, d.h) >= d.parent.need(r, d.h) || d.parent.setupAlone(r, a.votes, d.h)) {
		d.setVote(id, v.decided())
		return d.effect(r)
	}
	if sp, ok := d.cur.activator(a, d.h); ok {
		d.setLone(sp.member.ID, d.h)
		d.setVote(id, v.with([]Voter{sp.voter()}).decided())
		return d.effect(r)
	}
	switch {
	case len(a.votes) == 0:
		return tooManyLone(r, d.h)
	case !opened:
		if err := d.checkOpen(a.first); err != nil {
			return err
		}
		v.opener = a.first.ID
	}
	d.setVote(id, v)
	return nil
}

// decided returns a copy of the row on which further votes do nothing.
func (v *vote) decided() *vote {
	c := *v
	c.done, c.opener = true, record.MemberID{}
	return &c
}

// checkOpen lets a member open a record if it has not too many pending.
func (d *Draft) checkOpen(m *Member) error {
	n := 0
	for _, v := range d.cur.pending.all() {
		if v.opener == m.ID {
			n++
		}
	}
	if n >= MaxOpen {
		return broke(RuleTooManyOpen, "%s opened %d records that are not decided, at most %d are allowed: wait, or let them lapse", m.Name, n, MaxOpen)
	}
	return nil
}

// effect changes what a decided record asks for, drops the votes that are
// about the same, and sees that the chain can still be governed.
func (d *Draft) effect(r record.Record) error {
	if err := d.change(r); err != nil {
		return err
	}
	for other, v := range d.cur.pending.all() { // its own row is done
		if sameSubject(r, v.rec) {
			d.setVote(other, nil) // the iteration goes on over the table as it was
		}
	}
	return d.guard()
}

func (d *Draft) setVote(id voteKey, v *vote) {
	mark(&d.touched.votes, id)
	d.cur.setVote(id, v)
}

func (d *Draft) setMember(m *Member) {
	mark(&d.touched.members, m.ID)
	d.cur.setMember(m.ID, m)
}

func (d *Draft) setUpgrade(deployment string, height uint32) {
	mark(&d.touched.upgrades, deployment)
	d.cur.setUpgrade(deployment, height)
}

// setLone notes a lone decision in this block.
func (d *Draft) setLone(id record.MemberID, h int32) {
	mark(&d.touched.lone, id)
	list := d.cur.loneAt(id, h)
	d.cur.setLone(id, append(list[:len(list):len(list)], uint32(h)))
}

func mark[K comparable](set *map[K]struct{}, key K) {
	if *set == nil {
		*set = make(map[K]struct{})
	}
	(*set)[key] = struct{}{}
}
