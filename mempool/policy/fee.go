package policy

import (
	"fmt"
	"math"
	"math/bits"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// FeeRate is a fee in smallest units per 1,000 virtual bytes.
type FeeRate int64

// Fee returns the fee that the rate asks of vsize virtual bytes, rounded up
// to a whole unit; a fee that no int64 can hold is math.MaxInt64. Neither
// the rate nor vsize may be negative.
func (r FeeRate) Fee(vsize int64) int64 {
	hi, lo := bits.Mul64(uint64(r), uint64(vsize))
	if hi >= 1000 {
		return math.MaxInt64
	}
	fee, rest := bits.Div64(hi, lo, 1000)
	if rest != 0 {
		fee++
	}
	return int64(min(fee, math.MaxInt64))
}

// RateOf returns the rate that fee pays for vsize virtual bytes, rounded
// down. vsize must be positive and fee not negative.
func RateOf(fee, vsize int64) FeeRate {
	hi, lo := bits.Mul64(uint64(fee), 1000)
	if hi >= uint64(vsize) {
		return math.MaxInt64
	}
	rate, _ := bits.Div64(hi, lo, uint64(vsize))
	return FeeRate(min(rate, math.MaxInt64))
}

// CompareRates compares feeA/sizeA with feeB/sizeB exactly: -1, 0 or +1.
// No argument may be negative.
func CompareRates(feeA, sizeA, feeB, sizeB int64) int {
	hiA, loA := bits.Mul64(uint64(feeA), uint64(sizeB))
	hiB, loB := bits.Mul64(uint64(feeB), uint64(sizeA))
	switch {
	case hiA < hiB || hiA == hiB && loA < loB:
		return -1
	case hiA == hiB && loA == loB:
		return 0
	default:
		return 1
	}
}

// BytesPerSigOp is how many virtual bytes one unit of signature operation
// cost stands for, times four (Core's -bytespersigop): whoever packs many
// signature checks into few bytes pays for the checks.
const BytesPerSigOp = 20

// VSize is the virtual size by which a transaction pays: its weight, or what
// its signature operations stand for when that is more, over four.
func VSize(weight, sigOpCost int64) int64 {
	return (max(weight, sigOpCost*BytesPerSigOp) + 3) / 4
}

// Sizes of the input that would spend an output, beyond the output itself:
// a witness program's script and signature count a quarter.
const (
	spendSize        = 32 + 4 + 1 + 107 + 4
	witnessSpendSize = 32 + 4 + 1 + 107/4 + 4
)

// DustLimit returns the least amount an output may have to be worth
// spending at the given rate. Outputs that nobody can spend have none.
func DustLimit(out *wire.TxOut, rate FeeRate) int64 {
	if txscript.IsUnspendable(out.PkScript) {
		return 0
	}
	size := int64(out.SerializeSize())
	if txscript.IsWitnessProgram(out.PkScript) {
		size += witnessSpendSize
	} else {
		size += spendSize
	}
	return rate.Fee(size)
}

// CheckDust refuses outputs that cost more to spend than they hold. As many
// P2TR outputs of amount 0 as authority says are none: members speak by them.
func CheckDust(tx *wire.MsgTx, rate FeeRate, authority int) error {
	for i, out := range tx.TxOut {
		if out.Value == 0 && authority > 0 && txscript.IsPayToTaproot(out.PkScript) {
			authority--
			continue
		}
		if limit := DustLimit(out, rate); out.Value < limit {
			return refuse(CodeDust, "output %d holds %d, less than %d, which is what spending it would cost", i, out.Value, limit)
		}
	}
	return nil
}

func refuse(code Code, format string, args ...any) error {
	return &Error{Code: code, Detail: fmt.Sprintf(format, args...)}
}
