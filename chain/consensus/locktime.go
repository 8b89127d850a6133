package consensus

import (
	"fmt"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/params"
)

// lockTimeThreshold separates locktimes that are heights (below) from those
// that are seconds since 1970.
const lockTimeThreshold = 500_000_000

// Fields of a sequence number under BIP68.
const (
	sequenceDisabled   = 1 << 31
	sequenceIsTime     = 1 << 22
	sequenceMask       = 0x0000ffff
	sequenceTimeShift  = 9 // units of 512 seconds
	sequenceMinVersion = 2
)

// IsFinal reports whether the locktime of tx allows it in a block at height
// whose clock shows unix (seconds since 1970: the median time of the parent
// under BIP113, before that the block's own time).
func IsFinal(tx *Tx, height int32, unix int64) bool {
	lock := int64(tx.Msg.LockTime)
	if lock == 0 {
		return true
	}
	now := unix
	if lock < lockTimeThreshold {
		now = int64(height)
	}
	if lock < now {
		return true
	}
	for _, in := range tx.Msg.TxIn {
		if in.Sequence != wire.MaxTxInSequenceNum {
			return false
		}
	}
	return true
}

// SequenceLock is what the relative locktimes of a transaction (BIP68)
// demand of the block that holds it. Both are the last values that are still
// too early; -1 demands nothing.
type SequenceLock struct {
	Height int32 // the block's height must be greater
	Time   int64 // so must the median time of its parent (seconds since 1970)
}

// SequenceLocks computes the relative locktimes of tx in the block after
// parent. coins[i] is the coin of input i; a coin that is not in a block yet
// counts as created at parent.Height()+1. Where BIP68 is not in force or
// does not apply to tx, nothing is demanded.
func SequenceLocks(tx *Tx, coins []Coin, parent Ancestry, p *params.Params) (SequenceLock, error) {
	lock := SequenceLock{Height: -1, Time: -1}
	if uint32(tx.Msg.Version) < sequenceMinVersion || !params.Active(p.Deployments.CSV, parent.Height()+1) {
		return lock, nil
	}
	if len(coins) != len(tx.Msg.TxIn) {
		return lock, fmt.Errorf("transaction %v: %d coins given for %d inputs", tx.TxID, len(coins), len(tx.Msg.TxIn))
	}
	for i, in := range tx.Msg.TxIn {
		if in.Sequence&sequenceDisabled != 0 {
			continue
		}
		age := in.Sequence & sequenceMask
		if in.Sequence&sequenceIsTime == 0 {
			lock.Height = max(lock.Height, coins[i].Height+int32(age)-1)
			continue
		}
		if coins[i].Height-1 > parent.Height() {
			return lock, fmt.Errorf("transaction %v: the coin of input %d is from height %d, above the block it is spent in",
				tx.TxID, i, coins[i].Height)
		}
		// The clock starts at the median time of the block before the
		// one that holds the coin.
		start := medianTimeAt(parent, max(coins[i].Height-1, 0))
		lock.Time = max(lock.Time, start+int64(age)<<sequenceTimeShift-1)
	}
	return lock, nil
}

// Allows reports whether the lock lets its transaction into the block after
// parent.
func (l SequenceLock) Allows(parent Ancestry) bool {
	if l.Height > parent.Height() {
		return false
	}
	return l.Time < 0 || l.Time < MedianTimePast(parent)
}

// CheckSequenceLocks checks the relative locktimes of tx in the block after
// parent (BIP68); see SequenceLocks for coins.
func CheckSequenceLocks(tx *Tx, coins []Coin, parent Ancestry, p *params.Params) error {
	lock, err := SequenceLocks(tx, coins, parent, p)
	if err != nil {
		return err
	}
	if !lock.Allows(parent) {
		return broke(RuleNonFinal, "relative locktime: transaction %v needs a height above %d and a median time above %d", tx.TxID, lock.Height, lock.Time)
	}
	return nil
}
