package utxo

import (
	"fmt"

	"github.com/charterchain/charter/chain/consensus"
)

// EncodeUndo returns the undo data of a block: the coins that its inputs
// spent, one slice per transaction after the coinbase, in input order.
func EncodeUndo(spent [][]consensus.Coin) []byte {
	n := 9
	for _, coins := range spent {
		n += 3
		for i := range coins {
			n += 18 + len(coins[i].Script)
		}
	}
	b := appendVarint(make([]byte, 0, n), uint64(len(spent)))
	for _, coins := range spent {
		b = appendVarint(b, uint64(len(coins)))
		for i := range coins {
			b = appendCoin(b, &coins[i])
		}
	}
	return b
}

// DecodeUndo is the inverse of EncodeUndo. inputs holds the number of inputs
// of each transaction after the coinbase: undo data that does not fit the
// block is an error, as is any other encoding than EncodeUndo's.
func DecodeUndo(b []byte, inputs []int) ([][]consensus.Coin, error) {
	count, b, err := readVarint(b)
	if err != nil {
		return nil, fmt.Errorf("undo data: transactions: %w", err)
	}
	if count != uint64(len(inputs)) {
		return nil, fmt.Errorf("undo data: of %d transactions, the block has %d after its coinbase", count, len(inputs))
	}
	spent := make([][]consensus.Coin, len(inputs))
	memory := undoMemory(len(b), inputs)
	for i, want := range inputs {
		if spent[i], b, err = memory.readSpent(b, want); err != nil {
			return nil, fmt.Errorf("undo data: transaction %d: %w", i+1, err)
		}
	}
	if len(b) > 0 {
		return nil, fmt.Errorf("undo data: %w", errTrailing)
	}
	return spent, nil
}

// spentMemory is for the coins of one block.
type spentMemory struct {
	coins   coinSlab
	scripts byteSlab
}

// undoMemory returns memory for the coins of inputs that size bytes hold.
func undoMemory(size int, inputs []int) *spentMemory {
	n := 0
	for _, want := range inputs {
		n = min(n+want, size) // a coin takes more than a byte
	}
	m := new(spentMemory)
	m.coins.reserve(n)
	m.scripts.reserve(size)
	return m
}

// readSpent reads the coins that one transaction with want inputs spent.
func (m *spentMemory) readSpent(b []byte, want int) (coins []consensus.Coin, rest []byte, err error) {
	count, b, err := readVarint(b)
	if err != nil {
		return nil, nil, fmt.Errorf("inputs: %w", err)
	}
	if count != uint64(want) {
		return nil, nil, fmt.Errorf("coins of %d inputs, the transaction has %d", count, want)
	}
	if count > uint64(len(b)/minCoinValue) {
		return nil, nil, errShort
	}
	coins = m.coins.take(int(count))
	for i := range coins {
		if coins[i], b, err = readCoin(b, &m.scripts); err != nil {
			return nil, nil, fmt.Errorf("input %d: %w", i, err)
		}
	}
	return coins, b, nil
}
