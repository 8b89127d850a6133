package workload

import (
	"errors"
	"fmt"
	"slices"

	"github.com/charterchain/charter/chain/params"
)

// Kind is a kind of payment.
type Kind string

// The kinds of payments.
const (
	P2TR   Kind = "p2tr"   // 1 input, 2 outputs, by key
	P2TR2  Kind = "p2tr2"  // 2 inputs, 2 outputs, by key
	P2WPKH Kind = "p2wpkh" // 1 input, 2 outputs
	Mixed  Kind = "mixed"  // 1 input, 2 outputs; of the outputs 40 % p2wpkh, 40 % p2tr, 20 % p2pkh
	Anyone Kind = "anyone" // 1 input, 2 outputs, P2WSH of OP_TRUE and a number: distinct scripts, no signatures
)

// Kinds returns all kinds.
func Kinds() []Kind { return []Kind{P2TR, P2TR2, P2WPKH, Mixed, Anyone} }

// inputs is how many inputs a payment has. All have two outputs.
func (k Kind) inputs() int {
	if k == P2TR2 {
		return 2
	}
	return 1
}

const outputs = 2

// FullWeight is the weight of a full block.
const FullWeight = 4_000_000

// Spec says which chain to make.
type Spec struct {
	Kind   Kind
	Blocks int    // full blocks
	Weight int64  // of each; 0: FullWeight
	Coins  int    // of the funding blocks; 0: twice what a block spends, or where Wide is set what all spend
	Wide   bool   // the full blocks spend coins of the funding blocks only
	Seed   uint64 // of the keys and of the choice of coins
}

// Bounds of a Spec.
const (
	minWeight = 10_000
	maxBlocks = 100_000
	maxCoins  = 20_000_000
)

// Check reports everything that is wrong with s.
func (s Spec) Check() error {
	var errs []error
	if !slices.Contains(Kinds(), s.Kind) {
		errs = append(errs, fmt.Errorf("kind %q: must be one of %q", s.Kind, Kinds()))
	}
	if s.Blocks < 1 || s.Blocks > maxBlocks {
		errs = append(errs, fmt.Errorf("%d blocks: must be 1 to %d", s.Blocks, maxBlocks))
	}
	if s.Weight != 0 && (s.Weight < minWeight || s.Weight > FullWeight) {
		errs = append(errs, fmt.Errorf("weight %d of a block: must be %d to %d", s.Weight, minWeight, FullWeight))
	}
	if s.Coins < 0 || s.Coins > maxCoins {
		errs = append(errs, fmt.Errorf("%d coins: must be 0 to %d", s.Coins, maxCoins))
	}
	return errors.Join(errs...)
}

// withDefaults fills in what is 0.
func (s Spec) withDefaults() Spec {
	if s.Weight == 0 {
		s.Weight = FullWeight
	}
	if s.Coins == 0 {
		s.Coins = 2 * s.MostInputs()
		if s.Wide {
			s.Coins = s.Blocks * s.MostInputs()
		}
	}
	return s
}

// MostPayments is how many payments a full block has at most.
func (s Spec) MostPayments() int {
	weight := s.Weight
	if weight == 0 {
		weight = FullWeight
	}
	return max(1, int((weight-headRoom)/s.Kind.leastWeight()))
}

// MostInputs is how many coins a full block spends at most, or takes while it
// is made.
func (s Spec) MostInputs() int { return (s.MostPayments() + 1) * s.Kind.inputs() }

// leastWeight is a weight that no payment is below.
func (k Kind) leastWeight() int64 {
	switch k {
	case P2TR:
		return 616
	case P2TR2:
		return 846
	case Anyone:
		return 563
	case P2WPKH:
		return 550
	}
	return 520 // by key, into two outputs of p2wpkh
}

// version changes whenever the same Spec makes another chain.
const version = 1

// name is that of the files.
func (s Spec) name() string {
	shape := "random"
	if s.Wide {
		shape = "wide"
	}
	return fmt.Sprintf("%s-%dx%d-%s-%d-seed%d-v%d", s.Kind, s.Blocks, s.Weight, shape, s.Coins, s.Seed, version)
}

// subsidy pays for all coins: each coinbase has what a funding block gives.
const subsidy = 10_000_000_00000000

// newParams is the chain that all are made on: no permissions, proof of work
// that takes no time, coinbase outputs that may be spent in the next block.
func newParams() (*params.Params, error) {
	return params.Load(fmt.Appendf(nil, `
format = 1
name = "bench"

[address]
bech32_hrp = "cb"

[genesis]
time = 1700000000
bits = 0x207fffff
message = "charterd bench"

[pow]
limit = 0x207fffff
algorithm = "fixed"
spacing = 60
on_demand = true

[subsidy]
initial = %d
halving_interval = 0
maturity = 1
`, int64(subsidy)), "bench.toml")
}
