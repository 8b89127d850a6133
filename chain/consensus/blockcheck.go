package consensus

import (
	"bytes"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/params"
)

// merkleNodeSize is the size in bytes of a transaction that can also be read
// as an inner node of the merkle tree.
const merkleNodeSize = 64

// passed says under which rules a block passed CheckBlock. It holds the
// limits by value, and the root that the header then had, so that whoever
// changes the ones or the other against the rules profits nothing.
type passed struct {
	params *params.Params
	limits params.Limits
	root   chainhash.Hash
}

// CheckBlock checks the body of a block by itself: that it is the one its
// header commits to, its size, its coinbase, and each transaction. It looks
// neither at proof of work (CheckHeader) nor at witnesses.
//
// A block remembers under which params it last passed, so that asking again
// costs nothing: Prepare may ask on another core before the block's turn. It
// remembers no error.
func CheckBlock(b *Block, p *params.Params) error {
	now := passed{params: p, limits: p.Limits, root: b.Header.MerkleRoot}
	if before := b.passed.Load(); before != nil && *before == now {
		return nil
	}
	if err := checkBlock(b, p); err != nil {
		return err
	}
	b.passed.Store(&now)
	return nil
}

// Prepare does ahead what CheckBlock and CheckBlockContext would take time
// for and remember: checks of the body by itself and both merkle trees. It
// says nothing about the block, and changes nothing that they find.
func Prepare(b *Block, p *params.Params) {
	if CheckBlock(b, p) == nil && FindWitnessCommitment(b.Txs[0].Msg) >= 0 {
		b.witnessRoot()
	}
}

func checkBlock(b *Block, p *params.Params) error {
	tree := b.merkle()
	if tree.root != b.Header.MerkleRoot {
		return mutated(RuleMerkleRoot, "transactions give %v, the header has %v", tree.root, b.Header.MerkleRoot)
	}
	if tree.repeated {
		return mutated(RuleDuplicateTxs, "part of the transactions is repeated without a change of the merkle root")
	}
	if err := checkBlockSize(b, p); err != nil {
		return err
	}
	if err := checkCoinbasePlace(b); err != nil {
		return err
	}
	var sigOps int64
	for _, tx := range b.Txs {
		if err := CheckTx(tx, p); err != nil {
			return err
		}
		sigOps += legacySigOps(tx)
	}
	if cost := sigOps * WitnessScale; cost > p.Limits.BlockSigOpCost {
		return broke(RuleBlockSigOps, "signature operations cost %d without those of redeem scripts, at most %d", cost, p.Limits.BlockSigOpCost)
	}
	return nil
}

// checkBlockSize checks what does not depend on witnesses. On chains with
// Bitcoin's block weight, the size alone keeps the number of transactions
// within its limit.
func checkBlockSize(b *Block, p *params.Params) error {
	n := int64(len(b.Txs))
	if n == 0 || n > p.Limits.BlockWeight/WitnessScale {
		return broke(RuleBlockLength, "%d transactions, allowed are 1 to %d", n, p.Limits.BlockWeight/WitnessScale)
	}
	if size := b.strippedSize(); size > p.Limits.BlockWeight/WitnessScale {
		return broke(RuleBlockLength, "%d bytes without witness, at most %d", size, p.Limits.BlockWeight/WitnessScale)
	}
	if most := p.Limits.BlockTxs; most > 0 && n > int64(most) {
		return broke(RuleBlockTxs, "%d transactions, at most %d", n, most)
	}
	return nil
}

// checkCoinbasePlace checks that the first transaction is a coinbase and no
// other one is.
//
// A block whose first transaction is no coinbase may be a forgery from a
// valid block: inner nodes of its merkle tree passed off as transactions of
// 64 bytes. Then the hash must not be condemned.
func checkCoinbasePlace(b *Block) error {
	if !b.Txs[0].IsCoinbase() {
		err := &RuleError{Rule: RuleCoinbaseMissing, Detail: "the first transaction is no coinbase"}
		for _, tx := range b.Txs {
			err.Mutated = err.Mutated || tx.strippedSize() == merkleNodeSize
		}
		return err
	}
	for i, tx := range b.Txs[1:] {
		if tx.IsCoinbase() {
			return broke(RuleCoinbaseMultiple, "transaction %d is a second coinbase", i+1)
		}
	}
	return nil
}

// CheckBlockContext checks a block that passed CheckBlock against the branch
// it extends: locktimes, the height in the coinbase (BIP34), the form that
// BIP54 asks for, the witness commitment (BIP141) and, with witnesses known
// to be the right ones, the weights.
func CheckBlockContext(b *Block, parent Ancestry, p *params.Params) error {
	height := parent.Height() + 1
	clock := int64(headerTime(&b.Header))
	if params.Active(p.Deployments.CSV, height) { // BIP113
		clock = MedianTimePast(parent)
	}
	for i, tx := range b.Txs {
		if !IsFinal(tx, height, clock) {
			return broke(RuleNonFinal, "transaction %d (%v) has locktime %d at height %d, time %d", i, tx.TxID, tx.Msg.LockTime, height, clock)
		}
	}
	if params.Active(p.Deployments.BIP34, height) {
		script, want := b.Txs[0].Msg.TxIn[0].SignatureScript, CoinbaseHeightScript(height)
		if !bytes.HasPrefix(script, want) {
			return broke(RuleCoinbaseHeight, "coinbase script %x does not start with height %d (%x)", script, height, want)
		}
	}
	if params.Active(p.Deployments.BIP54, height) {
		if err := checkCleanForm(b, height); err != nil {
			return err
		}
	}
	if err := checkWitness(b, height, p); err != nil {
		return err
	}
	return checkWeights(b, p)
}

func checkWeights(b *Block, p *params.Params) error {
	if weight := b.Weight(); weight > p.Limits.BlockWeight {
		return broke(RuleBlockWeight, "block weighs %d, at most %d", weight, p.Limits.BlockWeight)
	}
	for _, tx := range b.Txs {
		if err := CheckTxWeight(tx, p); err != nil {
			return err
		}
	}
	return nil
}

// Weight is three times the size without witnesses and once the size with
// them (BIP141).
func (b *Block) Weight() int64 {
	return b.strippedSize()*(WitnessScale-1) + int64(b.Size())
}

func (b *Block) strippedSize() int64 {
	n := int64(wire.MaxBlockHeaderPayload + wire.VarIntSerializeSize(uint64(len(b.Txs))))
	for _, tx := range b.Txs {
		n += tx.strippedSize()
	}
	return n
}

// CoinbaseHeightScript is what the script of the coinbase at height starts
// with under BIP34: the height as a script number, pushed in the shortest
// way. From 1 to 16 and for 0 this is one byte, less than the two that a
// coinbase script needs, so miners add to it.
func CoinbaseHeightScript(height int32) []byte {
	if height == 0 {
		return []byte{txscript.OP_0}
	}
	if height >= 1 && height <= 16 {
		return []byte{txscript.OP_1 + byte(height-1)}
	}
	var num []byte
	for v := uint32(height); v > 0; v >>= 8 {
		num = append(num, byte(v))
	}
	if num[len(num)-1]&0x80 != 0 { // would read as negative
		num = append(num, 0)
	}
	return append([]byte{byte(len(num))}, num...)
}
