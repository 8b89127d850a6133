package muhash

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
)

// number is the element that Bitcoin Core's tests call FromInt.
func number(i byte) []byte {
	e := make([]byte, 32)
	e[0] = i
	return e
}

// display writes a hash as Bitcoin Core does.
func display(sum [32]byte) string {
	slices.Reverse(sum[:])
	return hex.EncodeToString(sum[:])
}

// TestCoreVectors: muhash_tests of Bitcoin Core's crypto_tests.cpp.
func TestCoreVectors(t *testing.T) {
	h := New()
	h.Insert(number(0))
	h.Insert(number(1))
	h.Remove(number(2))
	if got, want := display(h.Sum()), "10d312b100cbd32ada024a6646e40d3482fcff103668d2625f10002a607d5863"; got != want {
		t.Errorf("0 · 1 / 2 is %s, want %s", got, want)
	}

	product := New()
	product.Insert(number(1))
	product.Insert(number(2))
	want, err := os.ReadFile("testdata/product-1-2.hex")
	if err != nil {
		t.Fatal(err)
	}
	if got := product.inserted.bytes(); hex.EncodeToString(got[:]) != strings.TrimSpace(string(want)) {
		t.Errorf("1 · 2 is %x, want %s", got, want)
	}

	over := New()
	for i := range over.inserted {
		over.inserted[i] = math.MaxUint
	}
	sum := over.Sum()
	if got, want := hex.EncodeToString(sum[:]), "3a31e6903aff0de9f62f9a9f7f8b861de76ce2cda09822b90014319ae5dc2271"; got != want {
		t.Errorf("a number above the modulus gives %s, want %s", got, want)
	}
}

func elements(n int) [][]byte {
	list := make([][]byte, n)
	for i := range list {
		list[i] = fmt.Appendf(nil, "element %d", i)
	}
	return list
}

func sumOf(list [][]byte) [32]byte {
	h := New()
	for _, e := range list {
		h.Insert(e)
	}
	return h.Sum()
}

func TestOrderAndRemoval(t *testing.T) {
	list := elements(40)
	want := sumOf(list)
	rng := rand.New(rand.NewPCG(1, 2))
	for range 5 {
		rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		if sumOf(list) != want {
			t.Fatal("the order of insertion changes the hash")
		}
		h := New()
		h.Remove([]byte("other")) // before it comes
		for i, e := range list {
			h.Insert(e)
			if i%3 == 0 {
				h.Insert([]byte("guest"))
			}
		}
		for i := range list {
			if i%3 == 0 {
				h.Remove([]byte("guest"))
			}
		}
		h.Insert([]byte("other"))
		if h.Sum() != want {
			t.Fatal("what came and went changes the hash")
		}
	}
	if sumOf(list[1:]) == want || sumOf(append(list, list[0])) == want || New().Sum() == want {
		t.Error("different sets have one hash")
	}
}

func TestCombine(t *testing.T) {
	list := elements(30)
	want := sumOf(list)
	for _, cut := range []int{0, 1, 17, 30} {
		left, right := New(), New()
		left.Remove(list[29])
		for _, e := range list[:cut] {
			left.Insert(e)
		}
		for _, e := range append(list[cut:], list[29]) {
			right.Insert(e)
		}
		left.Combine(right)
		if left.Sum() != want {
			t.Errorf("parts cut at %d: another hash than the whole", cut)
		}
	}
}

func modulus() *big.Int {
	m := new(big.Int).Lsh(big.NewInt(1), 3072)
	return m.Sub(m, big.NewInt(gap))
}

func toBig(n *num) *big.Int {
	limbs := *n
	return new(big.Int).SetBits(limbs[:])
}

// FuzzArithmetic compares with math/big. A short input stands for the limbs
// it repeats to, so that all ones, the hard case, is one byte away.
func FuzzArithmetic(f *testing.F) {
	f.Add([]byte{0xff}, []byte{0xff})
	f.Add([]byte{0}, []byte{1})
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0, 0}, bytes.Repeat([]byte{0xfe, 0xff}, 192))
	m := modulus().FillBytes(make([]byte, numBytes)) // and the numbers around it
	slices.Reverse(m)
	for _, change := range []byte{0, 1, 0xff} {
		near := slices.Clone(m)
		near[0] += change
		f.Add(near, []byte{3})
		f.Add([]byte{0x80, 0x7f}, near)
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		x, y := fill(a), fill(b)
		m, s := modulus(), new(scratch)
		check(t, "reduce", x, new(big.Int).Mod(toBig(x), m))
		product := *x
		s.mul(&product, y)
		check(t, "mul", &product, new(big.Int).Mod(new(big.Int).Mul(toBig(x), toBig(y)), m))
		inverse := new(big.Int).ModInverse(toBig(y), m)
		if inverse == nil {
			return
		}
		quotient := *x
		s.divide(&quotient, y)
		check(t, "divide", &quotient, new(big.Int).Mod(inverse.Mul(inverse, toBig(x)), m))
	})
}

func fill(b []byte) *num {
	var raw [numBytes]byte
	for i := range raw {
		if len(b) > 0 {
			raw[i] = b[i%len(b)]
		}
	}
	n := new(num)
	n.setBytes(&raw)
	return n
}

func check(t *testing.T, what string, got *num, want *big.Int) {
	t.Helper()
	b := got.bytes()
	slices.Reverse(b[:])
	if z := new(big.Int).SetBytes(b[:]); z.Cmp(want) != 0 {
		t.Errorf("%s: %x, want %x", what, z, want)
	}
}

// BenchmarkInsert: ns/op is the time per element on one core.
func BenchmarkInsert(b *testing.B) {
	h := New()
	element := make([]byte, 83)
	for i := 0; b.Loop(); i++ {
		binary.LittleEndian.PutUint64(element, uint64(i))
		h.Insert(element)
	}
}

// BenchmarkMul is the part of it that is not hashing.
func BenchmarkMul(b *testing.B) {
	x, y, s := fill([]byte{0xfe, 0x12, 0x77}), fill([]byte{0xfe, 0x12, 0x76}), new(scratch)
	for b.Loop() {
		s.mul(x, y)
	}
}

func BenchmarkSum(b *testing.B) {
	h := New()
	for i := range byte(9) {
		h.Insert(number(i))
		h.Remove(number(i + 100))
	}
	for b.Loop() {
		h.Sum()
	}
}
