package params

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/address/v2/base58"
	"github.com/btcsuite/btcd/address/v2/bech32"
	"github.com/google/go-cmp/cmp"
)

var (
	mainnet = Address{Bech32HRP: "bc", P2PKH: 0, P2SH: 5, WIF: 128}
	testnet = Address{Bech32HRP: "tb", P2PKH: 111, P2SH: 196, WIF: 239}
	regtest = Address{Bech32HRP: "bcrt", P2PKH: 111, P2SH: 196, WIF: 239}
)

type keyIO struct {
	text, payload string
	chain         Address
	private       bool
	compressed    bool
	anyCase       bool
}

func keyIOVectors(t testing.TB) []keyIO {
	var rows [][3]json.RawMessage
	if err := json.Unmarshal(vectors(t, "key_io_valid.json"), &rows); err != nil {
		t.Fatal(err)
	}
	chains := map[string]Address{"main": mainnet, "test": testnet, "signet": testnet, "regtest": regtest}
	var out []keyIO
	for _, row := range rows {
		var v keyIO
		var meta struct {
			Chain        string
			IsPrivkey    bool
			IsCompressed bool
			TryCaseFlip  bool
		}
		for i, to := range []any{&v.text, &v.payload, &meta} {
			if err := json.Unmarshal(row[i], to); err != nil {
				t.Fatal(err)
			}
		}
		v.chain, v.private, v.compressed, v.anyCase = chains[meta.Chain], meta.IsPrivkey, meta.IsCompressed, meta.TryCaseFlip
		out = append(out, v)
	}
	return out
}

func TestPublishedAddresses(t *testing.T) {
	seen := 0
	for _, v := range keyIOVectors(t) {
		if v.private {
			if _, err := v.chain.Decode(v.text); err == nil {
				t.Errorf("%s: a private key was read as an address", v.text)
			}
			continue
		}
		seen++
		script, err := v.chain.Decode(v.text)
		if err != nil || hex.EncodeToString(script) != v.payload {
			t.Errorf("%s: %x, %v; want %s", v.text, script, err, v.payload)
			continue
		}
		if addr, ok := v.chain.Encode(script); !ok || addr != v.text {
			t.Errorf("%s: written as %q, %v", v.text, addr, ok)
		}
		flipped, err := v.chain.Decode(strings.ToUpper(v.text))
		if ok := err == nil && bytes.Equal(flipped, script); ok != v.anyCase {
			t.Errorf("%s in upper case: %x, %v", v.text, flipped, err)
		}
	}
	if seen == 0 {
		t.Error("no addresses in the file")
	}
}

func TestPublishedPrivateKeys(t *testing.T) {
	seen := 0
	for _, v := range keyIOVectors(t) {
		if !v.private {
			if _, _, err := v.chain.DecodeWIF(v.text); err == nil {
				t.Errorf("%s: an address was read as a private key", v.text)
			}
			continue
		}
		seen++
		key, compressed, err := v.chain.DecodeWIF(v.text)
		if err != nil || hex.EncodeToString(key.Serialize()) != v.payload || compressed != v.compressed {
			t.Errorf("%s: %v", v.text, err)
			continue
		}
		if got := v.chain.EncodeWIF(key, compressed); got != v.text {
			t.Errorf("%s: written as %s", v.text, got)
		}
	}
	if seen == 0 {
		t.Error("no private keys in the file")
	}
}

func TestPublishedMalformedText(t *testing.T) {
	var rows [][1]string
	if err := json.Unmarshal(vectors(t, "key_io_invalid.json"), &rows); err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		for _, a := range []Address{mainnet, testnet, regtest} {
			if script, err := a.Decode(row[0]); err == nil {
				t.Errorf("%q on %s: read as %x", row[0], a.Bech32HRP, script)
			}
			if _, _, err := a.DecodeWIF(row[0]); err == nil {
				t.Errorf("%q on %s: read as a private key", row[0], a.Bech32HRP)
			}
		}
	}
}

func TestPublishedBase58(t *testing.T) {
	var rows [][2]string
	if err := json.Unmarshal(vectors(t, "base58_encode_decode.json"), &rows); err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		want, err := hex.DecodeString(row[0])
		if err != nil {
			t.Fatal(err)
		}
		if got := base58.Encode(want); got != row[1] {
			t.Errorf("%s: %s, want %s", row[0], got, row[1])
		}
		if got := base58.Decode(row[1]); !bytes.Equal(got, want) {
			t.Errorf("%s: %x, want %s", row[1], got, row[0])
		}
	}
}

