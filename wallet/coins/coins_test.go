package coins

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/google/go-cmp/cmp"
)

// The weights of a payment to one P2TR output with P2TR change.
const (
	outWeight  = 43 * 4
	baseWeight = (4+4+1)*4 + 2 + outWeight
)

func coin(n int, amount int64, confirmed bool) Coin {
	var h chainhash.Hash
	binary.LittleEndian.PutUint64(h[:], uint64(n))
	return Coin{OutPoint: wire.OutPoint{Hash: h}, Amount: amount, Weight: TaprootInputWeight, Confirmed: confirmed}
}

func request(rate FeeRate, target int64, amounts ...int64) *Request {
	rng := rand.New(rand.NewPCG(1, 2))
	r := &Request{
		Target:            target,
		Rate:              rate,
		BaseWeight:        baseWeight,
		ChangeWeight:      outWeight,
		ChangeSpendWeight: TaprootInputWeight,
		MinChange:         330,
		MaxWeight:         400_000,
		Rand:              rng.IntN,
	}
	for i, a := range amounts {
		r.Coins = append(r.Coins, coin(i, a, true))
	}
	return r
}

func amounts(s *Selection) []int64 {
	var out []int64
	for _, c := range s.Coins {
		out = append(out, c.Amount)
	}
	return out
}

func TestSelect(t *testing.T) {
	// At 1 sat/vB one input and one output cost 111, change 43 more.
	const oneIn, change = 111, 43
	tests := []struct {
		name       string
		req        *Request
		want       []int64
		wantChange int64
	}{
		{"exact without change", request(1000, 5000, 9000, 5000+oneIn+2, 7000), []int64{5000 + oneIn + 2}, 0},
		{"sum without change", request(1000, 7000, 900_000, 4000, 3000+oneIn+60), []int64{4000, 3000 + oneIn + 60}, 0},
		{"excess worth less than change goes to the fee", request(1000, 5000, 5000+oneIn+100), []int64{5000 + oneIn + 100}, 0},
		{"least change kept", request(1000, 5000, 5000+oneIn+change+330), []int64{5000 + oneIn + change + 330}, 330},
		{"change below the least goes to the fee", request(1000, 5000, 5000+oneIn+change+329), []int64{5000 + oneIn + change + 329}, 0},
		{"smallest single coin", request(1000, 5000, 100_000, 20_000, 50_000, 1000), []int64{20_000}, 20_000 - 5000 - oneIn - change},
		{"small coins before breaking a large one", request(1000, 5000, 1_000_000, 4000, 3000), []int64{4000, 3000}, 7000 - 5000 - oneIn - change - 58},
		{"coins not worth their fee stay", request(100_000, 50_000, 5000, 5000, 5000, 200_000), []int64{200_000}, 200_000 - 50_000 - 15_400},
		{"everything", request(1000, 5000, 5000+oneIn), []int64{5000 + oneIn}, 0},
		{"free", request(0, 5000, 5000), []int64{5000}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Select(tt.req)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, amounts(got)); diff != "" {
				t.Errorf("coins (-want +got):\n%s", diff)
			}
			if got.Change != tt.wantChange {
				t.Errorf("change %d, want %d", got.Change, tt.wantChange)
			}
			checkSelection(t, tt.req, got)
		})
	}
}

func TestSelectConfirmedFirst(t *testing.T) {
	r := request(1000, 5000)
	r.Coins = []Coin{coin(1, 5111, false), coin(2, 50_000, true)}
	got, err := Select(r)
	if err != nil || len(got.Coins) != 1 || !got.Coins[0].Confirmed {
		t.Fatalf("got %+v, %v; want the confirmed coin although the other fits exactly", got, err)
	}
	r.Target = 52_000
	got, err = Select(r)
	if err != nil || len(got.Coins) != 2 {
		t.Fatalf("got %+v, %v; want both coins", got, err)
	}
}

func TestSelectRefuses(t *testing.T) {
	r := request(1000, 5000, 3000, 2110)
	_, err := Select(r)
	var short *InsufficientError
	if !errors.As(err, &short) || short.Have != 5110 || short.Fee != 169 || short.Need != 5169 {
		t.Errorf("got %v (%+v), want have 5110, fee 169", err, short)
	}
	if _, err := Select(request(1000, 5000)); !errors.As(err, &short) || short.Have != 0 {
		t.Errorf("no coins: got %v", err)
	}

	many := make([]int64, 2000)
	for i := range many {
		many[i] = 1000
	}
	// 1,738 inputs of weight 230 fit beside the rest.
	const most = 1738*1000 - (baseWeight+3*4+1738*TaprootInputWeight+3)/4
	_, err = Select(request(1000, most+1, many...))
	var large *TooLargeError
	if !errors.As(err, &large) || large.Most != most {
		t.Errorf("2,000 small coins: got %v, want that at most %d fit", err, most)
	}
	if _, err := Select(request(1000, most, many...)); err != nil {
		t.Errorf("just as much as fits: %v", err)
	}
	if got, err := Select(request(1000, 1_600_000, many...)); err != nil {
		t.Errorf("1,700 small coins fit: %v", err)
	} else if got.Weight > 400_000 {
		t.Errorf("weight %d", got.Weight)
	}
	for _, target := range []int64{0, -1} {
		if _, err := Select(request(1000, target, 5000)); err == nil {
			t.Errorf("target %d accepted", target)
		}
	}
	if _, err := Select(request(1000, 1, 1<<62, 1<<62)); err == nil {
		t.Error("sum over 64 bits accepted")
	}
	if _, err := Select(request(MaxFeeRate+1, 1, 5000)); err == nil {
		t.Error("rate above the largest accepted")
	}
}

