package mempool

import (
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/mempool/policy"
)

// checkCleanUp refuses what BIP54 forbids a transaction, on chains where it
// is in force in the block at height or will be later: what the pool holds
// when that comes must not spoil the block. Before, it is for policy alone.
func (p *Pool) checkCleanUp(tx *consensus.Tx, coins []consensus.Coin, height int32) error {
	from := p.params.Deployments.BIP54
	if from == params.Never {
		return nil
	}
	err := consensus.CheckTxSize(tx)
	if err == nil {
		err = consensus.CheckTxInputSigOps(tx, coins)
	}
	if rule := consensus.AsRule(err); rule != nil && !params.Active(from, height) {
		return &policy.Error{Code: policy.CodeCleanUp, Detail: rule.Detail, Err: rule.Rule}
	}
	return err
}
