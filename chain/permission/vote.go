package permission

import (
	"bytes"
	"slices"

	"github.com/charterchain/charter/chain/permission/record"
)

// Voter is a key that spoke for a record.
type Voter struct {
	Member record.MemberID
	Key    [32]byte // x-only
}

// Scheduled is a rule that comes into force at a height.
type Scheduled struct {
	Deployment string
	Height     uint32
}

// vote is the row of a record that was voted for. It never changes.
type vote struct {
	rec    record.Record
	done   bool
	opener record.MemberID // of a pending record, else zero
	voters []Voter         // ascending by member and key, each once
}

func (v *vote) lapse() uint32 {
	h, _ := record.Lapse(v.rec)
	return h
}

// with returns a copy of the row with more voters.
func (v *vote) with(more []Voter) *vote {
	c := *v
	c.voters = slices.Clone(v.voters)
	for _, voter := range more {
		if at, found := slices.BinarySearchFunc(c.voters, voter, compareVoters); !found {
			c.voters = slices.Insert(c.voters, at, voter)
		}
	}
	return &c
}

func (v *vote) equal(o *vote) bool {
	return v.done == o.done && v.opener == o.opener && slices.Equal(v.voters, o.voters)
}

func compareVoters(a, b Voter) int {
	if c := bytes.Compare(a.Member[:], b.Member[:]); c != 0 {
		return c
	}
	return bytes.Compare(a.Key[:], b.Key[:])
}

// sameSubject reports whether two records are about the same thing, so that
// the effect of one drops the pending votes for the other.
func sameSubject(a, b record.Record) bool {
	switch a := a.(type) {
	case record.Grant:
		b, ok := b.(record.Grant)
		return ok && a.Member == b.Member && a.Permissions.Any(b.Permissions)
	case record.CreateMember:
		switch b := b.(type) {
		case record.CreateMember:
			return a.Name == b.Name || record.NewMemberID(a.Name, a.Identity) == record.NewMemberID(b.Name, b.Identity)
		case record.RenameMember:
			return a.Name == b.Name
		}
	case record.RenameMember:
		switch b := b.(type) {
		case record.CreateMember:
			return a.Name == b.Name
		case record.RenameMember:
			return a.Member == b.Member || a.Name == b.Name
		}
	case record.Upgrade:
		b, ok := b.(record.Upgrade)
		return ok && a.Deployment == b.Deployment
	default:
		x, y := keyOf(a), keyOf(b)
		return x != nil && bytes.Equal(x, y)
	}
	return false
}

// keyOf returns the identity that a key record is about, else nil.
func keyOf(r record.Record) []byte {
	switch r := r.(type) {
	case record.AddKey:
		return r.Identity
	case record.ChangeKey:
		return r.Identity
	case record.RemoveKey:
		return r.Identity
	}
	return nil
}

// memberOf returns the member that a record is about, the one that it
// creates too; ok is false for an upgrade.
func memberOf(r record.Record) (id record.MemberID, ok bool) {
	switch r := r.(type) {
	case record.CreateMember:
		return record.NewMemberID(r.Name, r.Identity), true
	case record.RenameMember:
		return r.Member, true
	case record.Grant:
		return r.Member, true
	case record.AddKey:
		return r.Member, true
	case record.ChangeKey:
		return r.Member, true
	case record.RemoveKey:
		return r.Member, true
	case record.Ready:
		return r.Member, true
	}
	return id, false
}
