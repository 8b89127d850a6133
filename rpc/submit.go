package rpc

import (
	"context"
	"encoding/hex"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/params"
)

// decodeBlock reads a block given as hex.
func (m *miningMethods) decodeBlock(text string) (*consensus.Block, *Error) {
	raw, err := hex.DecodeString(text)
	if err != nil {
		return nil, fail(codeDeserialization, "Block decode failed: not hexadecimal (%d characters)", len(text))
	}
	block, err := consensus.DecodeBlock(raw, &m.chain.Params().Limits)
	if err != nil {
		return nil, fail(codeDeserialization, "Block decode failed: %v", err)
	}
	return block, nil
}

// propose answers the proposal mode of getblocktemplate (BIP23): null, or the
// reason why the block would not become the best one.
func (m *miningMethods) propose(ctx context.Context, data string) (any, error) {
	if data == "" {
		return nil, fail(codeType, "Missing data String key for proposal")
	}
	block, bad := m.decodeBlock(data)
	if bad != nil {
		return nil, bad
	}
	if info, ok := m.chain.Lookup(block.Hash); ok {
		switch info.State {
		case chain.StateValid:
			return "duplicate", nil
		case chain.StateInvalid:
			return "duplicate-invalid", nil
		}
		return "duplicate-inconclusive", nil
	}
	if block.Header.PrevBlock != m.chain.Best().Hash {
		return "inconclusive-not-best-prevblk", nil
	}
	return blockVerdict(m.chain.CheckProposal(ctx, block))
}

// blockVerdict is what BIP22 wants of a judged block: null or a reason.
func blockVerdict(err error) (any, error) {
	v, ok := judge(err)
	switch {
	case !ok:
		return nil, undecided(err)
	case err == nil:
		return nil, nil
	}
	return v.reason, nil
}

func (m *miningMethods) submitBlock(_ context.Context, c *call) (any, error) {
	text := c.text(0, "")
	if c.err != nil {
		return nil, c.err
	}
	block, bad := m.decodeBlock(text)
	if bad != nil {
		return nil, bad
	}
	block = m.addReservedValue(block)
	if info, ok := m.chain.Lookup(block.Hash); ok {
		switch {
		case info.State == chain.StateInvalid:
			return "duplicate-invalid", nil
		case info.HaveData && info.State == chain.StateValid:
			return "duplicate", nil
		case info.HaveData:
			return "duplicate-inconclusive", nil
		}
	}
	result, err := m.chain.AcceptBlock(c.serving, block)
	if err != nil {
		return blockVerdict(err)
	}
	switch result {
	case chain.ResultConnected:
		return nil, nil
	case chain.ResultDuplicate:
		return "duplicate", nil
	case chain.ResultOrphan:
		return "prev-blk-not-found", nil
	}
	return "inconclusive", nil
}

// addReservedValue gives a coinbase without witness the one that the commitment
// of a template needs, as Bitcoin Core does: miners leave it away.
func (m *miningMethods) addReservedValue(block *consensus.Block) *consensus.Block {
	parent, ok := m.chain.Lookup(block.Header.PrevBlock)
	if !ok || !params.Active(m.chain.Params().Deployments.Segwit, parent.Height+1) || len(block.Txs) == 0 {
		return block
	}
	coinbase := block.Txs[0].Msg
	if len(coinbase.TxIn) != 1 || coinbase.HasWitness() || consensus.FindWitnessCommitment(coinbase) < 0 {
		return block
	}
	msg := block.Msg()
	msg.Transactions[0] = coinbase.Copy()
	msg.Transactions[0].TxIn[0].Witness = wire.TxWitness{make([]byte, 32)}
	return consensus.NewBlock(msg)
}
