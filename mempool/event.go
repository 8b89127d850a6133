package mempool

import (
	"context"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/consensus"
)

// aside holds, while a reorganisation is under way, the transactions that
// wait for its end: those of disconnected blocks, and those of the pool that
// depend on them.
type aside struct {
	blocks  [][]*waiting // one slice per disconnected block, the first disconnected first
	entries []*waiting   // from the pool
	byTxID  map[chainhash.Hash]*waiting
	usage   int64 // of the transactions of blocks
}

// waiting is a transaction set aside.
type waiting struct {
	tx    *consensus.Tx
	entry *entry               // nil when it comes from a block
	flags txscript.ScriptFlags // its scripts passed under these
}

// HandleEvent makes the pool follow the chain. It must be called for every
// event, in order, while the chain cannot change.
func (p *Pool) HandleEvent(ev chain.Event) {
	p.mu.Lock()
	switch ev.Kind {
	case chain.Connected:
		p.connectLocked(ev.Block, ev.Info)
		p.followPermissionsLocked(ev.Permissions)
	case chain.Disconnected:
		p.disconnectLocked(ev.Block, ev.Info)
		p.unsure = p.unsure || ev.Permissions
	case chain.Settled:
		p.settleLocked()
	case chain.Jumped:
		p.jumpLocked(ev.Info)
	}
	p.generation.Add(1)
	p.heard++
	close(p.moved)
	p.moved = make(chan struct{})
	p.unlockShown()
}

// connectLocked removes what the block confirms and what contradicts it.
func (p *Pool) connectLocked(b *consensus.Block, info chain.BlockInfo) {
	p.tip = b.Hash
	for _, tx := range b.Txs[1:] {
		p.aside.confirmed(p, tx.TxID)
		if e := p.byTxID[tx.TxID]; e != nil {
			p.detachLocked(e, tx)
			p.gone(e, ReasonBlock)
			continue // nothing else here spends its inputs
		}
		for _, in := range tx.Msg.TxIn {
			if e := p.spent[in.PreviousOutPoint]; e != nil {
				p.removeTreeLocked(ReasonConflict, e)
			}
		}
	}
	for _, tx := range b.Txs {
		p.arrivedLocked(tx)
	}
	p.floor.mayFall(p.now())
	p.setFlagsLocked(info.Height + 1)
}

// jumpLocked lets go of everything: it was judged by another set of coins.
func (p *Pool) jumpLocked(info chain.BlockInfo) {
	p.tip = info.Hash
	p.aside, p.unsure = nil, false
	p.removeTreeLocked(ReasonReorg, slices.Collect(p.roster.all())...)
	p.setFlagsLocked(info.Height + 1)
}

// setFlagsLocked drops what was checked under fewer rules than the block at
// height has.
func (p *Pool) setFlagsLocked(height int32) {
	flags := consensus.ScriptFlags(height, chainhash.Hash{}, p.params)
	fresh := flags &^ p.nextFlags
	p.nextFlags = flags
	if fresh == 0 {
		return
	}
	var unsure []*entry
	for e := range p.roster.all() {
		if flags&^e.flags != 0 {
			unsure = append(unsure, e)
		}
	}
	p.removeTreeLocked(ReasonFlags, unsure...)
}

// disconnectLocked sets the block's transactions aside, and what depends on
// them.
func (p *Pool) disconnectLocked(b *consensus.Block, info chain.BlockInfo) {
	p.tip = b.Header.PrevBlock
	if p.aside == nil {
		p.aside = &aside{byTxID: make(map[chainhash.Hash]*waiting)}
	}
	flags := consensus.ScriptFlags(info.Height, b.Hash, p.params)
	list := make([]*waiting, 0, len(b.Txs))
	for i, tx := range b.Txs {
		for n := range tx.Msg.TxOut {
			if e := p.spent[wire.OutPoint{Hash: tx.TxID, Index: uint32(n)}]; e != nil {
				p.setAsideLocked(e)
			}
		}
		if i > 0 {
			list = append(list, &waiting{tx: tx, flags: flags})
		}
	}
	p.aside.addBlock(list, p.policy.MempoolBytes)
	p.setFlagsLocked(info.Height)
}

// setAsideLocked takes an entry and its descendants out until the
// reorganisation is over. Nobody is told yet.
func (p *Pool) setAsideLocked(root *entry) {
	list := inOrder(descendantsOf(root))
	for _, e := range slices.Backward(list) {
		p.detachLocked(e, e.tx)
	}
	for _, e := range list {
		w := &waiting{tx: e.tx, entry: e, flags: e.flags}
		p.aside.entries = append(p.aside.entries, w)
		p.aside.byTxID[e.tx.TxID] = w
	}
}

