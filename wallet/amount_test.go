package wallet

import (
	"encoding/json"
	"math"
	"testing"
)

func TestAmount(t *testing.T) {
	for text, want := range map[string]Amount{
		"0": 0, "1": coin, "0.5": coin / 2, "0.00000001": 1, "21000000": 21_000_000 * coin,
		"92233720368.54775807": math.MaxInt64, "007.10": 7*coin + coin/10,
	} {
		got, err := ParseAmount(text)
		if err != nil || got != want {
			t.Errorf("%q: %d, %v; want %d", text, int64(got), err, int64(want))
		}
	}
	for _, text := range []string{"", ".", "1.", ".5", "-1", "+1", "1e3", "1,5", " 1", "1 ", "0.000000001",
		"92233720368.54775808", "99999999999999999999", "NaN", "0x10", "1_000", "١"} {
		if got, err := ParseAmount(text); err == nil {
			t.Errorf("%q accepted as %v", text, got)
		}
	}
	for a, want := range map[Amount]string{
		0: "0.00000000", 1: "0.00000001", -1: "-0.00000001", coin: "1.00000000",
		-12*coin - 5: "-12.00000005", math.MaxInt64: "92233720368.54775807", math.MinInt64: "-92233720368.54775808",
	} {
		if got := a.String(); got != want {
			t.Errorf("%d: %s, want %s", int64(a), got, want)
		}
	}
	var got []Amount
	if err := json.Unmarshal([]byte(`[0.00001, "2.5", -1.0, 0]`), &got); err != nil || got[0] != 1000 || got[1] != 250_000_000 || got[2] != -coin {
		t.Errorf("from JSON: %v, %v", got, err)
	}
	for _, text := range []string{`1e-5`, `null`, `{}`, `"x"`, `"--1"`, `true`} {
		var a Amount
		if err := json.Unmarshal([]byte(text), &a); err == nil && text != "null" {
			t.Errorf("JSON %s accepted as %v", text, a)
		}
	}
}

func FuzzParseAmount(f *testing.F) {
	for _, s := range []string{"1", "0.1", "92233720368.54775807", "1e8", "-1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseAmount(s)
		if err != nil {
			return
		}
		if back, err := ParseAmount(a.String()); err != nil || back != a || a < 0 {
			t.Errorf("%q is %d, shown as %q, read back as %d (%v)", s, int64(a), a.String(), int64(back), err)
		}
	})
}
