package mempool

import (
	"bytes"
	"maps"
	"math"
	"slices"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/mempool/policy"
)

// Bounds on transactions with records, which need not pay: members govern
// without money.
const (
	maxWaitingRecords = 16      // that wait, of each member that speaks in them
	maxFreeWeight     = 100_000 // weight units up to which they need not pay: some 300 signatures
)

// governing is what the pool knows of a transaction with records.
type governing struct {
	coins   []consensus.Coin  // what the inputs spend
	members []record.MemberID // that speak in it, each once
}

// usage estimates the memory that it takes.
func (g *governing) usage() (n int64) {
	for i := range g.coins {
		n += coinBase + int64(len(g.coins[i].Script))
	}
	return n + int64(len(g.members)*len(record.MemberID{}))
}

// free reports whether e need not pay: a member speaks in it, and it is not
// larger than that takes.
func (e *entry) free() bool {
	return e.gov != nil && len(e.gov.members) > 0 && e.tx.Weight <= maxFreeWeight
}

// lastingRules are broken for ever: no state of members mends it. All others
// may be kept in another block, so whoever sent it may have done nothing
// wrong.
func lastingRules() []consensus.Rule {
	return []consensus.Rule{record.RuleMalformed, record.RuleTooMany, record.RuleNoAuthorityOutput, record.RuleSignature}
}

// notPermitted makes a refusal by policy of what only the present members and
// permissions forbid. The code is the rule's name.
func notPermitted(err error) error {
	rule := consensus.AsRule(err)
	if rule == nil || slices.Contains(lastingRules(), rule.Rule) {
		return err
	}
	return &policy.Error{Code: policy.Code(rule.Rule), Detail: rule.Detail, Err: rule.Rule}
}

// checkPermitted judges tx by who may do what in the next block. It returns
// nil for transactions without records.
func checkPermitted(tx *consensus.Tx, coins []consensus.Coin, next chain.NextBlock) (*governing, error) {
	state := next.Permissions
	if state == nil {
		return nil, nil
	}
	if err := state.CheckTx(tx, coins, next.Height); err != nil {
		return nil, notPermitted(err)
	}
	if !slices.ContainsFunc(tx.Msg.TxOut, func(out *wire.TxOut) bool { return record.Claims(out.PkScript) }) {
		return nil, nil
	}
	g := &governing{coins: slices.Clone(coins)}
	for i := range g.coins {
		g.coins[i].Script = bytes.Clone(g.coins[i].Script) // may be part of something large
	}
	for i, in := range tx.Msg.TxIn {
		if !record.Speaks(in, &coins[i]) {
			continue
		}
		m, key, ok := state.ByIdentity(coins[i].Script)
		if ok && key.In(next.Height) && !slices.Contains(g.members, m.ID) {
			g.members = append(g.members, m.ID)
		}
	}
	return g, nil
}

// checkWaitingLocked refuses a transaction with records of a member of which
// too many wait already.
func (p *Pool) checkWaitingLocked(e *entry) error {
	if e.gov == nil {
		return nil
	}
	for _, id := range e.gov.members {
		if p.records[id] >= maxWaitingRecords {
			return refuse(policy.CodeRecords, "%d transactions with records of member %v wait for a block, at most %d may", p.records[id], id, maxWaitingRecords)
		}
	}
	return nil
}

// tryRecords refuses a transaction whose records would fail in the next block,
// even where nothing but what it depends on comes before it.
func tryRecords(e *entry, next chain.NextBlock) error {
	if e.gov == nil {
		return nil
	}
	draft := next.Permissions.Draft(next.Height)
	for _, a := range inOrder(e.ancestors()) {
		if a.gov != nil {
			// What fails here was judged before, in another company; if e
			// needs it, e fails too.
			_ = draft.Add(a.tx, a.gov.coins)
		}
	}
	return notPermitted(draft.Add(e.tx, e.gov.coins))
}

// followPermissionsLocked judges anew what waits, after a block that was
// connected. changed: somebody may do what he could not, or the other way
// round.
func (p *Pool) followPermissionsLocked(changed bool) {
	p.unsure = p.unsure || changed
	if p.aside != nil {
		return // at the end of the reorganisation
	}
	if len(p.byTxID) == 0 {
		p.unsure = false
		return
	}
	if len(p.governing) == 0 && !p.unsure {
		return
	}
	if next := p.chain.Next(); next.Prev.Hash == p.tip {
		p.judgeAgainLocked(next)
	}
}

// judgeAgainLocked removes what the next block would not allow: transactions
// with records, whose time may be over with every block, and, if permissions
// changed since, all others.
func (p *Pool) judgeAgainLocked(next chain.NextBlock) {
	all := p.unsure
	p.unsure = false
	if next.Permissions == nil || !all && len(p.governing) == 0 {
		return
	}
	judged := p.roster.all()
	if !all {
		judged = maps.Keys(p.governing)
	}
	var unfit []*entry
	for e := range judged {
		if err := p.stillPermittedLocked(e, next, all); err != nil {
			p.log.Debug("transaction leaves, it is not permitted any more", "txid", e.tx.TxID, "err", err)
			unfit = append(unfit, e)
		}
	}
	p.removeTreeLocked(ReasonPermission, unfit...)
}

// stillPermittedLocked judges e by the permissions for the next block. If they
// did not change, only its records can have come to their end.
func (p *Pool) stillPermittedLocked(e *entry, next chain.NextBlock, changed bool) error {
	if !changed {
		return tryRecords(e, next)
	}
	var coins []consensus.Coin
	switch {
	case e.gov != nil:
		coins = e.gov.coins
	case next.Permissions.Restricts(record.Send | record.Receive):
		var err error
		if coins, err = p.coinsLocked(e.tx, next.Height, nil); err != nil {
			return err
		}
	default:
		return nil
	}
	if err := next.Permissions.CheckTx(e.tx, coins, next.Height); err != nil {
		return err
	}
	return tryRecords(e, next)
}

// countRecords keeps the set of waiting transactions with records, and their
// number for each member. sign is 1 for a newcomer, -1 for one that leaves.
func (p *Pool) countRecords(e *entry, sign int) {
	if e.gov == nil {
		return
	}
	if sign > 0 {
		p.governing[e] = struct{}{}
	} else {
		delete(p.governing, e)
	}
	for _, id := range e.gov.members {
		if p.records[id] += sign; p.records[id] == 0 {
			delete(p.records, id)
		}
	}
}

// speakingLocked returns the entries in which members speak, in the order in
// which they came.
func (p *Pool) speakingLocked() []*entry {
	var list []*entry
	for e := range p.governing {
		if e.speaking() > 0 {
			list = append(list, e)
		}
	}
	return inOrder(list)
}

// overlaySeq is where the numbers of an overlay's entries begin: behind all
// of the pool's.
const overlaySeq = math.MaxUint64 / 2
