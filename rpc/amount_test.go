package rpc

import (
	"encoding/json"
	"errors"
	"math"
	"testing"
)

func TestAmountText(t *testing.T) {
	for _, c := range []struct {
		amount Amount
		want   string
	}{
		{0, "0.00000000"},
		{1, "0.00000001"},
		{-1, "-0.00000001"},
		{99999999, "0.99999999"},
		{100000000, "1.00000000"},
		{-123456789, "-1.23456789"},
		{2099999997690000, "20999999.97690000"},
		{math.MaxInt64, "92233720368.54775807"},
		{math.MinInt64, "-92233720368.54775808"},
	} {
		got, err := json.Marshal(c.amount)
		if err != nil || string(got) != c.want {
			t.Errorf("%d: got %s, %v, want %s", c.amount, got, err, c.want)
		}
	}
}

func TestParseAmount(t *testing.T) {
	for _, c := range []struct {
		text string
		want Amount
		err  error
	}{
		{"0", 0, nil},
		{"-0", 0, nil},
		{"0.00000001", 1, nil},
		{"0.1", 10000000, nil}, // no float holds it
		{"1e-8", 1, nil},
		{"1E+2", 10000000000, nil},
		{"1.50e1", 1500000000, nil},
		{"100e-10", 1, nil}, // zeros may be cut
		{"0.000000010", 1, nil},
		{"92233720368.54775807", math.MaxInt64, nil},
		{"92233720368.54775808", 0, errAmountRange},
		{"1e11", 0, errAmountRange},
		{"1e999", 0, errAmountRange},
		{"0e999", 0, nil},
		{"99999999999999999999", 0, errAmountRange},
		{"0.000000001", 0, errAmountDigits},
		{"1e-9", 0, errAmountDigits},
		{"1e-999", 0, errAmountDigits},
		{"-1.5", -150000000, nil},
		{"", 0, errAmountSyntax},
		{"-", 0, errAmountSyntax},
		{".5", 0, errAmountSyntax},
		{"5.", 0, errAmountSyntax},
		{"+5", 0, errAmountSyntax},
		{" 5", 0, errAmountSyntax},
		{"1,5", 0, errAmountSyntax},
		{"1.2.3", 0, errAmountSyntax},
		{"0x10", 0, errAmountSyntax},
		{"1e", 0, errAmountSyntax},
		{"1e1000", 0, errAmountSyntax},
		{"1e+-1", 0, errAmountSyntax},
		{"1e1e1", 0, errAmountSyntax},
		{"NaN", 0, errAmountSyntax},
		{"٣", 0, errAmountSyntax}, // a digit, but not one of ours
	} {
		got, err := ParseAmount(c.text)
		if got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%q: got %d, %v, want %d, %v", c.text, got, err, c.want, c.err)
		}
	}
}

func FuzzParseAmount(f *testing.F) {
	for _, seed := range []string{"0", "1.5", "-21e6", "0.00000001", "1e-8", "92233720368.54775807", "1e", "."} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := ParseAmount(text)
		if err != nil {
			return
		}
		if again, err := ParseAmount(a.String()); err != nil || again != a {
			t.Errorf("%q is %d, printed %s, read back %d, %v", text, a, a, again, err)
		}
	})
}
