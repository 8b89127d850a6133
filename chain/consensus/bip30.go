package consensus

import (
	"bytes"
	"encoding/binary"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/params"
)

// TxidsUnique reports whether no transaction of a block at height can have
// the id of another one of its branch. BIP30 then holds by itself, and nobody
// needs to look for unspent outputs of an earlier transaction.
//
// It is so where all coinbases of the branch differ. For take the first
// transaction that has the id of an earlier one: it is no coinbase, and spends
// what that one spent. So the transaction whose output that was has been
// there twice, and is an earlier repetition.
//
// Coinbases differ where BIP34 or BIP54 is in force from height 1: each names
// its height, at the start of the script, or as the locktime. What is left is
// the coinbase of the genesis block, which no rule binds; it may name one
// height too, and from there on nothing is certain. Chains on which these
// rules came later have coinbases that named a height to come, on purpose or
// not: as Bitcoin, where it ends at 1,983,702.
func TxidsUnique(height int32, p *params.Params) bool {
	genesis := p.GenesisBlock.Transactions[0]
	if params.Active(p.Deployments.BIP34, 1) {
		if named := scriptHeight(genesis.TxIn[0].SignatureScript); named < 1 || named > height {
			return true
		}
	}
	if params.Active(p.Deployments.BIP54, 1) {
		locked := genesis.TxIn[0].Sequence != wire.MaxTxInSequenceNum
		return !locked || int64(genesis.LockTime)+1 > int64(height)
	}
	return false
}

// scriptHeight returns the height, of 1 or more, for which script is one that
// BIP34 allows; 0 if there is none. There cannot be two: no
// CoinbaseHeightScript is the start of another.
func scriptHeight(script []byte) int32 {
	if len(script) == 0 {
		return 0
	}
	var height uint32
	switch op := script[0]; {
	case op >= txscript.OP_1 && op <= txscript.OP_16:
		return int32(op-txscript.OP_1) + 1
	case op >= 1 && op <= 4 && len(script) > int(op):
		var num [4]byte
		copy(num[:], script[1:1+op])
		height = binary.LittleEndian.Uint32(num[:])
	}
	if height == 0 || height>>31 != 0 || !bytes.HasPrefix(script, CoinbaseHeightScript(int32(height))) {
		return 0
	}
	return int32(height)
}
