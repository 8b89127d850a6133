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
	sealedLimit  = 0x1f0fffff // 4,096 hashes: work comes on top of seals
	openLimit    = 0x1e0fffff // 2^20 hashes: about a second of one core
)

// NewOpen builds a new open chain, with BIP54 from the first block. Render writes it as a file. It searches
// the genesis nonce, which takes a moment with the usual limit. The error
// is a *FileError about the keys that the options stand for.
func NewOpen(o OpenOptions) (*Params, error) {
	l := newChain(o)
	algorithm, limit := AlgorithmASERT, int64(openLimit)
	if o.OnDemand {
		algorithm, limit = AlgorithmFixed, easiestLimit
	}
	l.set("pow.algorithm", string(o.Algorithm), string(algorithm))
	l.set("pow.limit", int64(o.Limit), limit)
	return l.create(o)
}

// PermissionedOptions describes a new chain whose members decide who may do
// what. Of OpenOptions the same holds as on open chains, but for the
// difficulty: fixed at a low limit, since miners take turns and min_spacing
// paces them.
type PermissionedOptions struct {
	OpenOptions
	Members     []Member     // at least one that may administer, and one that may mine
	Restricted  []Permission // what is members' only; nil: everything
	SetupBlocks int32        // during which one administering member may add others alone
	Subsidy     int64        // that each block creates; 0: none, coins come from allocations
}

// NewPermissioned builds a new permissioned chain; see NewOpen.
func NewPermissioned(o PermissionedOptions) (*Params, error) {
	l := newChain(o.OpenOptions)
	limit := int64(sealedLimit)
	if o.OnDemand {
		limit = easiestLimit
	}
	l.set("pow.algorithm", string(o.Algorithm), string(AlgorithmFixed))
	l.set("pow.limit", int64(o.Limit), limit)
	l.set("permissions.enabled", true, true)
	if o.Restricted != nil {
		l.set("permissions.restricted", toStrings(o.Restricted), nil)
	}
	l.set("permissions.setup_blocks", int64(o.SetupBlocks), int64(0))
	l.set("subsidy.initial", o.Subsidy, int64(0))
	l.set("policy.min_relay_fee", int64(0), int64(0)) // who may send is known
	l.p.Genesis.Members = o.Members
	return l.create(o.OpenOptions)
}

// newChain sets what the options say on either kind of chain.
func newChain(o OpenOptions) *loader {
	l := &loader{p: &Params{}, given: make(map[string]bool), lines: map[string]int{}}
	l.p.Name = o.Name
	l.given["name"] = true
	l.set("address.bech32_hrp", o.HRP, SuggestHRP(o.Name))
	l.set("genesis.time", int64(o.Time), int64(0))
	l.set("genesis.message", o.Message, "")
	l.set("pow.spacing", int64(o.Spacing/time.Second), int64(60))
	l.set("pow.on_demand", o.OnDemand, false)
	l.set("deployments.bip54", int64(0), int64(0)) // the default serves files from before BIP54
	l.set("network.default_port", int64(o.Port), int64(8430))
	l.p.Genesis.Allocations = o.Allocations
	return l
}

// create fills in the defaults and builds the chain.
func (l *loader) create(o OpenOptions) (*Params, error) {
	l.defaults(early)
	l.defaults(late)
	if sum := allocated(o.Allocations); sum > 0 {
		l.makeRoom(sum)
	}
	return Build(*l.p)
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
