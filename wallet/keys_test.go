package wallet

import (
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/charterchain/charter/chain/params"
)

// TestBIP86 checks the vectors of BIP86.
func TestBIP86(t *testing.T) {
	mainnet := params.Address{Bech32HRP: "bc", HDPrivate: 0x0488ade4, HDPublic: 0x0488b21e}
	entropy, err := parseMnemonic(words)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := newKeys(entropy, mainnet)
	if err != nil {
		t.Fatal(err)
	}
	pub, err := publicAccount(keys.account, mainnet)
	if err != nil {
		t.Fatal(err)
	}
	const wantPub = "xpub6BgBgsespWvERF3LHQu6CnqdvfEvtMcQjYrcRzx53QJjSxarj2afYWcLteoGVky7D3UKDP9QyrLprQ3VCECoY49yfdDEHGCtMMj92pReUsQ"
	if got := pub.String(); got != wantPub {
		t.Errorf("account key %s, want %s", got, wantPub)
	}
	parsed, err := parseAccount(wantPub, mainnet)
	if err != nil {
		t.Fatal(err)
	}
	book, err := newAddressBook(parsed, [2]line{})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[keyPath]string{
		{external, 0}: "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr",
		{external, 1}: "bc1p4qhjn9zdvkux4e44uhx8tc55attvtyu358kutcqkudyccelu0was9fqzwh",
		{internal, 0}: "bc1p3qkhfews2uk44qtvauqyr2ttdsw7svhkl9nkm9s9c3x4ax5h60wqwruhk7",
	} {
		if got := addressOf(mainnet, book.script(path)); got != want {
			t.Errorf("%v %d: %s, want %s", path.branch, path.index, got, want)
		}
		if found, ok := book.find(book.script(path)); !ok || found != path {
			t.Errorf("%v %d found as %v, %v", path.branch, path.index, found, ok)
		}
		priv, err := privateKey(keys.account, path)
		if err != nil {
			t.Fatal(err)
		}
		// The private side must lead to the same untweaked key.
		branchKey, err := deriveChild(parsed, uint32(path.branch))
		if err != nil {
			t.Fatal(err)
		}
		child, err := deriveChild(branchKey, path.index)
		if err != nil {
			t.Fatal(err)
		}
		ec, err := child.ECPubKey()
		if err != nil || !ec.IsEqual(priv.PubKey()) {
			t.Errorf("%v %d: private and public derivation differ (%v)", path.branch, path.index, err)
		}
	}

	// A chain with other version bytes and coin type, of which no table in
	// the process knows.
	other := params.Address{Bech32HRP: "acme", HDPrivate: 0x01020304, HDPublic: 0x01020305, CoinType: 77}
	otherKeys, err := newKeys(entropy, other)
	if err != nil {
		t.Fatal(err)
	}
	otherPub, err := publicAccount(otherKeys.account, other)
	if err != nil {
		t.Fatal(err)
	}
	if got := binary.BigEndian.Uint32(otherPub.Version()); got != other.HDPublic {
		t.Errorf("version bytes %08x", got)
	}
	if otherPub.String() == wantPub {
		t.Error("the coin type does not matter")
	}
	if _, err := parseAccount(otherPub.String(), mainnet); err == nil || !strings.Contains(err.Error(), "another chain") {
		t.Errorf("account of another chain: %v", err)
	}
	keys.Zero()
	if strings.Contains(keys.account.String(), "xprv") {
		t.Error("the key is still there")
	}
}

// TestMnemonic checks the 24-word vectors of BIP39 (English), and what is
// refused.
func TestMnemonic(t *testing.T) {
	for entropy, want := range map[string]string{
		"0000000000000000000000000000000000000000000000000000000000000000": strings.Repeat("abandon ", 23) + "art",
		"7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f": strings.Repeat("legal winner thank year wave sausage worth useful ", 2) +
			"legal winner thank year wave sausage worth title",
		"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff": strings.Repeat("zoo ", 23) + "vote",
		"f585c11aec520db57dd353c69554b21a89b20fb0650966fa0a9d6f74fd989d8f": "void come effort suffer camp survey warrior heavy shoot primary clutch crush open amazing screen patrol group space point ten exist slush involve unfold",
	} {
		raw, err := hex.DecodeString(entropy)
		if err != nil {
			t.Fatal(err)
		}
		got, err := mnemonicOf(raw)
		if err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", entropy, got, err, want)
		}
		back, err := parseMnemonic("\n " + strings.ToUpper(strings.ReplaceAll(want, " ", "  \t")))
		if err != nil || hex.EncodeToString(back) != entropy {
			t.Errorf("%s: read back as %x, %v", entropy, back, err)
		}
	}
	if _, err := parseMnemonic("1 abandon 2 abandon 3 abandon 4 abandon 5 abandon 6 abandon\n7 abandon 8 abandon 9 abandon 10 abandon 11 abandon 12 about"); err != nil {
		t.Errorf("with numbers, as shown: %v", err)
	}
	for text, want := range map[string]string{
		"":                             "0 words",
		"abandon":                      "1 words",
		words + " about":               "13 words",
		strings.Repeat("abandon ", 12): "checksum",
		strings.Replace(words, "about", "abuot", 1):   "word 12 is not",
		strings.Replace(words, "abandon", "xyzzy", 2): "word 1, 2 is not",
	} {
		_, err := parseMnemonic(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "abandon") {
			t.Errorf("the error shows a word: %v", err)
		}
	}
}
