package utxo

import (
	"bytes"
	"encoding/hex"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestVarint has the examples of Bitcoin Core's serialize.h, and the edges.
func TestVarint(t *testing.T) {
	tests := []struct {
		n    uint64
		want string
	}{
		{0, "00"}, {1, "01"}, {127, "7f"}, {128, "8000"}, {255, "807f"}, {256, "8100"},
		{16383, "fe7f"}, {16384, "ff00"}, {16511, "ff7f"}, {65535, "82fe7f"}, {1 << 32, "8efefeff00"},
		{math.MaxUint64, "80fefefefefefefefe7f"},
	}
	for _, tt := range tests {
		b := appendVarint(nil, tt.n)
		if got := hex.EncodeToString(b); got != tt.want {
			t.Errorf("%d: %s, want %s", tt.n, got, tt.want)
		}
		n, rest, err := readVarint(append(b, 0xee))
		if err != nil || n != tt.n || len(rest) != 1 {
			t.Errorf("%d: read back as %d, %d bytes left, %v", tt.n, n, len(rest), err)
		}
	}
	for _, bad := range []string{"", "80", "80fefefefefefefeff00", "ffffffffffffffffffff7f"} {
		if n, _, err := readVarint(unhex(t, bad)); err == nil {
			t.Errorf("%s reads as %d", bad, n)
		}
	}
}

// TestAmount has the examples of Bitcoin Core's compress_tests.cpp, and the
// edges of what is ours.
func TestAmount(t *testing.T) {
	tests := []struct{ n, want uint64 }{
		{0, 0}, {1, 1}, {1000000, 7}, {100000000, 9}, {50 * 100000000, 50}, {21000000 * 100000000, 21000000},
		{plainAmount - 1, 1 + (((plainAmount-1)/10)*9+(plainAmount-1)%10-1)*10},
		{plainAmount + 1, escapeAmount + 1},
		{math.MaxInt64, math.MaxInt64 - plainAmount + escapeAmount},
	}
	for _, tt := range tests {
		got := compressAmount(tt.n)
		if got != tt.want {
			t.Errorf("compressAmount(%d) = %d, want %d", tt.n, got, tt.want)
		}
	}
	for i := range uint64(20000) {
		for _, n := range []uint64{i, i * 1000, i * 100000000, plainAmount - i, plainAmount + i, math.MaxInt64 - i} {
			if back, ok := expandAmount(compressAmount(n)); !ok || back != n {
				t.Fatalf("%d comes back as %d, %v", n, back, ok)
			}
		}
	}
	for _, x := range []uint64{math.MaxUint64, escapeAmount, escapeAmount - 1, math.MaxInt64 - plainAmount + escapeAmount + 1} {
		if n, ok := expandAmount(x); ok {
			t.Errorf("%d expands to %d", x, n)
		}
	}
}

// goldenCoins fix the encoding of a row's value for ever.
var goldenCoins = []struct {
	name   string
	coin   consensus.Coin
	script string
	want   string
}{
	{"p2pkh", consensus.Coin{Amount: 5000000000, Height: 1, Coinbase: true},
		"76a914 0102030405060708090a0b0c0d0e0f1011121314 88ac", "03 32 00 0102030405060708090a0b0c0d0e0f1011121314"},
	{"p2sh", consensus.Coin{Amount: 1, Height: 0},
		"a914 0102030405060708090a0b0c0d0e0f1011121314 87", "00 01 01 0102030405060708090a0b0c0d0e0f1011121314"},
	{"p2pk even", consensus.Coin{Amount: 0, Height: 64},
		"21 02 79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798 ac",
		"8000 00 02 79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"},
	{"p2pk odd", consensus.Coin{Amount: 0, Height: 64},
		"21 03 79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798 ac",
		"8000 00 03 79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"},
	{"p2wpkh", consensus.Coin{Amount: 123456789, Height: 840000},
		"0014 0102030405060708090a0b0c0d0e0f1011121314", "e5c400 8390e7ea3d 04 0102030405060708090a0b0c0d0e0f1011121314"},
	{"p2wsh", consensus.Coin{Amount: 100, Height: 2, Coinbase: true},
		"0020 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
		"05 03 05 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"},
	{"p2tr", consensus.Coin{Amount: math.MaxInt64, Height: math.MaxInt32, Coinbase: true},
		"5120 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
		"8efefefe7f 80befefefefefefeff0f 06 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"},
	{"empty", consensus.Coin{Amount: 2, Height: 3}, "", "06 0b 07"},
	{"other", consensus.Coin{Amount: 10, Height: 3}, "51", "06 02 08 51"},
	{"witness version 2", consensus.Coin{Amount: 10, Height: 3}, "5202aabb", "06 02 0b 5202aabb"},
	{"p2wpkh with a byte more", consensus.Coin{Amount: 10, Height: 3},
		"0014 0102030405060708090a0b0c0d0e0f1011121314 00", "06 02 1e 0014 0102030405060708090a0b0c0d0e0f1011121314 00"},
}

func TestGoldenCoins(t *testing.T) {
	for _, tt := range goldenCoins {
		tt.coin.Script = unhex(t, tt.script)
		want := unhex(t, tt.want)
		if got := appendCoin(nil, &tt.coin); !bytes.Equal(got, want) {
			t.Errorf("%s: encodes as %x, want %x", tt.name, got, want)
			continue
		}
		back, err := decodeCoin(want, new(byteSlab))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		} else if diff := cmp.Diff(tt.coin, back); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
		for n := range want {
			if _, err := decodeCoin(want[:n], new(byteSlab)); err == nil {
				t.Errorf("%s: the first %d bytes decode", tt.name, n)
			}
		}
		if _, err := decodeCoin(append(want, 0), new(byteSlab)); err == nil {
			t.Errorf("%s: decodes with a byte more", tt.name)
		}
	}
}

