package mempool

import (
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// What Accept returns for transactions that need no judging. The texts are
// Bitcoin Core's.
var (
	// ErrInPool: the very transaction is in the pool.
	ErrInPool = errors.New("txn-already-in-mempool")

	// ErrSameTxID: the pool has it with another witness.
	ErrSameTxID = errors.New("txn-same-nonwitness-data-in-mempool")

	// ErrInChain: the best branch has it, and one of its first outputs is
	// unspent. When all are spent, its inputs are missing.
	ErrInChain = errors.New("txn-already-known")
)

// MissingInputsError reports a transaction some of whose inputs this node
// does not know: they were spent, or their transaction has not arrived.
type MissingInputsError struct {
	TxID      chainhash.Hash
	OutPoints []wire.OutPoint // the unknown inputs, in input order, 100 at most
	Kept      bool            // waits among the orphans for its parents
}

func (e *MissingInputsError) Error() string {
	return fmt.Sprintf("bad-txns-inputs-missingorspent: %d inputs are not known or spent, the first is %v", len(e.OutPoints), e.OutPoints[0])
}

// Parents returns the transactions whose outputs are missing, each once.
func (e *MissingInputsError) Parents() []chainhash.Hash {
	var ids []chainhash.Hash
	seen := make(map[chainhash.Hash]bool, len(e.OutPoints))
	for _, op := range e.OutPoints {
		if !seen[op.Hash] {
			seen[op.Hash] = true
			ids = append(ids, op.Hash)
		}
	}
	return ids
}
