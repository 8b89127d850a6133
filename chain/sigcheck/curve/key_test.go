package curve

import (
	"math/big"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
)

// sameAsBtcec compares the reading of a key.
func sameAsBtcec(t *testing.T, what string, b []byte) (ok bool) {
	t.Helper()
	p, ok := ParsePoint(b)
	want, err := btcec.ParsePubKey(b)
	if ok != (err == nil) {
		t.Fatalf("%s: %x: got %v, btcec says %v", what, b, ok, err)
	}
	if ok && [33]byte(want.SerializeCompressed()) != p.Bytes() {
		t.Fatalf("%s: %x: got %x", what, b, p.Bytes())
	}
	if !ok && p != (Point{}) {
		t.Fatalf("%s: a refused key gives a point", what)
	}
	return ok
}

func TestParsePoint(t *testing.T) {
	r := seeded(80)
	key := randomKey(r).PubKey()
	short, long := key.SerializeCompressed(), key.SerializeUncompressed()
	taken := 0
	for prefix := range 256 {
		for _, b := range [][]byte{short, long} {
			c := append([]byte(nil), b...)
			c[0] = byte(prefix)
			if sameAsBtcec(t, "prefix", c) {
				taken++
			}
		}
	}
	if taken != 4 { // 2, 3; 4 and one of 6 and 7
		t.Errorf("%d prefixes taken", taken)
	}
	for n := range 70 {
		b := append(append([]byte(nil), long...), 1, 2, 3, 4, 5)
		sameAsBtcec(t, "length", b[:n])
		b[0] = 2
		sameAsBtcec(t, "length", b[:n])
	}
	for range 200 { // about half are on the curve
		b := randomBytes32(r)
		sameAsBtcec(t, "random x", append([]byte{2 + byte(r.IntN(2))}, b[:]...))
	}
	_, small := liftNear(big.NewInt(1), 1)
	for _, x := range []*big.Int{new(big.Int), big.NewInt(1), new(big.Int).Sub(bigP, big.NewInt(1)), bigP, new(big.Int).Add(bigP, small), new(big.Int).Sub(big256, big.NewInt(1))} {
		b := bigToBytes(x)
		sameAsBtcec(t, "edge x", append([]byte{2}, b[:]...))
	}
	for _, at := range []int{1, 32, 33, 64} {
		c := append([]byte(nil), long...)
		c[at] ^= 1
		if sameAsBtcec(t, "not on the curve", c) {
			t.Errorf("byte %d changed: taken", at)
		}
	}
	x, y := pointWithSmallY(t)
	good := append([]byte{4}, append(x[:], y[:]...)...)
	if !sameAsBtcec(t, "a small y", good) {
		t.Error("a small y is refused")
	}
	y = bigToBytes(new(big.Int).Add(new(big.Int).SetBytes(y[:]), bigP))
	sameAsBtcec(t, "y beyond p", append(good[:33:33], y[:]...))
	if sameAsBtcec(t, "zeros", append([]byte{4}, make([]byte, 64)...)) {
		t.Error("zeros taken")
	}
	var none Point
	if none.Bytes() != [33]byte{} {
		t.Error("infinity has bytes")
	}
}

// pointWithSmallY finds the least y of a point, by a cube root modulo p, which
// is 7 modulo 9.
func pointWithSmallY(t *testing.T) (x, y [32]byte) {
	t.Helper()
	root := new(big.Int).Div(new(big.Int).Add(bigP, big.NewInt(2)), big.NewInt(9))
	for v := int64(1); v < 100; v++ {
		cube := new(big.Int).Mod(big.NewInt(v*v-7), bigP)
		bx := new(big.Int).Exp(cube, root, bigP)
		if new(big.Int).Exp(bx, big.NewInt(3), bigP).Cmp(cube) == 0 {
			return bigToBytes(bx), bigToBytes(big.NewInt(v))
		}
	}
	t.Fatal("no small y")
	return x, y
}
