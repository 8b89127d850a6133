package coins

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// FeeRate is a fee per size: smallest units per 1,000 virtual bytes, which
// is Bitcoin's "sat/kvB". 1,000 is one sat/vB.
type FeeRate int64

// MaxFeeRate bounds the rates that are worked with, so that a rate times a
// transaction's weight stays within 64 bits: ten million sat/vB.
const MaxFeeRate FeeRate = 10_000_000_000

// Fee is what a transaction of the given weight pays at rate r, rounded up
// to a whole unit. The size that counts is the virtual size: the weight
// over four, rounded up (BIP141). weight must not be negative, r must be
// within 0 and MaxFeeRate.
func (r FeeRate) Fee(weight int64) int64 {
	vsize := (weight + 3) / 4
	return ceilDiv(int64(r), vsize, 1000)
}

// ceilDiv returns ceil(a·b/c) for a, b >= 0 and c > 0, without overflow
// within.
func ceilDiv(a, b, c int64) int64 {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	quo, rem := bits.Div64(hi, lo, uint64(c))
	if rem != 0 {
		quo++
	}
	return int64(quo)
}

// String shows the rate in smallest units per virtual byte, as wallets do:
// FeeRate(1500) is "1.5".
func (r FeeRate) String() string {
	s := fmt.Sprintf("%d.%03d", r/1000, r%1000)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

// ParseFeeRate reads a rate in smallest units per virtual byte with at most
// three decimals, above zero: "1", "2.5". It never goes through a float.
func ParseFeeRate(s string) (FeeRate, error) {
	fault := func(why string) (FeeRate, error) {
		return 0, fmt.Errorf("fee rate %q %s: give sat/vB such as 1 or 2.5, more than 0 and at most %s", s, why, MaxFeeRate)
	}
	whole, frac, dot := strings.Cut(s, ".")
	if len(frac) > 3 {
		return fault("has more than three decimals")
	}
	if !digits(whole) || dot && !digits(frac) {
		return fault("is not a number")
	}
	n, err := strconv.ParseInt(whole+frac+"000"[len(frac):], 10, 64)
	if err != nil || n > int64(MaxFeeRate) {
		return fault("is too large")
	}
	if n == 0 {
		return fault("is zero")
	}
	return FeeRate(n), nil
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
