package record

import (
	"encoding/hex"
	"fmt"
	"math"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// MemberID names a member for ever, whatever it calls itself.
type MemberID [20]byte

// NewMemberID derives the id of a member from the name it was created with
// and the identity script of its first key.
func NewMemberID(name string, first []byte) MemberID {
	return MemberID(chainhash.TaggedHash([]byte("charter/member/v1"), []byte(name), first)[:20])
}

// String is the id in hex, first byte first.
func (id MemberID) String() string { return hex.EncodeToString(id[:]) }

// ParseMemberID reads what String wrote; upper case will do too.
func ParseMemberID(s string) (MemberID, error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(MemberID{}) {
		return MemberID{}, fmt.Errorf("%q is no member id: it takes %d hex digits", s, 2*len(MemberID{}))
	}
	return MemberID(b), nil
}

// CheckName reports what is wrong with the name of a member or a deployment;
// nil if nothing is.
func CheckName(name string) error {
	if len(name) == 0 || len(name) > MaxNameLen {
		return fmt.Errorf("has %d characters, 1 to %d are allowed", len(name), MaxNameLen)
	}
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '.' && c != '-' {
			return fmt.Errorf("has %q at position %d: lower-case letters, digits, dots and hyphens are allowed", c, i+1)
		}
	}
	return nil
}

// Forever as Range.Until means that the range does not end.
const Forever uint32 = math.MaxUint32

// maxHeight is the highest height that a block can have.
const maxHeight = math.MaxInt32

// Range holds the heights h with From <= h < Until.
type Range struct{ From, Until uint32 }

// In reports whether the range is in force at height h. No range is at a
// negative height.
func (r Range) In(h int32) bool { return h >= 0 && r.From <= uint32(h) && uint32(h) < r.Until }

// Empty reports whether the range is in force at no height.
func (r Range) Empty() bool { return r.From >= r.Until }

func (r Range) check() error {
	switch {
	case r.Empty():
		return fmt.Errorf("from %d until %d is no range of heights", r.From, r.Until)
	case r.Until > maxHeight && r.Until != Forever:
		return fmt.Errorf("until is %d, at most %d or for ever (%d) is allowed", r.Until, maxHeight, Forever)
	}
	return checkHeight("from", r.From)
}

func checkHeight(what string, h uint32) error {
	if h > maxHeight {
		return fmt.Errorf("%s is %d, at most %d is allowed", what, h, maxHeight)
	}
	return nil
}
