package record

import (
	"cmp"
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2/schnorr"
)

func (r CreateMember) check() error {
	return cmp.Or(checkHeight("lapse", r.Lapse), checkNamed("name", r.Name), checkKey(r.Identity, r.Roles, r.Sig))
}

func (r RenameMember) check() error {
	return cmp.Or(checkHeight("lapse", r.Lapse), checkNamed("name", r.Name))
}

func (r Grant) check() error {
	if r.Revokes() {
		return cmp.Or(checkHeight("lapse", r.Lapse), checkSet("permissions", r.Permissions, Permissions))
	}
	return cmp.Or(checkHeight("lapse", r.Lapse), checkSet("permissions", r.Permissions, Permissions), r.Range.check())
}

func (r AddKey) check() error {
	return cmp.Or(checkHeight("lapse", r.Lapse), checkKey(r.Identity, r.Roles, r.Sig), r.Range.check())
}

func (r ChangeKey) check() error { return AddKey(r).check() }

func (r RemoveKey) check() error {
	return cmp.Or(checkHeight("lapse", r.Lapse), CheckIdentity(r.Identity, 0))
}

func (r Ready) check() error {
	return cmp.Or(checkHeight("since", r.Since), checkPoint("key", r.Key[:]))
}

func (r Upgrade) check() error {
	return cmp.Or(checkHeight("lapse", r.Lapse), checkNamed("deployment", r.Deployment), checkHeight("height", r.Height))
}

func checkNamed(what, name string) error {
	if err := CheckName(name); err != nil {
		return fmt.Errorf("%s %w", what, err)
	}
	return nil
}

// checkSet lets a set have bits of all only, and one at least.
func checkSet(what string, s, all Set) error {
	switch {
	case s == 0:
		return fmt.Errorf("%s: none is named", what)
	case s&^Roles != 0:
		return fmt.Errorf("%s: bits %04x are unknown", what, uint16(s&^Roles))
	case s&^all != 0:
		return fmt.Errorf("%s: %s is not among them", what, s&^all)
	}
	return nil
}

func checkKey(identity []byte, roles Set, sig *[64]byte) error {
	if err := cmp.Or(checkSet("roles", roles, Roles), CheckIdentity(identity, roles)); err != nil {
		return err
	}
	switch needs := roles.Any(NeedsKey); {
	case needs && sig == nil:
		return fmt.Errorf("the signature of the key is missing, which the roles %s ask for", roles&NeedsKey)
	case !needs && sig != nil:
		return fmt.Errorf("there is a signature, which the roles %s do not ask for", roles)
	}
	return nil
}

// CheckIdentity reports what keeps a script from being an identity with
// these roles: it is of a standard kind; if it is P2TR its program is a
// public key; if it is not, its roles are send and receive at most.
func CheckIdentity(script []byte, roles Set) error {
	kind, ok := Identity(script)
	switch {
	case !ok:
		return fmt.Errorf("identity %x is no script of a standard kind", script)
	case kind == P2TR:
		return checkPoint("identity", script[2:])
	case roles&^anyKind != 0:
		return fmt.Errorf("identity of kind %s has the roles %s, which only P2TR can have", kind, roles&^anyKind)
	}
	return nil
}

func checkPoint(what string, key []byte) error {
	if _, err := schnorr.ParsePubKey(key); err != nil {
		return fmt.Errorf("%s: %x is no public key, no point of the curve", what, key)
	}
	return nil
}
