package mempool

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/mempool/policy"
)

// RuleCoinbase: a coinbase is valid as the first transaction of a block, and
// nowhere else.
const RuleCoinbase consensus.Rule = "coinbase"

// Accept judges a transaction and takes it in; see the package documentation
// for what it returns. It may wait for the pool to hear of a new block, and
// then gives up when ctx is done. It does not wait for missing parents.
func (p *Pool) Accept(ctx context.Context, tx *consensus.Tx) error {
	_, err := p.accept(ctx, tx, p.now())
	p.metrics.outcome(err)
	return err
}

// AcceptFrom is Accept for a transaction that a peer sent. When inputs are
// missing, the transaction waits for its parents among the orphans, as far as
// there is room for source, the name of the peer, and Run takes it in once
// they are here.
func (p *Pool) AcceptFrom(ctx context.Context, tx *consensus.Tx, source string) error {
	err := p.Accept(ctx, tx)
	if missing, ok := errors.AsType[*MissingInputsError](err); ok {
		p.mu.Lock()
		missing.Kept = p.keepOrphanLocked(tx, missing.OutPoints, source)
		p.mu.Unlock()
	}
	return err
}

// accept is Accept with a given time of arrival.
func (p *Pool) accept(ctx context.Context, tx *consensus.Tx, arrived time.Time) (*entry, error) {
	if err := p.checkAlone(tx); err != nil {
		return nil, err
	}
	// First everything but scripts, next to others who only look; then,
	// without the lock, the scripts; then again what may have changed.
	// Whether scripts pass depends on the coins, to which the txid commits,
	// and on nothing else that changes.
	for checked := false; ; checked = true {
		e, coins, flags, heard, err := p.judgeNew(ctx, tx)
		if err != nil {
			return nil, err
		}
		if !checked {
			if err := p.checkScripts(ctx, tx, coins, flags); err != nil {
				return nil, err
			}
		}
		e.time, e.flags = arrived, consensus.StandardScriptFlags()
		switch err := p.enter(ctx, e, heard); {
		case errors.Is(err, errStale): // by another event, or loss of a parent
		case err != nil:
			return nil, err
		default:
			return e, nil
		}
	}
}

// errStale: what was judged before must be judged anew.
var errStale = errors.New("judged by another state")

// judgeNew is judgeLocked for a newcomer. heard tells which state of the chain
// it was judged by.
func (p *Pool) judgeNew(ctx context.Context, tx *consensus.Tx) (e *entry, coins []consensus.Coin, flags txscript.ScriptFlags, heard uint64, err error) {
	for {
		next, err := p.lockCaughtUp(ctx, false)
		if err != nil {
			return nil, nil, 0, 0, err
		}
		e, coins, err := p.judgeLocked(tx, next, nil, false)
		heard, ok := p.heard, p.stillLocked()
		p.mu.RUnlock()
		if ok {
			return e, coins, next.Flags, heard, err
		}
	}
}

// enter takes in what was judged when the pool had heard of so many events,
// and whose scripts pass.
func (p *Pool) enter(ctx context.Context, e *entry, heard uint64) error {
	next, err := p.lockCaughtUp(ctx, true)
	if err != nil {
		return err
	}
	defer p.unlockShown()
	if p.heard != heard {
		return errStale
	}
	if err := p.judgeAgain(e, next); err != nil {
		return err
	}
	return p.addLocked(e)
}

// judgeAgain judges what may have changed in the pool since e was judged, on
// the same block: the coins that it spends are what they were, unless they are
// outputs of a transaction that has left.
func (p *Pool) judgeAgain(e *entry, next chain.NextBlock) error {
	if err := p.checkNew(e.tx, nil); err != nil {
		return err
	}
	for _, parent := range e.parents {
		if !parent.attached {
			return errStale
		}
	}
	return p.checkCompanyLocked(e, next, false)
}

// addLocked takes in what has been judged, and makes room for it. Nobody
// hears of what finds no room.
func (p *Pool) addLocked(e *entry) error {
	p.attachLocked(e)
	p.trimLocked()
	if p.byTxID[e.tx.TxID] != e {
		return &policy.Error{Code: policy.CodeFull, Detail: fmt.Sprintf("it pays %d for %d virtual bytes, less than all else here", e.fee, e.vsize)}
	}
	p.announceLocked(e, false)
	p.arrivedLocked(e.tx)
	return nil
}

// checkAlone judges what a transaction shows by itself.
func (p *Pool) checkAlone(tx *consensus.Tx) error {
	if err := consensus.CheckTx(tx, p.params); err != nil {
		return err
	}
	if err := consensus.CheckTxWeight(tx, p.params); err != nil {
		return err
	}
	if tx.IsCoinbase() {
		return &consensus.RuleError{Rule: RuleCoinbase, Detail: "a coinbase cannot stand outside of a block"}
	}
	if p.policy.AcceptNonStd {
		return nil
	}
	return policy.CheckForm(tx, &p.policy, p.params.Permissions.Enabled)
}

