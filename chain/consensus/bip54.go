package consensus

import (
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/params"
)

// Numbers of BIP54, the consensus clean-up.
const (
	// MaxTxInputSigOps is the most signature operations that the scripts
	// outside of witnesses may hold which validate one transaction.
	MaxTxInputSigOps = 2_500

	// timewarpGrace is how many seconds the first block of a retarget
	// window may be older than its parent. It is BIP54's number on every
	// chain; where windows last hours and not weeks it holds back little,
	// and min_spacing does instead, since it lets no block be older at all.
	timewarpGrace = 7_200
)

// CheckTxSize breaks RuleTxSize for a transaction, coinbases included, of
// exactly 64 bytes without its witness: these bytes could also be an inner
// node of a merkle tree, so that a proof of one can pass for a proof of the
// other. It is a rule where BIP54 is in force.
func CheckTxSize(tx *Tx) error {
	if tx.strippedSize() == merkleNodeSize {
		return broke(RuleTxSize, "transaction %v has %d bytes without witness, as an inner node of the merkle tree", tx.TxID, merkleNodeSize)
	}
	return nil
}

// CheckTxInputSigOps breaks RuleTxSigOps where InputSigOps of tx, which is
// no coinbase, is more than MaxTxInputSigOps. It is a rule where BIP54 is in
// force; CheckTxInputs then applies it.
func CheckTxInputSigOps(tx *Tx, coins []Coin) error {
	if n := InputSigOps(tx, coins); n > MaxTxInputSigOps {
		return broke(RuleTxSigOps, "%d signature operations in scripts that validate transaction %v, at most %d", n, tx.TxID, MaxTxInputSigOps)
	}
	return nil
}

// InputSigOps counts the signature operations in the input scripts of tx, in
// the scripts of the coins that it spends and in redeem scripts, each script
// by itself, with the keys of an OP_CHECKMULTISIG read as in BIP16 (BIP54).
// Unlike SigOpCost it counts what runs for this transaction and not what
// its outputs hold. coins[i] is the coin of input i.
//
// coins must match the inputs; a wrong number of them is a bug of the caller
// and panics.
func InputSigOps(tx *Tx, coins []Coin) int64 {
	var n int64
	for i, in := range tx.Msg.TxIn {
		n += countSigOps(in.SignatureScript, true)
		script := coins[i].Script
		if txscript.IsPayToScriptHash(script) {
			script = lastPush(in.SignatureScript)
		}
		n += countSigOps(script, true)
	}
	return n
}

// checkCoinbaseLock demands that no coinbase can equal one of another
// height, or one from before BIP34: its locktime is the height before, and
// the locktime counts (BIP54).
func checkCoinbaseLock(coinbase *wire.MsgTx, height int32) error {
	if want := uint32(height) - 1; coinbase.LockTime != want {
		return broke(RuleCoinbaseLockTime, "coinbase has locktime %d, at height %d it must be %d", coinbase.LockTime, height, want)
	}
	if coinbase.TxIn[0].Sequence == wire.MaxTxInSequenceNum {
		return broke(RuleCoinbaseSequence, "coinbase has sequence %08x, which switches its locktime off", coinbase.TxIn[0].Sequence)
	}
	return nil
}

// checkCleanForm is what BIP54 asks of a block at height without its coins.
func checkCleanForm(b *Block, height int32) error {
	for _, tx := range b.Txs {
		if err := CheckTxSize(tx); err != nil {
			return err
		}
	}
	return checkCoinbaseLock(b.Txs[0].Msg, height)
}

// checkWindowTime keeps block times from stretching or turning a retarget
// window (BIP54).
func checkWindowTime(unix uint32, parent Ancestry, p *params.Params) error {
	least, rule := minWindowTime(parent, p)
	if int64(unix) >= least {
		return nil
	}
	if rule == RuleTimewarp {
		return broke(rule, "time %d opens a retarget window, must be at least %d: %d s before the parent", unix, least, timewarpGrace)
	}
	return broke(rule, "time %d closes a retarget window, must be at least %d, the time of its first block", unix, least)
}

// minWindowTime is the least time that BIP54 allows the block after parent
// and the rule that an earlier one breaks, "" where any time does.
//
// The rules guard a retarget that measures windows by their first and last
// block. "asert" and "fixed" do not: asert compares with a schedule that
// starts at genesis, so that a false time of one block is undone by the next
// true one. They have no such rule.
func minWindowTime(parent Ancestry, p *params.Params) (least int64, rule Rule) {
	height := parent.Height() + 1
	if p.PoW.Algorithm != params.AlgorithmBitcoin || !params.Active(p.Deployments.BIP54, height) {
		return 0, ""
	}
	switch interval := retargetInterval(p); height % interval {
	case 0:
		return int64(parent.At(height-1).Time) - timewarpGrace, RuleTimewarp
	case interval - 1:
		return int64(parent.At(height - (interval - 1)).Time), RuleTimeNegative
	}
	return 0, ""
}
