package record

import (
	"crypto/sha256"
	"fmt"
)

// Op says what a record does; its values are consensus.
type Op byte

// The operations.
const (
	OpCreateMember Op = 1 + iota
	OpRenameMember
	OpGrant
	OpAddKey
	OpChangeKey
	OpRemoveKey
	OpReady
	OpUpgrade
)

// String names the operation in lower case with a hyphen.
func (op Op) String() string {
	list := [...]string{"create-member", "rename-member", "grant", "add-key", "change-key", "remove-key", "ready", "upgrade"}
	if op < OpCreateMember || op > OpUpgrade {
		return fmt.Sprintf("operation %d", byte(op))
	}
	return list[op-1]
}

// Record is one of the structs below, by value: CreateMember, RenameMember,
// Grant, AddKey, ChangeKey, RemoveKey, Ready, Upgrade. Those with Lapse and
// Salt are votes; equal votes add up.
type Record interface {
	Op() Op
	check() error   // what is wrong with the fields; Script and Decode ask
	write(c *codec) // the operands
	vote() (lapse uint32, ok bool)
}

// CreateMember makes a member, whose id is NewMemberID(Name, Identity), with
// a first key from the next block for ever and no permissions.
type CreateMember struct {
	Lapse    uint32
	Salt     [4]byte
	Name     string
	Identity []byte
	Roles    Set
	Sig      *[64]byte // by the key, iff Roles has any of NeedsKey
}

// RenameMember gives a member another name. Its id stays.
type RenameMember struct {
	Lapse  uint32
	Salt   [4]byte
	Member MemberID
	Name   string
}

// Grant sets the range of each of Permissions. The empty range 0, 0 revokes.
type Grant struct {
	Lapse       uint32
	Salt        [4]byte
	Member      MemberID
	Permissions Set
	Range
}

// Revokes reports whether the grant takes the permissions away.
func (r Grant) Revokes() bool { return r.Range == Range{} }

// AddKey gives a member another key.
type AddKey struct {
	Lapse    uint32
	Salt     [4]byte
	Member   MemberID
	Identity []byte
	Roles    Set
	Range
	Sig *[64]byte // by the key, iff Roles has any of NeedsKey
}

// ChangeKey gives a member's key other roles and another range.
type ChangeKey struct {
	Lapse    uint32
	Salt     [4]byte
	Member   MemberID
	Identity []byte
	Roles    Set
	Range
	Sig *[64]byte // by the key, iff Roles has any of NeedsKey
}

// RemoveKey takes a key away from a member.
type RemoveKey struct {
	Lapse    uint32
	Salt     [4]byte
	Member   MemberID
	Identity []byte
}

// Ready says that the machines behind a mine key of the member run. It is no
// vote and needs no input that speaks: Sig is its authority. Since is the
// height from which the member's present mine permission counts, so that a
// record from before a revocation cannot be used again.
type Ready struct {
	Member MemberID
	Key    [32]byte // x-only
	Since  uint32
	Sig    [64]byte
}

// Upgrade schedules a rule that the software knows for a height.
type Upgrade struct {
	Lapse      uint32
	Salt       [4]byte
	Deployment string
	Height     uint32
}

// Op implements Record.
func (CreateMember) Op() Op { return OpCreateMember }

// Op implements Record.
func (RenameMember) Op() Op { return OpRenameMember }

// Op implements Record.
func (Grant) Op() Op { return OpGrant }

// Op implements Record.
func (AddKey) Op() Op { return OpAddKey }

// Op implements Record.
func (ChangeKey) Op() Op { return OpChangeKey }

// Op implements Record.
func (RemoveKey) Op() Op { return OpRemoveKey }

// Op implements Record.
func (Ready) Op() Op { return OpReady }

// Op implements Record.
func (Upgrade) Op() Op { return OpUpgrade }

func (r CreateMember) vote() (uint32, bool) { return r.Lapse, true }
func (r RenameMember) vote() (uint32, bool) { return r.Lapse, true }
func (r Grant) vote() (uint32, bool)        { return r.Lapse, true }
func (r AddKey) vote() (uint32, bool)       { return r.Lapse, true }
func (r ChangeKey) vote() (uint32, bool)    { return r.Lapse, true }
func (r RemoveKey) vote() (uint32, bool)    { return r.Lapse, true }
func (Ready) vote() (uint32, bool)          { return 0, false }
func (r Upgrade) vote() (uint32, bool)      { return r.Lapse, true }

// Lapse returns the height after which a vote is forgotten; ok is false for
// a record that is no vote.
func Lapse(r Record) (height uint32, ok bool) { return r.vote() }

// ID is the SHA-256 of the encoding: equal votes have equal ids. It is
// defined for whatever Script accepts.
func ID(r Record) [32]byte { return sha256.Sum256(encode(r)) }

// Key returns the identity and roles of the key that the record adds or
// changes, with the member it belongs to and the range that its signature
// covers; ok is false for every other record. sig is nil where none is asked
// for.
func Key(r Record) (k KeyTerms, sig *[64]byte, ok bool) {
	switch r := r.(type) {
	case CreateMember:
		return KeyTerms{NewMemberID(r.Name, r.Identity), r.Identity, r.Roles, Range{0, Forever}}, r.Sig, true
	case AddKey:
		return KeyTerms{r.Member, r.Identity, r.Roles, r.Range}, r.Sig, true
	case ChangeKey:
		return KeyTerms{r.Member, r.Identity, r.Roles, r.Range}, r.Sig, true
	}
	return KeyTerms{}, nil, false
}

// KeyTerms is what a key agrees to be.
type KeyTerms struct {
	Member   MemberID
	Identity []byte
	Roles    Set
	Range    Range
}
