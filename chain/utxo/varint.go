package utxo

import (
	"errors"
	"math"
)

var (
	errShort    = errors.New("ends too early")
	errTrailing = errors.New("trailing bytes")
	errNumber   = errors.New("number too large")
)

// appendVarint adds n in the form that doc.go describes.
func appendVarint(dst []byte, n uint64) []byte {
	var b [10]byte
	i := len(b) - 1
	b[i] = byte(n & 0x7f)
	for n > 0x7f {
		n = n>>7 - 1
		i--
		b[i] = byte(n&0x7f) | 0x80
	}
	return append(dst, b[i:]...)
}

// readVarint returns the number at the start of b and what follows it.
func readVarint(b []byte) (n uint64, rest []byte, err error) {
	for i, c := range b {
		if n > math.MaxUint64>>7 {
			return 0, nil, errNumber
		}
		n = n<<7 | uint64(c&0x7f)
		if c < 0x80 {
			return n, b[i+1:], nil
		}
		if n == math.MaxUint64 {
			return 0, nil, errNumber
		}
		n++
	}
	return 0, nil, errShort
}

const (
	plainAmount  = 1 << 59 // amounts above are not compressed
	escapeAmount = 9*plainAmount + 16
)

// compressAmount makes round amounts short. n is at most 2^63 - 1.
func compressAmount(n uint64) uint64 {
	switch {
	case n == 0:
		return 0
	case n > plainAmount:
		return n - plainAmount + escapeAmount
	}
	zeros := uint64(0)
	for ; n%10 == 0 && zeros < 9; zeros++ {
		n /= 10
	}
	if zeros == 9 {
		return 1 + (n-1)*10 + 9
	}
	return 1 + (n/10*9+n%10-1)*10 + zeros
}

// expandAmount is the inverse of compressAmount. ok is false for numbers
// that compressAmount never returns.
func expandAmount(x uint64) (n uint64, ok bool) {
	switch {
	case x == 0:
		return 0, true
	case x > escapeAmount:
		n = x - escapeAmount + plainAmount
	default:
		zeros := (x - 1) % 10
		n = (x - 1) / 10
		if zeros < 9 {
			n = n/9*10 + n%9 + 1
		} else {
			n++
		}
		for range zeros {
			if n > math.MaxInt64/10 {
				return 0, false
			}
			n *= 10
		}
	}
	return n, n <= math.MaxInt64 && compressAmount(n) == x
}
