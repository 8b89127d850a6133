package addrbook

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"
)

func sample() []*entry {
	return []*entry{
		{addr: Addr{netip.MustParseAddrPort("10.1.2.3:8430"), [32]byte{1, 2, 3}}, source: [32]byte{4},
			seen: time.Unix(1_700_000_000, 0), tried: time.Unix(1_700_000_100, 0), good: time.Unix(1_700_000_050, 0), fails: 2},
		{addr: Addr{AddrPort: netip.MustParseAddrPort("[2001:db8::7]:1")}},
	}
}

// sealed puts the right checksum under a changed file.
func sealed(b []byte) []byte {
	b = b[:len(b)-checksumSize]
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
}

func TestGolden(t *testing.T) {
	text, err := os.ReadFile("testdata/peers.hex")
	if err != nil {
		t.Fatal(err)
	}
	want, err := hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
	if err != nil {
		t.Fatal(err)
	}
	if got := encode(sample()); !bytes.Equal(got, want) {
		t.Errorf("encoding changed:\n%x\nwant\n%x", got, want)
	}
	entries, err := decode(want)
	if err != nil {
		t.Fatal(err)
	}
	if again := encode(entries); !bytes.Equal(again, want) {
		t.Errorf("decoded and encoded:\n%x", again)
	}
}

func TestDecodeRefuses(t *testing.T) {
	change := func(f func([]byte) []byte) []byte { return f(encode(sample())) }
	set := func(offset int, value ...byte) []byte {
		return change(func(b []byte) []byte { copy(b[offset:], value); return sealed(b) })
	}
	for name, data := range map[string][]byte{
		"empty":              nil,
		"too short":          make([]byte, headerSize+checksumSize-1),
		"magic":              set(0, 'X'),
		"version":            set(4, 2),
		"count too large":    set(8, 3),
		"count absurd":       set(8, 0xff, 0xff, 0xff, 0xff),
		"count too small":    set(8, 1),
		"trailing byte":      change(func(b []byte) []byte { return sealed(append(b, 0)) }),
		"cut":                change(func(b []byte) []byte { return sealed(b[:len(b)-1]) }),
		"checksum":           change(func(b []byte) []byte { b[20] ^= 1; return b }),
		"port 0":             set(headerSize+16, 0, 0),
		"unspecified":        set(headerSize+12, 0, 0, 0, 0),
		"negative time":      set(headerSize+89, 0x80),
		"time out of range":  set(headerSize+82+7, 0x7f),
		"same address twice": change(func(b []byte) []byte { copy(b[headerSize+entrySize:], b[headerSize:headerSize+18]); return sealed(b) }),
	} {
		if _, err := decode(data); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(encode(nil))
	f.Add(encode(sample()))
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, err := decode(data)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Fatalf("error of another kind: %v", err)
			}
			// Most inputs fail at the checksum; look behind it as well.
			if len(data) < headerSize+checksumSize {
				return
			}
			if entries, err = decode(sealed(bytes.Clone(data))); err != nil {
				return
			}
			data = sealed(bytes.Clone(data))
		}
		if got := encode(entries); !bytes.Equal(got, data) {
			t.Fatalf("read and written again:\n%x\n%x", data, got)
		}
	})
}
