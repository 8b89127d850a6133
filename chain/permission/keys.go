package permission

import (
	"encoding/binary"
	"hash/maphash"

	"github.com/charterchain/charter/chain/permission/record"
)

// memberKey finds a member.
type memberKey record.MemberID

func (k memberKey) hash(seed maphash.Seed) uint64 { return maphash.Bytes(seed, k[:]) }

// voteKey finds a vote by the id of its record.
type voteKey [32]byte

func (k voteKey) hash(seed maphash.Seed) uint64 { return maphash.Bytes(seed, k[:]) }

// heightKey finds what happens at a height.
type heightKey uint32

func (k heightKey) hash(seed maphash.Seed) uint64 {
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], uint32(k))
	return maphash.Bytes(seed, b[:])
}

// maxIdentity is the length of the longest identity script.
const maxIdentity = 34

// identityKey finds who an identity belongs to: its length and its bytes, so
// that looking up allocates nothing.
type identityKey [1 + maxIdentity]byte

func (k identityKey) hash(seed maphash.Seed) uint64 { return maphash.Bytes(seed, k[:]) }

// identityOf returns ok = false for a script that is too long to be an
// identity.
func identityOf(script []byte) (k identityKey, ok bool) {
	if len(script) == 0 || len(script) > maxIdentity {
		return k, false
	}
	k[0] = byte(len(script))
	copy(k[1:], script)
	return k, true
}

// nameKey finds a member by its name.
type nameKey [1 + record.MaxNameLen]byte

func (k nameKey) hash(seed maphash.Seed) uint64 { return maphash.Bytes(seed, k[:]) }

func nameOf(name string) (k nameKey, ok bool) {
	if len(name) > record.MaxNameLen {
		return k, false
	}
	k[0] = byte(len(name))
	copy(k[1:], name)
	return k, true
}