// addBlock keeps a block's transactions. When all of them take more than
// budget, those of the blocks highest up go, since they may depend on the
// others.
func (a *aside) addBlock(list []*waiting, budget int64) {
	a.blocks = append(a.blocks, list)
	for _, w := range list {
		a.byTxID[w.tx.TxID] = w
		a.usage += usageOf(w.tx)
	}
	for i := 0; a.usage > budget && i < len(a.blocks); i++ {
		for _, w := range a.blocks[i] {
			a.usage -= usageOf(w.tx)
			if a.byTxID[w.tx.TxID] == w {
				delete(a.byTxID, w.tx.TxID)
			}
		}
		a.blocks[i] = nil
	}
}

// confirmed takes note that a block of the new branch holds a transaction.
func (a *aside) confirmed(p *Pool, txid chainhash.Hash) {
	if a == nil {
		return
	}
	if w := a.byTxID[txid]; w != nil {
		delete(a.byTxID, txid)
		if w.entry != nil {
			p.gone(w.entry, ReasonBlock)
		}
	}
}

// settleLocked ends a reorganisation: what does not fit the new branch
// leaves, what was set aside returns.
func (p *Pool) settleLocked() {
	a := p.aside
	if a == nil && !p.unsure {
		return
	}
	p.aside = nil
	next := p.chain.Next()
	if a == nil {
		p.judgeAgainLocked(next)
		return
	}
	p.dropUnfitLocked(next)
	p.judgeAgainLocked(next)
	for _, list := range slices.Backward(a.blocks) {
		p.returnLocked(a, list, next)
	}
	// Set aside in several lots, whose order need not be that of their
	// dependence.
	slices.SortFunc(a.entries, func(x, y *waiting) int { return bySeq(x.entry, y.entry) })
	p.returnLocked(a, a.entries, next)
	p.trimLocked()
	p.log.Debug("followed a reorganisation", "blocks", len(a.blocks), "txs", len(p.byTxID))
}

// dropUnfitLocked removes entries that a shorter or younger branch made
// immature or not final.
func (p *Pool) dropUnfitLocked(next chain.NextBlock) {
	var unfit []*entry
	for e := range p.roster.all() {
		if !e.spendsCoinbase && !e.timeLocked {
			continue
		}
		if !p.stillFits(e, next) {
			unfit = append(unfit, e)
		}
	}
	p.removeTreeLocked(ReasonReorg, unfit...)
}

func (p *Pool) stillFits(e *entry, next chain.NextBlock) bool {
	if !consensus.IsFinal(e.tx, next.Height, next.MedianTime) {
		return false
	}
	coins, err := p.coinsLocked(e.tx, next.Height, nil)
	if err != nil {
		return false
	}
	_, err = p.checkCoins(e.tx, coins, next)
	return err == nil
}

// returnLocked brings back, in order, what still fits. Entries that do not
// leave, children before parents.
func (p *Pool) returnLocked(a *aside, list []*waiting, next chain.NextBlock) {
	var lost []*entry
	for _, w := range list {
		if a.byTxID[w.tx.TxID] != w {
			continue // confirmed again, or dropped
		}
		e, ok := p.judgeReturnedLocked(w, next)
		switch {
		case !ok && w.entry != nil:
			lost = append(lost, w.entry)
		case !ok:
		case w.entry != nil:
			e.time, e.height, e.flags, e.told = w.entry.time, w.entry.height, w.flags, true
			p.attachLocked(e)
		default:
			e.time, e.tx = p.now(), w.tx.Clone() // not all of its block
			p.attachLocked(e)
			p.announceLocked(e, true)
			p.arrivedLocked(e.tx)
		}
	}
	for _, e := range slices.Backward(lost) {
		p.gone(e, ReasonReorg)
	}
}

func (p *Pool) judgeReturnedLocked(w *waiting, next chain.NextBlock) (*entry, bool) {
	if w.entry == nil && !p.policy.AcceptNonStd && p.checkAlone(w.tx) != nil {
		return nil, false
	}
	e, coins, err := p.judgeLocked(w.tx, next, nil, true)
	if err != nil {
		return nil, false
	}
	e.flags = w.flags
	if next.Flags&^w.flags != 0 {
		// Only where the reorganisation crosses the activation of a script
		// rule, or a block that is an exception from one.
		if p.checker.CheckTx(context.Background(), w.tx, coins, next.Flags) != nil {
			return nil, false
		}
		e.flags = next.Flags
	}
	return e, true
}
