package params

import (
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/btcec/v2/schnorr"
)

// Bounds of members (permissions.md: members and keys).
const (
	maxMembers       = 10_000
	maxMemberKeys    = 64
	maxMining        = 256
	maxAdministering = 256
)

// PermKey is the subject under which Permissions.Consensus holds the share
// of administering members that replaces a member's keys (recovery).
const PermKey Permission = "key"

// consensusShares lists the keys of [permissions.consensus].
var consensusShares = []struct {
	of    Permission
	least int64
	def   int64
	doc   string
}{
	{PermAdmin, majority, majority, "Share of the administering members, in millionths, that changes a permission;\nat least one member in any case. For admin, mine and key above one half."},
	{PermMine, majority, majority, ""},
	{PermKey, majority, majority, "Replacing the keys of a member that lost its own."},
	{PermActivate, 0, majority, ""},
	{PermConnect, 0, 0, ""},
	{PermSend, 0, 0, ""},
	{PermReceive, 0, 0, ""},
	{PermIssue, 0, majority, ""},
	{PermCreate, 0, majority, ""},
}

// Holds reports whether the member has a permission; admin is all of them.
func (m *Member) Holds(p Permission) bool {
	return slices.Contains(m.Permissions, p) || slices.Contains(m.Permissions, PermAdmin)
}

// May reports whether the member holds a permission and has a key that acts
// in the role of that name.
func (m *Member) May(p Permission) bool {
	return m.Holds(p) && slices.ContainsFunc(m.Keys, func(k MemberKey) bool { return k.Acts(p) })
}

// Acts reports whether the key has a role.
func (k *MemberKey) Acts(role Permission) bool { return slices.Contains(k.Roles, role) }

// Governs reports whether the key may take part in changing members: it
// acts in the role admin, activate or manage.
func (k *MemberKey) Governs() bool {
	return k.Acts(PermAdmin) || k.Acts(PermActivate) || k.Acts(RoleManage)
}

func countMining(members []Member) int {
	n := 0
	for i := range members {
		if members[i].May(PermMine) {
			n++
		}
	}
	return n
}

func cloneMembers(list []Member) []Member {
	out := slices.Clone(list)
	for i := range out {
		out[i].Permissions = sortedSet(out[i].Permissions)
		out[i].Keys = slices.Clone(out[i].Keys)
		for j := range out[i].Keys {
			out[i].Keys[j].Roles = sortedSet(out[i].Keys[j].Roles)
		}
	}
	return out
}

func sortedSet(list []Permission) []Permission {
	set := slices.Clone(list)
	slices.Sort(set)
	return slices.Compact(set)
}

// checkMembers applies the bounds of members and keys.
func (l *loader) checkMembers() {
	members := l.p.Genesis.Members
	if !l.p.Permissions.Enabled {
		if len(members) > 0 {
			l.faultf(memberPath(0), "there are members, but permissions.enabled is not true")
		}
		return
	}
	names, identities := make(map[string]string), make(map[string]string)
	administering := 0
	for i := range members {
		m := &members[i]
		l.checkMember(memberPath(i), m)
		l.unique(names, m.Name, memberPath(i)+".name", "is the name of %s too")
		if n := len(m.Keys); n == 0 || n > maxMemberKeys {
			l.fault(memberPath(i)+".keys", fmt.Sprintf("has %d keys", n), fmt.Sprintf("1 to %d keys", maxMemberKeys))
		}
		for j := range m.Keys {
			l.checkKey(keyPath(i, j), &m.Keys[j])
			l.unique(identities, string(m.Keys[j].Script), keyPath(i, j)+".identity", "is the identity of %s too")
		}
		if m.May(PermAdmin) {
			administering++
		}
	}
	mining := countMining(members)
	l.atMost("members", len(members), maxMembers)
	l.atMost("administering members", administering, maxAdministering)
	l.atMost("mining members", mining, maxMining)
	if administering == 0 {
		l.faultf("genesis.member", "no member may administer: one needs the permission admin and a key with the role admin")
	}
	if mining == 0 && l.p.Permissions.Restricts(PermMine) {
		l.faultf("genesis.member", "no member may mine: one needs the permission mine (or admin) and a key with the role mine")
	}
}

func (l *loader) atMost(what string, n, most int) {
	if n > most {
		l.faultf("genesis.member", "there are %d %s, at most %d are allowed", n, what, most)
	}
}

// unique reports a value that stands at another path already.
func (l *loader) unique(seen map[string]string, value, path, reason string) {
	if value == "" {
		return // missing or malformed: reported before
	}
	if first, twice := seen[value]; twice {
		l.faultf(path, reason, first)
		return
	}
	seen[value] = path
}

// checkMember applies the bounds that a file's text is read with to members
// that were not read from text.
func (l *loader) checkMember(path string, m *Member) {
	if !goodMemberName(m.Name) {
		l.faultOnce(path+".name", "is "+describe(m.Name), wantMemberName)
	}
	l.checkNames(path+".permissions", m.Permissions, permissions)
}

// checkNames reports a list with an element that is not among the allowed.
func (l *loader) checkNames(path string, list, allowed []Permission) {
	for _, p := range list {
		if !slices.Contains(allowed, p) {
			l.faultOnce(path, "has "+describe(string(p)), "a list of "+listOf(allowed))
			return
		}
	}
}

// faultOnce reports a fault where reading has not reported that path already.
func (l *loader) faultOnce(path, reason, allowed string) {
	if !l.reported(path) {
		l.fault(path, reason, allowed)
	}
}

// checkKey lets keys that only send and receive be any standard address;
// all others must be able to sign BIP340.
func (l *loader) checkKey(path string, k *MemberKey) {
	if len(k.Roles) == 0 {
		l.faultOnce(path+".roles", "is empty", "a list of "+listOf(roles))
	}
	l.checkNames(path+".roles", k.Roles, roles)
	if k.Script == nil {
		l.faultOnce(path+".identity", "is empty", "an address of this chain")
		return
	}
	version, program, witness := witnessProgram(k.Script)
	if witness && version == 1 && len(program) == 32 {
		if _, err := schnorr.ParsePubKey(program); err != nil {
			l.faultf(path+".identity", "holds no public key: its 32 bytes are no point of the curve")
		}
		return
	}
	if witness && version > 0 {
		l.faultf(path+".identity", "has a form that cannot be an identity: use a taproot address")
		return
	}
	for _, role := range k.Roles {
		if role != PermSend && role != PermReceive {
			l.faultf(path+".identity", "has the role %s, which only a taproot address can have; others can send and receive", role)
			return
		}
	}
}
