package wallet

import (
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// Kind says what a transaction was to the wallet.
type Kind string

// The kinds of transactions.
const (
	KindGenesis  Kind = "genesis"  // an allocation of the genesis block
	KindMined    Kind = "mined"    // a block's reward
	KindReceived Kind = "received" // from others
	KindSent     Kind = "sent"     // to others
	KindSelf     Kind = "self"     // from the wallet to itself
	KindMixed    Kind = "mixed"    // paid for by the wallet and by others together
	KindRecords  Kind = "records"  // changes members, or gives the wallet an authority output
)

// Entry is a transaction as its owner sees it.
type Entry struct {
	TxID chainhash.Hash
	Kind Kind

	// Amount is what the wallet got (above 0) or gave (below 0), without
	// the fee. For KindMixed the fee cannot be told and is within Amount.
	Amount Amount
	Fee    Amount // paid by the wallet; 0 where others paid it

	// Addresses are the other side's where the wallet paid, its own where
	// it was paid.
	Addresses []string

	Height        int32          // -1: in no block
	Block         chainhash.Hash // zero: in no block
	Confirmations int32
	Immature      bool
	Time          time.Time // of the block, else when first seen
}

// History lists the wallet's transactions in the chain's order, those in no
// block last.
func (w *Wallet) History() []Entry {
	records := w.ledger.sorted()
	out := make([]Entry, len(records))
	for i, r := range records {
		out[i] = w.entry(r)
	}
	return out
}

func (w *Wallet) entry(r *tracked) Entry {
	e := Entry{
		TxID:          r.id,
		Height:        r.height,
		Block:         r.block,
		Confirmations: w.confirmations(r),
		Immature:      w.standing(r) == Immature,
		Time:          time.Unix(r.time, 0).UTC(),
	}
	all, debit := w.ledger.fromUs(r)
	got, mine, others, sum := w.outputs(r, all)
	switch {
	case isCoinbase(r.msg) && r.height == 0:
		e.Kind, e.Amount, e.Addresses = KindGenesis, got, mine
	case isCoinbase(r.msg):
		e.Kind, e.Amount, e.Addresses = KindMined, got, mine
	case holdsRecords(r.msg):
		e.Kind, e.Amount = KindRecords, got-debit
	case debit == 0 && !all:
		e.Kind, e.Amount, e.Addresses = KindReceived, got, mine
	case !all:
		e.Kind, e.Amount, e.Addresses = KindMixed, got-debit, others
	case got == sum:
		e.Kind, e.Fee, e.Addresses = KindSelf, debit-sum, mine
	default:
		e.Kind, e.Fee, e.Amount, e.Addresses = KindSent, debit-sum, got-sum, others
	}
	return e
}

// outputs sums up what a record pays the wallet, and pays at all, and lists
// the addresses on both sides, without those of an own payment's change.
func (w *Wallet) outputs(r *tracked, own bool) (got Amount, mine, others []string, sum Amount) {
	for i, out := range r.msg.TxOut {
		sum += Amount(out.Value)
		text := addressOf(w.cfg.Chain.Address, out.PkScript)
		if c, ok := w.ledger.credits[wire.OutPoint{Hash: r.id, Index: uint32(i)}]; ok {
			got += c.amount
			if !own || c.path.branch == external {
				mine = append(mine, text)
			}
		} else if text != "" {
			others = append(others, text)
		}
	}
	return got, mine, others, sum
}
