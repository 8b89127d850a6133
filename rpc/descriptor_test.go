package rpc

import (
	"encoding/hex"
	"strings"
	"testing"
)

// TestChecksum: the first two are BIP380's, the others Bitcoin Core's.
func TestChecksum(t *testing.T) {
	for text, want := range map[string]string{
		"raw(deadbeef)": "89f8spxm",
		"addr(mkmZxiEcEd8ZqjQWVZuC6so5dFMKEFpN2j)": "02wpgw69",
		"pk(" + genesisKey + ")":                   "vlz6ztea",
	} {
		if got, ok := checksum(text); !ok || got != want {
			t.Errorf("%s: got %s, %v, want %s", text, got, ok, want)
		}
	}
	if _, ok := checksum("raw(Ü)"); ok {
		t.Error("a character outside the alphabet was taken")
	}
}

func TestDescribe(t *testing.T) {
	prefixes := shipped(t, "bitcoin-regtest").Address
	h20 := strings.Repeat("11", 20)
	for _, c := range []struct{ name, script, want string }{
		{"p2pk", "41" + genesisKey + "ac", "pk(" + genesisKey + ")#vlz6ztea"},
		{"hybrid key", "41" + "06" + genesisKey[2:] + "ac", "raw(41" + "06" + genesisKey[2:] + "ac)"},
		{"taproot", "5120" + key1[2:], "rawtr(" + key1[2:] + ")"},
		{"taproot off the curve", "5120" + strings.Repeat("ff", 32), "addr(bcrt1p"},
		{"multisig", "5121" + key1 + "21" + key2 + "52ae", "multi(1," + key1 + "," + key2 + ")"},
		{"p2wpkh", "0014" + h20, "addr(bcrt1q"},
		{"p2pkh", "76a914" + h20 + "88ac", "addr(m"},
		{"data", "6a04deadbeef", "raw(6a04deadbeef)"},
		{"empty", "", "raw()#"},
	} {
		if got := describe(unhex(t, c.script), prefixes); !strings.HasPrefix(got, c.want) || len(got)-strings.Index(got, "#") != 9 {
			t.Errorf("%s: got %s, want %s…", c.name, got, c.want)
		}
	}
}

func TestExpand(t *testing.T) {
	prefixes := shipped(t, "bitcoin-regtest").Address
	for _, c := range []struct {
		text string
		want []string
	}{
		{"raw(deadbeef)#89f8spxm", []string{"deadbeef"}},
		{"raw(deadbeef)", []string{"deadbeef"}},
		{"pk(" + key1 + ")", []string{"21" + key1 + "ac"}},
		// BIP173 and BIP341 use the same key.
		{"pkh(" + key1 + ")", []string{"76a914751e76e8199196d454941c45d1b3a323f1433bd688ac"}},
		{"wpkh(" + key1 + ")", []string{"0014751e76e8199196d454941c45d1b3a323f1433bd6"}},
		{"sh(wpkh(" + key1 + "))", []string{"a914bcfeb728b584253d5f3f70bcb780e9ef218a68f487"}},
		{"combo(" + key1U + ")", []string{"41" + key1U + "ac", "76a91491b24bf9f5288532960ac687abb035127b1d28a588ac"}},
		{"rawtr(" + key1[2:] + ")", []string{"5120" + key1[2:]}},
		{"tr(" + key1[2:] + ")", []string{"5120da4710964f7852695de2da025290e24af6d8c281de5a0b902b7135fd9fd74d21"}},
		{"tr(" + key1 + ")", []string{"5120da4710964f7852695de2da025290e24af6d8c281de5a0b902b7135fd9fd74d21"}},
	} {
		targets, err := expand(c.text, prefixes)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		var got []string
		for _, target := range targets {
			got = append(got, hex.EncodeToString(target.script))
			if _, err := cutChecksum(target.descriptor); err != nil {
				t.Errorf("%s: %s: %v", c.text, target.descriptor, err)
			}
		}
		if strings.Join(got, " ") != strings.Join(c.want, " ") {
			t.Errorf("%s: got %v, want %v", c.text, got, c.want)
		}
	}
	const addr = "mkmZxiEcEd8ZqjQWVZuC6so5dFMKEFpN2j"
	script, err := prefixes.Decode(addr)
	if targets, err2 := expand("addr("+addr+")#02wpgw69", prefixes); err != nil || err2 != nil || string(targets[0].script) != string(script) {
		t.Errorf("addr: %v, %v, %v", targets, err, err2)
	}
	if targets, err := expand("combo("+key1+")", prefixes); err != nil || len(targets) != 4 || !strings.HasPrefix(targets[3].descriptor, "sh(wpkh("+key1+"))#") {
		t.Errorf("combo: %v, %v", targets, err)
	}
	for text, part := range map[string]string{
		"":                                       "want NAME(…)",
		"raw(deadbeef":                           "want NAME(…)",
		"raw(xyz)":                               "hex",
		"raw(deadbeef)#89f8spxn":                 "checksum",
		"raw(deadbeef)#":                         "checksum",
		"addr(nonsense)":                         "not valid",
		"wpkh(" + key1U + ")":                    "compressed",
		"pk(" + key1[:64] + ")":                  "66 or 130 hex digits",
		"pk(02" + key1U[4:68] + "ff)":            "66 or 130 hex digits",
		"pk(02" + strings.Repeat("ff", 32) + ")": "curve",
		"tr(" + strings.Repeat("ff", 32) + ")":   "curve",
		"tr(" + key1[2:] + ",pk(" + key1 + "))":  "script tree",
		"multi(1," + key1 + ")":                  "not supported",
		"sh(pk(" + key1 + "))":                   "not supported",
		"pkh(xprv9s21ZrQH143K)":                  "private key",
		"pkh(cMahea7zqjxrtgAbB7LSGbcQUr1uX1ojuat9jZodMN87JcbXMTcA)": "private key",
		"raw(Ü)": "character",
	} {
		_, err := expand(text, prefixes)
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%q: got %v, want %q", text, err, part)
		}
		if err != nil && (strings.Contains(err.Error(), "cMahea") || strings.Contains(err.Error(), "xprv9")) {
			t.Errorf("%q: the error tells the key: %v", text, err)
		}
	}
}

func FuzzExpand(f *testing.F) {
	for _, seed := range []string{"raw(deadbeef)#89f8spxm", "combo(" + key1 + ")", "sh(wpkh(" + key1 + "))", "tr(", ")(", "addr(())"} {
		f.Add(seed)
	}
	prefixes := shipped(f, "bitcoin-regtest").Address
	f.Fuzz(func(t *testing.T, text string) {
		targets, err := expand(text, prefixes)
		if (err == nil) != (len(targets) > 0) {
			t.Errorf("%q: %v, %v", text, targets, err)
		}
	})
}
