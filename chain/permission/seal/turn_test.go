package seal

import (
	"fmt"
	"math/big"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/permission/record"
)

// required is Required by arithmetic that cannot overflow or round.
func required(n int, ppm uint32) int {
	num := new(big.Int).Mul(big.NewInt(int64(n)), big.NewInt(int64(ppm)))
	w, rest := new(big.Int).DivMod(num, big.NewInt(1_000_000), new(big.Int))
	if rest.Sign() > 0 {
		w.Add(w, big.NewInt(1))
	}
	if w.Sign() == 0 && n > 0 {
		w.SetInt64(1)
	}
	if w.Cmp(big.NewInt(int64(n))) > 0 {
		w.SetInt64(int64(n))
	}
	return int(w.Int64())
}

func TestRequired(t *testing.T) {
	shares := []uint32{
		0, 1, 3_906, 3_907, 333_333, 333_334, 499_999, 500_000, 500_001, 666_666, 666_667,
		750_000, 996_093, 996_094, 999_999, 1_000_000, 1_000_001, 1<<32 - 1,
	}
	for n := 0; n <= 256; n++ {
		for _, ppm := range shares {
			if got, want := Required(n, ppm), required(n, ppm); got != want {
				t.Errorf("Required(%d, %d) = %d, want %d", n, ppm, got, want)
			}
		}
		if w := Required(n, 500_001); n > 0 && w != n/2+1 {
			t.Errorf("default share of %d members asks for %d, a strict majority is %d", n, w, n/2+1)
		}
	}
	if got := Required(-1, 500_001); got != 0 {
		t.Errorf("Required(-1) = %d", got)
	}
}

func TestDiversity(t *testing.T) {
	tests := []struct {
		name     string
		previous []record.MemberID // the parent's first
		rule     consensus.Rule
		detail   string
	}{
		{"nobody counts", nil, "", ""},
		{"others", members(2, 3, 2), "", ""},
		{"the parent", members(1, 2), RuleDiversity, "sealed block 99"},
		{"the last that counts", members(3, 2, 1), RuleDiversity, "sealed block 97"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := CheckDiversity(member(1), 100, slices.Values(test.previous))
			wantRule(t, err, test.rule)
			if err != nil && !containsText(err, test.detail) {
				t.Errorf("%v does not say %q", err, test.detail)
			}
		})
	}
}

func TestTurnsFor(t *testing.T) {
	tests := []struct {
		name   string
		miners []record.MemberID
		recent []record.MemberID // the parent's first
		barred int
		want   []record.MemberID
	}{
		{"nobody mines", nil, members(1), 1, members()},
		{"first block", members(3, 1, 2), nil, 0, members(1, 2, 3)},
		{"first block, w-1 barred", members(3, 1, 2), nil, 1, members(1, 2, 3)},
		{"one member", members(1), members(1, 1), 0, members(1)},
		{"longest ago first", members(1, 2, 3), members(2, 3, 1), 1, members(1, 3)},
		{"never before all others", members(1, 2, 3, 4), members(2, 3, 2), 1, members(1, 4, 3)},
		{"the newest seal counts", members(1, 2, 3), members(3, 1, 2, 1), 0, members(2, 1, 3)},
		{"two barred", members(1, 2, 3, 4), members(4, 3, 2, 1), 2, members(1, 2)},
		{"all barred but the dead", members(1, 2), members(2, 1), 1, members(1)},
		{"barred further than known", members(1, 2, 3), members(2), 5, members(1, 3)},
		{"all barred", members(1, 2), members(2, 1), 2, members()},
		{"nothing counts yet", members(1, 2), members(2, 1), -3, members(1, 2)},
		{"sealers that mine no more", members(1, 2), members(9, 2, 8, 1), 1, members(1, 2)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := TurnsFor(test.miners, test.recent, test.barred)
			if diff := cmp.Diff(Turns(test.want), got); diff != "" {
				t.Fatal(diff)
			}
			for i := range byte(10) {
				rank, ok := got.Rank(member(i))
				want := slices.Index(test.want, member(i))
				if ok != (want >= 0) || ok && rank != want || !ok && rank != 0 {
					t.Errorf("rank of %d: %d %v, want %d", i, rank, ok, want)
				}
			}
		})
	}
}

