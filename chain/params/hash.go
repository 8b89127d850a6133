package params

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"reflect"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// rulesHash commits to the format number and every consensus key that is
// not at its default (doc.go has the bytes).
func (p *Params) rulesHash() [32]byte {
	pairs := make(map[string][]byte)
	for _, k := range schema {
		if !k.hashed {
			continue
		}
		if v := k.get(p); !sameValue(v, k.def(p)) {
			pairs[k.name] = hashForm(v)
		}
	}
	for name, b := range map[string][]byte{
		"genesis.allocation": p.allocationsForm(),
		"genesis.member":     p.membersForm(),
		"exception":          p.exceptionsForm(),
	} {
		if b != nil {
			pairs[name] = b
		}
	}
	b := binary.LittleEndian.AppendUint32(nil, format)
	for _, name := range slices.Sorted(maps.Keys(pairs)) {
		b = appendBytes(b, []byte(name))
		b = appendBytes(b, pairs[name])
	}
	return sha256.Sum256(b)
}

func sameValue(a, b any) bool {
	if x, ok := a.([]byte); ok {
		return bytes.Equal(x, b.([]byte))
	}
	if x, ok := a.([]string); ok {
		return slices.Equal(x, b.([]string))
	}
	return reflect.DeepEqual(a, b)
}

// hashForm encodes the value of a key.
func hashForm(v any) []byte {
	switch v := v.(type) {
	case int64:
		return binary.LittleEndian.AppendUint64(nil, uint64(v))
	case bool:
		if v {
			return []byte{1}
		}
		return []byte{0}
	case string:
		return []byte(v)
	case []byte:
		return v
	case []string:
		return appendNames(nil, v)
	}
	panic("params: a key has a value of unknown type") // the schema's own mistake
}

func appendCount(b []byte, n int) []byte {
	return binary.LittleEndian.AppendUint32(b, uint32(n))
}

func appendBytes(b, s []byte) []byte { return append(appendCount(b, len(s)), s...) }

func appendNames(b []byte, names []string) []byte {
	b = appendCount(b, len(names))
	for _, s := range names {
		b = appendBytes(b, []byte(s))
	}
	return b
}

func (p *Params) allocationsForm() []byte {
	if len(p.Genesis.Allocations) == 0 {
		return nil
	}
	b := appendCount(nil, len(p.Genesis.Allocations))
	for _, a := range p.Genesis.Allocations {
		b = appendBytes(b, a.Script)
		b = binary.LittleEndian.AppendUint64(b, uint64(a.Amount))
	}
	return b
}

func (p *Params) membersForm() []byte {
	if len(p.Genesis.Members) == 0 {
		return nil
	}
	b := appendCount(nil, len(p.Genesis.Members))
	for _, m := range p.Genesis.Members {
		b = appendBytes(b, []byte(m.Name))
		b = appendNames(b, toStrings(m.Permissions))
		b = appendCount(b, len(m.Keys))
		for _, k := range m.Keys {
			b = appendBytes(b, k.Script)
			b = appendNames(b, toStrings(k.Roles))
		}
	}
	return b
}

func (p *Params) exceptionsForm() []byte {
	if len(p.Exceptions) == 0 {
		return nil
	}
	b := appendCount(nil, len(p.Exceptions))
	for _, hash := range p.exceptionBlocks() {
		b = append(b, hash[:]...)
		b = appendNames(b, p.Exceptions[hash].names())
	}
	return b
}

// exceptionBlocks lists the blocks with exceptions, sorted by the bytes of
// their hashes.
func (p *Params) exceptionBlocks() []chainhash.Hash {
	return slices.SortedFunc(maps.Keys(p.Exceptions), func(a, b chainhash.Hash) int {
		return bytes.Compare(a[:], b[:])
	})
}

func (e Exception) names() []string {
	var names []string
	for i, on := range []bool{e.BIP16, e.BIP30, e.Taproot} {
		if on {
			names = append(names, string(exceptionRules[i]))
		}
	}
	return names
}
