package wallet

import (
	"fmt"
	"strconv"
	"strings"
)

// Amount is a sum of money in the chain's smallest unit; 100,000,000 of it
// are one coin. Its text and JSON forms are coins with eight decimals,
// printed from the integer and read without a float.
type Amount int64

// coin is one coin in the smallest unit.
const coin = 100_000_000

// String shows coins with exactly eight decimals: "1.50000000".
func (a Amount) String() string {
	sign, n := "", uint64(a)
	if a < 0 {
		sign, n = "-", -n
	}
	return fmt.Sprintf("%s%d.%08d", sign, n/coin, n%coin)
}

// MarshalJSON writes a JSON number with exactly eight decimals.
func (a Amount) MarshalJSON() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalJSON reads a JSON number, or a string that holds one.
func (a *Amount) UnmarshalJSON(b []byte) error {
	text := string(b)
	if len(text) >= 2 && text[0] == '"' && text[len(text)-1] == '"' {
		text = text[1 : len(text)-1]
	}
	text, negative := strings.CutPrefix(text, "-")
	n, err := ParseAmount(text)
	if err != nil {
		return err
	}
	if *a = n; negative {
		*a = -n
	}
	return nil
}

// ParseAmount reads coins with at most eight decimals and without a sign,
// as people write them: "1", "0.5", "12.00000001". Zero is an amount.
func ParseAmount(s string) (Amount, error) {
	fault := func(why string) (Amount, error) {
		return 0, fmt.Errorf("amount %q %s: give coins such as 1 or 0.25, with at most eight decimals", s, why)
	}
	whole, frac, dot := strings.Cut(s, ".")
	if len(frac) > 8 {
		return fault("has more than eight decimals")
	}
	if !digits(whole) || dot && !digits(frac) {
		return fault("is not a number")
	}
	n, err := strconv.ParseInt(whole+frac+"00000000"[len(frac):], 10, 64)
	if err != nil {
		return fault("is too large")
	}
	return Amount(n), nil
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
