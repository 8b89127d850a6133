package params

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// maxFile is the largest chain file that Load looks at, in bytes.
const maxFile = 32 << 20

// Fault is one thing that is wrong with a chain file.
type Fault struct {
	Key     string // full path, such as genesis.member[0].keys[1].roles
	Line    int    // counted from 1; 0 where the key is missing
	Reason  string // what is wrong
	Allowed string // what the value must be; may be empty
}

func (f Fault) String() string {
	var b strings.Builder
	if f.Line > 0 {
		fmt.Fprintf(&b, "line %d: ", f.Line)
	}
	if f.Key != "" {
		b.WriteString(f.Key + ": ")
	}
	b.WriteString(f.Reason)
	if f.Allowed != "" {
		b.WriteString("; must be " + f.Allowed)
	}
	return b.String()
}

// FileError holds everything that is wrong with a chain file, in the order
// of its lines; what is missing comes last.
type FileError struct {
	Name   string // of the file, as given to Load
	Faults []Fault
}

func (e *FileError) Error() string {
	if len(e.Faults) == 1 {
		return fmt.Sprintf("chain file %s: %v", e.Name, e.Faults[0])
	}
	var b strings.Builder
	fmt.Fprintf(&b, "chain file %s: %d faults", e.Name, len(e.Faults))
	for _, f := range e.Faults {
		b.WriteString("\n  " + f.String())
	}
	return b.String()
}

// Load reads a chain file. The name stands in messages only. A fault in the
// file gives a *FileError with all faults; nothing else fails.
//
// Where the file has no genesis.nonce, Load searches one, which takes as
// long as genesis.bits is hard (at most some seconds: harder bits without a
// nonce are a fault).
func Load(data []byte, name string) (*Params, error) {
	l := &loader{p: &Params{}, given: make(map[string]bool), lines: map[string]int{}}
	l.read(data)
	if len(l.faults) > 0 {
		return nil, l.fileError(name)
	}
	return l.p, nil
}

// Build returns the chain that p's exported fields describe, as if they had
// been read from a file: everything is checked, and the genesis block, its
// nonce, the hashes and limits are made anew. Scripts come from addresses, and a magic of
// zeros from the rules hash.
// p itself is not changed. The error is a *FileError without lines.
func Build(p Params) (*Params, error) {
	l := &loader{p: &p, given: make(map[string]bool), lines: map[string]int{}}
	p.Genesis.Allocations = slices.Clone(p.Genesis.Allocations)
	p.Genesis.Members = cloneMembers(p.Genesis.Members)
	p.Permissions.Restricted = withGoverning(p.Permissions.Restricted)
	l.build()
	if len(l.faults) > 0 {
		return nil, l.fileError(cmp.Or(p.Name, "(new)"))
	}
	return l.p, nil
}

// loader turns a file into Params and collects faults on the way.
type loader struct {
	p      *Params
	given  map[string]bool // keys that stand in the file
	lines  map[string]int
	faults []Fault
}

func (l *loader) fault(path, reason, allowed string) {
	l.faults = append(l.faults, Fault{Key: path, Line: l.lines[path], Reason: reason, Allowed: allowed})
}

func (l *loader) faultf(path, reason string, args ...any) {
	l.fault(path, fmt.Sprintf(reason, args...), "")
}

func (l *loader) reported(path string) bool {
	return slices.ContainsFunc(l.faults, func(f Fault) bool { return f.Key == path })
}

func (l *loader) fileError(name string) *FileError {
	slices.SortStableFunc(l.faults, func(a, b Fault) int {
		if (a.Line == 0) != (b.Line == 0) {
			return cmp.Compare(b.Line, a.Line)
		}
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Key, b.Key))
	})
	return &FileError{Name: name, Faults: l.faults}
}

func (l *loader) read(data []byte) {
	if len(data) > maxFile {
		l.faultf("", "the file has %d bytes, at most %d are read", len(data), maxFile)
		return
	}
	t, syntax := parseTree(data)
	if syntax != nil {
		l.faults = append(l.faults, *syntax)
		return
	}
	l.lines = t.lines
	l.format(t.root["format"])
	arrays := make(map[string][]any)
	l.table("", t.root, arrays)
	if _, ok := t.root["name"]; !ok {
		l.fault("name", "is missing", schema[0].want)
	}
	l.defaults(early)
	l.arrays(arrays)
	l.defaults(late)
	if l.p.Genesis.Raw != nil {
		l.rawGenesis()
	}
	if len(l.faults) > 0 {
		l.check() // more to report; the genesis block cannot be built
		return
	}
	l.finish()
}

