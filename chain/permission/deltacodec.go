package permission

import (
	"fmt"

	"github.com/charterchain/charter/chain/permission/record"
)

const (
	hasOld = 1 << iota
	hasNew
)

// Least sizes of encoded changes.
const (
	minMemberChange  = 20 + 1
	minVoteChange    = 2 + 5 + 1
	minUpgradeChange = 2 + 8
	minLoneChange    = 20 + 2
)

// Encode returns the bytes of the delta (doc.go has the table).
func (d *Delta) Encode() []byte {
	b := appendU32(appendU32([]byte{codecVersion}, d.oldRestart), d.newRestart)
	b = appendU32(b, uint32(len(d.members)))
	for _, m := range d.members {
		b = append(append(b, m.key[:]...), present(m.old != nil, m.new != nil))
		for _, row := range []*Member{m.old, m.new} {
			if row != nil {
				b = appendMember(b, row)
			}
		}
	}
	b = appendU32(b, uint32(len(d.votes)))
	for _, v := range d.votes {
		b = append(appendRecord(b, v.rec), present(v.old != nil, v.new != nil))
		for _, row := range []*vote{v.old, v.new} {
			if row != nil {
				b = appendVote(b, row)
			}
		}
	}
	b = appendU32(b, uint32(len(d.upgrades)))
	for _, u := range d.upgrades {
		b = appendU32(appendU32(appendString(b, u.key), u.old), u.new)
	}
	b = appendU32(b, uint32(len(d.lone)))
	for _, l := range d.lone {
		b = appendHeights(appendHeights(append(b, l.key[:]...), l.old), l.new)
	}
	return b
}

func present(old, new bool) (flags byte) {
	if old {
		flags |= hasOld
	}
	if new {
		flags |= hasNew
	}
	return flags
}

// DecodeDelta reads what Delta.Encode wrote, and refuses all else.
func DecodeDelta(data []byte) (*Delta, error) {
	d, r := &Delta{}, &reader{b: data}
	r.version()
	d.oldRestart, d.newRestart = r.u32("old restart height"), r.u32("new restart height")
	r.rows("members", minMemberChange, func() []byte {
		c := change[record.MemberID, *Member]{key: r.member()}
		row := func() *Member { return r.memberRow(c.key) }
		c.old, c.new = readChange(r, row)
		d.members = append(d.members, c)
		return c.key[:]
	})
	r.rows("votes", minVoteChange, func() []byte {
		var c voteChange
		c.rec, c.key = r.record()
		c.old, c.new = readChange(r, func() *vote { return r.voteRow(c.rec) })
		d.votes = append(d.votes, c)
		return c.key[:]
	})
	r.rows("upgrades", minUpgradeChange, func() []byte {
		c := change[string, uint32]{r.name("deployment"), r.u32("old height"), r.u32("new height")}
		d.upgrades = append(d.upgrades, c)
		return []byte(c.key)
	})
	r.rows("lone decisions", minLoneChange, func() []byte {
		c := change[record.MemberID, []uint32]{r.member(), r.heights(), r.heights()}
		d.lone = append(d.lone, c)
		return c.key[:]
	})
	if err := r.end(); err != nil {
		return nil, fmt.Errorf("permission delta: %w", err)
	}
	return d, nil
}

// readChange reads the rows of which a byte says that they are there.
func readChange[T any](r *reader, row func() *T) (old, new *T) {
	flags := r.byte("rows of a change")
	r.refuse(r.err == nil && (flags == 0 || flags > hasOld|hasNew), "a change has rows %02x", flags)
	if flags&hasOld != 0 {
		old = row()
	}
	if flags&hasNew != 0 {
		new = row()
	}
	return old, new
}
