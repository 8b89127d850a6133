package params

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
)

// key describes one key of the chain file that is not an array of tables:
// how it is read, bounded, defaulted, written and hashed.
//
// A value is an int64, a bool, a string, a []byte or a []string (a set:
// sorted, each once).
type key struct {
	name   string // with its table: pow.spacing
	doc    string // for people; lines separated by \n
	want   string // what a value must be
	hashed bool   // part of the rules hash
	stage  stage  // when its default can be told

	parse func(v any) (value any, ok bool) // from what TOML decodes to
	text  func(value any) string           // to TOML
	get   func(p *Params) any
	set   func(p *Params, value any)
	def   func(p *Params) any // the default, given the other keys; pure
}

// stage orders the keys whose defaults follow from others.
type stage int

const (
	early stage = iota // needs keys above it in the schema only
	late               // needs keys below it, or the arrays of tables
	last               // needs the rules hash
)

// accepts reports whether a value that did not come from a file would be
// read back as it is.
func (k *key) accepts(value any) bool {
	var root map[string]any
	if err := toml.Unmarshal([]byte("x = "+k.text(value)), &root); err != nil {
		return false
	}
	_, ok := k.parse(root["x"])
	return ok
}

type integer interface {
	~uint8 | ~uint16 | ~uint32 | ~int32 | ~int64 | ~int
}

// number is a whole number from lo to hi.
func number[T integer](name string, lo, hi int64, at func(*Params) *T, def func(*Params) int64, doc string) key {
	return key{
		name: name, doc: doc, want: between(lo, hi),
		parse: func(v any) (any, bool) {
			n, ok := v.(int64)
			return n, ok && n >= lo && n <= hi
		},
		text: func(v any) string { return grouped(v.(int64)) },
		get:  func(p *Params) any { return int64(*at(p)) },
		set:  func(p *Params, v any) { *at(p) = T(v.(int64)) },
		def:  func(p *Params) any { return def(p) },
	}
}

// ungrouped writes a number that is a name rather than a quantity without
// underscores.
func ungrouped(k key) key {
	k.text = func(v any) string { return strconv.FormatInt(v.(int64), 10) }
	return k
}

// seconds is a duration in whole seconds.
func seconds(name string, lo, hi int64, at func(*Params) *time.Duration, def func(*Params) int64, doc string) key {
	k := number(name, lo, hi, func(*Params) *int64 { return nil }, def, doc)
	k.want = "seconds, a " + k.want
	k.get = func(p *Params) any { return int64(*at(p) / time.Second) }
	k.set = func(p *Params, v any) { *at(p) = time.Duration(v.(int64)) * time.Second }
	return k
}

// hex32 is a number of 32 bits that people know in hexadecimal.
func hex32(name string, at func(*Params) *uint32, def func(*Params) int64, doc string) key {
	k := number(name, 0, 1<<32-1, at, def, doc)
	k.want = "eight hexadecimal digits as text, or a " + k.want
	whole := k.parse
	k.parse = func(v any) (any, bool) {
		s, ok := v.(string)
		if !ok {
			return whole(v)
		}
		n, err := strconv.ParseUint(s, 16, 32)
		return int64(n), err == nil && len(s) == 8
	}
	k.text = func(v any) string { return fmt.Sprintf(`"%08x"`, v.(int64)) }
	return k
}

func flag(name string, at func(*Params) *bool, doc string) key {
	return key{
		name: name, doc: doc, want: "true or false",
		parse: func(v any) (any, bool) { b, ok := v.(bool); return b, ok },
		text:  func(v any) string { return strconv.FormatBool(v.(bool)) },
		get:   func(p *Params) any { return *at(p) },
		set:   func(p *Params, v any) { *at(p) = v.(bool) },
		def:   func(*Params) any { return false },
	}
}

// words is a text that good accepts.
func words[T ~string](name, want string, good func(string) bool, at func(*Params) *T, def string, doc string) key {
	return key{
		name: name, doc: doc, want: want,
		parse: func(v any) (any, bool) { s, ok := v.(string); return s, ok && good(s) },
		text:  func(v any) string { return quote(v.(string)) },
		get:   func(p *Params) any { return string(*at(p)) },
		set:   func(p *Params, v any) { *at(p) = T(v.(string)) },
		def:   func(*Params) any { return def },
	}
}

// hexBytes is a string of hexadecimal digits for lo to hi bytes.
func hexBytes(name, want string, lo, hi int, get func(*Params) []byte, set func(*Params, []byte),
	def func(*Params) []byte, doc string) key {
	return key{
		name: name, doc: doc, want: want,
		parse: func(v any) (any, bool) {
			s, ok := v.(string)
			if !ok {
				return nil, false
			}
			b, err := hex.DecodeString(s)
			return b, err == nil && len(b) >= lo && len(b) <= hi
		},
		text: func(v any) string { return `"` + hex.EncodeToString(v.([]byte)) + `"` },
		get:  func(p *Params) any { return get(p) },
		set:  func(p *Params, v any) { set(p, v.([]byte)) },
		def:  func(p *Params) any { return def(p) },
	}
}

// permissionSet is a list of permission names in which order and
// repetition mean nothing.
func permissionSet(name string, at func(*Params) *[]Permission, def func(*Params) []Permission, doc string) key {
	return key{
		name: name, doc: doc, want: "a list of " + listOf(permissions),
		parse: func(v any) (any, bool) {
			set, ok := parseSet(v, permissions)
			return set, ok
		},
		text: func(v any) string { return quoteList(v.([]string)) },
		get:  func(p *Params) any { return toStrings(*at(p)) },
		set:  func(p *Params, v any) { *at(p) = toPermissions(v.([]string)) },
		def:  func(p *Params) any { return toStrings(def(p)) },
	}
}

// parseSet reads a list whose elements are among the allowed names, and
// returns it sorted, each once.
func parseSet(v any, allowed []Permission) ([]string, bool) {
	list, ok := v.([]any)
	if !ok {
		return nil, false
	}
	set := make([]string, 0, len(list))
	for _, e := range list {
		s, ok := e.(string)
		if !ok || !slices.Contains(allowed, Permission(s)) {
			return nil, false
		}
		set = append(set, s)
	}
	slices.Sort(set)
	return slices.Compact(set), true
}

func toStrings(list []Permission) []string {
	out := make([]string, len(list))
	for i, p := range list {
		out[i] = string(p)
	}
	return out
}

func toPermissions(list []string) []Permission {
	out := make([]Permission, len(list))
	for i, s := range list {
		out[i] = Permission(s)
	}
	return out
}

func between(lo, hi int64) string {
	return "whole number from " + plain(lo) + " to " + plain(hi)
}

// plain writes a number for people, with commas between thousands.
func plain(n int64) string { return strings.ReplaceAll(grouped(n), "_", ",") }

// grouped writes a number for TOML, with underscores between thousands.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	start := 0
	if n < 0 {
		start = 1
	}
	for i := len(s) - 3; i > start; i -= 3 {
		s = s[:i] + "_" + s[i:]
	}
	return s
}

func listOf(names []Permission) string { return strings.Join(toStrings(names), ", ") }

// quote writes a text as a TOML basic string.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func quoteList(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = quote(s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
