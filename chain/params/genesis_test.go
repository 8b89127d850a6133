package params

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/google/go-cmp/cmp"
)

// The genesis block by hand, byte for byte, as doc.go describes it.
func TestGenesisBytes(t *testing.T) {
	p := mustLoad(t, minimal+`
[genesis]
time = 0x01020304
version = 0x0a0b0c0d
message = "hello"
[[genesis.allocation]]
address = "`+taprootA+`"
amount = 7
`)
	var got bytes.Buffer
	if err := p.GenesisBlock.Serialize(&got); err != nil {
		t.Fatal(err)
	}
	tx := "01000000" + // version
		"01" + strings.Repeat("00", 32) + "ffffffff" + // no previous output
		"07" + "00" + "05" + hex.EncodeToString([]byte("hello")) + "ffffffff" +
		"02" + // outputs
		"0000000000000000" + "26" + "6a24" + "43484731" + hex.EncodeToString(p.RulesHash[:]) +
		"0700000000000000" + "22" + "5120" + "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798" +
		"00000000" // lock time
	rawTx, err := hex.DecodeString(tx)
	if err != nil {
		t.Fatal(err)
	}
	merkle := chainhash.DoubleHashH(rawTx)
	want := "0d0c0b0a" + strings.Repeat("00", 32) + hex.EncodeToString(merkle[:]) + "04030201" + "ffff7f20" +
		fmt.Sprintf("%02x000000", p.Genesis.Nonce) + "01" + tx
	if diff := cmp.Diff(want, hex.EncodeToString(got.Bytes())); diff != "" {
		t.Error(diff)
	}
	coins := []GenesisCoin{{Index: 1, Amount: 7, Script: p.Genesis.Allocations[0].Script}}
	if diff := cmp.Diff(coins, p.GenesisCoins()); diff != "" {
		t.Error(diff)
	}
}

func TestGenesisNonce(t *testing.T) {
	p := mustLoad(t, minimal+"genesis.bits = \"2000ffff\"\n")
	target, _ := ExpandBits(0x2000ffff)
	for nonce := range p.Genesis.Nonce + 1 {
		header := p.GenesisBlock.Header
		header.Nonce = nonce
		if got, want := meets(header.BlockHash(), target), nonce == p.Genesis.Nonce; got != want {
			t.Errorf("nonce %d meets the target: %v", nonce, got)
		}
	}
	if p.Genesis.Nonce == 0 {
		t.Fatal("the example proves nothing: choose another")
	}
	// Writing the nonce down changes nothing, another is refused.
	same := mustLoad(t, fmt.Sprintf("%sgenesis.bits = \"2000ffff\"\ngenesis.nonce = %d\n", minimal, p.Genesis.Nonce))
	if same.GenesisHash != p.GenesisHash || same.RulesHash != p.RulesHash {
		t.Errorf("%v and %x, want %v and %x", same.GenesisHash, same.RulesHash, p.GenesisHash, p.RulesHash)
	}
	list := faults(t, fmt.Sprintf("%sgenesis.bits = \"2000ffff\"\ngenesis.nonce = %d\n", minimal, p.Genesis.Nonce-1))
	if !reports(list, "genesis.nonce", "does not meet bits") {
		t.Errorf("%v", list)
	}
}

// rawBlock is Bitcoin's regtest genesis block.
const rawBlock = "0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e67768f61" +
	"7fc81bc3888a51323a9fb8aa4b1e5e4adae5494dffff7f20020000000101000000010000000000000000000000000000000000000000000000" +
	"000000000000000000ffffffff4d04ffff001d0104455468652054696d65732030332f4a616e2f32303039204368616e63656c6c6f72206f6e" +
	"206272696e6b206f66207365636f6e64206261696c6f757420666f722062616e6b73ffffffff0100f2052a01000000434104678afdb0fe5548" +
	"271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb649f6bc3f4cef38c4f35504e51ec112de5c384df7ba0b8d578a4c702b6bf11d5f" +
	"ac00000000"

func TestRawGenesis(t *testing.T) {
	p := mustLoad(t, minimal+"genesis.raw = \""+rawBlock+"\"\n")
	if got := p.GenesisHash.String(); got != "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206" {
		t.Errorf("hash %s", got)
	}
	if g := p.Genesis; g.Time != 1296688602 || g.Bits != 0x207fffff || g.Nonce != 2 || g.Version != 1 {
		t.Errorf("fields %+v", g)
	}
	if coins := p.GenesisCoins(); coins != nil {
		t.Errorf("coins %v: Bitcoin's first coinbase cannot be spent", coins)
	}
}

