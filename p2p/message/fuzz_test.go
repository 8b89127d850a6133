package message

import (
	"bytes"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
)

func leafBranch() []chainhash.Hash { return nil }

func doubleHash(parts ...[]byte) chainhash.Hash {
	return chainhash.DoubleHashH(bytes.Join(parts, nil))
}

// FuzzDecode feeds every decoder: no panic, memory in proportion to the
// payload, and what is accepted has exactly the encoding that came in.
func FuzzDecode(f *testing.F) {
	for _, m := range samples() {
		payload, err := Encode(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(byte(m.Type()), payload)
	}
	f.Add(byte(TypeTx), []byte("\x02\x00\x00\x00\xfe\x80\x96\x98\x00"))
	f.Add(byte(TypeBlock), append(make([]byte, 80), 0xff, 0, 0, 0, 0, 1, 0, 0, 0))
	l := testLimits()
	f.Fuzz(func(t *testing.T, typ byte, payload []byte) {
		kept := bytes.Clone(payload)
		m, err := Decode(Type(typ), payload, l)
		if err != nil {
			return
		}
		again, err := Encode(m)
		if err != nil {
			t.Fatalf("%s: decoded, but not encoded: %v", Type(typ), err)
		}
		if !bytes.Equal(again, kept) {
			t.Fatalf("%s: %x was encoded as %x", Type(typ), kept, again)
		}
	})
}

// FuzzMeasure: what scan accepts is measured to the same length.
func FuzzMeasure(f *testing.F) {
	f.Add(serialized(sampleTx()))
	f.Add(serialized(sampleTx([]byte{1, 2}, nil)))
	l := testLimits()
	f.Fuzz(func(t *testing.T, b []byte) {
		size, mem, err := measureTx(b)
		if err == nil && (size > len(b) || size < minTx || mem < int64(size)) {
			t.Fatalf("measured %d bytes, %d of memory, of %d", size, mem, len(b))
		}
		if _, decodeErr := Decode(TypeTx, bytes.Clone(b), l); decodeErr == nil && (err != nil || size != len(b)) {
			t.Fatalf("decoded, but measured %d of %d bytes, %v", size, len(b), err)
		}
	})
}
