package wallet

import (
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// spend makes a transaction that spends outputs and has the given ones.
func spend(ops []wire.OutPoint, outs ...*wire.TxOut) *wire.MsgTx {
	tx := wire.NewMsgTx(2)
	for i := range ops {
		tx.AddTxIn(wire.NewTxIn(&ops[i], nil, nil))
	}
	tx.TxOut = outs
	return tx
}

func output(tx *wire.MsgTx, index uint32) wire.OutPoint {
	return wire.OutPoint{Hash: tx.TxHash(), Index: index}
}

// checkLedger checks that the maps say the same as the records.
func checkLedger(t *testing.T, step string, l *ledger, want ...*wire.MsgTx) {
	t.Helper()
	spends, credits := 0, 0
	for id, r := range l.records {
		for _, in := range r.msg.TxIn {
			if got := l.spends[in.PreviousOutPoint]; got != id {
				t.Errorf("%s: %v is spent by %v and by %v", step, in.PreviousOutPoint, id, got)
			}
			spends++
		}
		for _, out := range r.msg.TxOut {
			if _, ok := l.book.find(out.PkScript); ok {
				credits++
			}
		}
	}
	if spends != len(l.spends) || credits != len(l.credits) {
		t.Errorf("%s: %d spent outputs and %d credits noted, the records have %d and %d",
			step, len(l.spends), len(l.credits), spends, credits)
	}
	for _, tx := range want {
		if l.records[tx.TxHash()] == nil {
			t.Errorf("%s: %v is missing", step, tx.TxHash())
		}
	}
	if len(l.records) != len(want) {
		t.Errorf("%s: %d records, want %d", step, len(l.records), len(want))
	}
}

func TestLedgerConflicts(t *testing.T) {
	x := newWorld(t)
	l := x.w.ledger
	apply := func(tx *wire.MsgTx, height int32) (changed bool) {
		t.Helper()
		at := place{height: height, time: 1}
		if height != pending {
			at.block = chainhash.Hash{byte(height)}
		}
		changed, _, err := l.apply(tx, at)
		if err != nil {
			t.Fatal(err)
		}
		return changed
	}
	coinA, coinB := from(1, x.pay(10, 0)), from(2, x.pay(10, 1))
	apply(coinA, 1)
	apply(coinB, 1)
	first := spend([]wire.OutPoint{output(coinA, 0)}, x.pay(9, 2))
	child := spend([]wire.OutPoint{output(first, 0)}, x.pay(8, 3))
	apply(first, pending)
	apply(child, pending)
	checkLedger(t, "two in a row", l, coinA, coinB, first, child)

	both := spend([]wire.OutPoint{output(coinA, 0), output(coinB, 0)}, x.pay(19, 4))
	if !apply(both, pending) {
		t.Error("a rival in the pool was not taken")
	}
	checkLedger(t, "replaced, with its child", l, coinA, coinB, both)

	// A block spends one of the two coins to somebody else.
	away := spend([]wire.OutPoint{output(coinB, 0)}, wire.NewTxOut(10, foreign))
	apply(away, 2)
	checkLedger(t, "the block decides", l, coinA, coinB, away)
	if apply(both, pending) {
		t.Error("taken although a block spends its coin")
	}
	checkLedger(t, "not taken again", l, coinA, coinB, away)

	// A rival of others' coins that is none of the wallet's business.
	incoming := from(3, x.pay(5, 5))
	apply(incoming, pending)
	if !apply(from(3, wire.NewTxOut(5, foreign)), 3) {
		t.Error("the double spend went unnoticed")
	}
	checkLedger(t, "double spent", l, coinA, coinB, away)

	l.rollback(1)
	if r := l.records[away.TxHash()]; r.height != pending || r.block != (chainhash.Hash{}) {
		t.Errorf("rolled back to %+v", r)
	}
	apply(both, 2)
	checkLedger(t, "the other branch decides otherwise", l, coinA, coinB, both)
	l.rollback(0)
	l.remove(coinA.TxHash())
	checkLedger(t, "what spends a coin leaves with it", l, coinB)
}