func TestDelay(t *testing.T) {
	for _, test := range []struct {
		rank          int
		spacing, want time.Duration
	}{
		{0, time.Minute, 0},
		{1, time.Second, 250 * time.Millisecond},
		{3, time.Second, 750 * time.Millisecond},
		{1, 2 * time.Second, 250 * time.Millisecond},
		{1, 3 * time.Second, 375 * time.Millisecond},
		{2, time.Minute, 15 * time.Second},
		{255, 10 * time.Minute, 255 * 75 * time.Second},
	} {
		if got := Delay(test.rank, test.spacing); got != test.want {
			t.Errorf("Delay(%d, %v) = %v, want %v", test.rank, test.spacing, got, test.want)
		}
	}
}

// TestNoDeadlock walks every history that diversity allows, dead members in
// it included: as long as w of n members are alive, one of these may seal
// the next block. Only the last w-1 blocks matter, and those have different
// sealers.
func TestNoDeadlock(t *testing.T) {
	for n := 2; n <= 9; n++ {
		for _, share := range []uint32{1, 500_001, 666_667, 1_000_000} {
			w := Required(n, share)
			if n > 7 && w > 6 {
				continue // too many histories; the argument is the same
			}
			t.Run(fmt.Sprintf("%d of %d", w, n), func(t *testing.T) {
				all := make([]record.MemberID, n)
				for i := range all {
					all[i] = member(byte(i))
				}
				histories(all, nil, w-1, func(recent []record.MemberID) {
					var may uint
					for _, m := range TurnsFor(all, recent, w-1) {
						may |= 1 << m[0]
					}
					for alive := uint(0); alive < 1<<n; alive++ {
						if bits.OnesCount(alive) >= w && alive&may == 0 {
							t.Fatalf("after %v none of those alive (%b) may seal", recent, alive)
						}
					}
				})
			})
		}
	}
}

// histories calls fn with every choice of k different members, in every
// order, and with all shorter ones.
func histories(all, chosen []record.MemberID, k int, fn func([]record.MemberID)) {
	fn(chosen)
	if k == 0 {
		return
	}
	for _, m := range all {
		if !slices.Contains(chosen, m) {
			histories(all, append(chosen[:len(chosen):len(chosen)], m), k-1, fn)
		}
	}
}

// TestTurnsAreEven lets members fail and come back while the first one alive
// seals each block. Every block keeps the rule, and those that stay alive
// for a while seal in rotation.
func TestTurnsAreEven(t *testing.T) {
	const seed = 1
	random := rand.New(rand.NewPCG(seed, seed))
	for n := 2; n <= 9; n++ {
		w := Required(n, 500_001)
		all := make([]record.MemberID, n)
		for i := range all {
			all[i] = member(byte(i))
		}
		var recent []record.MemberID // the last one first
		for range 40 {
			alive := slices.Clone(all)
			random.Shuffle(n, func(i, j int) { alive[i], alive[j] = alive[j], alive[i] })
			alive = alive[:w+random.IntN(n-w+1)]
			var round []record.MemberID
			for range 4 * n {
				turns := TurnsFor(all, recent, w-1)
				first := slices.IndexFunc(turns, func(m record.MemberID) bool { return slices.Contains(alive, m) })
				if first < 0 {
					t.Fatalf("seed %d, %d members: none of %v may seal after %v", seed, n, alive, recent)
				}
				next := turns[first]
				if err := CheckDiversity(next, 0, slices.Values(recent[:min(w-1, len(recent))])); err != nil {
					t.Fatal(err)
				}
				recent = slices.Insert(recent, 0, next)
				recent = recent[:min(len(recent), 4*n)]
				round = append(round, next)
			}
			last := round[len(round)-len(alive):]
			for _, m := range alive {
				if !slices.Contains(last, m) {
					t.Fatalf("seed %d, %d members: %v is alive and not among the last %d sealers %v", seed, n, m, len(alive), last)
				}
			}
		}
	}
}