// Every witness version has addresses (BIP350), and version 0 keeps BIP173.
func TestWitnessVersions(t *testing.T) {
	for version := byte(0); version <= 16; version++ {
		for _, size := range []int{1, 2, 19, 20, 21, 31, 32, 33, 40, 41} {
			script := payToWitness(version, bytes.Repeat([]byte{7}, size))
			addr, ok := mainnet.Encode(script)
			want := size == 20 || size == 32
			if version > 0 {
				want = size >= 2 && size <= 40
			}
			if ok != want {
				t.Errorf("version %d, %d bytes: address %q, want one: %v", version, size, addr, want)
			}
			if !ok {
				continue
			}
			if got, err := mainnet.Decode(addr); err != nil || !bytes.Equal(got, script) {
				t.Errorf("version %d, %d bytes: %s reads as %x, %v", version, size, addr, got, err)
			}
		}
	}
}

func TestScriptsWithoutAddress(t *testing.T) {
	for name, script := range map[string]string{
		"empty":               "",
		"one byte":            "51",
		"data":                "6a0401020304",
		"public key":          "21" + strings.Repeat("02", 33) + "ac",
		"hash of 19 bytes":    "76a913" + strings.Repeat("11", 19) + "88ac",
		"two pushes":          "5102010203",
		"no witness version":  "6114" + strings.Repeat("11", 20),
		"script hash, no end": "a914" + strings.Repeat("11", 20) + "88",
	} {
		b, err := hex.DecodeString(script)
		if err != nil {
			t.Fatal(err)
		}
		if addr, ok := mainnet.Encode(b); ok {
			t.Errorf("%s: %s", name, addr)
		}
	}
}

// encodeM writes any version byte and program as bech32m for bc.
func encodeM(parts ...any) string {
	var data []byte
	if len(parts) == 2 {
		data, _ = bech32.ConvertBits(parts[1].([]byte), 8, 5, true)
		data = append([]byte{byte(parts[0].(int))}, data...)
	}
	addr, err := bech32.EncodeM("bc", data)
	if err != nil {
		panic(err)
	}
	return addr
}

func TestAddressErrors(t *testing.T) {
	const good = "bc1qvyq0cc6rahyvsazfdje0twl7ez82ndmuac2lhv"
	tests := []struct {
		name, text, reason string
		positions          []int
	}{
		{"empty", "", "is empty", nil},
		{"blank inside", "bc1q yq0", "character 5 (' ') cannot", []int{4}},
		{"other letters", "bcĲ1", "cannot be parts", []int{2, 3}},
		{"other bech32 chain", "tb1qn5zwkjz4p5xmjzqt5gxt9jwh9ddmqg7hhnjqxe", "checksum", nil},
		{"one wrong character", strings.Replace(good, "vsaz", "vsez", 1), "character 18 ('e')", []int{17}},
		{"two wrong characters", strings.Replace(good, "qvyq0", "qwyp0", 1), "character 5 ('w') and character 7 ('p')", []int{4, 6}},
		{"character missing", good[:20] + good[21:], "checksum", nil},
		{"only the prefix", "bc1q", "too short", nil},
		{"not of the alphabet", strings.Replace(good, "vsaz", "vsbz", 1), "character 18 ('b') cannot be part", []int{17}},
		{"mixed case", "bc1Q" + good[4:], "mixes upper and lower case", nil},
		{"too long", "bc1" + strings.Repeat("q", 90), "at most 90", nil},
		{"bech32 for version 1", "bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7k7grplx", "needs bech32m", nil},
		{"bech32m for version 0", encodeM(0, make([]byte, 32)), "needs bech32", nil},
		{"version 17", encodeM(17, make([]byte, 32)), "the last one is 16", nil},
		{"41 bytes", encodeM(1, make([]byte, 41)), "2 to 40 bytes, not 41", nil},
		{"no version", encodeM(), "no witness version", nil},
		{"base58 of another chain", "mzK2FFDEhxqHcmrJw1ysqFkVyhUULo45hZ", "belongs to another chain: its prefix byte is 111", nil},
		{"base58 mistyped", "1FsSia9rv4NeEwvJ2GvXrX7LyxYspbN2mp", "checksum", nil},
		{"base58 letter l", "1FsSia9rv4NeEwvJ2GvXrX7LyxYspbN2ml", "character 34 ('l')", []int{33}},
		{"a private key", "5Kd3NBUAdUnhyzenEwVLy9pBKxSwXvE9FMPyR4UKZvpe6E3AgLr", "too many", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := mainnet.Decode(tt.text)
			var bad *AddressError
			if !errors.As(err, &bad) {
				t.Fatalf("error %v", err)
			}
			if bad.Text != tt.text || !strings.Contains(bad.Reason, tt.reason) {
				t.Errorf("%v; want it to say %q", err, tt.reason)
			}
			if diff := cmp.Diff(tt.positions, bad.Positions); diff != "" {
				t.Errorf("positions: %s", diff)
			}
		})
	}
}

