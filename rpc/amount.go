package rpc

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// unitsPerCoin is how many of the smallest unit make one coin, as amounts are
// written for people.
const unitsPerCoin = 100_000_000

// Amount is a number of the smallest unit. In JSON it is a number of coins
// with exactly eight decimals.
type Amount int64

// String writes the amount in coins, with exactly eight decimals.
func (a Amount) String() string {
	sign, units := "", uint64(a)
	if a < 0 {
		sign, units = "-", -units
	}
	return fmt.Sprintf("%s%d.%08d", sign, units/unitsPerCoin, units%unitsPerCoin)
}

// MarshalJSON writes the amount as a number.
func (a Amount) MarshalJSON() ([]byte, error) { return []byte(a.String()), nil }

var (
	errAmountSyntax = errors.New("not a decimal number")
	errAmountDigits = errors.New("more than eight decimals")
	errAmountRange  = errors.New("out of range")
)

// ParseAmount reads a number of coins: decimal digits, at most one point, and
// an exponent as JSON allows it. It is exact: nothing is rounded.
func ParseAmount(text string) (Amount, error) {
	mantissa, exponent, err := splitExponent(text)
	if err != nil {
		return 0, err
	}
	digits, negative := strings.CutPrefix(mantissa, "-")
	whole, fraction, point := strings.Cut(digits, ".")
	if whole == "" || (point && fraction == "") || !allDigits(whole) || !allDigits(fraction) {
		return 0, errAmountSyntax
	}
	// The amount is all × 10^shift of the smallest unit.
	all := strings.TrimLeft(whole+fraction, "0")
	shift := exponent + 8 - len(fraction)
	for shift < 0 && strings.HasSuffix(all, "0") {
		all = all[:len(all)-1]
		shift++
	}
	switch {
	case all == "":
		return 0, nil
	case shift < 0:
		return 0, errAmountDigits
	case len(all)+shift > 19:
		return 0, errAmountRange
	}
	units, err := strconv.ParseUint(all+strings.Repeat("0", shift), 10, 64)
	if err != nil || units > math.MaxInt64 {
		return 0, errAmountRange
	}
	if negative {
		return -Amount(units), nil
	}
	return Amount(units), nil
}

func splitExponent(text string) (mantissa string, exponent int, err error) {
	at := strings.IndexAny(text, "eE")
	if at < 0 {
		return text, 0, nil
	}
	digits := text[at+1:]
	if digits != "" && (digits[0] == '+' || digits[0] == '-') {
		digits = digits[1:]
	}
	if digits == "" || len(digits) > 3 || !allDigits(digits) {
		return "", 0, errAmountSyntax
	}
	exponent, err = strconv.Atoi(text[at+1:])
	if err != nil {
		return "", 0, errAmountSyntax
	}
	return text[:at], exponent, nil
}

func allDigits(s string) bool {
	for _, r := range s {
		if r < '0' || r > '9' {
			return false
		}
	}
	return true
}

// realNumber is a number that is no amount, printed with 16 significant digits as
// Bitcoin Core prints it.
type realNumber float64

func (r realNumber) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(r), 'g', 16, 64), nil
}
