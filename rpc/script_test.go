package rpc

import (
	"encoding/hex"
	"strings"
	"testing"
)

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const (
	// Public keys that are on the curve: 1·G, 2·G.
	key1  = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
	key2  = "02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5"
	key1U = "0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798" +
		"483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8"
	genesisKey = "04678afdb0fe5548271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb649f6bc3f4cef38c4f35504e51ec112de5c384df7ba0b8d578a4c702b6bf11d5f"
	// A signature of Bitcoin's first payment, with hash type ALL.
	firstSig = "304402204e45e16932b8af514961a1d3a1a25fdf3f4f7732e9d624c6c61548ab5fb8cd41" +
		"0220181522ec8eca07de4860a4acdd12909d831cc56cbbac4622082221a8768d1d09"
)

func TestAsm(t *testing.T) {
	for _, c := range []struct {
		name, script, want string
	}{
		{"empty", "", ""},
		{"numbers", "0051604f", "0 1 16 -1"},
		{"small pushes are numbers", "01ff020080027f0103ffffff04ffffff7f", "-127 0 383 -8388607 2147483647"},
		{"five bytes are hex", "050102030405", "0102030405"},
		{"longer push forms", "4c01054d010006" + "4e0100000007", "5 6 7"},
		{"pay to public key hash", "76a914" + strings.Repeat("00", 20) + "88ac",
			"OP_DUP OP_HASH160 " + strings.Repeat("00", 20) + " OP_EQUALVERIFY OP_CHECKSIG"},
		{"data", "6a04deadbeef", "OP_RETURN -1874767326"},
		{"nops", "61b0b1b2b3b9", "OP_NOP OP_NOP1 OP_CHECKLOCKTIMEVERIFY OP_CHECKSEQUENCEVERIFY OP_NOP4 OP_NOP10"},
		{"rare", "5062656689babbfeff", "OP_RESERVED OP_VER OP_VERIF OP_VERNOTIF OP_RESERVED1 OP_CHECKSIGADD OP_UNKNOWN OP_UNKNOWN OP_INVALIDOPCODE"},
		{"ends", "afae", "OP_CHECKMULTISIGVERIFY OP_CHECKMULTISIG"},
		{"cut off", "5102aa", "1 [error]"},
		{"cut off at once", "4c", "[error]"},
		{"cut off in a length", "4d01", "[error]"},
		{"huge length", "4effffffff", "[error]"},
	} {
		if got := asm(unhex(t, c.script), false); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestAsmSignatures(t *testing.T) {
	push := func(sig string) []byte { return append([]byte{byte(len(sig) / 2)}, unhex(t, sig)...) }
	for _, c := range []struct{ name, sig, want string }{
		{"all", firstSig + "01", firstSig + "[ALL]"},
		{"none", firstSig + "02", firstSig + "[NONE]"},
		{"single and anyone", firstSig + "83", firstSig + "[SINGLE|ANYONECANPAY]"},
		{"undefined hash type", firstSig + "04", firstSig + "04"},
		{"hash type 0", firstSig + "00", firstSig + "00"},
		{"wrong length inside", strings.Replace(firstSig, "3044", "3045", 1) + "01", strings.Replace(firstSig, "3044", "3045", 1) + "01"},
		{"a public key", key1, key1},
	} {
		if got := asm(push(c.sig), true); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
		if got := asm(push(c.sig), false); got != c.sig {
			t.Errorf("%s, as an output: got %s", c.name, got)
		}
	}
	if got := asm(append([]byte{opReturn}, push(firstSig+"01")...), true); strings.Contains(got, "[ALL]") {
		t.Errorf("a signature in data: %s", got)
	}
}

func TestStrictDER(t *testing.T) {
	good := unhex(t, "3006020101020101"+"01")
	if !strictDER(good) {
		t.Fatal("the shortest signature was refused")
	}
	for i, change := range map[string]func(b []byte) []byte{
		"short":         func(b []byte) []byte { return b[:8] },
		"trailing byte": func(b []byte) []byte { return append(b, 0) },
		"no sequence":   func(b []byte) []byte { b[0] = 0x31; return b },
		"no integer":    func(b []byte) []byte { b[2] = 0x03; return b },
		"negative":      func(b []byte) []byte { b[4] = 0x80; return b },
		"R too long":    func(b []byte) []byte { b[3] = 0x05; return b },
		"R empty":       func(b []byte) []byte { b[3] = 0x00; return b },
		"S too long":    func(b []byte) []byte { b[6] = 0x02; return b },
	} {
		if strictDER(change(append([]byte(nil), good...))) {
			t.Errorf("%s was taken", i)
		}
	}
	if !strictDER(unhex(t, "3007020200ff020101"+"01")) || strictDER(unhex(t, "30070202007f020101"+"01")) {
		t.Error("leading zeros: one that is needed must pass, another not")
	}
}

func TestRecognize(t *testing.T) {
	h20, h32 := strings.Repeat("11", 20), strings.Repeat("22", 32)
	for _, c := range []struct {
		name, script string
		want         scriptType
	}{
		{"empty", "", typeNonStandard},
		{"p2pk", "21" + key1 + "ac", typePubKey},
		{"p2pk uncompressed", "41" + genesisKey + "ac", typePubKey},
		{"p2pk, wrong first byte", "21" + "05" + key1[2:] + "ac", typeNonStandard},
		{"p2pkh", "76a914" + h20 + "88ac", typePubKeyHash},
		{"p2sh", "a914" + h20 + "87", typeScriptHash},
		{"p2wpkh", "0014" + h20, typeWPubKeyHash},
		{"p2wsh", "0020" + h32, typeWScriptHash},
		{"v0 of 33 bytes", "0021" + h32 + "00", typeNonStandard},
		{"p2tr", "5120" + h32, typeTaproot},
		{"anchor", "51024e73", typeAnchor},
		{"v1 of 2 bytes", "51024e74", typeWitness},
		{"v16", "6002abcd", typeWitness},
		{"v1 of 1 byte", "510101", typeNonStandard},
		{"v1 of 41 bytes", "5129" + h32 + strings.Repeat("00", 9), typeNonStandard},
		{"data", "6a04deadbeef", typeNullData},
		{"bare return", "6a", typeNullData},
		{"return and an opcode", "6a61", typeNonStandard},
		{"return and a cut push", "6a05ab", typeNonStandard},
		{"1 of 2", "5121" + key1 + "21" + key2 + "52ae", typeMultiSig},
		{"3 of 2", "5321" + key1 + "21" + key2 + "52ae", typeNonStandard},
		{"0 of 1", "0021" + key1 + "51ae", typeNonStandard},
		{"1 of 2 with one key", "5121" + key1 + "52ae", typeNonStandard},
		{"17 keys", "51" + strings.Repeat("21"+key1, 17) + "0111ae", typeMultiSig},
		{"21 keys", "51" + strings.Repeat("21"+key1, 21) + "0115ae", typeNonStandard},
	} {
		if got := recognize(unhex(t, c.script)).kind; got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

// FuzzScript: no bytes are too strange to be described.
func FuzzScript(f *testing.F) {
	for _, seed := range []string{"", "6a04deadbeef", "5121" + key1 + "51ae", "0014", "4effffffff", "76a914"} {
		b, _ := hex.DecodeString(seed)
		f.Add(b)
	}
	shape := &shaper{address: shipped(f, "bitcoin-regtest").Address}
	f.Fuzz(func(t *testing.T, script []byte) {
		out := shape.scriptPubKey(script)
		if *out.Hex != hex.EncodeToString(script) || out.Desc == "" || out.Type == "" {
			t.Errorf("%x: %+v", script, out)
		}
		asm(script, true)
	})
}
