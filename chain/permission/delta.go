package permission

import (
	"bytes"
	"cmp"
	"maps"
	"slices"

	"github.com/charterchain/charter/chain/permission/record"
)

// Delta is what one block changed: the old and the new value of each row. It
// is immutable.
type Delta struct {
	members    []change[record.MemberID, *Member]
	votes      []voteChange
	upgrades   []change[string, uint32]
	lone       []change[record.MemberID, []uint32]
	oldRestart uint32
	newRestart uint32
}

// change is the old and the new value of a row; nil, 0 or none where there
// is no row.
type change[K, V any] struct {
	key      K
	old, new V
}

// voteChange is a change of the row of a record.
type voteChange struct {
	rec record.Record
	change[voteKey, *vote]
}

// Undo returns the state before the block whose change is d; s is the state
// after it. Undo does not check that s is: with another state the result
// means nothing.
func (s *State) Undo(d *Delta) *State {
	c := *s
	for _, m := range d.members {
		c.setMember(m.key, m.old)
	}
	for _, v := range d.votes {
		c.setVote(v.key, v.old)
	}
	for _, u := range d.upgrades {
		c.setUpgrade(u.key, u.old)
	}
	for _, l := range d.lone {
		c.setLone(l.key, l.old)
	}
	c.restart = d.oldRestart
	return &c
}

// Redo returns the state after the block whose change is d; s is the state
// before it, which Redo does not check.
func (s *State) Redo(d *Delta) *State { return s.Undo(d.reverse()) }

func (d *Delta) reverse() *Delta {
	r := &Delta{
		members: slices.Clone(d.members), votes: slices.Clone(d.votes), upgrades: slices.Clone(d.upgrades), lone: slices.Clone(d.lone),
		oldRestart: d.newRestart, newRestart: d.oldRestart,
	}
	swapAll(r.members)
	swapAll(r.upgrades)
	swapAll(r.lone)
	for i := range r.votes {
		v := &r.votes[i]
		v.old, v.new = v.new, v.old
	}
	return r
}

func swapAll[K, V any](list []change[K, V]) {
	for i := range list {
		list[i].old, list[i].new = list[i].new, list[i].old
	}
}

// delta compares the running state with the parent's; nil if they are equal.
func (d *Draft) delta() *Delta {
	out := &Delta{oldRestart: d.parent.restart, newRestart: d.cur.restart}
	for _, id := range slices.SortedFunc(maps.Keys(d.touched.members), compareIDs) {
		if old, new := d.parent.member(id), d.cur.member(id); old != new && (old == nil || new == nil || !old.equal(new)) {
			out.members = append(out.members, change[record.MemberID, *Member]{id, old, new})
		}
	}
	for _, id := range slices.SortedFunc(maps.Keys(d.touched.votes), func(a, b voteKey) int { return bytes.Compare(a[:], b[:]) }) {
		old, new := d.parent.vote(id), d.cur.vote(id)
		if old != new && (old == nil || new == nil || !old.equal(new)) {
			out.votes = append(out.votes, voteChange{cmp.Or(new, old).rec, change[voteKey, *vote]{id, old, new}})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.touched.upgrades)) {
		if old, new := d.parent.upgrade(name), d.cur.upgrade(name); old != new {
			out.upgrades = append(out.upgrades, change[string, uint32]{name, old, new})
		}
	}
	for _, id := range slices.SortedFunc(maps.Keys(d.touched.lone), compareIDs) {
		old, _ := d.parent.lone.get(memberKey(id))
		if new, _ := d.cur.lone.get(memberKey(id)); !slices.Equal(old, new) {
			out.lone = append(out.lone, change[record.MemberID, []uint32]{id, old, new})
		}
	}
	if len(out.members)+len(out.votes)+len(out.upgrades)+len(out.lone) == 0 && out.oldRestart == out.newRestart {
		return nil
	}
	return out
}

func compareIDs(a, b record.MemberID) int { return bytes.Compare(a[:], b[:]) }
