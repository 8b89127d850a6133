package permission

import (
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/permission/record"
)

// CheckTx judges a transaction of block h, no coinbase, by the state after the
// parent: whether its coins may be spent and its outputs received, and
// whether its records are well formed, signed and asked for by someone with
// a say. coins[i] is what input i spends. Transactions can be checked side
// by side; what their records come to in order is for Apply. Whether the
// inputs are signed is for the script engine. Errors are
// *consensus.RuleError.
func (s *State) CheckTx(tx *consensus.Tx, coins []consensus.Coin, h int32) error {
	if !claimsRecord(tx.Msg) {
		return s.checkPayment(tx.Msg, coins, h, nil)
	}
	records, err := record.FromTx(tx.Msg)
	if err != nil {
		return err
	}
	ex := &exemption{}
	speakers := s.speakers(tx.Msg, coins, h)
	for _, r := range records {
		a, err := s.checkRecord(r.Record, speakers, h)
		if err != nil {
			return err
		}
		ex.add(r.Record, a)
	}
	if err := s.checkPayment(tx.Msg, coins, h, ex); err != nil {
		return err
	}
	for _, r := range records { // the expensive part
		if err := record.CheckSig(s.rules.genesis, r.Record); err != nil {
			return err
		}
	}
	return nil
}

// CheckCoinbase judges the coinbase of block h: its outputs may be received,
// and it holds no record.
func (s *State) CheckCoinbase(tx *consensus.Tx, h int32) error {
	if claimsRecord(tx.Msg) {
		return broke(RuleRecordInCoinbase, "a coinbase has no input that could speak, it holds no records")
	}
	return s.checkPayment(tx.Msg, nil, h, nil)
}

func claimsRecord(tx *wire.MsgTx) bool {
	return slices.ContainsFunc(tx.TxOut, func(out *wire.TxOut) bool { return record.Claims(out.PkScript) })
}

// exemption is what a transaction with records may move without permission,
// so that nobody needs money to govern.
type exemption struct {
	inputs []int    // those whose authority a record has
	added  [][]byte // governing keys that a record adds: their authority outputs
}

func (ex *exemption) add(r record.Record, a authority) {
	ex.inputs = append(ex.inputs, a.inputs...)
	if k, _, ok := record.Key(r); ok && k.Roles.Any(record.Governing) {
		ex.added = append(ex.added, k.Identity)
	}
}

func (ex *exemption) input(i int) bool { return ex != nil && slices.Contains(ex.inputs, i) }

func (ex *exemption) output(out *wire.TxOut, coins []consensus.Coin) bool {
	if ex == nil {
		return false
	}
	for _, i := range ex.inputs {
		if string(coins[i].Script) == string(out.PkScript) {
			return true
		}
	}
	return out.Value == 0 && slices.ContainsFunc(ex.added, func(id []byte) bool { return string(id) == string(out.PkScript) })
}

// checkPayment applies the permissions to send and to receive. Where one of
// them is restricted, coins lie on scripts of the standard kinds only.
func (s *State) checkPayment(tx *wire.MsgTx, coins []consensus.Coin, h int32, ex *exemption) error {
	if !s.Restricts(record.Send) && !s.Restricts(record.Receive) {
		return nil
	}
	for i := range coins {
		if !s.mayMove(coins[i].Script, record.Send, h) && !ex.input(i) {
			return broke(RuleSend, "input %d: %s may not send at height %d", i, s.whose(coins[i].Script), h)
		}
	}
	for i, out := range tx.TxOut {
		data := out.Value == 0 && len(out.PkScript) > 0 && out.PkScript[0] == txscript.OP_RETURN
		if !data && !s.mayMove(out.PkScript, record.Receive, h) && !ex.output(out, coins) {
			return broke(RuleReceive, "output %d: %s may not receive at height %d", i, s.whose(out.PkScript), h)
		}
	}
	return nil
}

// mayMove reports whether a script may send or receive: if that is everybody's,
// every script of a standard kind.
func (s *State) mayMove(script []byte, perm record.Set, h int32) bool {
	if s.Restricts(perm) {
		return s.May(script, perm, h)
	}
	_, ok := record.Identity(script)
	return ok
}

// whose names an identity and the member that it belongs to.
func (s *State) whose(script []byte) string {
	if m, _ := s.holder(script); m != nil {
		return fmt.Sprintf("the identity %x of the member %s", script, m.Name)
	}
	return fmt.Sprintf("the identity %x, which is no member's,", script)
}

// checkRecord judges a record but for its signature, and returns who has a
// say in it.
func (s *State) checkRecord(r record.Record, speakers []speaker, h int32) (authority, error) {
	a := s.authorityOver(r, speakers, h)
	if ready, ok := r.(record.Ready); ok {
		return a, s.checkReady(ready, h)
	}
	lapse, _ := record.Lapse(r)
	if uint64(lapse) < uint64(h) || uint64(lapse) > uint64(h)+MaxLapse {
		return a, broke(RuleLapse, "%s record lapses after block %d; in block %d, %d to %d is allowed", r.Op(), lapse, h, h, int64(h)+MaxLapse)
	}
	if u, ok := r.(record.Upgrade); ok && uint64(u.Height) < uint64(h)+MinUpgradeNotice {
		return a, broke(RuleUpgradeSoon, "upgrade %s at height %d; in block %d, %d is the lowest allowed", u.Deployment, u.Height, h, int64(h)+MinUpgradeNotice)
	}
	if a.own != nil || len(a.votes) > 0 {
		return a, nil
	}
	if len(a.lone) == 0 {
		return a, broke(RuleNoAuthority, "%s record: no input speaks for a key that may decide it or vote on it", r.Op())
	}
	if _, ok := s.activator(a, h); !ok {
		return a, tooManyLone(r, h)
	}
	return a, nil
}

func tooManyLone(r record.Record, h int32) error {
	return broke(RuleTooManyLone, "%s record: its activators decided %d times alone in the %d blocks up to %d", r.Op(), LoneDecisions, LoneWindow, h)
}

// activator returns the first activator that may decide alone once more.
func (s *State) activator(a authority, h int32) (*speaker, bool) {
	for i := range a.lone {
		if len(s.loneAt(a.lone[i].member.ID, h)) < LoneDecisions {
			return &a.lone[i], true
		}
	}
	return nil, false
}

// checkReady judges a declaration by the state after the parent: key and
// permission are in force, and it is the first for this permission.
func (s *State) checkReady(r record.Ready, h int32) error {
	m := s.member(r.Member)
	if m == nil {
		return broke(RuleUnknownMember, "ready record: there is no member %v", r.Member)
	}
	if k := m.key(record.KeyScript(r.Key)); k == nil || !k.acts(record.Mine, h) {
		return broke(RuleNotReady, "ready record: %x is no key of %s that mines at height %d", r.Key, m.Name, h)
	}
	return checkReadyTime(m, r, h)
}

func checkReadyTime(m *Member, r record.Ready, h int32) error {
	p := m.mining(h)
	switch {
	case !p.ok:
		return broke(RuleNotReady, "ready record: %s may not mine at height %d", m.Name, h)
	case p.since != r.Since:
		return broke(RuleNotReady, "ready record: is for a permission from height %d on, that of %s counts from %d", r.Since, m.Name, p.since)
	case p.active != forever:
		return broke(RuleReadyAgain, "ready record: %s was declared ready, it may seal from height %d on", m.Name, p.active)
	}
	return nil
}