// checkScripts runs the scripts: first under all flags of policy, and only
// when that fails under those of the next block, to tell what breaks a rule
// from what is merely unusual.
func (p *Pool) checkScripts(ctx context.Context, tx *consensus.Tx, coins []consensus.Coin, flags txscript.ScriptFlags) error {
	strict := p.checker.CheckTx(ctx, tx, coins, consensus.StandardScriptFlags())
	rule := consensus.AsRule(strict)
	if rule == nil {
		return strict // passed, or undecided
	}
	if err := p.checker.CheckTx(ctx, tx, coins, flags); err != nil {
		return err
	}
	return &policy.Error{Code: policy.CodeScript, Detail: rule.Detail, Err: rule.Err}
}

// judgeLocked judges everything but scripts and form for the next block, and
// returns the entry that tx would be, with the coins of its inputs. others
// are transactions to be treated as if they were in the pool (Test).
// returned is set for what was in a block or the pool before: no fee is asked
// of it. Results hold only if stillLocked afterwards.
func (p *Pool) judgeLocked(tx *consensus.Tx, next chain.NextBlock, others *overlay, returned bool) (*entry, []consensus.Coin, error) {
	if err := p.checkNew(tx, others); err != nil {
		return nil, nil, err
	}
	if !consensus.IsFinal(tx, next.Height, next.MedianTime) {
		return nil, nil, refuse(policy.CodeNotFinal, "locktime %d is not over for a block at height %d after median time %d", tx.Msg.LockTime, next.Height, next.MedianTime)
	}
	if tx.Msg.HasWitness() && !params.Active(p.params.Deployments.Segwit, next.Height) {
		return nil, nil, refuse(policy.CodeNoWitness, "witnesses are not in force at height %d", next.Height)
	}
	coins, err := p.coinsLocked(tx, next.Height, others)
	if err != nil {
		return nil, nil, err
	}
	fee, err := p.checkCoins(tx, coins, next)
	if err != nil {
		return nil, nil, err
	}
	e := &entry{tx: tx, fee: fee, height: next.Height - 1, usage: usageOf(tx), timeLocked: timeLocked(tx.Msg)}
	for i := range coins {
		e.spendsCoinbase = e.spendsCoinbase || coins[i].Coinbase
	}
	e.sigOps = consensus.SigOpCost(tx, coins, consensus.StandardScriptFlags())
	e.vsize = policy.VSize(tx.Weight, e.sigOps)
	if err := policy.CheckSigOps(e.sigOps); err != nil {
		return nil, nil, err
	}
	if e.gov, err = checkPermitted(tx, coins, next); err != nil {
		return nil, nil, err
	}
	if e.gov != nil {
		e.usage += e.gov.usage()
	}
	if err := p.findParents(e, others); err != nil {
		return nil, nil, err
	}
	return e, coins, p.checkCompanyLocked(e, next, returned)
}

// checkCompanyLocked judges what depends on the rest of the pool.
func (p *Pool) checkCompanyLocked(e *entry, next chain.NextBlock, returned bool) error {
	if !returned {
		if err := p.checkFeeLocked(e); err != nil {
			return err
		}
		if err := p.checkWaitingLocked(e); err != nil {
			return err
		}
	}
	if err := checkRelatives(e); err != nil {
		return err
	}
	return tryRecords(e, next)
}

// checkNew refuses what is here already, and second spends.
func (p *Pool) checkNew(tx *consensus.Tx, others *overlay) error {
	if p.byWTxID[tx.WTxID] != nil {
		return ErrInPool
	}
	if p.byTxID[tx.TxID] != nil {
		return ErrSameTxID
	}
	for i, in := range tx.Msg.TxIn {
		if e := p.spent[in.PreviousOutPoint]; e != nil {
			return refuse(policy.CodeConflict, "input %d: %v is spent by %v, which is in the pool", i, in.PreviousOutPoint, e.tx.TxID)
		}
		if by, ok := others.spender(in.PreviousOutPoint); ok {
			return refuse(policy.CodeConflict, "input %d: %v is spent by %v", i, in.PreviousOutPoint, by)
		}
	}
	return nil
}

// Bounds on lookups for transactions that will be refused anyway.
const (
	maxMissing   = 100 // inputs that MissingInputsError names
	knownOutputs = 8   // outputs by which a transaction is known to be in the chain
)

// coinsLocked looks up what the inputs spend.
func (p *Pool) coinsLocked(tx *consensus.Tx, height int32, others *overlay) ([]consensus.Coin, error) {
	coins := make([]consensus.Coin, len(tx.Msg.TxIn))
	var missing []wire.OutPoint
	for i, in := range tx.Msg.TxIn {
		op := in.PreviousOutPoint
		coin, ok := p.output(op, height)
		if !ok {
			coin, ok = others.output(op, height)
		}
		if !ok {
			var err error
			if coin, ok, err = p.chain.Coin(op); err != nil {
				return nil, fmt.Errorf("coin %v: %w", op, err)
			}
		}
		if !ok {
			missing = append(missing, op)
		}
		if len(missing) == maxMissing {
			break
		}
		coins[i] = coin
	}
	if len(missing) == 0 {
		return coins, nil
	}
	for i := range min(len(tx.Msg.TxOut), knownOutputs) {
		_, ok, err := p.chain.Coin(wire.OutPoint{Hash: tx.TxID, Index: uint32(i)})
		if err != nil {
			return nil, fmt.Errorf("outputs of %v: %w", tx.TxID, err)
		}
		if ok {
			return nil, ErrInChain
		}
	}
	return nil, &MissingInputsError{TxID: tx.TxID, OutPoints: missing}
}

