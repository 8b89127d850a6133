package record

import (
	"fmt"
	"iter"
	"math/bits"
	"strings"

	"github.com/charterchain/charter/chain/params"
)

// Set is a set of permissions, or of the roles in which a key acts. Its bits
// are consensus: records and the permission state hold them as uint16.
type Set uint16

// The permissions, and the role Manage, which is no permission.
const (
	Connect Set = 1 << iota
	Mine
	Send
	Receive
	Admin
	Activate
	Issue
	Create
	Manage
)

const (
	// Permissions is what a member can be granted.
	Permissions = Connect | Mine | Send | Receive | Admin | Activate | Issue | Create

	// Roles is what a key can act as.
	Roles = Permissions | Manage

	// NeedsKey holds the roles that a key takes on by its own signature.
	NeedsKey = Admin | Activate | Manage | Mine | Connect

	// Governing holds the roles whose keys get an authority output;
	// params.MemberKey.Governs is the same.
	Governing = Admin | Activate | Manage

	// anyKind holds the roles of identities that are not P2TR.
	anyKind = Send | Receive
)

// names lists the bits in their order. It is never modified.
var names = [...]params.Permission{
	params.PermConnect, params.PermMine, params.PermSend, params.PermReceive, params.PermAdmin,
	params.PermActivate, params.PermIssue, params.PermCreate, params.RoleManage,
}

// ParseSet reads names as people write them. Order and repetition mean
// nothing.
func ParseSet(list []string) (Set, error) {
	var s Set
	for _, name := range list {
		bit := bitOf(params.Permission(name))
		if bit == 0 {
			return 0, fmt.Errorf("%q is no permission or role: use %s", name, strings.Join(Roles.Names(), ", "))
		}
		s |= bit
	}
	return s, nil
}

// FromParams converts what a chain file lists. The list has passed
// params.Load; an unknown name is a mistake of the caller's and panics.
func FromParams(list []params.Permission) Set {
	var s Set
	for _, p := range list {
		bit := bitOf(p)
		if bit == 0 {
			panic(fmt.Sprintf("record: the chain parameters have an unknown permission %q", p))
		}
		s |= bit
	}
	return s
}

func bitOf(p params.Permission) Set {
	for i, name := range names {
		if name == p {
			return 1 << i
		}
	}
	return 0
}

// Has reports whether s has all of other.
func (s Set) Has(other Set) bool { return s&other == other }

// Any reports whether s has any of other.
func (s Set) Any(other Set) bool { return s&other != 0 }

// Each yields the sets of one element that make up s, in the order of bits.
// Bits without a name are left out.
func (s Set) Each() iter.Seq[Set] {
	return func(yield func(Set) bool) {
		for i := range names {
			if bit := Set(1) << i; s.Any(bit) && !yield(bit) {
				return
			}
		}
	}
}

// Perm returns the name of a set of one element, else "".
func (s Set) Perm() params.Permission {
	if s&Roles != s || bits.OnesCount16(uint16(s)) != 1 {
		return ""
	}
	return names[bits.TrailingZeros16(uint16(s))]
}

// Names returns the names in the order of bits.
func (s Set) Names() []string {
	var list []string
	for bit := range s.Each() {
		list = append(list, string(bit.Perm()))
	}
	return list
}

// String returns the names with commas between them, "none" for no name.
func (s Set) String() string {
	if s&Roles == 0 {
		return "none"
	}
	return strings.Join(s.Names(), ",")
}
