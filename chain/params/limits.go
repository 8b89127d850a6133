package params

import "github.com/charterchain/charter/chain/params/internal/form"

// Bounds that hold on every chain.
const (
	// MaxTxWeight is the most that a transaction may weigh on any chain.
	// Libraries and the script engine's decoders are built for it.
	MaxTxWeight = form.MaxTxSize

	// MaxBlockWeight is the largest block_weight that a chain file may set.
	MaxBlockWeight = 64_000_000

	// MaxBlockTxs is the most transactions in a block on any chain.
	MaxBlockTxs = form.MaxBlockTxs

	// MaxAmount is the largest max_money that a chain file may set. The sum
	// of two amounts within it never overflows an int64.
	MaxAmount = 1<<62 - 1

	// minTxWeight is the least that a transaction with one input and one
	// output can weigh: 60 bytes without witness.
	minTxWeight = 4 * 60
)

// derive fills the limits that follow from the chain file's.
func (l *Limits) derive() {
	l.TxWeight = min(l.BlockWeight, MaxTxWeight)
	l.BlockTxs = int(min(l.BlockWeight/minTxWeight, MaxBlockTxs))
	// A byte weighs at least one, so no block within the weight is larger.
	l.BlockSerialized = l.BlockWeight
}
