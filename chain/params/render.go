package params

import (
	"fmt"
	"strings"
)

// Render writes a chain as a chain file: every key with its value and a
// comment, so that nothing is left to a default. Load reads it back to the
// same rules, the same genesis block and the same settings.
func Render(p *Params) []byte {
	w := renderer{p: p}
	w.line("# Chain file of %s. All nodes of the chain need the same [genesis], [pow],", p.Name)
	w.line("# [subsidy], [limits], [deployments], [[exception]] and [permissions]: any")
	w.line("# change there makes another chain.")
	w.line("# Genesis block: %v", p.GenesisHash)
	w.line("# Rules hash:    %x", p.RulesHash)
	w.line("")
	w.line("format = %d", format)
	for _, k := range schema {
		if w.leaves(k.name) {
			continue
		}
		w.enter(k.name)
		w.key(k)
	}
	w.snapshots()
	return []byte(w.b.String())
}

type renderer struct {
	p     *Params
	b     strings.Builder
	table string
}

func (w *renderer) line(form string, args ...any) {
	fmt.Fprintf(&w.b, form+"\n", args...)
}

// leaves reports keys of [genesis] that the file must not have: with a raw
// block all others, else the raw block.
func (w *renderer) leaves(name string) bool {
	if !strings.HasPrefix(name, "genesis.") {
		return false
	}
	return (name == "genesis.raw") != (w.p.Genesis.Raw != nil)
}

// enter starts the table of a key, after the arrays of the one before.
func (w *renderer) enter(name string) {
	table := name[:max(strings.LastIndexByte(name, '.'), 0)]
	if table == w.table {
		return
	}
	w.arrays(w.table)
	w.table = table
	w.line("\n[%s]", table)
}

func (w *renderer) key(k key) {
	if k.doc != "" {
		w.line("# %s", strings.ReplaceAll(k.doc, "\n", "\n# "))
	}
	w.line("%s = %s", k.name[strings.LastIndexByte(k.name, '.')+1:], k.text(k.get(w.p)))
}

// arrays writes the arrays of tables that belong behind a table.
func (w *renderer) arrays(table string) {
	switch table {
	case "genesis":
		for _, a := range w.p.Genesis.Allocations {
			w.line("\n[[genesis.allocation]]\naddress = %s\namount = %s", quote(a.Address), grouped(a.Amount))
		}
		for _, m := range w.p.Genesis.Members {
			w.member(&m)
		}
	case "deployments":
		for _, hash := range w.p.exceptionBlocks() {
			w.line("\n# Rules that one block of the past broke.")
			w.line("[[exception]]\nblock = \"%v\"\nrules = %s", hash, quoteList(w.p.Exceptions[hash].names()))
		}
	}
}

func (w *renderer) member(m *Member) {
	w.line("\n[[genesis.member]]\nname = %s", quote(m.Name))
	w.line("permissions = %s\nkeys = [", quoteList(toStrings(m.Permissions)))
	for _, k := range m.Keys {
		w.line("  { identity = %s, roles = %s },", quote(k.Identity), quoteList(toStrings(k.Roles)))
	}
	w.line("]")
}

func (w *renderer) snapshots() {
	for _, s := range w.p.Snapshots {
		w.line("\n[[snapshot]]\nheight = %s\ndigest = \"%x\"", grouped(int64(s.Height)), s.Digest)
	}
}
