package params

import (
	"strings"
	"time"
)

// OpenOptions describes a new chain without permissions. Zero values mean
// what is said at each field.
type OpenOptions struct {
	Name        string        // required
	HRP         string        // first part of addresses; empty: SuggestHRP(Name)
	Time        uint32        // of the genesis block, seconds since 1970
	Algorithm   Algorithm     // empty: fixed with OnDemand, else asert
	Limit       uint32        // compact bits; 0: the easiest with OnDemand, else about a million hashes
	Spacing     time.Duration // whole seconds; 0: 60 s
	OnDemand    bool          // blocks may be made by RPC at once
	Port        uint16        // 0: 8430
	Message     string        // in the genesis coinbase
	Allocations []Allocation  // address and amount
}

// The easiest targets of new chains.
const (
	easiestLimit = 0x207fffff // two hashes a block
	openLimit    = 0x1e0fffff // 2^20 hashes: about a second of one core
)

// NewOpen builds a new open chain, with BIP54 from the first block. Render writes it as a file. It searches
// the genesis nonce, which takes a moment with the usual limit. The error
// is a *FileError about the keys that the options stand for.
func NewOpen(o OpenOptions) (*Params, error) {
	l := &loader{p: &Params{}, given: make(map[string]bool), lines: map[string]int{}}
	p := l.p
	p.Name = o.Name
	l.given["name"] = true
	l.set("address.bech32_hrp", o.HRP, SuggestHRP(o.Name))
	l.set("genesis.time", int64(o.Time), int64(0))
	l.set("genesis.message", o.Message, "")
	algorithm, limit := AlgorithmASERT, int64(openLimit)
	if o.OnDemand {
		algorithm, limit = AlgorithmFixed, easiestLimit
	}
	l.set("pow.algorithm", string(o.Algorithm), string(algorithm))
	l.set("pow.limit", int64(o.Limit), limit)
	l.set("pow.spacing", int64(o.Spacing/time.Second), int64(60))
	l.set("pow.on_demand", o.OnDemand, false)
	l.set("deployments.bip54", int64(0), int64(0)) // the default serves files from before BIP54
	l.set("network.default_port", int64(o.Port), int64(8430))
	l.defaults(early)
	l.defaults(late)
	p.Genesis.Allocations = o.Allocations
	if sum := allocated(o.Allocations); sum > 0 {
		l.makeRoom(sum)
	}
	return Build(*p)
}

// set gives a key a value, or the other one where it is zero.
func (l *loader) set(name string, v, otherwise any) {
	k, ok := schemaKey(name)
	if !ok {
		panic("params: no key " + name)
	}
	if v == any("") || v == any(int64(0)) {
		v = otherwise
	}
	k.set(l.p, v)
	l.given[name] = true
}

// makeRoom raises max_money so that the allocations and all subsidies
// together stay within it.
func (l *loader) makeRoom(allocations int64) {
	p := l.p
	if p.Subsidy.HalvingInterval == 0 {
		return // unlimited anyway
	}
	supply := allocations
	for part := p.Subsidy.Initial; part > 0; part /= 2 {
		supply += part * int64(p.Subsidy.HalvingInterval)
		if supply > MaxAmount || supply < 0 {
			return // Build names the allocation that is too much
		}
	}
	p.Limits.MaxMoney = max(p.Limits.MaxMoney, supply)
}

// allocated sums amounts, or returns 0 where one is out of range.
func allocated(list []Allocation) int64 {
	var sum int64
	for _, a := range list {
		if a.Amount <= 0 || a.Amount > MaxAmount-sum {
			return 0
		}
		sum += a.Amount
	}
	return sum
}

// SuggestHRP derives the first part of a chain's addresses from its name:
// at most eight of its letters and digits, and never Bitcoin's.
func SuggestHRP(name string) string {
	hrp := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' && r != '1' {
			return r
		}
		return -1
	}, strings.ToLower(name))
	hrp = hrp[:min(len(hrp), 8)]
	switch hrp {
	case "":
		return "chr"
	case "bc", "tb", "bcrt":
		return hrp + "x"
	}
	return hrp
}
