package consensus

import (
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/params"
)

func TestCheckHeader(t *testing.T) {
	// mine looks for a nonce with which the hash meets the easiest target,
	// or with which it does not.
	mine := func(bits uint32, meet bool) *wire.BlockHeader {
		h := &wire.BlockHeader{Bits: bits, Timestamp: time.Unix(0, 0)}
		for {
			hash := h.BlockHash()
			if hash[31] < 0x7f == meet {
				return h
			}
			h.Nonce++
		}
	}
	harder := regtest()
	harder.PoW.Limit, harder.PoW.LimitTarget = 0x207ffffe, target(0x207ffffe)
	for _, c := range []struct {
		name string
		h    *wire.BlockHeader
		p    *params.Params
		rule Rule
	}{
		{"hash within the target", mine(0x207fffff, true), regtest(), ""},
		{"hash above the target", mine(0x207fffff, false), regtest(), RuleHighHash},
		{"target at the limit", mine(0x207ffffe, true), harder, ""},
		{"target above the limit", mine(0x207fffff, true), harder, RuleHighHash},
		{"zero", mine(0x20000000, true), regtest(), RuleHighHash},
		{"negative", mine(0x20ffffff, true), regtest(), RuleHighHash},
		{"more than 256 bits", mine(0x237fffff, true), regtest(), RuleHighHash},
	} {
		t.Run(c.name, func(t *testing.T) { wantRule(t, CheckHeader(c.h, c.p), c.rule, false) })
	}
}

func TestHashEqualToTarget(t *testing.T) {
	// The hash of Bitcoin's genesis block, as the target itself and one less.
	h := &wire.BlockHeader{Version: 1, Timestamp: time.Unix(1231006505, 0), Bits: 0x1d00ffff, Nonce: 2083236893}
	if err := h.MerkleRoot.UnmarshalJSON([]byte(`"4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b"`)); err != nil {
		t.Fatal(err)
	}
	wantRule(t, CheckHeader(h, mainnet()), "", false)
	hash := h.BlockHash()
	if got := hashValue(&hash).Text(16); got != "19d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f" {
		t.Errorf("hash as a number is %s", got)
	}
	value := hashValue(&hash)
	if !meets(&hash, value) || meets(&hash, new(big.Int).Sub(value, big.NewInt(1))) {
		t.Error("the target itself must be met, the number below it not")
	}
	h.Nonce++
	wantRule(t, CheckHeader(h, mainnet()), RuleHighHash, false)
}

func TestCheckHeaderContext(t *testing.T) {
	parent := spaced(12, 1000, 10, 0x207fffff) // times 1000 to 1110, median of the last 11: 1060
	spacedOut := regtest()
	spacedOut.PoW.MinSpacing = 15 * time.Second
	for _, c := range []struct {
		name string
		p    *params.Params
		bits uint32
		time int64
		rule Rule
	}{
		{"bits as demanded", regtest(), 0x207fffff, 2000, ""},
		{"harder than demanded", regtest(), 0x207ffffe, 2000, RuleBits},
		{"time just after the median", regtest(), 0x207fffff, 1061, ""},
		{"time at the median", regtest(), 0x207fffff, 1060, RuleTimeTooOld},
		{"time at the least spacing", spacedOut, 0x207fffff, 1125, ""},
		{"time within the least spacing", spacedOut, 0x207fffff, 1124, RuleTimeTooEarly},
		{"time before the median, too", spacedOut, 0x207fffff, 1060, RuleTimeTooOld},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := &wire.BlockHeader{Version: 4, Bits: c.bits, Timestamp: time.Unix(c.time, 0)}
			wantRule(t, CheckHeaderContext(h, parent, c.p), c.rule, false)
		})
	}
	if got := MinTime(parent, regtest()); got != 1061 {
		t.Errorf("least time %d", got)
	}
	if got := MinTime(parent, spacedOut); got != 1125 {
		t.Errorf("least time with spacing %d", got)
	}
}

func TestVersions(t *testing.T) {
	deployed := func(bip34, bip66, bip65 int32) *params.Params {
		p := regtest()
		p.Deployments.BIP34, p.Deployments.BIP66, p.Deployments.BIP65 = bip34, bip66, bip65
		return p
	}
	const never = params.Never
	for _, c := range []struct {
		name    string
		p       *params.Params
		version int32
		reason  string
	}{
		{"anything before BIP34", deployed(6, 6, 6), -5, ""},
		{"BIP34", deployed(5, 6, 6), 2, ""},
		{"below BIP34", deployed(5, 6, 6), 1, "bad-version(0x00000001)"},
		{"BIP66", deployed(5, 5, 6), 3, ""},
		{"below BIP66", deployed(5, 5, 6), 2, "bad-version(0x00000002)"},
		{"BIP65", deployed(5, 5, 5), 4, ""},
		{"below BIP65", deployed(5, 5, 5), 3, "bad-version(0x00000003)"},
		{"negative", deployed(5, 5, 5), -1, "bad-version(0xffffffff)"},
		{"BIP9", deployed(5, 5, 5), 0x20000000, ""},
		{"one of the future", deployed(5, 5, 5), 5, ""},
		{"the highest", deployed(5, 5, 5), 0x7fffffff, ""},
		{"the lowest", deployed(5, 5, 5), -0x80000000, "bad-version(0x80000000)"},
		{"never deployed", deployed(never, never, never), 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			parent := spaced(5, 1000, 10, 0x207fffff)
			h := &wire.BlockHeader{Version: c.version, Bits: 0x207fffff, Timestamp: time.Unix(2000, 0)}
			err := CheckHeaderContext(h, parent, c.p)
			if c.reason == "" {
				wantRule(t, err, "", false)
				return
			}
			wantRule(t, err, RuleVersion, false)
			if got := AsRule(err).Reason(); got != c.reason {
				t.Errorf("got reason %q, want %q", got, c.reason)
			}
		})
	}
}

func TestCheckHeaderTime(t *testing.T) {
	now := time.Unix(5000, 999)
	h := &wire.BlockHeader{Timestamp: time.Unix(5000+7200, 0)}
	if err := CheckHeaderTime(h, now, mainnet()); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	h.Timestamp = h.Timestamp.Add(time.Second)
	err := CheckHeaderTime(h, now, mainnet())
	if !errors.Is(err, ErrNotYet) || AsRule(err) != nil {
		t.Errorf("got %v", err)
	}
	if !strings.Contains(err.Error(), "accepted from 5001 on") {
		t.Errorf("does not say when: %v", err)
	}
}
