package index

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"maps"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/store"
	"github.com/charterchain/charter/chain/utxo"
)

// scriptID stands for an output script: the first 20 bytes of its SHA-256.
type scriptID [20]byte

func idOf(script []byte) scriptID {
	h := sha256.Sum256(script)
	return scriptID(h[:20])
}

func scriptPrefix(row byte, id scriptID) []byte {
	b := make([]byte, 0, 64)
	return append(append(b, row), id[:]...)
}

func historyKey(id scriptID, at place) []byte { return at.append(scriptPrefix(rowHistory, id)) }

func txIDKey(at place) []byte { return at.append([]byte{rowTxID}) }

// unspentPlace is where a coin stands among those of its script.
type unspentPlace struct {
	height int32
	op     wire.OutPoint
}

const unspentPlaceSize = 4 + 32 + 4

func (u unspentPlace) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(u.height))
	b = append(b, u.op.Hash[:]...)
	return binary.BigEndian.AppendUint32(b, u.op.Index)
}

// readUnspentPlace reads the unspentPlaceSize bytes that b has at least.
func readUnspentPlace(b []byte) (u unspentPlace) {
	u.height = int32(binary.BigEndian.Uint32(b))
	copy(u.op.Hash[:], b[4:])
	u.op.Index = binary.BigEndian.Uint32(b[36:])
	return u
}

func unspentKey(id scriptID, u unspentPlace) []byte { return u.append(scriptPrefix(rowUnspent, id)) }

func unspentValue(amount int64, coinbase bool) []byte {
	v := uint64(amount) << 1
	if coinbase {
		v |= 1
	}
	return binary.AppendUvarint(nil, v)
}

// addrKind is the address index: for every script its history, its totals
// and its coins. Outputs that nothing can spend are left out.
type addrKind struct {
	p  *params.Params
	db *store.IndexDB

	// Totals of scripts as of the last block that connect or disconnect was
	// called for: pending since the last batch was written, recent from
	// before, as far as it is remembered.
	pending, recent map[scriptID]totals
}

// maxRecent bounds recent to about 20 MB.
const maxRecent = 200_000

func newAddrKind(p *params.Params) *addrKind {
	return &addrKind{p: p, pending: make(map[scriptID]totals), recent: make(map[scriptID]totals)}
}

func (*addrKind) name() string    { return "addrindex" }
func (*addrKind) folder() string  { return "addr" }
func (*addrKind) version() uint32 { return 1 }
func (*addrKind) spent() bool     { return true }

func (k *addrKind) forget() {
	clear(k.pending)
	clear(k.recent)
}

func (k *addrKind) written() {
	if len(k.recent)+len(k.pending) > maxRecent {
		k.recent = make(map[scriptID]totals)
	}
	maps.Copy(k.recent, k.pending)
	if len(k.recent) > maxRecent {
		clear(k.recent) // one block with very many scripts
	}
	clear(k.pending)
}

// alone: a coinbase that overwrites an older one (BIP30) looks for its coins
// among the rows.
func (k *addrKind) alone(hash chainhash.Hash) bool { return k.p.Exceptions[hash].BIP30 }

// change is what a transaction does to a script. Consensus keeps both sums
// within the limit of money.
type change struct{ received, spent int64 }

func (c change) encode() []byte {
	return binary.AppendUvarint(binary.AppendUvarint(nil, uint64(c.received)), uint64(c.spent))
}

func decodeChange(b []byte) (change, bool) {
	var received, spent uint64
	ok := uvarints(b, &received, &spent)
	return change{int64(received), int64(spent)}, ok
}

// outputs calls fn for the outputs of a transaction that become coins.
func (k *addrKind) outputs(at Block, index int, tx *consensus.Tx, fn func(vout uint32, amount int64, script []byte)) {
	if at.Height == 0 {
		if index > 0 {
			return
		}
		for _, out := range k.p.GenesisCoins() {
			if !utxo.Unspendable(out.Script) {
				fn(out.Index, out.Amount, out.Script)
			}
		}
		return
	}
	for i, out := range tx.Msg.TxOut {
		if !utxo.Unspendable(out.PkScript) {
			fn(uint32(i), out.Value, out.PkScript)
		}
	}
}

func (k *addrKind) connect(ctx context.Context, to *store.IndexBatch, at Block, b *consensus.Block, spent [][]consensus.Coin) error {
	touched := make(map[scriptID]bool)
	err := k.db.View(func(v *store.IndexView) error {
		for i, tx := range b.Txs {
			if i%64 == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			var coins []consensus.Coin
			if i > 0 {
				coins = spent[i-1]
			}
			changes, err := k.connectTx(v, to, at, i, tx, coins)
			if err != nil {
				return err
			}
			for id, c := range changes {
				t, err := k.totals(v, id)
				if err != nil {
					return err
				}
				k.pending[id] = t.after(c)
				touched[id] = true
			}
		}
		return nil
	})
	k.putTotals(to, touched)
	return err
}

// putTotals writes the totals of scripts as they are now.
func (k *addrKind) putTotals(to *store.IndexBatch, touched map[scriptID]bool) {
	for id := range touched {
		if t := k.pending[id]; t.txs > 0 {
			to.Put(scriptPrefix(rowTotals, id), t.encode(nil))
		} else {
			to.Delete(scriptPrefix(rowTotals, id))
		}
	}
}

