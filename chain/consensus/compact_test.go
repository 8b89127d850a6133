package consensus

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

func TestCompactToTarget(t *testing.T) {
	for _, c := range []struct {
		bits               uint32
		hex                string
		negative, overflow bool
	}{
		{0x00000000, "0", false, false},
		{0x00123456, "0", false, false},
		{0x01003456, "0", false, false},
		{0x02000056, "0", false, false},
		{0x03000000, "0", false, false},
		{0x04000000, "0", false, false},
		{0x00923456, "0", false, false}, // the sign of zero is none
		{0x01803456, "0", false, false},
		{0x02800056, "0", false, false},
		{0x03800000, "0", false, false},
		{0x04800000, "0", false, false},
		{0x01123456, "12", false, false},
		{0x01fedcba, "7e", true, false},
		{0x02123456, "1234", false, false},
		{0x03123456, "123456", false, false},
		{0x04123456, "12345600", false, false},
		{0x04923456, "12345600", true, false},
		{0x05009234, "92340000", false, false},
		{0x20123456, "1234560000000000000000000000000000000000000000000000000000000000", false, false},
		{0x1d00ffff, "ffff0000000000000000000000000000000000000000000000000000", false, false},
		{0x207fffff, "7fffff0000000000000000000000000000000000000000000000000000000000", false, false},
		{0x21010000, "", false, true},
		{0x2100ffff, "ffff000000000000000000000000000000000000000000000000000000000000", false, false},
		{0x22000100, "", false, true},
		{0x220000ff, "ff00000000000000000000000000000000000000000000000000000000000000", false, false},
		{0x23000001, "", false, true},
		{0xff123456, "", false, true},
		{0xff000000, "0", false, false},
	} {
		got, negative, overflow := CompactToTarget(c.bits)
		if negative != c.negative || overflow != c.overflow {
			t.Errorf("%08x: negative %v, overflow %v", c.bits, negative, overflow)
		}
		if overflow {
			if got != nil {
				t.Errorf("%08x: overflow with a value", c.bits)
			}
			continue
		}
		if got.Text(16) != c.hex {
			t.Errorf("%08x: got %x, want %s", c.bits, got, c.hex)
		}
	}
}

// TestCompactAgainstArithmetic compares with mantissa * 256^(size-3).
func TestCompactAgainstArithmetic(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	limit := new(big.Int).Lsh(big.NewInt(1), 256)
	for range 20_000 {
		bits := rng.Uint32()
		if rng.IntN(2) == 0 {
			bits = bits&0x00ffffff | uint32(rng.IntN(40))<<24
		}
		mantissa, size := int64(bits&0x7fffff), int64(bits>>24)
		want := new(big.Int).Exp(big.NewInt(256), big.NewInt(max(size-3, 0)), nil)
		want.Mul(want, big.NewInt(mantissa))
		want.Quo(want, new(big.Int).Exp(big.NewInt(256), big.NewInt(max(3-size, 0)), nil))

		got, negative, overflow := CompactToTarget(bits)
		if overflow != (want.Cmp(limit) >= 0) {
			t.Fatalf("%08x: overflow %v, value %x", bits, overflow, want)
		}
		if negative != (want.Sign() != 0 && bits&0x800000 != 0) {
			t.Fatalf("%08x: negative %v", bits, negative)
		}
		if overflow {
			continue
		}
		if got.Cmp(want) != 0 {
			t.Fatalf("%08x: got %x, want %x", bits, got, want)
		}
		if back, _, _ := CompactToTarget(TargetToCompact(got)); back.Cmp(got) != 0 {
			t.Fatalf("%08x: %x comes back as %x", bits, got, back)
		}
	}
}

func TestTargetToCompact(t *testing.T) {
	for _, c := range []struct {
		hex  string
		want uint32
	}{
		{"0", 0}, {"12", 0x01120000}, {"7f", 0x017f0000}, {"80", 0x02008000}, {"1234", 0x02123400},
		{"8000", 0x03008000}, {"123456", 0x03123456}, {"800000", 0x04008000}, {"12345678", 0x04123456},
		{"ffffffff", 0x0500ffff},
		{"00000000ffffffffffffffffffffffffffffffffffffffffffffffffffffffff", 0x1d00ffff},
		{"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", 0x2100ffff},
	} {
		v, _ := new(big.Int).SetString(c.hex, 16)
		if got := TargetToCompact(v); got != c.want {
			t.Errorf("%s: got %08x, want %08x", c.hex, got, c.want)
		}
	}
}

func TestWork(t *testing.T) {
	for bits, want := range map[uint32]string{
		0x1d00ffff: "4295032833", // every block of Bitcoin's first weeks
		0x207fffff: "2",
		0x00000000: "0", // no targets
		0x01fedcba: "0",
		0x23000001: "0",
		0x01010000: "57896044618658097711785492504343953926634992332820282019728792003956564819968", // 2^255
	} {
		if got := Work(bits).String(); got != want {
			t.Errorf("%08x: got %s, want %s", bits, got, want)
		}
	}
}

func TestDifficulty(t *testing.T) {
	for _, c := range []struct {
		bits uint32
		want float64
	}{
		{0x1d00ffff, 1},
		{0x1b0404cb, 16307.420938523983},
		{0x1f111111, 0.000001},
		{0x1ef88f6f, 0.000016},
		{0x1df88f6f, 0.004023},
		{0x1cf88f6f, 1.029916},
		{0x12345678, 5913134931067755359633408.0},
		{0x207fffff, 4.6565423739069247e-10},
		{0x20000000, 0},
	} {
		if got := Difficulty(c.bits); math.Abs(got-c.want) > max(c.want*1e-9, 1e-6) {
			t.Errorf("%08x: got %v, want %v", c.bits, got, c.want)
		}
	}
}
