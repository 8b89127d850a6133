package wallet

import (
	"cmp"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// pending is the height of transactions that are in no block.
const pending int32 = -1

// tracked is a transaction that pays the wallet or is paid by it.
type tracked struct {
	id       chainhash.Hash
	msg      *wire.MsgTx // never changed
	height   int32       // pending, or that of its block
	block    chainhash.Hash
	position int   // within the block
	time     int64 // Unix: of the block, else when it was first seen
}

// coinbase reports whether the record creates money that has to mature. The
// genesis block's transaction does not: its outputs are ordinary.
func (r *tracked) coinbase() bool { return r.height != 0 && isCoinbase(r.msg) }

func isCoinbase(tx *wire.MsgTx) bool {
	return len(tx.TxIn) == 1 && tx.TxIn[0].PreviousOutPoint == wire.OutPoint{Index: wire.MaxPrevOutIndex}
}

// credit is an output that pays the wallet.
type credit struct {
	amount Amount
	script []byte
	path   keyPath
}

// ledger is the wallet's transactions and what follows from them. No two
// records spend the same output: where the chain or the pool decides for
// one, the other leaves, and with it all that spends from it.
type ledger struct {
	book    *addressBook
	records map[chainhash.Hash]*tracked
	credits map[wire.OutPoint]credit
	spends  map[wire.OutPoint]chainhash.Hash // all inputs of records, also others' coins
}

func newLedger(book *addressBook) *ledger {
	return &ledger{
		book:    book,
		records: make(map[chainhash.Hash]*tracked),
		credits: make(map[wire.OutPoint]credit),
		spends:  make(map[wire.OutPoint]chainhash.Hash),
	}
}

// concerns reports whether a transaction pays the wallet, spends from it, or
// spends what a record spends.
func (l *ledger) concerns(tx *wire.MsgTx) bool {
	for _, in := range tx.TxIn {
		if _, ok := l.spends[in.PreviousOutPoint]; ok {
			return true
		}
	}
	return l.ours(tx)
}

// ours reports whether a transaction pays the wallet or spends from it.
func (l *ledger) ours(tx *wire.MsgTx) bool {
	for _, in := range tx.TxIn {
		if _, ok := l.credits[in.PreviousOutPoint]; ok {
			return true
		}
	}
	for _, out := range tx.TxOut {
		if _, ok := l.book.find(out.PkScript); ok {
			return true
		}
	}
	return false
}

// place says where a transaction stands.
type place struct {
	height   int32
	block    chainhash.Hash
	position int
	time     int64
}

// apply takes a transaction in, or moves one that is known to its new
// place. What it contradicts leaves; a pending one that contradicts a
// confirmed one is not taken. It reports whether more addresses are looked
// out for since: the same block may then hold more of the wallet's.
func (l *ledger) apply(tx *wire.MsgTx, at place) (changed, grew bool, err error) {
	if !l.concerns(tx) {
		return false, false, nil
	}
	id := tx.TxHash()
	if r, ok := l.records[id]; ok {
		if at.height == pending || r.height == at.height && r.block == at.block {
			return false, false, nil
		}
		r.height, r.block, r.position, r.time = at.height, at.block, at.position, at.time
		return true, false, nil
	}
	var rivals []chainhash.Hash
	for _, in := range tx.TxIn {
		rival, ok := l.spends[in.PreviousOutPoint]
		if !ok {
			continue
		}
		if at.height == pending && l.records[rival].height != pending {
			return false, false, nil
		}
		rivals = append(rivals, rival)
	}
	for _, rival := range rivals {
		l.remove(rival)
	}
	if !l.ours(tx) {
		return len(rivals) > 0, false, nil
	}
	grew, err = l.insert(&tracked{id: id, msg: tx, height: at.height, block: at.block, position: at.position, time: at.time})
	return true, grew, err
}

// insert adds a record and what follows from it.
func (l *ledger) insert(r *tracked) (grew bool, err error) {
	l.records[r.id] = r
	if !isCoinbase(r.msg) {
		for _, in := range r.msg.TxIn {
			l.spends[in.PreviousOutPoint] = r.id
		}
	}
	for i, out := range r.msg.TxOut {
		path, ok := l.book.find(out.PkScript)
		if !ok {
			continue
		}
		l.credits[wire.OutPoint{Hash: r.id, Index: uint32(i)}] = credit{Amount(out.Value), out.PkScript, path}
		more, err := l.book.use(path)
		if err != nil {
			return grew, err
		}
		grew = grew || more
	}
	return grew, nil
}

// remove takes a record out, and all records that spend from it.
func (l *ledger) remove(id chainhash.Hash) {
	r, ok := l.records[id]
	if !ok {
		return
	}
	delete(l.records, id)
	for _, in := range r.msg.TxIn {
		if l.spends[in.PreviousOutPoint] == id {
			delete(l.spends, in.PreviousOutPoint)
		}
	}
	for i := range r.msg.TxOut {
		op := wire.OutPoint{Hash: id, Index: uint32(i)}
		delete(l.credits, op)
		if child, ok := l.spends[op]; ok {
			l.remove(child)
		}
	}
}

// rollback makes transactions of blocks above height pending again.
// Coinbases leave: they exist in their block only.
func (l *ledger) rollback(height int32) {
	for _, r := range l.sorted() {
		switch {
		case r.height <= height: // pending too
		case isCoinbase(r.msg):
			l.remove(r.id)
		default:
			r.height, r.block, r.position = pending, chainhash.Hash{}, 0
		}
	}
}

// fromUs reports whether all inputs of a record spend the wallet's coins,
// and the sum of those that do.
func (l *ledger) fromUs(r *tracked) (all bool, debit Amount) {
	all = true
	for _, in := range r.msg.TxIn {
		c, ok := l.credits[in.PreviousOutPoint]
		all = all && ok
		debit += c.amount
	}
	return all, debit
}

// sorted lists the records in the chain's order, the pending ones last by
// the time they were seen, parents before children.
func (l *ledger) sorted() []*tracked {
	out := make([]*tracked, 0, len(l.records))
	for _, r := range l.records {
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b *tracked) int {
		if a.height != b.height {
			return cmp.Compare(uint32(a.height), uint32(b.height)) // pending is the largest
		}
		return cmp.Or(cmp.Compare(a.position, b.position), cmp.Compare(a.time, b.time),
			slices.Compare(a.id[:], b.id[:]))
	})
	first := slices.IndexFunc(out, func(r *tracked) bool { return r.height == pending })
	if first >= 0 {
		l.parentsFirst(out[first:])
	}
	return out
}

// parentsFirst moves each pending record behind those that it spends from.
func (l *ledger) parentsFirst(records []*tracked) {
	ordered := make([]*tracked, 0, len(records))
	done := make(map[chainhash.Hash]bool, len(records))
	var visit func(r *tracked)
	visit = func(r *tracked) {
		if done[r.id] {
			return
		}
		done[r.id] = true
		for _, in := range r.msg.TxIn {
			if parent, ok := l.records[in.PreviousOutPoint.Hash]; ok && parent.height == pending {
				visit(parent)
			}
		}
		ordered = append(ordered, r)
	}
	for _, r := range records {
		visit(r)
	}
	copy(records, ordered)
}
