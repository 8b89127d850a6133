package wallet

import (
	"cmp"
	"slices"

	"github.com/btcsuite/btcd/wire/v2"
)

// Balance is the wallet's money by what can be done with it. Outputs that a
// pending transaction spends count nowhere.
type Balance struct {
	Confirmed Amount // in blocks, can be spent
	Change    Amount // own change in no block yet, can be spent
	Incoming  Amount // from others, in no block yet
	Immature  Amount // mined, needs more confirmations
}

// Spendable is what can be paid with now.
func (b Balance) Spendable() Amount { return b.Confirmed + b.Change }

// Total is everything.
func (b Balance) Total() Amount { return b.Spendable() + b.Incoming + b.Immature }

// Standing says what can be done with an output.
type Standing string

// The standings of an output, as in Balance.
const (
	Confirmed Standing = "confirmed"
	Change    Standing = "change"
	Incoming  Standing = "incoming"
	Immature  Standing = "immature"
)

// Spendable reports whether such an output can be paid with now.
func (s Standing) Spendable() bool { return s == Confirmed || s == Change }

// Unspent is an output of the wallet that no known transaction spends.
type Unspent struct {
	OutPoint      wire.OutPoint
	Amount        Amount
	Script        []byte
	Address       string
	Confirmations int32 // 0: in no block
	Standing      Standing

	path keyPath
}

// Unspent lists the outputs that the wallet can or will be able to pay with,
// oldest first. Outputs of amount 0 are not among them: those by which keys
// govern a chain with permissions are worth nothing and must not be spent as
// money (AuthorityCoin has them).
func (w *Wallet) Unspent() []Unspent {
	return slices.DeleteFunc(w.unspent(), func(u Unspent) bool { return u.Amount == 0 })
}

// unspent is Unspent with the outputs of amount 0.
func (w *Wallet) unspent() []Unspent {
	var out []Unspent
	for op, c := range w.ledger.credits {
		if _, spent := w.ledger.spends[op]; spent {
			continue
		}
		r := w.ledger.records[op.Hash]
		out = append(out, Unspent{
			OutPoint:      op,
			Amount:        c.amount,
			Script:        c.script,
			Address:       addressOf(w.cfg.Chain.Address, c.script),
			Confirmations: w.confirmations(r),
			Standing:      w.standing(r),
			path:          c.path,
		})
	}
	slices.SortFunc(out, func(a, b Unspent) int {
		return cmp.Or(cmp.Compare(b.Confirmations, a.Confirmations),
			slices.Compare(a.OutPoint.Hash[:], b.OutPoint.Hash[:]),
			cmp.Compare(a.OutPoint.Index, b.OutPoint.Index))
	})
	return out
}

// Balance sums the outputs up by standing.
func (w *Wallet) Balance() Balance {
	var b Balance
	for op, c := range w.ledger.credits {
		if _, spent := w.ledger.spends[op]; spent {
			continue
		}
		switch w.standing(w.ledger.records[op.Hash]) {
		case Confirmed:
			b.Confirmed += c.amount
		case Change:
			b.Change += c.amount
		case Incoming:
			b.Incoming += c.amount
		case Immature:
			b.Immature += c.amount
		}
	}
	return b
}

// standing is that of a record's outputs.
func (w *Wallet) standing(r *tracked) Standing {
	switch {
	case r.height == pending:
		if own, _ := w.ledger.fromUs(r); own {
			return Change
		}
		return Incoming
	case r.coinbase() && w.confirmations(r) < w.cfg.Chain.Maturity:
		return Immature
	}
	return Confirmed
}

// confirmations counts the record's block and those above it. A coinbase
// output may be spent in the next block once they reach the maturity.
func (w *Wallet) confirmations(r *tracked) int32 {
	if r.height == pending {
		return 0
	}
	return w.height() - r.height + 1
}

// Height is that of the last block the wallet has seen, -1 before the first
// Sync.
func (w *Wallet) Height() int32 { return w.height() }