func TestDecodeCoinRefuses(t *testing.T) {
	long := append([]byte{0, 0}, appendVarint(nil, uint64(len(templates))+maxScript+1)...)
	tests := map[string][]byte{
		"height above 2^31-1":       unhex(t, "8efefeff00 00 07"),
		"amount in a longer form":   append([]byte{0}, append(appendVarint(nil, escapeAmount-1), 7)...),
		"p2wpkh written in full":    unhex(t, "00 00 1d 0014 0102030405060708090a0b0c0d0e0f1011121314"),
		"script above 10,000 bytes": append(long, make([]byte, maxScript+1)...),
	}
	for name, b := range tests {
		if c, err := decodeCoin(b, new(byteSlab)); err == nil {
			t.Errorf("%s: decodes as %v", name, c)
		}
	}
	ok := consensus.Coin{Script: make([]byte, maxScript), Height: math.MaxInt32, Amount: math.MaxInt64}
	b := appendCoin(nil, &ok)
	if _, err := decodeCoin(b, new(byteSlab)); err != nil || len(b) > maxCoinValue {
		t.Errorf("largest coin of %d bytes: %v", len(b), err)
	}
}

func TestUnspendable(t *testing.T) {
	tests := []struct {
		name   string
		script []byte
		want   bool
	}{
		{"empty", nil, false},
		{"return", []byte{0x6a}, true},
		{"return later", []byte{0x51, 0x6a}, false},
		{"10,000 bytes", make([]byte, 10000), false},
		{"10,001 bytes", make([]byte, 10001), true},
	}
	for _, tt := range tests {
		if got := Unspendable(tt.script); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

func TestKeys(t *testing.T) {
	op := wire.OutPoint{Hash: [32]byte{0: 1, 31: 2}}
	var last []byte
	for _, tt := range []struct {
		index uint32
		want  string
	}{
		{0, "00"}, {252, "fc"}, {253, "fd00fd"}, {255, "fd00ff"}, {256, "fd0100"}, {65535, "fdffff"},
		{65536, "fe00010000"}, {math.MaxUint32, "feffffffff"},
	} {
		op.Index = tt.index
		key := appendKey(nil, &op)
		if got := hex.EncodeToString(key[33:]); got != tt.want || key[0] != 'C' || key[1] != 1 || len(key) > maxKey {
			t.Errorf("%d: key %x", tt.index, key)
		}
		if bytes.Compare(last, key) >= 0 {
			t.Errorf("%d: key does not come after the one before", tt.index)
		}
		if back, err := decodeKey(key); err != nil || back != op {
			t.Errorf("%d: comes back as %v, %v", tt.index, back, err)
		}
		last = key
	}
	head := strings.Repeat("00", 32)
	for _, bad := range []string{"", "43", "43" + head, "44" + head + "00", "43" + head + "fd00fc", "43" + head + "fe0000ffff",
		"43" + head + "ff", "43" + head + "0000", "43" + head + "fd01", "43" + head + "fe010000"} {
		if op, err := decodeKey(unhex(t, bad)); err == nil {
			t.Errorf("key %s decodes as %v", bad, op)
		}
	}
}

func TestUndoGolden(t *testing.T) {
	coins := make([]consensus.Coin, len(goldenCoins))
	for i, g := range goldenCoins {
		coins[i] = g.coin
		coins[i].Script = unhex(t, g.script)
	}
	spent := [][]consensus.Coin{coins[:1], {}, coins[7:9]}
	want := unhex(t, "03 01 03320 00102030405060708090a0b0c0d0e0f1011121314 00 02 060b07 06020851")
	got := EncodeUndo(spent)
	if !bytes.Equal(got, want) {
		t.Fatalf("%x, want %x", got, want)
	}
	back, err := DecodeUndo(got, []int{1, 0, 2})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(spent, back); diff != "" {
		t.Error(diff)
	}
	for _, inputs := range [][]int{nil, {1, 0}, {1, 0, 1}, {1, 0, 3}, {1, 0, 2, 0}, {0, 1, 2}} {
		if _, err := DecodeUndo(got, inputs); err == nil {
			t.Errorf("fits a block with inputs %v", inputs)
		}
	}
	if _, err := DecodeUndo(append(got, 0), []int{1, 0, 2}); err == nil {
		t.Error("decodes with a byte more")
	}
	// A count that cannot fit must not be allocated.
	huge := appendVarint(appendVarint(nil, 1), 1<<40)
	if _, err := DecodeUndo(huge, []int{1 << 40}); err == nil {
		t.Error("announced coins without bytes decode")
	}
}

func FuzzDecodeCoin(f *testing.F) {
	for _, g := range goldenCoins {
		f.Add(unhex(f, g.want))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		coin, err := decodeCoin(b, new(byteSlab))
		if err != nil {
			return
		}
		if again := appendCoin(nil, &coin); !bytes.Equal(again, b) {
			t.Fatalf("%x decodes, but encodes as %x", b, again)
		}
	})
}

func FuzzDecodeUndo(f *testing.F) {
	f.Add([]byte{3, 1, 6, 0xb, 7, 0, 2, 6, 0xb, 7, 6, 2, 8, 0x51}, uint8(1), uint8(0), uint8(2))
	f.Add([]byte{3, 0, 0, 0}, uint8(0), uint8(0), uint8(0))
	f.Fuzz(func(t *testing.T, b []byte, x, y, z uint8) {
		spent, err := DecodeUndo(b, []int{int(x), int(y), int(z)})
		if err != nil {
			return
		}
		if again := EncodeUndo(spent); !bytes.Equal(again, b) {
			t.Fatalf("%x decodes, but encodes as %x", b, again)
		}
	})
}

func FuzzDecodeKey(f *testing.F) {
	f.Add(appendKey(nil, &wire.OutPoint{Index: 300}))
	f.Fuzz(func(t *testing.T, b []byte) {
		op, err := decodeKey(b)
		if err != nil {
			return
		}
		if again := appendKey(nil, &op); !bytes.Equal(again, b) {
			t.Fatalf("%x decodes, but encodes as %x", b, again)
		}
	})
}

func FuzzDecodeStats(f *testing.F) {
	f.Add(Stats{Coins: 3, Total: 5000000000}.Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := DecodeStats(b)
		if err != nil {
			return
		}
		if again := s.Encode(); !bytes.Equal(again, b) {
			t.Fatalf("%x decodes, but encodes as %x", b, again)
		}
	})
}
