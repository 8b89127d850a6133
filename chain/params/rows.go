package params

import (
	"encoding/hex"
	"maps"
	"slices"
	"strings"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// row reads one element of an array of tables.
type row struct {
	l    *loader
	path string
	m    map[string]any
	seen map[string]bool
}

// rows calls read for each element of an array that is a table.
func (l *loader) rows(path string, list []any, read func(row)) {
	for i, e := range list {
		at := index(path, i)
		m, ok := e.(map[string]any)
		if !ok {
			l.fault(at, "is "+describe(e), "a table")
			continue
		}
		r := row{l: l, path: at, m: m, seen: make(map[string]bool)}
		read(r)
		r.end()
	}
}

// fault reports a fault of a key; without a key, of the whole element.
func (r *row) fault(name, reason, allowed string) {
	path := r.path
	if name != "" {
		path = join(path, name)
	}
	line := r.l.lines[path]
	if line == 0 {
		line = r.l.lines[r.path] // the key is missing: name its element
	}
	r.l.faults = append(r.l.faults, Fault{Key: path, Line: line, Reason: reason, Allowed: allowed})
}

// get returns the value of a key that must be there.
func (r *row) get(name, want string) (any, bool) {
	r.seen[name] = true
	v, ok := r.m[name]
	if !ok {
		r.fault(name, "is missing", want)
	}
	return v, ok
}

func (r *row) text(name, want string, good func(string) bool) string {
	v, ok := r.get(name, want)
	if !ok {
		return ""
	}
	s, ok := v.(string)
	if !ok || !good(s) {
		r.fault(name, "is "+describe(v), want)
		return ""
	}
	return s
}

func (r *row) number(name string, lo, hi int64) int64 {
	want := between(lo, hi)
	v, ok := r.get(name, want)
	if !ok {
		return 0
	}
	n, ok := v.(int64)
	if !ok || n < lo || n > hi {
		r.fault(name, "is "+describe(v), want)
		return 0
	}
	return n
}

func (r *row) set(name string, allowed []Permission) []Permission {
	want := "a list of " + listOf(allowed)
	v, ok := r.get(name, want)
	if !ok {
		return nil
	}
	set, ok := parseSet(v, allowed)
	if !ok {
		r.fault(name, "is "+describeList(v), want)
		return nil
	}
	return toPermissions(set)
}

// describeList shows a list of texts in full, anything else as describe.
func describeList(v any) string {
	list, ok := v.([]any)
	if !ok || len(list) > 16 {
		return describe(v)
	}
	parts := make([]string, len(list))
	for i, e := range list {
		parts[i] = describe(e)
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// end reports the keys that nobody asked for.
func (r *row) end() {
	for _, name := range slices.Sorted(maps.Keys(r.m)) {
		if !r.seen[name] {
			r.fault(name, "is not a key of this table", "")
		}
	}
}

func isHash(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == chainhash.HashSize
}

const wantHash = "64 hexadecimal digits"

// arrays reads the arrays of tables. Address prefixes are known by now.
func (l *loader) arrays(arrays map[string][]any) {
	g := &l.p.Genesis
	l.rows("genesis.allocation", arrays["genesis.allocation"], func(r row) {
		g.Allocations = append(g.Allocations, Allocation{
			Address: r.text("address", "an address of this chain", notEmpty),
			Amount:  r.number("amount", 1, MaxAmount),
		})
	})
	l.rows("genesis.member", arrays["genesis.member"], func(r row) {
		g.Members = append(g.Members, l.member(r))
	})
	l.decodeAddresses()
	l.rows("exception", arrays["exception"], l.exception)
	l.rows("snapshot", arrays["snapshot"], func(r row) {
		s := Snapshot{Height: int32(r.number("height", 1, maxHeight))}
		digest := r.text("digest", wantHash, isHash)
		hex.Decode(s.Digest[:], []byte(digest)) // its form is checked
		l.p.Snapshots = append(l.p.Snapshots, s)
	})
}

func notEmpty(s string) bool { return s != "" }

func (l *loader) member(r row) Member {
	m := Member{
		Name:        r.text("name", wantMemberName, goodMemberName),
		Permissions: r.set("permissions", permissions),
	}
	v, ok := r.get("keys", "a list of {identity, roles}")
	if !ok {
		return m
	}
	list, ok := v.([]any)
	if !ok {
		r.fault("keys", "is "+describe(v), "a list of {identity, roles}")
		return m
	}
	l.rows(join(r.path, "keys"), list, func(r row) {
		m.Keys = append(m.Keys, MemberKey{
			Identity: r.text("identity", "an address of this chain", notEmpty),
			Roles:    r.set("roles", roles),
		})
	})
	return m
}

const wantMemberName = "1 to 32 of a-z, 0-9, dot and hyphen"

func goodMemberName(s string) bool {
	return s != "" && len(s) <= 32 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789.-") == ""
}

// exceptionRules names the rules that can be switched off for one block.
var exceptionRules = []Permission{"bip16", "bip30", "taproot"}

func (l *loader) exception(r row) {
	text := r.text("block", wantHash, isHash)
	rules := r.set("rules", exceptionRules)
	if text == "" || rules == nil {
		return
	}
	hash, err := chainhash.NewHashFromStr(text)
	if err != nil {
		r.fault("block", "is "+describe(text), wantHash)
		return
	}
	if _, twice := l.p.Exceptions[*hash]; twice {
		r.fault("block", "has an exception already", "")
		return
	}
	if len(rules) == 0 {
		r.fault("rules", "is empty", "a list of "+listOf(exceptionRules))
		return
	}
	if l.p.Exceptions == nil {
		l.p.Exceptions = make(map[chainhash.Hash]Exception)
	}
	l.p.Exceptions[*hash] = Exception{
		BIP16:   slices.Contains(rules, "bip16"),
		BIP30:   slices.Contains(rules, "bip30"),
		Taproot: slices.Contains(rules, "taproot"),
	}
}

// decodeAddresses turns the addresses of allocations and members into
// scripts.
func (l *loader) decodeAddresses() {
	decode := func(path, addr string) []byte {
		if addr == "" {
			return nil // reported where it was read
		}
		script, fault := l.p.Address.decode(addr)
		if fault != nil {
			fault.Text = addr
			l.fault(path, fault.Error(), "")
		}
		return script
	}
	for i := range l.p.Genesis.Allocations {
		a := &l.p.Genesis.Allocations[i]
		a.Script = decode(index("genesis.allocation", i)+".address", a.Address)
	}
	for i := range l.p.Genesis.Members {
		keys := l.p.Genesis.Members[i].Keys
		for j := range keys {
			path := keyPath(i, j) + ".identity"
			keys[j].Script = decode(path, keys[j].Identity)
		}
	}
}

func memberPath(i int) string { return index("genesis.member", i) }
func keyPath(i, j int) string { return index(memberPath(i)+".keys", j) }
