package wallet

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/permission/record"
)

// maxPool is how many waiting transactions are fetched in one Sync.
const maxPool = 20_000

// syncPool takes over the waiting transactions that concern the wallet and
// settles what becomes of those that wait no longer. errMoved says that a
// block came in between: they may be in it.
func (w *Wallet) syncPool(ctx context.Context, n node, res *SyncResult) error {
	ids, err := n.pool(ctx)
	if err != nil {
		return err
	}
	txs, err := w.fetchPool(ctx, n, ids, res)
	if err != nil {
		return err
	}
	info, err := n.chainInfo(ctx)
	if err != nil {
		return err
	}
	if info.Best != w.marks[len(w.marks)-1].hash.String() {
		return errMoved
	}
	if err := w.applyPool(txs); err != nil {
		return err
	}
	if err := w.settleLost(ctx, n, ids, res); err != nil {
		return err
	}
	w.noteWaiting(txs)
	return nil
}

// noteWaiting remembers the records in the pool: those of txs, which the
// wallet did not know before, and of its own transactions.
func (w *Wallet) noteWaiting(txs []*wire.MsgTx) {
	known := make(map[chainhash.Hash]bool, len(txs))
	for _, tx := range txs {
		known[tx.TxHash()] = true
	}
	for _, r := range w.ledger.sorted() {
		if r.height == pending && !known[r.id] {
			txs = append(txs, r.msg)
		}
	}
	w.waiting = nil
	for _, tx := range txs {
		list, err := record.FromTx(tx)
		if err != nil {
			continue // no node keeps such a transaction
		}
		for _, r := range list {
			w.waiting = append(w.waiting, r.Record)
		}
	}
}

// Waiting lists the records of transactions that waited for a block when the
// wallet last followed the chain.
func (w *Wallet) Waiting() []record.Record { return w.waiting }

// fetchPool fetches the transactions that are not known yet.
func (w *Wallet) fetchPool(ctx context.Context, n node, ids []chainhash.Hash, res *SyncResult) ([]*wire.MsgTx, error) {
	var txs []*wire.MsgTx
	res.PoolSkipped = 0
	for _, id := range ids {
		if w.ledger.records[id] != nil {
			continue
		}
		if len(txs) == maxPool {
			res.PoolSkipped++
			continue
		}
		tx, err := n.poolTx(ctx, id)
		if err != nil {
			return nil, err
		}
		if tx != nil {
			txs = append(txs, tx)
		}
	}
	return txs, nil
}

// applyPool takes transactions over until nothing new turns up: they come
// in no order, and a child may concern the wallet by its parent only.
func (w *Wallet) applyPool(txs []*wire.MsgTx) error {
	at := place{height: pending, time: w.cfg.Now().Unix()}
	for again := true; again; {
		again = false
		for _, tx := range txs {
			changed, _, err := w.ledger.apply(tx, at)
			if err != nil {
				return err
			}
			again = again || changed
		}
	}
	return nil
}

// settleLost decides about pending transactions that the pool does not
// hold. Others' payments to the wallet leave. Own payments are offered to
// the node again, and leave if their coins are spent otherwise. Own
// transactions with records leave if the node refuses them for any reason:
// they cost nothing, what they ask for may be decided or lapsed, and the key
// has to be able to speak again by the same coin.
func (w *Wallet) settleLost(ctx context.Context, n node, ids []chainhash.Hash, res *SyncResult) error {
	waiting := make(map[chainhash.Hash]bool, len(ids))
	for _, id := range ids {
		waiting[id] = true
	}
	res.Refused, res.Dropped = nil, nil
	for _, r := range w.ledger.sorted() {
		if r.height != pending || waiting[r.id] || w.ledger.records[r.id] == nil {
			continue
		}
		if own, _ := w.ledger.fromUs(r); !own {
			w.ledger.remove(r.id)
			continue
		}
		err := n.broadcast(ctx, r.msg, false)
		var refusal *RPCError
		switch {
		case err == nil:
		case !errors.As(err, &refusal):
			return err
		case isCode(err, codeInChain):
			return errMoved
		case coinsGone(refusal):
			w.ledger.remove(r.id)
		case holdsRecords(r.msg):
			w.ledger.remove(r.id)
			res.Dropped = append(res.Dropped, Refusal{r.id, refusal.Message})
		default:
			res.Refused = append(res.Refused, Refusal{r.id, refusal.Message})
		}
	}
	return nil
}

// holdsRecords reports whether a transaction changes members.
func holdsRecords(tx *wire.MsgTx) bool {
	return slices.ContainsFunc(tx.TxOut, func(out *wire.TxOut) bool { return record.Claims(out.PkScript) })
}

// coinsGone reports whether a node refused a transaction because something
// else spends its coins, or because they never came to be.
func coinsGone(e *RPCError) bool {
	if e.Code == codeVerify {
		return true
	}
	for _, reason := range []string{rejectConflict, rejectNoInputs, rejectBadInputs} {
		if e.Code == codeRejected && strings.Contains(e.Message, reason) {
			return true
		}
	}
	return false
}

// broadcast hands a transaction to the node. That it waits there already is
// no error. Unless anyFee, the node applies its own limit on high fees.
func (n node) broadcast(ctx context.Context, tx *wire.MsgTx, anyFee bool) error {
	var raw bytes.Buffer
	if err := tx.Serialize(&raw); err != nil {
		return fmt.Errorf("encode transaction: %w", err)
	}
	params := []any{hex.EncodeToString(raw.Bytes())}
	if anyFee {
		params = append(params, 0) // maxfeerate: none
	}
	err := n.call(ctx, nil, "sendrawtransaction", params...)
	var refusal *RPCError
	if errors.As(err, &refusal) && refusal.Code == codeRejected &&
		(strings.Contains(refusal.Message, rejectInPool) || strings.Contains(refusal.Message, rejectKnown)) {
		return nil
	}
	return err
}