// checkCoins judges tx by the coins it spends and returns its fee. What
// will pass in a later block is refused by policy: a peer that is a block
// ahead has done nothing wrong.
func (p *Pool) checkCoins(tx *consensus.Tx, coins []consensus.Coin, next chain.NextBlock) (fee int64, err error) {
	fee, err = consensus.CheckTxInputs(tx, coins, next.Height, p.params)
	if rule := consensus.AsRule(err); rule != nil && rule.Rule == consensus.RuleTxImmature {
		return 0, &policy.Error{Code: policy.CodeImmature, Detail: rule.Detail}
	}
	if err != nil {
		return 0, err
	}
	if err := p.checkCleanUp(tx, coins, next.Height); err != nil {
		return 0, err
	}
	if relativelyLocked(tx.Msg) {
		err = consensus.CheckSequenceLocks(tx, coins, p.chain.Ancestry(), p.params)
		if rule := consensus.AsRule(err); rule != nil {
			return 0, &policy.Error{Code: policy.CodeLocked, Detail: rule.Detail}
		}
		if err != nil {
			return 0, err
		}
	}
	if p.policy.AcceptNonStd {
		return fee, nil
	}
	if err := policy.CheckInputs(tx, coins); err != nil {
		return 0, err
	}
	return fee, policy.CheckWitness(tx, coins)
}

func (p *Pool) checkFeeLocked(e *entry) error {
	if e.free() {
		return nil
	}
	if want := p.floorLocked().Fee(e.vsize); e.fee < want {
		return refuse(policy.CodeMempoolFee, "fee %d for %d virtual bytes, at least %d needed while the pool is full", e.fee, e.vsize, want)
	}
	if want := policy.FeeRate(p.policy.MinRelayFee).Fee(e.vsize); e.fee < want {
		return refuse(policy.CodeMinRelay, "fee %d for %d virtual bytes, at least %d needed", e.fee, e.vsize, want)
	}
	return nil
}

// findParents fills in e's parents, and refuses too many.
func (p *Pool) findParents(e *entry, others *overlay) error {
	for _, in := range e.tx.Msg.TxIn {
		parent := p.byTxID[in.PreviousOutPoint.Hash]
		if parent == nil {
			parent = others.entry(in.PreviousOutPoint.Hash)
		}
		if parent == nil || slices.Contains(e.parents, parent) {
			continue
		}
		if e.parents = append(e.parents, parent); len(e.parents) >= maxRelatives {
			return tooManyAncestors(e)
		}
	}
	return nil
}

func tooManyAncestors(e *entry) error {
	return refuse(policy.CodeLongWay, "more than %d transactions in the pool that depend on each other, up to %v", maxRelatives, e.tx.TxID)
}

// checkRelatives refuses what would give itself or another transaction too
// many ancestors or descendants.
func checkRelatives(e *entry) error {
	var up totals
	up.add(e)
	if up.vsize > maxRelativesVSize {
		return tooLargeAncestors(e)
	}
	for _, a := range e.ancestors() {
		up.add(a)
		if up.count > maxRelatives {
			return tooManyAncestors(e)
		}
		if up.vsize > maxRelativesVSize {
			return tooLargeAncestors(e)
		}
		if a.down.count+1 > maxRelatives {
			return refuse(policy.CodeLongWay, "%v would have more than %d descendants", a.tx.TxID, maxRelatives)
		}
		if a.down.vsize+e.vsize > maxRelativesVSize {
			return refuse(policy.CodeLongWay, "%v would have descendants of more than %d virtual bytes", a.tx.TxID, maxRelativesVSize)
		}
	}
	return nil
}

func tooLargeAncestors(e *entry) error {
	return refuse(policy.CodeLongWay, "transactions in the pool up to %v take more than %d virtual bytes", e.tx.TxID, maxRelativesVSize)
}

// timeLocked reports whether a locktime of any kind could ever have kept a
// transaction out of a block.
func timeLocked(msg *wire.MsgTx) bool {
	return msg.LockTime != 0 || relativelyLocked(msg)
}

// relativelyLocked reports whether an input may have a relative locktime.
func relativelyLocked(msg *wire.MsgTx) bool {
	for _, in := range msg.TxIn {
		if in.Sequence&wire.SequenceLockTimeDisabled == 0 {
			return true
		}
	}
	return false
}

func refuse(code policy.Code, format string, args ...any) error {
	return &policy.Error{Code: code, Detail: fmt.Sprintf(format, args...)}
}
