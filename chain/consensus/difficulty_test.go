package consensus

import (
	"math/big"
	"testing"
	"time"

	"github.com/charterchain/charter/chain/params"
)

// TestBitcoinRetarget has the cases of Bitcoin Core's pow_tests, which are
// facts of the main chain: time of a window's first block, height, time and
// bits of its last, bits of the next block.
func TestBitcoinRetarget(t *testing.T) {
	for _, c := range []struct {
		name       string
		first      uint32
		height     int32
		last, bits uint32
		want       uint32
	}{
		{"nothing is clamped", 1261130161, 32255, 1262152739, 0x1d00ffff, 0x1d00d86a},
		{"the limit", 1231006505, 2015, 1233061996, 0x1d00ffff, 0x1d00ffff},
		{"at most four times as hard", 1279008237, 68543, 1279297671, 0x1c05a3f4, 0x1c0168fd},
		{"at most four times as easy", 1263163443, 46367, 1269211443, 0x1c387f6f, 0x1d00e1fd},
	} {
		t.Run(c.name, func(t *testing.T) {
			parent := sparse{height: c.height, rest: HeaderFields{Bits: c.bits}, blocks: map[int32]HeaderFields{
				c.height - 2015: {Time: c.first, Bits: c.bits},
				c.height:        {Time: c.last, Bits: c.bits},
			}}
			if got := NextBits(parent, 0, mainnet()); got != c.want {
				t.Errorf("got %08x, want %08x", got, c.want)
			}
			parent.height--
			parent.blocks[c.height-1] = HeaderFields{Time: c.last, Bits: c.bits}
			if got := NextBits(parent, 0, mainnet()); got != c.bits {
				t.Errorf("within the window: got %08x, want %08x", got, c.bits)
			}
		})
	}
}

// TestRetargetOffByOne: a window whose blocks all keep the spacing is N-1
// spacings long, so difficulty rises by one part in N-1.
func TestRetargetOffByOne(t *testing.T) {
	parent := spaced(2016, 1_000_000, 600, 0x1b0404cb)
	want := new(big.Int).Mul(target(0x1b0404cb), big.NewInt(2015))
	want.Quo(want, big.NewInt(2016))
	if got := NextBits(parent, 0, mainnet()); got != TargetToCompact(want) || got == 0x1b0404cb {
		t.Errorf("got %08x, want %08x", got, TargetToCompact(want))
	}
}

func TestFixedDifficulty(t *testing.T) {
	p := regtest()
	for _, parent := range []branch{spaced(1, 0, 1, 0x207fffff), spaced(2016, 0, 1, 0x207fffff), spaced(2016, 0, 100_000, 0x207fffff)} {
		if got := NextBits(parent, 0, p); got != p.PoW.Limit {
			t.Errorf("after %d blocks: got %08x", len(parent), got)
		}
	}
}

func TestMinDifficultyAfter(t *testing.T) {
	const hard = 0x1b0404cb
	testnet := func(a params.Algorithm) *params.Params {
		p := mainnet()
		p.PoW.Algorithm, p.PoW.MinDifficultyAfter, p.PoW.HalfLife = a, 20*time.Minute, 48*time.Hour
		return p
	}
	easy := spaced(10, 0, 600, hard)
	for i := 7; i < 10; i++ {
		easy[i].Bits = 0x1d00ffff
	}
	atStart := spaced(2018, 0, 600, hard)
	atStart[2016].Bits, atStart[2017].Bits = 0x1d00ffff, 0x1d00ffff
	for _, c := range []struct {
		name   string
		alg    params.Algorithm
		parent branch
		late   uint32 // seconds after the parent
		want   uint32
	}{
		{"in time", params.AlgorithmBitcoin, easy[:7], 1200, hard},
		{"late", params.AlgorithmBitcoin, easy[:7], 1201, 0x1d00ffff},
		{"in time again after easy blocks", params.AlgorithmBitcoin, easy, 1200, hard},
		{"late again", params.AlgorithmBitcoin, easy, 1201, 0x1d00ffff},
		{"looks back to the start of the window only", params.AlgorithmBitcoin, atStart, 600, 0x1d00ffff},
		{"retargets count from the parent even when late", params.AlgorithmBitcoin, spaced(2016, 0, 600, hard), 5000, 0},
		{"asert in time", params.AlgorithmASERT, spaced(10, 0, 600, hard), 1200, hard},
		{"asert late", params.AlgorithmASERT, spaced(10, 0, 600, hard), 1201, 0x1d00ffff},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := testnet(c.alg)
			if c.want == 0 {
				c.want = NextBits(c.parent, 0, mainnet())
			}
			got := NextBits(c.parent, c.parent[len(c.parent)-1].Time+c.late, p)
			if got != c.want {
				t.Errorf("got %08x, want %08x", got, c.want)
			}
		})
	}
}

func TestMedianTimePast(t *testing.T) {
	for _, c := range []struct {
		name  string
		times []uint32
		want  int64
	}{
		{"genesis", []uint32{5}, 5},
		{"two: the later", []uint32{5, 9}, 9},
		{"three", []uint32{5, 9, 7}, 7},
		{"four: the later of the middle", []uint32{4, 1, 2, 3}, 3},
		{"eleven", []uint32{11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1}, 6},
		{"only the last eleven", []uint32{1000, 1000, 1000, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1}, 6},
		{"above 2^31", []uint32{1 << 31, 1<<32 - 1, 1<<31 + 1}, 1<<31 + 1},
	} {
		var b branch
		for _, at := range c.times {
			b = append(b, HeaderFields{Time: at})
		}
		if got := MedianTimePast(b); got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
}

func BenchmarkNextBits(b *testing.B) {
	for _, alg := range []params.Algorithm{params.AlgorithmFixed, params.AlgorithmASERT, params.AlgorithmBitcoin} {
		b.Run(string(alg), func(b *testing.B) {
			p := mainnet()
			p.PoW.Algorithm, p.PoW.HalfLife = alg, 48*time.Hour
			parent := spaced(2016, 0, 601, 0x1b0404cb)
			b.ReportAllocs()
			for b.Loop() {
				NextBits(parent, 0, p)
			}
		})
	}
}
