package record

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// Describe says in one English sentence what a record asks for, for people
// who are about to sign it. namer gives the present name of a member, addr the
// address of a script; where they are nil or return "" the id or the script
// stands in hex. r is something that Script accepts.
func Describe(r Record, namer func(MemberID) string, addr func(script []byte) string) string {
	d := describer{namer, addr}
	s := d.sentence(r)
	if lapse, ok := Lapse(r); ok {
		return fmt.Sprintf("%s (the vote lapses after block %d).", s, lapse)
	}
	return s + "."
}

type describer struct {
	namer func(MemberID) string
	addr  func([]byte) string
}

func (d describer) sentence(r Record) string {
	switch r := r.(type) {
	case CreateMember:
		return fmt.Sprintf("Create the member %s, whose first key %s acts as %s", r.Name, d.key(r.Identity), list(r.Roles))
	case RenameMember:
		return fmt.Sprintf("Rename the member %s to %s", d.member(r.Member), r.Name)
	case Grant:
		if r.Revokes() {
			return fmt.Sprintf("Revoke %s from the member %s", list(r.Permissions), d.member(r.Member))
		}
		return fmt.Sprintf("Grant %s to the member %s %s", list(r.Permissions), d.member(r.Member), heights(r.Range))
	case AddKey:
		return fmt.Sprintf("Add the key %s to the member %s, to act as %s %s", d.key(r.Identity), d.member(r.Member), list(r.Roles), heights(r.Range))
	case ChangeKey:
		return fmt.Sprintf("Have the key %s of the member %s act as %s %s, and as nothing else",
			d.key(r.Identity), d.member(r.Member), list(r.Roles), heights(r.Range))
	case RemoveKey:
		return fmt.Sprintf("Remove the key %s from the member %s", d.key(r.Identity), d.member(r.Member))
	case Ready:
		return fmt.Sprintf("Declare that the member %s is ready to mine with the key %s, under the permission that counts from block %d",
			d.member(r.Member), d.key(KeyScript(r.Key)), r.Since)
	case Upgrade:
		return fmt.Sprintf("Put the rule change %s into force from block %d on", r.Deployment, r.Height)
	}
	return fmt.Sprintf("Do what this software does not know (%s)", r.Op())
}

func (d describer) member(id MemberID) string {
	if d.namer != nil {
		if name := d.namer(id); name != "" {
			return name
		}
	}
	return id.String()
}

func (d describer) key(script []byte) string {
	if d.addr != nil {
		if a := d.addr(script); a != "" {
			return a
		}
	}
	return hex.EncodeToString(script)
}

// list joins names as in "admin, mine and send".
func list(s Set) string {
	names := s.Names()
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}

// heights words a range that is not empty. A range from 0 begins when the
// change takes effect.
func heights(r Range) string {
	from := fmt.Sprintf("from block %d", r.From)
	if r.From == 0 {
		from = "from the next block"
	}
	switch {
	case r.Until == Forever && r.From == 0:
		return "from now on"
	case r.Until == Forever:
		return from + " on"
	}
	return fmt.Sprintf("%s until before block %d", from, r.Until)
}
