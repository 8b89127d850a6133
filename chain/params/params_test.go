package params

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"
)

// minimal is the shortest chain file.
const minimal = "format = 1\nname = \"test\"\n"

// unspendable addresses with the default prefixes, for files of tests.
var (
	taprootA = testAddress(1, 0x01)
	taprootB = testAddress(1, 0x02)
	taprootC = testAddress(1, 0x03)
	segwitA  = testAddress(0, 0x01)
)

// testAddress returns an address of 32 bytes with the default prefix. Of
// the taproot ones, the program is the x coordinate of a point: seed is
// that of a small multiple of the generator, picked from a list.
func testAddress(version byte, seed byte) string {
	points := []string{
		"79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
		"c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5",
		"f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9",
	}
	program, err := hex.DecodeString(points[seed-1])
	if err != nil {
		panic(err)
	}
	addr, ok := Address{Bech32HRP: "chr"}.Encode(payToWitness(version, program))
	if !ok {
		panic("no address")
	}
	return addr
}

func mustLoad(t testing.TB, file string) *Params {
	t.Helper()
	p, err := Load([]byte(file), "test.toml")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// vectors returns the contents of a published test vector file.
func vectors(t testing.TB, name string) []byte {
	t.Helper()
	dir := os.Getenv("CHARTER_VECTORS")
	if dir == "" {
		dir = filepath.Join(repositoryRoot(t), "..", "shared", "vectors")
	}
	data, err := os.ReadFile(filepath.Join(dir, name))
	if os.IsNotExist(err) {
		t.Skipf("published vectors %s are not there (set CHARTER_VECTORS)", filepath.Join(dir, name))
	}
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func repositoryRoot(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
}

func TestLimitsOfAnyChain(t *testing.T) {
	tests := []struct {
		weight          int64
		tx              int64
		txs             int
		blockSerialized int64
	}{
		{40_000, 40_000, 166, 40_000},
		{4_000_000, 4_000_000, 16_666, 4_000_000},
		{64_000_000, 4_000_000, 266_666, 64_000_000},
	}
	for _, tt := range tests {
		l := Limits{BlockWeight: tt.weight}
		l.derive()
		if l.TxWeight != tt.tx || l.BlockTxs != tt.txs || l.BlockSerialized != tt.blockSerialized {
			t.Errorf("weight %d: %+v", tt.weight, l)
		}
	}
}

func TestRestricts(t *testing.T) {
	s := Permissions{Enabled: true, Restricted: []Permission{PermMine}}
	for perm, want := range map[Permission]bool{
		PermMine: true, PermSend: false, PermAdmin: true, PermActivate: true, RoleManage: true,
	} {
		if got := s.Restricts(perm); got != want {
			t.Errorf("%s: %v, want %v", perm, got, want)
		}
	}
	s.Enabled = false
	if s.Restricts(PermMine) || s.Restricts(PermAdmin) {
		t.Error("an open chain restricts nothing")
	}
}