func TestAddressOfAnotherChainNamesBoth(t *testing.T) {
	addr, _ := testnet.Encode(payToWitness(1, make([]byte, 32)))
	_, err := mainnet.Decode(addr)
	if err == nil || !strings.Contains(err.Error(), "starts with tb1, this chain's addresses with bc1") {
		t.Errorf("%v", err)
	}
}

// The checksum tells apart up to four errors and finds up to two: whatever
// one or two characters are changed to, they are named.
func TestMistypedCharactersAreFound(t *testing.T) {
	addr, _ := mainnet.Encode(payToWitness(1, bytes.Repeat([]byte{0xa5}, 32)))
	one := strings.IndexByte(addr, '1')
	for i := one + 1; i < len(addr); i += 3 {
		for j := i; j < len(addr); j += 7 {
			text := []byte(addr)
			for _, at := range []int{i, j} {
				k := strings.IndexByte(bech32Alphabet, addr[at])
				text[at] = bech32Alphabet[(k+1+at)%32]
			}
			want := slices.Compact([]int{i, j})
			if bytes.Equal(text, []byte(addr)) || text[i] == addr[i] || text[j] == addr[j] {
				continue
			}
			_, err := mainnet.Decode(string(text))
			var bad *AddressError
			if !errors.As(err, &bad) {
				t.Fatalf("%s: %v", text, err)
			}
			// With two errors the other checksum may fit as well; then
			// nothing is claimed.
			if !slices.Equal(bad.Positions, want) && bad.Positions != nil {
				t.Errorf("%s: named %v, changed %v", text, bad.Positions, want)
			}
			if len(want) == 1 && bad.Positions == nil {
				t.Errorf("%s: nothing named, changed %v", text, want)
			}
		}
	}
}

func TestPrivateKeyErrorsKeepTheSecret(t *testing.T) {
	const key = "5Kd3NBUAdUnhyzenEwVLy9pBKxSwXvE9FMPyR4UKZvpe6E3AgLr"
	for _, text := range []string{key + "x", key[:50] + "0", "", key[:50], key, strings.Repeat("1", 100)} {
		_, _, err := testnet.DecodeWIF(text)
		if err == nil {
			t.Errorf("%q: read", text)
		} else if len(text) > 10 && strings.Contains(err.Error(), text[:10]) {
			t.Errorf("the message repeats the key: %v", err)
		}
	}
}

func TestPrivateKeyOutOfRange(t *testing.T) {
	order, _ := hex.DecodeString("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141")
	for _, b := range [][]byte{make([]byte, 32), order} {
		if _, _, err := mainnet.DecodeWIF(base58.CheckEncode(append(b, 1), 128)); err == nil {
			t.Errorf("%x: read", b)
		}
	}
}

func FuzzAddressDecode(f *testing.F) {
	for _, s := range []string{
		"", "1", "bc1", "1FsSia9rv4NeEwvJ2GvXrX7LyxYspbN2mo", "36j4NfKv6Akva9amjWrLG6MuSQym1GuEmm",
		"bc1qvyq0cc6rahyvsazfdje0twl7ez82ndmuac2lhv", "BC1SW50QGDZ25J", "bc1pfeessrawgf", "Ĳbc1q", "bc1\x7f1",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, a := range []Address{mainnet, regtest} {
			script, err := a.Decode(text)
			var bad *AddressError
			if err != nil {
				if !errors.As(err, &bad) || bad.Text != text {
					t.Fatalf("%q: %v", text, err)
				}
				for _, at := range bad.Positions {
					if at < 0 || at >= len(text) {
						t.Fatalf("%q: position %d", text, at)
					}
				}
				continue
			}
			addr, ok := a.Encode(script)
			if !ok || addr != text && addr != strings.ToLower(text) {
				t.Fatalf("%q reads as %x, which writes as %q", text, script, addr)
			}
		}
	})
}
