package keystore

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// cheap are costs for tests.
var cheap = Params{Passes: 1, MemoryKiB: 8, Lanes: 1}

// counter stands for randomness, so that results are the same each time.
type counter struct{ n byte }

func (c *counter) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = c.n
		c.n++
	}
	return len(b), nil
}

func seal(t testing.TB, secret, passphrase string, p Params) []byte {
	t.Helper()
	file, err := Seal([]byte(secret), []byte(passphrase), p, &counter{})
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func TestSealOpen(t *testing.T) {
	for _, secret := range []string{"s", strings.Repeat("seed", 8), strings.Repeat("x", MaxSecret)} {
		file := seal(t, secret, "pass", cheap)
		if len(file) > MaxSize || bytes.Contains(file, []byte(secret)) && len(secret) > 1 {
			t.Errorf("%d bytes; the secret shows", len(file))
		}
		got, err := Open(file, []byte("pass"))
		if err != nil || string(got) != secret {
			t.Errorf("opened %q, %v", got, err)
		}
		for _, wrong := range []string{"", "pas", "Pass", "pass "} {
			if got, err := Open(file, []byte(wrong)); !errors.Is(err, ErrPassphrase) || got != nil {
				t.Errorf("passphrase %q: %q, %v", wrong, got, err)
			}
		}
	}
}

// TestGolden fixes the format: this file must open for ever.
func TestGolden(t *testing.T) {
	want, err := os.ReadFile(filepath.Join("testdata", "golden.hex"))
	if err != nil {
		t.Fatal(err)
	}
	file := seal(t, "thirty-two bytes of wallet seed!", "correct horse", cheap)
	if got := hex.EncodeToString(file); got != strings.TrimSpace(string(want)) {
		t.Errorf("format changed:\n got %s\nwant %s", got, want)
	}
}

// resum gives a changed file a fitting checksum, as an attacker would.
func resum(file []byte) []byte {
	body := file[:len(file)-sumSize]
	sum := sha256.Sum256(body)
	return append(bytes.Clone(body), sum[:]...)
}

func TestTamper(t *testing.T) {
	file := seal(t, "seed", "pass", cheap)
	for i := range file {
		bad := bytes.Clone(file)
		bad[i] ^= 1
		var format *FormatError
		if got, err := Open(bad, []byte("pass")); !errors.As(err, &format) {
			t.Errorf("byte %d flipped: %q, %v; want a format error", i, got, err)
		}
		if i >= len(file)-sumSize {
			continue
		}
		bad = resum(bad)
		if got, err := Open(bad, []byte("pass")); err == nil {
			t.Errorf("byte %d flipped with a new checksum: opened %q", i, got)
		}
	}
	for n := range file {
		if _, err := Open(file[:n], []byte("pass")); err == nil {
			t.Errorf("cut to %d bytes: opened", n)
		}
	}
	if _, err := Open(append(bytes.Clone(file), 0), []byte("pass")); err == nil {
		t.Error("trailing byte accepted")
	}
}

func TestCostBounds(t *testing.T) {
	tests := []struct {
		name string
		p    Params
		ok   bool
	}{
		{"least", Params{1, 8, 1}, true},
		{"no pass", Params{0, 8, 1}, false},
		{"most passes", Params{64, 8, 1}, true},
		{"too many passes", Params{65, 8, 1}, false},
		{"no lane", Params{1, 8, 0}, false},
		{"most lanes", Params{1, 128, 16}, true},
		{"too many lanes", Params{1, 256, 17}, false},
		{"too little memory", Params{1, 7, 1}, false},
		{"too little memory for the lanes", Params{1, 31, 4}, false},
		{"most memory", Params{1, 1 << 20, 1}, true},
		{"too much memory", Params{1, 1<<20 + 1, 1}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := seal(t, "seed", "pass", cheap)
			binary.LittleEndian.PutUint32(file[12:], tt.p.Passes)
			binary.LittleEndian.PutUint32(file[16:], tt.p.MemoryKiB)
			file[20] = tt.p.Lanes
			if _, err := parse(resum(file)); (err == nil) != tt.ok {
				t.Errorf("read: %v", err)
			}
			if err := tt.p.check(); (err == nil) != tt.ok {
				t.Errorf("written: %v", err)
			}
		})
	}
	if err := DefaultParams().check(); err != nil {
		t.Error(err)
	}
}

func TestSealRefuses(t *testing.T) {
	for name, try := range map[string]func() ([]byte, error){
		"no secret":     func() ([]byte, error) { return Seal(nil, []byte("p"), cheap, &counter{}) },
		"long secret":   func() ([]byte, error) { return Seal(make([]byte, MaxSecret+1), []byte("p"), cheap, &counter{}) },
		"no passphrase": func() ([]byte, error) { return Seal([]byte("s"), nil, cheap, &counter{}) },
		"costs":         func() ([]byte, error) { return Seal([]byte("s"), []byte("p"), Params{}, &counter{}) },
		"no randomness": func() ([]byte, error) { return Seal([]byte("s"), []byte("p"), cheap, bytes.NewReader(nil)) },
	} {
		if got, err := try(); err == nil {
			t.Errorf("%s: sealed to %x", name, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	file := seal(f, "seed", "pass", cheap)
	f.Add(file)
	f.Add(file[:headerSize])
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, b []byte) {
		// Only the part before the passphrase: the rest is Argon2id, whose
		// costs come from the header and would make this slow.
		p, err := parse(b)
		if err == nil && (p.check() != nil || len(b) > MaxSize) {
			t.Errorf("accepted %+v in %d bytes", p, len(b))
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	file := seal(b, "seed", "pass", DefaultParams())
	for b.Loop() {
		if _, err := Open(file, []byte("pass")); err != nil {
			b.Fatal(err)
		}
	}
}