func TestRawGenesisFaults(t *testing.T) {
	raw := func(block string) string { return minimal + "genesis.raw = \"" + block + "\"\n" }
	change := func(at int, to string) string { return rawBlock[:at] + to + rawBlock[at+len(to):] }
	tests := []struct{ name, file, key, says string }{
		{"empty", raw(""), "genesis.raw", "must be a whole block"},
		{"no hexadecimal", raw("zz"), "genesis.raw", "must be a whole block"},
		{"cut", raw(rawBlock[:len(rawBlock)-2]), "genesis.raw", "is no block: lock time at byte 281"},
		{"too long", raw(rawBlock + "00"), "genesis.raw", "1 bytes too many"},
		{"announces much", raw(rawBlock[:160] + "01" + "01000000" + "feffffff00" + strings.Repeat("00", 60)), "genesis.raw", "announces 16777215"},
		{"no transaction", raw(rawBlock[:160] + "00"), "genesis.raw", "has 0 transactions"},
		{"a parent", raw(change(8, "01")), "genesis.raw", "has a parent"},
		{"merkle root", raw(change(72, "00")), "genesis.raw", "merkle root"},
		{"work", raw(change(144, "ffff001d")), "genesis.raw", "no block of this difficulty"},
		{"with a time", raw(rawBlock) + "genesis.time = 1\n", "genesis.time", "cannot go with genesis.raw"},
		{"with a nonce", raw(rawBlock) + "genesis.nonce = 2\n", "genesis.nonce", "cannot go with genesis.raw"},
		{"with a message", raw(rawBlock) + "genesis.message = \"\"\n", "genesis.message", "cannot go with genesis.raw"},
		{
			"with an allocation", raw(rawBlock) + "[[genesis.allocation]]\namount = 1\naddress = \"" + taprootA + "\"\n",
			"genesis.allocation[0]", "cannot go with genesis.raw",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if list := faults(t, tt.file); len(list) != 1 || !reports(list, tt.key, tt.says) {
				t.Errorf("faults %v; want %s: …%s…", list, tt.key, tt.says)
			}
		})
	}
}

func TestGenesisBlockTooHeavy(t *testing.T) {
	var file strings.Builder
	file.WriteString(minimal + "limits.block_weight = 40_000\nlimits.block_sigop_cost = 400\n")
	// Each allocation to a 32-byte program weighs 172; the rest leaves room
	// for 228.
	for range 228 {
		fmt.Fprintf(&file, "[[genesis.allocation]]\namount = 1\naddress = %q\n", taprootA)
	}
	mustLoad(t, file.String())
	for range 1 {
		fmt.Fprintf(&file, "[[genesis.allocation]]\namount = 1\naddress = %q\n", taprootA)
	}
	if list := faults(t, file.String()); !reports(list, "genesis", "use fewer allocations") {
		t.Errorf("%v", list)
	}
}

func TestCompactBits(t *testing.T) {
	tests := []struct {
		bits uint32
		hex  string // of the target; empty: none
	}{
		{0x1d00ffff, "ffff" + strings.Repeat("00", 26)},
		{0x207fffff, "7fffff" + strings.Repeat("00", 29)},
		{0x01120000, "12"},
		{0x02123400, "1234"},
		{0x03123456, "123456"},
		{0x04123456, "12345600"},
		{0x2100ffff, "ffff" + strings.Repeat("00", 30)},
		{0, ""},
		{0x01003456, ""}, // shifted out
		{0x04923456, ""}, // negative
		{0x2200ffff, ""}, // 264 bits
		{0xff123456, ""},
	}
	for _, tt := range tests {
		target, ok := ExpandBits(tt.bits)
		if ok != (tt.hex != "") {
			t.Errorf("%08x: %x, %v", tt.bits, target, ok)
			continue
		}
		if !ok {
			continue
		}
		want, _ := new(big.Int).SetString(tt.hex, 16)
		if target.Cmp(want) != 0 {
			t.Errorf("%08x: %x, want %x", tt.bits, target, want)
		}
		if got := CompactBits(target); got != tt.bits {
			t.Errorf("%x: %08x, want %08x", target, got, tt.bits)
		}
	}
	if got := CompactBits(big.NewInt(0x80)); got != 0x02008000 {
		t.Errorf("0x80: %08x: its highest bit would read as a sign", got)
	}
}

func BenchmarkSearchNonce(b *testing.B) {
	header := wire.BlockHeader{}
	impossible := new(big.Int)
	limit := bigEndian(impossible)
	var buf bytes.Buffer
	if err := header.Serialize(&buf); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		below(chainhash.DoubleHashH(buf.Bytes()), &limit)
	}
}
