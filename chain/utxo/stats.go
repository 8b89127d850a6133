package utxo

import (
	"fmt"
	"math"
)

// Stats describe a whole coin set.
type Stats struct {
	Coins int64 // number of coins
	Total int64 // sum of their amounts, smallest unit
}

// Encode returns the stats for the meta data of a commit: two varints.
func (s Stats) Encode() []byte {
	return appendVarint(appendVarint(nil, uint64(s.Coins)), uint64(s.Total))
}

// DecodeStats is the inverse of Encode.
func DecodeStats(b []byte) (Stats, error) {
	coins, b, err := readVarint(b)
	if err != nil {
		return Stats{}, fmt.Errorf("coin statistics: %w", err)
	}
	total, b, err := readVarint(b)
	switch {
	case err != nil:
	case len(b) > 0:
		err = errTrailing
	case coins > math.MaxInt64 || total > math.MaxInt64:
		err = errNumber
	}
	if err != nil {
		return Stats{}, fmt.Errorf("coin statistics: %w", err)
	}
	return Stats{Coins: int64(coins), Total: int64(total)}, nil
}
