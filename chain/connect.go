package chain

import (
	"context"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/permission"
	"github.com/charterchain/charter/chain/utxo"
)

// connectView checks all rules that need coins, but for the scripts, for b on
// top of n.parent, which must be the tip, and returns the coin set with b
// connected as a view that is not applied yet, the coins it spends, and the
// permissions after it. known: b was valid before.
func (c *Chain) connectView(ctx context.Context, b *consensus.Block, n *node, known bool) (*utxo.View, [][]consensus.Coin, permissionsAfter, error) {
	view := utxo.NewView(c.cache)
	spent, after, err := c.judgeOn(ctx, view, b, n, c.stateAfter(n.parent), known)
	var unread *coinError
	if errors.As(err, &unread) {
		return nil, nil, after, c.fatal("connect", err)
	}
	return view, spent, after, err
}

// coinError says that the coin set could not be read.
type coinError struct {
	doing string
	err   error
}

func (e *coinError) Error() string { return e.doing + ": " + e.err.Error() }
func (e *coinError) Unwrap() error { return e.err }

// judgeOn connects b in view, which must show the coins as of n.parent, by the
// permissions as of there; known: b was valid before. It returns the coins that
// b spends and the permissions after it. After an error, which is a *coinError
// where the coins could not be read, the view is of no use.
//
// Scripts are for the caller to check (checkScripts), unless b is known: they
// come after all other rules.
func (c *Chain) judgeOn(ctx context.Context, view *utxo.View, b *consensus.Block, n *node, perm *permission.State, known bool) ([][]consensus.Coin, permissionsAfter, error) {
	var after permissionsAfter
	if err := c.checkNoOverwrite(view, b, n); err != nil {
		return nil, after, err
	}
	view.Load(b)
	flags := consensus.ScriptFlags(n.height, b.Hash, c.p)
	spent, fees, err := c.spendInputs(view, b, n, flags)
	if err != nil {
		return nil, after, err
	}
	if err := consensus.CheckCoinbaseAmount(b.Txs[0], n.height, fees, c.p); err != nil {
		return nil, after, err
	}
	after, err = c.judge(ctx, b, n, perm, spent, known)
	return spent, after, err
}

// checkNoOverwrite refuses transactions that would take the place of one
// with the same id that still has unspent outputs (BIP30), except in the
// blocks that the chain file names. Where ids cannot repeat it looks nothing
// up: on disk each output would be sought in vain.
func (c *Chain) checkNoOverwrite(view *utxo.View, b *consensus.Block, n *node) error {
	if c.p.Exceptions[b.Hash].BIP30 || consensus.TxidsUnique(n.height, c.p) {
		return nil
	}
	for _, tx := range b.Txs {
		for i := range tx.Msg.TxOut {
			op := wire.OutPoint{Hash: tx.TxID, Index: uint32(i)}
			_, exists, err := view.Coin(op)
			if err != nil {
				return &coinError{fmt.Sprintf("look up coin %v", op), err}
			}
			if exists {
				return &consensus.RuleError{Rule: consensus.RuleTxOverwrite, Detail: fmt.Sprintf("transaction %v has unspent outputs from an earlier block", tx.TxID)}
			}
		}
	}
	return nil
}

// spendInputs moves the block's transactions through the view: inputs
// exist, are mature and unlocked, amounts and signature operations fit.
func (c *Chain) spendInputs(view *utxo.View, b *consensus.Block, n *node, flags txscript.ScriptFlags) (spent [][]consensus.Coin, fees int64, err error) {
	spent = make([][]consensus.Coin, 0, len(b.Txs)-1)
	var sigOpCost int64
	for i, tx := range b.Txs {
		coins, err := view.ConnectTx(tx, n.height, i == 0)
		if errors.Is(err, utxo.ErrMissing) {
			return nil, 0, &consensus.RuleError{Rule: consensus.RuleTxMissingInputs, Detail: fmt.Sprintf("transaction %v: %v", tx.TxID, err)}
		}
		if err != nil {
			return nil, 0, &coinError{fmt.Sprintf("look up inputs of %v", tx.TxID), err}
		}
		if i > 0 {
			fee, err := consensus.CheckTxInputs(tx, coins, n.height, c.p)
			if err != nil {
				return nil, 0, fmt.Errorf("transaction %v: %w", tx.TxID, err)
			}
			if err := consensus.CheckSequenceLocks(tx, coins, n.parent, c.p); err != nil {
				return nil, 0, fmt.Errorf("transaction %v: %w", tx.TxID, err)
			}
			if fees, err = consensus.AddFees(fees, fee, c.p); err != nil {
				return nil, 0, err
			}
			spent = append(spent, coins)
		}
		sigOpCost += consensus.SigOpCost(tx, coins, flags)
		if sigOpCost > c.p.Limits.BlockSigOpCost {
			return nil, 0, &consensus.RuleError{Rule: consensus.RuleBlockSigOps, Detail: fmt.Sprintf("signature operations cost %d or more, limit %d", sigOpCost, c.p.Limits.BlockSigOpCost)}
		}
	}
	return spent, fees, nil
}

