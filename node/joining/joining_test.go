package joining

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"

	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/node/keyfile"
	"github.com/charterchain/charter/p2p/message"
	"github.com/charterchain/charter/p2p/transport"
)

func newChain(t *testing.T, name string) *params.Params {
	t.Helper()
	p, err := params.NewOpen(params.OpenOptions{Name: name, OnDemand: true, Time: 1_700_000_000})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func newKey(n uint32) *btcec.PrivateKey {
	return btcec.PrivKeyFromScalar(new(btcec.ModNScalar).SetInt(n))
}

// host serves chain file text as the node with a key, lets in whom it may, and
// returns a door that leads to it by the invitation for p.
func host(t *testing.T, p *params.Params, text []byte, mayConnect error) *Door {
	t.Helper()
	key := newKey(5)
	limits := message.NewLimits(p.Limits)
	tr, err := transport.New(transport.Config{
		GenesisHash: p.GenesisHash, RulesHash: p.RulesHash, Key: key, Limits: limits,
		MayConnect: func([32]byte) error { return mayConnect },
		ChainFile:  func() ([]byte, error) { return text, nil },
		Budget:     transport.NewBudget(limits.Largest()), Now: time.Now, Rand: rand.Reader,
	})
	if err != nil {
		t.Fatal(err)
	}
	identity, _ := p.Address.Encode(keyfile.Script(key))
	inv := &Invitation{Identity: identity, Key: keyfile.XOnly(key), Host: "h", Port: 1, Genesis: p.GenesisHash}
	return &Door{Invitation: inv, Now: time.Now, Rand: rand.Reader, Dial: func(context.Context, string) (net.Conn, error) {
		a, b := net.Pipe()
		go func() {
			if conn, err := tr.Accept(t.Context(), b); err == nil {
				_ = conn.Run(t.Context())
			}
		}()
		return a, nil
	}}
}

func TestInvitation(t *testing.T) {
	p := newChain(t, "acme")
	identity, _ := p.Address.Encode(keyfile.Script(newKey(5)))
	genesis, other := p.GenesisHash.String(), strings.Repeat("0a", 32)
	for _, text := range []string{
		"charter://" + identity + "@node.example:8430/" + genesis,
		"charter://" + identity + "@[2001:db8::1]:8430/" + genesis + "#120:" + other,
	} {
		inv, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if inv.String() != text || inv.Key != keyfile.XOnly(newKey(5)) || inv.Genesis != p.GenesisHash {
			t.Errorf("%+v", inv)
		}
	}
	inv, _ := Parse("charter://" + identity + "@h:1/" + genesis + "#120:" + other)
	if inv.Peer() != identity+"@h:1" || inv.Settled() != "120:"+other {
		t.Errorf("%q, %q", inv.Peer(), inv.Settled())
	}
	short, _ := p.Address.Encode(append([]byte{0, 20}, make([]byte, 20)...))
	for says, text := range map[string]string{
		"begin with":        identity + "@h:1/" + genesis,
		"no genesis":        "charter://" + identity + "@h:1",
		"bad genesis":       "charter://" + identity + "@h:1/" + genesis[1:],
		"no identity":       "charter://h:1/" + genesis,
		"is no address":     "charter://abc@h:1/" + genesis,
		"not the taproot":   "charter://" + short + "@h:1/" + genesis,
		"checksum":          "charter://" + identity[:len(identity)-2] + "qq@h:1/" + genesis,
		"no host and port":  "charter://" + identity + "@h/" + genesis,
		"no host and port:": "charter://" + identity + "@h:0/" + genesis,
		"bad height":        "charter://" + identity + "@h:1/" + genesis + "#x:" + other,
		"bad hash":          "charter://" + identity + "@h:1/" + genesis + "#5:" + other[2:],
	} {
		if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v; want it to say %q", text, err, says)
		}
	}
}

func TestFetch(t *testing.T) {
	p, other := newChain(t, "acme"), newChain(t, "other")
	got, err := host(t, p, params.Render(p), errors.New("nobody")).Fetch(t.Context())
	if err != nil || got.GenesisHash != p.GenesisHash {
		t.Fatalf("%v", err)
	}
	if _, err := host(t, p, params.Render(other), nil).Fetch(t.Context()); err == nil || !strings.Contains(err.Error(), "another chain") {
		t.Errorf("the file of another chain: %v", err)
	}
	renamed := strings.Replace(string(params.Render(p)), `bech32_hrp = "acme"`, `bech32_hrp = "fake"`, 1)
	if _, err := host(t, p, []byte(renamed), nil).Fetch(t.Context()); err == nil || !strings.Contains(err.Error(), "otherwise") {
		t.Errorf("another prefix: %v", err)
	}
	if _, err := host(t, p, []byte("format = 9"), nil).Fetch(t.Context()); err == nil {
		t.Error("a file that is none is taken")
	}
	door := host(t, p, params.Render(p), nil)
	door.Key[5] ^= 1
	var refused *Refusal
	if _, err := door.Fetch(t.Context()); !errors.As(err, &refused) || !refused.Final {
		t.Errorf("another identity: %v", err)
	}
}

func TestKnock(t *testing.T) {
	p, other := newChain(t, "acme"), newChain(t, "other")
	if err := host(t, p, nil, nil).Knock(t.Context(), p, newKey(6)); err != nil {
		t.Errorf("let in: %v", err)
	}
	var refused *Refusal
	err := host(t, p, nil, errors.New("nobody")).Knock(t.Context(), p, newKey(6))
	if !errors.As(err, &refused) || refused.Final {
		t.Errorf("not let in: %v", err)
	}
	err = host(t, p, nil, nil).Knock(t.Context(), other, newKey(6))
	if !errors.As(err, &refused) || !refused.Final {
		t.Errorf("another chain: %v", err)
	}
}