// checkSelection checks what must hold for every answer.
func checkSelection(t *testing.T, r *Request, s *Selection) {
	t.Helper()
	sum, weight, seen := int64(0), r.BaseWeight+countWeight(len(s.Coins)), map[wire.OutPoint]bool{}
	for _, c := range s.Coins {
		if seen[c.OutPoint] {
			t.Errorf("coin %v twice", c.OutPoint)
		}
		seen[c.OutPoint] = true
		sum += c.Amount
		weight += c.Weight
	}
	if sum != r.Target+s.Fee+s.Change {
		t.Errorf("sum %d is not target %d + fee %d + change %d", sum, r.Target, s.Fee, s.Change)
	}
	if s.Change != 0 && s.Change < r.MinChange {
		t.Errorf("change %d below %d", s.Change, r.MinChange)
	}
	if s.Change > 0 {
		weight += r.ChangeWeight
	}
	if weight != s.Weight || weight > r.MaxWeight {
		t.Errorf("weight %d, says %d, at most %d", weight, s.Weight, r.MaxWeight)
	}
	least := r.Rate.Fee(s.Weight)
	most := least
	if s.Change == 0 {
		most += r.Rate.Fee(r.ChangeWeight) + r.MinChange
	}
	if s.Fee < least || s.Fee > most {
		t.Errorf("fee %d, want %d to %d", s.Fee, least, most)
	}
}

func TestSelectProperties(t *testing.T) {
	const seed = 7
	rng := rand.New(rand.NewPCG(seed, 0))
	answers := 0
	for i := range 2000 {
		r := request(FeeRate(rng.IntN(50_000)), 1+rng.Int64N(200_000))
		r.Rand = rng.IntN
		total := int64(0)
		for n := range rng.IntN(40) {
			c := coin(n, rng.Int64N(1<<rng.IntN(20)), rng.IntN(4) > 0)
			total += c.Amount
			r.Coins = append(r.Coins, c)
		}
		s, err := Select(r)
		var short *InsufficientError
		switch {
		case err == nil:
			answers++
			checkSelection(t, r, s)
		case !errors.As(err, &short):
			t.Errorf("case %d: %v", i, err)
		default:
			// Not even the coins worth their fee, together, would do.
			worth, weight, n := int64(0), int64(0), 0
			for _, c := range r.Coins {
				if c.Amount > r.Rate.Fee(c.Weight)+1 {
					worth, weight, n = worth+c.Amount, weight+c.Weight, n+1
				}
			}
			slack := int64(n)
			if left := worth - r.Target - r.Rate.Fee(r.BaseWeight+countWeight(n)+weight); left > slack {
				t.Errorf("case %d: refused with %d left over", i, left)
			}
		}
		if t.Failed() {
			t.Fatalf("seed %d, case %d: %+v", seed, i, r)
		}
	}
	if answers < 500 {
		t.Fatalf("only %d of 2,000 cases had an answer: the cases say too little", answers)
	}
}

func TestFeeRate(t *testing.T) {
	for s, want := range map[string]FeeRate{"1": 1000, "2.5": 2500, "0.001": 1, "10000000": MaxFeeRate, "1.250": 1250} {
		got, err := ParseFeeRate(s)
		if err != nil || got != want {
			t.Errorf("%q: %d, %v; want %d", s, got, err, want)
		}
	}
	for _, s := range []string{"", "0", "0.000", "-1", "+1", "1.0001", ".5", "1.", "1e3", " 1", "10000000.001", "99999999999999999999", "NaN"} {
		if got, err := ParseFeeRate(s); err == nil {
			t.Errorf("%q accepted as %d", s, got)
		}
	}
	for r, want := range map[FeeRate]string{1000: "1", 1500: "1.5", 1: "0.001", 0: "0", 100_000: "100"} {
		if got := r.String(); got != want {
			t.Errorf("%d: %q, want %q", int64(r), got, want)
		}
	}
	for _, tt := range []struct {
		rate      FeeRate
		weight    int64
		want      int64
		rationale string
	}{
		{1000, 4, 1, "whole"},
		{1000, 5, 2, "size rounds up"},
		{1, 4, 1, "fee rounds up"},
		{MaxFeeRate, 4_000_000, 10_000_000_000_000, "largest"},
	} {
		if got := tt.rate.Fee(tt.weight); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.rationale, got, tt.want)
		}
	}
}

func BenchmarkSelect(b *testing.B) {
	rng := rand.New(rand.NewPCG(3, 0))
	r := request(2000, 40_000_000)
	for n := range 10_000 {
		r.Coins = append(r.Coins, coin(n, rng.Int64N(1_000_000), true))
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Select(r); err != nil {
			b.Fatal(err)
		}
	}
}