// connectTx adds the history and the coins of a transaction.
func (k *addrKind) connectTx(v *store.IndexView, to *store.IndexBatch, at Block, index int, tx *consensus.Tx, spent []consensus.Coin) (map[scriptID]change, error) {
	here := place{at.Height, uint32(index)}
	changes := make(map[scriptID]change)
	for i := range spent {
		id := idOf(spent[i].Script)
		c := changes[id]
		c.spent += spent[i].Amount
		changes[id] = c
		to.Delete(unspentKey(id, unspentPlace{spent[i].Height, tx.Msg.TxIn[i].PreviousOutPoint}))
	}
	if index == 0 && k.alone(at.Hash) {
		if err := k.overwrite(v, to, at, tx, changes); err != nil {
			return nil, err
		}
	}
	// Genesis outputs are coins of no coinbase: spendable at once.
	coinbase := index == 0 && at.Height > 0
	k.outputs(at, index, tx, func(vout uint32, amount int64, script []byte) {
		id := idOf(script)
		c := changes[id]
		c.received += amount
		changes[id] = c
		op := wire.OutPoint{Hash: tx.TxID, Index: vout}
		to.Put(unspentKey(id, unspentPlace{at.Height, op}), unspentValue(amount, coinbase))
	})
	for id, c := range changes {
		to.Put(historyKey(id, here), c.encode())
	}
	if len(changes) > 0 {
		to.Put(txIDKey(here), tx.TxID[:])
	}
	return changes, nil
}

// totals returns what has happened to a script up to now.
func (k *addrKind) totals(v *store.IndexView, id scriptID) (totals, error) {
	if t, ok := k.pending[id]; ok {
		return t, nil
	}
	if t, ok := k.recent[id]; ok {
		return t, nil
	}
	return readTotals(v, id)
}

// readTotals returns the totals of a script, zero where it has none.
func readTotals(v *store.IndexView, id scriptID) (totals, error) {
	key := scriptPrefix(rowTotals, id)
	b, ok, err := v.Get(key)
	if err != nil || !ok {
		return totals{}, err
	}
	t, ok := decodeTotals(b)
	if !ok {
		return totals{}, damaged("addr", key)
	}
	return t, nil
}

// overwrite takes away the coins of an older transaction with the same id
// (BIP30, in the blocks that the chain file excepts), as the coin set does.
func (k *addrKind) overwrite(v *store.IndexView, to *store.IndexBatch, at Block, tx *consensus.Tx, changes map[scriptID]change) error {
	var failed error
	k.outputs(at, 0, tx, func(vout uint32, _ int64, script []byte) {
		id := idOf(script)
		op := wire.OutPoint{Hash: tx.TxID, Index: vout}
		err := v.Each(store.IndexRange{Prefix: scriptPrefix(rowUnspent, id)}, func(key, value []byte) (bool, error) {
			u, amount, _, ok := parseUnspent(key, value)
			if !ok {
				return false, damaged("addr", key)
			}
			if u.op == op {
				to.Delete(key)
				c := changes[id]
				c.spent += amount
				changes[id] = c
			}
			return true, nil
		})
		failed = errors.Join(failed, err)
	})
	return failed
}

// parseUnspent reads a row of a coin.
func parseUnspent(key, value []byte) (u unspentPlace, amount int64, coinbase, ok bool) {
	const head = 1 + len(scriptID{})
	var v uint64
	if len(key) != head+unspentPlaceSize || !uvarints(value, &v) {
		return u, 0, false, false
	}
	return readUnspentPlace(key[head:]), int64(v >> 1), v&1 == 1, true
}

func (k *addrKind) disconnect(to *store.IndexBatch, at Block, b *consensus.Block, spent [][]consensus.Coin) error {
	touched := make(map[scriptID]bool)
	err := k.db.View(func(v *store.IndexView) error {
		for i := len(b.Txs) - 1; i >= 0; i-- {
			var coins []consensus.Coin
			if i > 0 {
				coins = spent[i-1]
			}
			for id := range k.disconnectTx(to, at, i, b.Txs[i], coins) {
				if err := k.takeBack(v, to, id, place{at.Height, uint32(i)}); err != nil {
					return err
				}
				touched[id] = true
			}
		}
		return nil
	})
	k.putTotals(to, touched)
	return err
}

// disconnectTx takes the coins of a transaction away, puts back those that
// it spent, and returns the scripts that it concerned.
func (k *addrKind) disconnectTx(to *store.IndexBatch, at Block, index int, tx *consensus.Tx, spent []consensus.Coin) map[scriptID]bool {
	concerned := make(map[scriptID]bool)
	k.outputs(at, index, tx, func(vout uint32, _ int64, script []byte) {
		id := idOf(script)
		concerned[id] = true
		to.Delete(unspentKey(id, unspentPlace{at.Height, wire.OutPoint{Hash: tx.TxID, Index: vout}}))
	})
	for i := range spent {
		coin := &spent[i]
		id := idOf(coin.Script)
		concerned[id] = true
		to.Put(unspentKey(id, unspentPlace{coin.Height, tx.Msg.TxIn[i].PreviousOutPoint}), unspentValue(coin.Amount, coin.Coinbase))
	}
	to.Delete(txIDKey(place{at.Height, uint32(index)}))
	return concerned
}

// takeBack removes a row of the history of a script, and what it says from
// the totals.
func (k *addrKind) takeBack(v *store.IndexView, to *store.IndexBatch, id scriptID, at place) error {
	key := historyKey(id, at)
	b, there, err := v.Get(key)
	if err != nil {
		return err
	}
	c, ok := decodeChange(b)
	t, err := k.totals(v, id)
	if err == nil && (!there || !ok || t.txs == 0) {
		err = damaged("addr", key)
	}
	if err != nil {
		return err
	}
	to.Delete(key)
	k.pending[id] = t.before(c)
	return nil
}