// build is what read does once the fields are filled.
func (l *loader) build() {
	l.given["network.magic"] = l.p.Network.Magic != [4]byte{}
	for _, k := range schema {
		if k.stage == last || k.name == "genesis.raw" && l.p.Genesis.Raw == nil {
			continue
		}
		// Through text and back, so that no bound is written twice.
		if v := k.get(l.p); !k.accepts(v) {
			l.fault(k.name, "is "+k.text(v), k.want)
		}
	}
	l.decodeAddresses()
	if l.p.Genesis.Raw != nil {
		l.rawGenesis()
	}
	if len(l.faults) > 0 {
		l.check()
		return
	}
	l.finish()
}

// finish makes everything that follows from the fields.
func (l *loader) finish() {
	l.p.Limits.derive()
	l.check()
	if len(l.faults) > 0 {
		return
	}
	l.p.RulesHash = l.p.rulesHash()
	l.genesis()
	l.defaults(last)
	l.seeds()
}

func (l *loader) format(v any) {
	n, ok := v.(int64)
	switch {
	case v == nil:
		l.fault("format", "is missing", "1")
	case !ok || n < 1:
		l.fault("format", "is no format number", "1")
	case n > format:
		l.faultf("format", "is %d; this version knows format 1: use a newer version", n)
	}
}

// arrayTables are the keys that hold arrays of tables.
var arrayTables = []string{"genesis.allocation", "genesis.member", "exception", "snapshot"}

// table reads the keys of a table into the fields; arrays of tables are put
// aside, because they need the fields.
func (l *loader) table(path string, m map[string]any, arrays map[string][]any) {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		l.entry(join(path, name), m[name], arrays)
	}
}

func (l *loader) entry(path string, v any, arrays map[string][]any) {
	if path == "format" {
		return
	}
	if k, ok := schemaKey(path); ok {
		l.value(k, v)
		return
	}
	if slices.Contains(arrayTables, path) {
		list, ok := v.([]any)
		if !ok {
			l.faultf(path, "must be an array of tables: [[%s]]", path)
		}
		arrays[path] = list
		return
	}
	if !isTable(path) {
		l.fault(path, "is not a key of a chain file"+suggestion(path), "")
		return
	}
	m, ok := v.(map[string]any)
	if !ok {
		l.faultf(path, "must be a table: [%s]", path)
		return
	}
	l.table(path, m, arrays)
}

func isTable(path string) bool {
	inside := func(name string) bool { return strings.HasPrefix(name, path+".") }
	return slices.ContainsFunc(schema, func(k key) bool { return inside(k.name) }) ||
		slices.ContainsFunc(arrayTables, inside)
}

func (l *loader) value(k key, v any) {
	value, ok := k.parse(v)
	if !ok {
		// The default takes its place, so that no other key is blamed for it.
		l.fault(k.name, "is "+describe(v), k.want)
		return
	}
	k.set(l.p, value)
	l.given[k.name] = true
}

// defaults fills the keys of one stage that the file leaves out.
func (l *loader) defaults(s stage) {
	for _, k := range schema {
		if k.stage == s && !l.given[k.name] {
			k.set(l.p, k.def(l.p))
		}
	}
}

// describe shows a value of the file in a message.
func describe(v any) string {
	switch v := v.(type) {
	case string:
		if len(v) > 70 {
			v = v[:60] + "…"
		}
		return fmt.Sprintf("%q", v)
	case map[string]any:
		return "a table"
	case []any:
		return fmt.Sprintf("a list of %d", len(v))
	}
	return fmt.Sprint(v)
}

// suggestion names a key that a mistyped one may have meant: the same key
// in another table, or one that differs in few letters.
func suggestion(path string) string {
	dot := strings.LastIndexByte(path, '.')
	table, name := path[:max(dot, 0)], path[dot+1:]
	best, least := "", 3
	for _, k := range schema {
		if strings.HasSuffix(k.name, "."+name) || k.name == name {
			return "; did you mean " + k.name + "?"
		}
		dot := strings.LastIndexByte(k.name, '.')
		if k.name[:max(dot, 0)] != table {
			continue
		}
		if d := distance(k.name[dot+1:], name); d < least && d <= len(name)/2 {
			best, least = k.name, d
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + best + "?"
}

// distance counts the letters to insert, drop or replace to get from a to b.
func distance(a, b string) int {
	if len(b) > 64 {
		return len(b)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