// disconnectView returns the coin set as it was before b, the tip's block.
func (c *Chain) disconnectView(b *consensus.Block, n *node, spent [][]consensus.Coin) (*utxo.View, error) {
	view := utxo.NewView(c.cache)
	if err := c.disconnectOn(view, b, n, spent); err != nil {
		return nil, err
	}
	return view, nil
}

// storeUndo appends the undo record of n.
func (c *Chain) storeUndo(n *node, undo []byte) error {
	loc, err := c.store.AppendUndo(n.hash, n.parent.hash, undo)
	if err != nil {
		return c.fatal(fmt.Sprintf("store undo data of block %v", n.hash), err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	n.undo = loc
	n.status |= statusUndo
	c.touch(n)
	c.grown(loc.Size)
	return nil
}

// loadUndo reads the coins that the inputs of b, n's block, spent.
func (c *Chain) loadUndo(n *node, b *consensus.Block) ([][]consensus.Coin, error) {
	c.mu.RLock()
	have, loc, missing := n.status&statusUndo != 0, n.undo, n.noDataLocked()
	c.mu.RUnlock()
	if !have {
		return nil, fmt.Errorf("undo data of block %v at height %d: %w", n.hash, n.height, missing)
	}
	raw, err := c.store.ReadUndo(loc, n.hash, n.parent.hash)
	if err != nil && !c.still(n, statusUndo) {
		err = ErrPruned
	}
	if err != nil {
		return nil, fmt.Errorf("undo data of block %v: %w", n.hash, err)
	}
	inputs := make([]int, len(b.Txs)-1)
	for i, tx := range b.Txs[1:] {
		inputs[i] = len(tx.Msg.TxIn)
	}
	spent, err := utxo.DecodeUndo(raw, inputs)
	if err != nil {
		return nil, fmt.Errorf("undo data of block %v: %w", n.hash, err)
	}
	return spent, nil
}

// CheckProposal reports whether b would be valid on top of the best block,
// without looking at its proof of work and without changing anything. Where
// blocks carry seals it may be without one, and the signature is not checked.
func (c *Chain) CheckProposal(ctx context.Context, b *consensus.Block) error {
	c.change.Lock()
	defer c.change.Unlock()
	if err := c.failure.get(); err != nil {
		return err
	}
	tip := c.tip()
	if b.Header.PrevBlock != tip.hash {
		return fmt.Errorf("%w: the proposal stands on %v, the best block is %v", ErrNotOnBest, b.Header.PrevBlock, tip.hash)
	}
	n := newNode(&b.Header, b.Hash, tip)
	if err := consensus.CheckHeaderContext(&b.Header, tip, c.p); err != nil {
		return err
	}
	if err := consensus.CheckHeaderTime(&b.Header, c.cfg.Now(), c.p); err != nil {
		return err
	}
	if err := consensus.CheckBlock(b, c.p); err != nil {
		return err
	}
	if err := consensus.CheckBlockContext(b, tip, c.p); err != nil {
		return err
	}
	if err := c.proposeSeal(b, n); err != nil {
		return err
	}
	_, spent, _, err := c.connectView(ctx, b, n, false)
	if err != nil {
		return err
	}
	return c.checkScripts(ctx, b, n, spent)
}
