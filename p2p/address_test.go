package p2p

import (
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain/params"
)

func testParams() *params.Params {
	return &params.Params{
		Name:        "acme",
		Address:     params.Address{Bech32HRP: "ac", P2PKH: 23, P2SH: 83},
		Network:     params.Network{DefaultPort: 8430},
		GenesisHash: chainhash.HashH([]byte("genesis")),
	}
}

func TestParseAddress(t *testing.T) {
	p := testParams()
	var key [32]byte
	for i := range key {
		key[i] = byte(i + 1)
	}
	id := FormatIdentity(key, p)
	genesis := p.GenesisHash
	long := strings.Repeat("a", 253)
	for _, tc := range []struct {
		text string
		want Address
	}{
		{"node.example:1", Address{Host: "node.example", Port: 1}},
		{"node.example:65535", Address{Host: "node.example", Port: 65535}},
		{"node.example", Address{Host: "node.example", Port: 8430}},
		{"127.0.0.1:18444", Address{Host: "127.0.0.1", Port: 18444}},
		{"[::1]:5", Address{Host: "::1", Port: 5}},
		{"[::1]", Address{Host: "::1", Port: 8430}},
		{long + ":9", Address{Host: long, Port: 9}},
		{id + "@10.0.0.1:7", Address{Host: "10.0.0.1", Port: 7, Key: key}},
		{strings.ToUpper(id) + "@10.0.0.1:7", Address{Host: "10.0.0.1", Port: 7, Key: key}},
		{"charter://" + id + "@[2001:db8::1]:7", Address{Host: "2001:db8::1", Port: 7, Key: key}},
		{"charter://" + id + "@h/", Address{Host: "h", Port: 8430, Key: key}},
		{"charter://" + id + "@h:7/" + genesis.String(), Address{Host: "h", Port: 7, Key: key, Genesis: &genesis}},
	} {
		got, err := ParseAddress(tc.text, p)
		if err != nil {
			t.Errorf("%s: %v", tc.text, err)
			continue
		}
		if got.Host != tc.want.Host || got.Port != tc.want.Port || got.Key != tc.want.Key ||
			(got.Genesis == nil) != (tc.want.Genesis == nil) {
			t.Errorf("%s: %+v, want %+v", tc.text, got, tc.want)
		}
	}
}

func TestParseAddressErrors(t *testing.T) {
	p := testParams()
	id := FormatIdentity([32]byte{31: 9}, p)
	other := *p
	other.Address.Bech32HRP = "xy"
	foreign := FormatIdentity([32]byte{31: 9}, &other)
	p2wpkh, _ := p.Address.Encode(append([]byte{0, 20}, make([]byte, 20)...))
	nobody, _ := p.Address.Encode(append([]byte(p2trPrefix), make([]byte, 32)...))
	for text, want := range map[string]string{
		"":                              "is empty",
		" h:1":                          "blanks",
		"h:":                            "port is missing",
		"h:0":                           "1 to 65535",
		"h:65536":                       "1 to 65535",
		"h:+5":                          "1 to 65535",
		"h:12x":                         "1 to 65535",
		":5":                            "no host",
		"::1:5":                         "brackets",
		"[h]:5":                         "no IPv6 address",
		"[1.2.3.4]:5":                   "only an IPv6",
		"h h:5":                         "cannot stand in a host name",
		"h/x:5":                         "cannot stand in a host name",
		"http://h:5":                    "charter://",
		strings.Repeat("a", 254) + ":5": "at most 253",
		"@h:5":                          "identity",
		id[:len(id)-1] + "@h:5":         "identity",
		foreign + "@h:5":                "another chain",
		p2wpkh + "@h:5":                 "not a taproot one",
		nobody + "@h:5":                 "of no key",
		"charter://h:5":                 "name the identity",
		"charter://" + id + "@h:5/abcd": "want 64",
		"charter://" + id + "@h:5/" + strings.Repeat("g", 64): "hexadecimal",
		"charter://" + id + "@h:5/" + strings.Repeat("0", 64): "meant for the chain",
	} {
		_, err := ParseAddress(text, p)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one with %q", text, err, want)
		}
	}
	p.Network.DefaultPort = 0
	if _, err := ParseAddress("h", p); err == nil || !strings.Contains(err.Error(), "needs a port") {
		t.Errorf("no default port: %v", err)
	}
}

func FuzzParseAddress(f *testing.F) {
	p := testParams()
	id := FormatIdentity([32]byte{31: 9}, p)
	for _, s := range []string{"h:1", "[::1]:2", id + "@h:3", "charter://" + id + "@h:4/" + p.GenesisHash.String(), "charter://@:", "[]:1", "a@b@c:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseAddress(s, p)
		if err != nil {
			return
		}
		if a.Port == 0 || a.Host == "" {
			t.Fatalf("%q became %+v", s, a)
		}
		text := a.HostPort()
		if a.Pinned() {
			text = FormatIdentity(a.Key, p) + "@" + text
		}
		b, err := ParseAddress(text, p)
		if err != nil || b.Host != a.Host || b.Port != a.Port || b.Key != a.Key {
			t.Fatalf("%q became %+v, written %q, read %+v, %v", s, a, text, b, err)
		}
	})
}
