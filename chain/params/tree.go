package params

import (
	"errors"
	"fmt"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// tree is a decoded TOML file with the line of every key.
type tree struct {
	root  map[string]any
	lines map[string]int // by path: genesis.member[0].keys[1].identity
}

// parseTree decodes TOML. The fault is about syntax: TOML stops at the
// first one.
func parseTree(data []byte) (*tree, *Fault) {
	t := &tree{}
	err := toml.Unmarshal(data, &t.root)
	w := walkLines(data)
	t.lines = w.lines
	if err == nil {
		return t, nil
	}
	fault := &Fault{Reason: strings.TrimPrefix(err.Error(), "toml: ")}
	var syntax *toml.DecodeError
	if errors.As(err, &syntax) {
		fault.Line, _ = syntax.Position()
		fault.Key = w.keyAt(fault.Line, data)
		if k, ok := schemaKey(fault.Key); ok {
			fault.Allowed = k.want
		}
	}
	return nil, fault
}

// keyAt returns the key on a line: the longest path that starts there, or
// where the walk stopped before it, what stands before the equals sign.
func (w *lineWalker) keyAt(line int, data []byte) string {
	var found string
	for path, at := range w.lines {
		if at == line && (len(path) > len(found) || len(path) == len(found) && path < found) {
			found = path
		}
	}
	text := strings.Split(string(data), "\n")
	if found != "" || line < 1 || line > len(text) {
		return found
	}
	name, _, _ := strings.Cut(text[line-1], "=")
	name = strings.TrimSpace(name)
	if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_.") != "" {
		return ""
	}
	return join(w.table, name)
}

// walkLines walks over the file and notes where each key stands. It stops
// where the syntax is wrong.
func walkLines(data []byte) *lineWalker {
	var p unstable.Parser
	p.Reset(data)
	w := &lineWalker{parser: &p, lines: make(map[string]int), counts: make(map[string]int)}
	for p.NextExpression() {
		e := p.Expression()
		switch e.Kind {
		case unstable.Table:
			w.table = w.key("", e.Key(), false)
		case unstable.ArrayTable:
			w.table = w.key("", e.Key(), true)
		case unstable.KeyValue:
			w.keyValue(w.table, e)
		}
	}
	return w
}

type lineWalker struct {
	parser *unstable.Parser
	lines  map[string]int
	counts map[string]int // elements so far of each array of tables
	table  string         // path of the table that is being filled
	last   int            // line of the last key
}

// key notes a dotted key and returns its path. Inside an array of tables
// it continues the newest element; element says that it starts a new one.
func (w *lineWalker) key(path string, keys unstable.Iterator, element bool) string {
	for keys.Next() {
		node := keys.Node()
		w.last = w.parser.Shape(node.Raw).Start.Line
		path = join(path, string(node.Data))
		if element && keys.IsLast() {
			w.counts[path]++
		}
		w.note(path)
		if n := w.counts[path]; n > 0 {
			path = index(path, n-1)
			w.note(path)
		}
	}
	return path
}

func (w *lineWalker) note(path string) {
	if _, ok := w.lines[path]; !ok {
		w.lines[path] = w.last
	}
}

func (w *lineWalker) keyValue(table string, e *unstable.Node) {
	path := w.key(table, e.Key(), false)
	w.value(path, e.Value())
}

func (w *lineWalker) value(path string, v *unstable.Node) {
	children := v.Children()
	switch v.Kind {
	case unstable.InlineTable:
		for children.Next() {
			w.keyValue(path, children.Node())
		}
	case unstable.Array:
		for i := 0; children.Next(); {
			child := children.Node()
			if child.Kind == unstable.Comment {
				continue
			}
			if child.Raw.Length > 0 {
				w.last = w.parser.Shape(child.Raw).Start.Line
			}
			element := index(path, i)
			w.note(element)
			w.value(element, child)
			i++
		}
	}
}

func join(table, key string) string {
	if table == "" {
		return key
	}
	return table + "." + key
}

func index(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }
