package consensus

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/charterchain/charter/chain/params"
)

// wantASERT checks one line of a published run: the time of the anchor's
// parent and the anchor's bits, then blocks since the anchor, the last one's
// time, and the bits of the next block.
func wantASERT(t *testing.T, run string, parentTime int64, anchor uint32, blocks, time int64, want uint32) {
	t.Helper()
	if got := asertBits(target(anchor), time-parentTime, blocks, 600, twoDays, fullLimit()); got != want {
		t.Errorf("%s, %d blocks, time %d: got %08x, want %08x", run, blocks, time, got, want)
	}
}

// TestASERTRuns has whole runs of the vectors published with aserti3-2d. The
// lines of runs 1 to 5 follow a rule, which is written out here; of the
// random ones (6 to 8) see TestASERTVectors and below.
func TestASERTRuns(t *testing.T) {
	for i := int64(1); i <= 10; i++ {
		for _, bits := range []uint32{0x1d00ffff, 0x1a2b3c4d, 0x01010000} { // runs 1, 2 and 3
			wantASERT(t, "steady", 0, bits, i, 600*(i+1), bits)
		}
	}
	// Run 4: from the least target, a half life more at each block.
	for i := int64(1); i <= 225; i++ {
		want := uint32(0x1d00ffff)
		if i <= 223 {
			want = TargetToCompact(new(big.Int).Lsh(big.NewInt(1), uint(i)))
		}
		wantASERT(t, "run 4", 0, 0x01010000, i, 600+173_400*i, want)
	}
	for i, want := range map[int64]uint32{1: 0x01020000, 7: 0x02008000, 222: 0x1c400000, 223: 0x1d008000, 224: 0x1d00ffff, 225: 0x1d00ffff} {
		wantASERT(t, "run 4", 0, 0x01010000, i, 600+173_400*i, want)
	}
	// Run 5: from the limit, a half life of blocks in no time at each line.
	wantASERT(t, "run 5", 0, 0x1d00ffff, 1, 0, 0x1d00fec5)
	mantissas := []uint32{0x7f62c0, 0x3fb160, 0x1fd8b0, 0x0fec58, 0x07f62c, 0x03fb16, 0x01fd8b, 0x00fec5}
	for line := 2; line <= 209; line++ {
		n := line - 2
		wantASERT(t, "run 5", 0, 0x1d00ffff, 1+288*int64(line-1), 0, uint32(0x1c-n/8)<<24|mantissas[n%8])
	}
	for i, want := range []uint32{
		0x027f6200, 0x023fb100, 0x021fd800, 0x020fec00, 0x0207f600, 0x0203fb00, 0x0201fd00, 0x0200fe00,
		0x017f0000, 0x013f0000, 0x011f0000, 0x010f0000, 0x01070000, 0x01030000, 0x01010000, 0x01010000,
	} {
		wantASERT(t, "run 5", 0, 0x1d00ffff, 1+288*int64(209+i), 0, want)
	}
	// Runs 9 and 10: heights across 2^31 and 2^63, times across 2^31.
	for i, want := range []uint32{
		0x1802ae16, 0x1802ad44, 0x1802ac71, 0x1802ab9e, 0x1802aacd, 0x1802a9fa, 0x1802a929, 0x1802a858, 0x1802a787, 0x1802a6b7,
	} {
		wantASERT(t, "run 9", 1234567290, 0x1802aee8, int64(i+1), 1234568190+300*int64(i), want)
	}
	for i, want := range []uint32{
		0x1802afbb, 0x1802b08f, 0x1802b166, 0x1802b23a, 0x1802b30e, 0x1802b3e5, 0x1802b4bb, 0x1802b592, 0x1802b669, 0x1802b73d,
	} {
		wantASERT(t, "run 10", 2147483047, 0x1802aee8, int64(i+1), 2147484547+900*int64(i), want)
	}
}

// TestASERTRamps has lines of the random runs 7 (hash rate goes up) and 8
// (down): line, time and bits.
func TestASERTRamps(t *testing.T) {
	type line struct {
		n, time int64
		want    uint32
	}
	for run, lines := range map[string][]line{
		"run 7": {
			{1, 1200, 0x1802aee8}, {10, 7657, 0x1802b1d4}, {25, 13494, 0x1802a925}, {50, 16876, 0x18028a2d}, {75, 18618, 0x18026883},
			{100, 20372, 0x18024899}, {150, 22358, 0x18020a65}, {173, 23103, 0x1801efb9}, {200, 24359, 0x1801d2e0}, {250, 25790, 0x1801a05c},
			{300, 26908, 0x180172db}, {349, 27705, 0x18014aa4}, {400, 28367, 0x1801253b}, {450, 28985, 0x18010499}, {458, 29064, 0x1800ffb4},
			{500, 29563, 0x1800e793}, {550, 30164, 0x1800cdd6}, {600, 30769, 0x1800b6f5}, {637, 31020, 0x1800a788},
		},
		"run 8": {
			{11, 9595, 0x1802b58d}, {21, 33606, 0x1802e994}, {50, 96281, 0x18037de7}, {76, 176172, 0x18048509}, {100, 333916, 0x180807f0},
			{125, 498904, 0x180ea828}, {150, 665153, 0x181ae33b}, {170, 845345, 0x1834ca94}, {185, 1073114, 0x187ef4ed}, {186, 1078358, 0x19008158},
			{200, 1336050, 0x19015fa0}, {225, 1712835, 0x1905dce8}, {250, 2114311, 0x191ba03b}, {275, 2450310, 0x1964218b}, {280, 2529858, 0x1a00881c},
			{300, 3021970, 0x1a03a5c8}, {325, 3535537, 0x1a1af36a}, {350, 3912900, 0x1a734b80}, {351, 3950808, 0x1b0085ea}, {400, 4883769, 0x1b139eeb},
			{424, 5352914, 0x1b79926b}, {425, 5430357, 0x1c00a57c}, {450, 6069321, 0x1c07e59a}, {475, 6666120, 0x1c517b3e}, {479, 6774168, 0x1c7c75fc},
			{480, 6842136, 0x1d00a31a}, {483, 6930238, 0x1d00e688}, {484, 6993399, 0x1d00ffff}, {500, 7462933, 0x1d00ffff},
		},
	} {
		for _, l := range lines {
			wantASERT(t, run, 0, 0x1802aee8, l.n, l.time, l.want)
		}
	}
}

// TestASERTClamps: whatever times and heights a chain can have, the bits are
// a target of the chain, and more time never makes it harder.
func TestASERTClamps(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	p := mainnet()
	p.PoW.Algorithm = params.AlgorithmASERT
	for range 3000 {
		p.PoW.Spacing = time.Duration(1+rng.Int64N(86_400)) * time.Second
		p.PoW.HalfLife = time.Duration(1+rng.Int64N(1<<rng.IntN(32))) * time.Second
		height := int32(rng.Int64N(1 << rng.IntN(32)))
		anchor := HeaderFields{Time: rng.Uint32(), Bits: TargetToCompact(new(big.Int).Rsh(p.PoW.LimitTarget, uint(rng.IntN(200))))}
		last := uint32(0)
		for i, at := range []uint32{0, rng.Uint32N(math.MaxUint32), math.MaxUint32} {
			parent := sparse{height: height, blocks: map[int32]HeaderFields{height: {Time: at}, 0: anchor}}
			bits := NextBits(parent, 0, p)
			got, negative, overflow := CompactToTarget(bits)
			if negative || overflow || got.Sign() <= 0 || got.Cmp(p.PoW.LimitTarget) > 0 {
				t.Fatalf("spacing %v, half life %v, height %d, anchor %+v, time %d: bits %08x", p.PoW.Spacing, p.PoW.HalfLife, height, anchor, at, bits)
			}
			if i > 0 && height > 0 && got.Cmp(target(last)) < 0 {
				t.Fatalf("spacing %v, half life %v, height %d, anchor %+v: at time %d bits %08x, earlier %08x", p.PoW.Spacing, p.PoW.HalfLife, height, anchor, at, bits, last)
			}
			last = bits
		}
	}
}

// TestSignetRetarget has the first two changes of difficulty of the default
// signet, whose limit is another one.
func TestSignetRetarget(t *testing.T) {
	p := mainnet()
	p.PoW.Limit, p.PoW.LimitTarget = 0x1e0377ae, target(0x1e0377ae)
	for _, c := range []struct {
		last        int32
		bits        uint32
		first, time uint32
		want        uint32
	}{
		{2015, 503543726, 1598918400, 1599332177, 503394215},
		{4031, 503394215, 1599332844, 1600591200, 503397348},
	} {
		parent := sparse{height: c.last, blocks: map[int32]HeaderFields{
			c.last - 2015: {Time: c.first, Bits: c.bits}, c.last: {Time: c.time, Bits: c.bits},
		}}
		if got := NextBits(parent, 0, p); got != c.want {
			t.Errorf("after block %d: got %08x, want %08x", c.last, got, c.want)
		}
	}
}
