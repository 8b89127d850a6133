package utxo

import (
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
)

// ErrMissing is wrapped by errors about a coin that was never there or is spent.
var ErrMissing = errors.New("no such coin")

// View is a set of changes on top of a Cache, such as those of one block.
// Nothing is seen by others until Cache.Apply. It belongs to one goroutine.
type View struct {
	cache   *Cache
	t       *viewTable // nil once applied
	delta   Stats
	scripts byteSlab // of coins that were read
	spent   coinSlab // that ConnectTx returns
}

// NewView returns an empty set of changes.
func NewView(c *Cache) *View { return &View{cache: c, t: c.views.get()} }

// find returns the entry at k, nil if there never was one.
func (v *View) find(k *outpoint, h uint64) *viewEntry { return v.t.find(k, h) }

// Coin returns the coin at op; false if there is none. Its script must not
// be modified. A coin that was read once is not looked up again.
func (v *View) Coin(op wire.OutPoint) (consensus.Coin, bool, error) {
	k := toOutpoint(&op)
	return v.coin(&op, &k, k.hash(v.cache.seed))
}

func (v *View) coin(op *wire.OutPoint, k *outpoint, h uint64) (consensus.Coin, bool, error) {
	if e := v.find(k, h); e != nil && e.is(viewKnown) {
		return e.coin, e.is(viewExists), nil
	}
	coin, ok, err := v.cache.coin(op, &v.scripts)
	if ok {
		v.keep(k, h, &coin)
	}
	return coin, ok, err
}

// keep notes a coin of the cache.
func (v *View) keep(k *outpoint, h uint64, coin *consensus.Coin) {
	e := v.t.entry(k, h)
	e.flags, e.coin = viewKnown|viewExists|viewBelow, *coin
}

// Add makes coin the one at op. existed says that there was one before, which
// is gone without being spent (the two coinbases of Bitcoin that BIP30
// excepts; whether it may happen is for the caller to check). The view keeps
// the script. An unspendable output is left out.
func (v *View) Add(op wire.OutPoint, coin consensus.Coin) (existed bool, err error) {
	if Unspendable(coin.Script) {
		return false, nil
	}
	k := toOutpoint(&op)
	h := k.hash(v.cache.seed)
	old, existed, err := v.coin(&op, &k, h)
	if err != nil {
		return false, err
	}
	if existed {
		v.delta.Coins--
		v.delta.Total -= old.Amount
	}
	v.add(&k, h, &coin)
	return existed, nil
}

// add is Add for an outpoint at which the caller knows that no coin is, or
// has read it through the view.
func (v *View) add(k *outpoint, h uint64, coin *consensus.Coin) {
	e := v.t.entry(k, h)
	below := uint32(0)
	if e.is(viewBelow) {
		below = viewBelow
	}
	e.flags, e.coin = viewKnown|viewExists|viewChanged|below, *coin
	v.delta.Coins++
	v.delta.Total += coin.Amount
}

// Spend takes the coin at op away and returns it; an error that wraps
// ErrMissing if there is none.
func (v *View) Spend(op wire.OutPoint) (consensus.Coin, error) {
	k := toOutpoint(&op)
	h := k.hash(v.cache.seed)
	e := v.find(&k, h)
	if e == nil || !e.is(viewKnown) {
		if _, _, err := v.coin(&op, &k, h); err != nil {
			return consensus.Coin{}, err
		}
		e = v.find(&k, h)
	}
	if e == nil || !e.is(viewExists) {
		return consensus.Coin{}, fmt.Errorf("%w: %v", ErrMissing, op)
	}
	coin := e.coin
	if e.is(viewBelow) {
		e.flags = viewKnown | viewChanged | viewBelow
	} else {
		e.flags = 0 // came and went within the view
	}
	e.coin = consensus.Coin{}
	v.delta.Coins--
	v.delta.Total -= coin.Amount
	return coin, nil
}

// ConnectTx spends the inputs of tx, unless it is a coinbase, and adds its
// outputs as coins of a block at height. It returns the coins spent, in
// input order. After an error the view is of no use any more.
//
// The outputs of other transactions than coinbases are not looked up first:
// two such transactions with one hash would spend the same coins (BIP30).
// Where they are not known to be new, the caller looks with Coin before.
func (v *View) ConnectTx(tx *consensus.Tx, height int32, coinbase bool) ([]consensus.Coin, error) {
	var spent []consensus.Coin
	if !coinbase {
		spent = v.spent.take(len(tx.Msg.TxIn))
		for i, in := range tx.Msg.TxIn {
			var err error
			if spent[i], err = v.Spend(in.PreviousOutPoint); err != nil {
				return nil, fmt.Errorf("transaction %v input %d: %w", tx.TxID, i, err)
			}
		}
	}
	op := wire.OutPoint{Hash: tx.TxID}
	for i, out := range tx.Msg.TxOut {
		op.Index = uint32(i)
		coin := consensus.Coin{Amount: out.Value, Script: out.PkScript, Height: height, Coinbase: coinbase}
		if coinbase {
			if _, err := v.Add(op, coin); err != nil {
				return nil, err
			}
		} else if !Unspendable(coin.Script) {
			k := toOutpoint(&op)
			v.add(&k, k.hash(v.cache.seed), &coin)
		}
	}
	return spent, nil
}

// DisconnectTx undoes ConnectTx: it takes the outputs of tx away and puts
// back the coins that it spent. An error means that the coin set is not the
// one after tx: the coin set or the undo data is damaged.
func (v *View) DisconnectTx(tx *consensus.Tx, height int32, coinbase bool, spent []consensus.Coin) error {
	for i, out := range tx.Msg.TxOut {
		if Unspendable(out.PkScript) {
			continue
		}
		op := wire.OutPoint{Hash: tx.TxID, Index: uint32(i)}
		coin, err := v.Spend(op)
		if errors.Is(err, ErrMissing) {
			return fmt.Errorf("%w: output %v is not there to be taken back", ErrDamaged, op)
		}
		if err != nil {
			return err
		}
		if coin.Amount != out.Value || string(coin.Script) != string(out.PkScript) ||
			coin.Height != height || coin.Coinbase != coinbase {
			return fmt.Errorf("%w: coin %v is not the output of its transaction", ErrDamaged, op)
		}
	}
	if coinbase {
		return nil
	}
	return v.restore(tx, spent)
}

// restore puts back the coins that tx spent.
func (v *View) restore(tx *consensus.Tx, spent []consensus.Coin) error {
	if len(spent) != len(tx.Msg.TxIn) {
		return fmt.Errorf("%w: undo data of transaction %v has %d coins for %d inputs",
			ErrDamaged, tx.TxID, len(spent), len(tx.Msg.TxIn))
	}
	for i := len(spent) - 1; i >= 0; i-- {
		op := tx.Msg.TxIn[i].PreviousOutPoint
		existed, err := v.Add(op, spent[i])
		if err != nil {
			return err
		}
		if existed {
			return fmt.Errorf("%w: coin %v was spent by transaction %v and is there", ErrDamaged, op, tx.TxID)
		}
	}
	return nil
}

// ConnectBlock connects the transactions of b, the first as its coinbase. It
// returns the coins spent by each transaction after the coinbase, as
// EncodeUndo takes them.
func (v *View) ConnectBlock(b *consensus.Block, height int32) ([][]consensus.Coin, error) {
	if len(b.Txs) == 0 {
		return nil, errNoTxs(b.Hash)
	}
	v.Load(b)
	spent := make([][]consensus.Coin, 0, len(b.Txs)-1)
	for i, tx := range b.Txs {
		coins, err := v.ConnectTx(tx, height, i == 0)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			spent = append(spent, coins)
		}
	}
	return spent, nil
}

// DisconnectBlock undoes ConnectBlock, the last transaction first.
func (v *View) DisconnectBlock(b *consensus.Block, height int32, spent [][]consensus.Coin) error {
	if len(b.Txs) == 0 {
		return errNoTxs(b.Hash)
	}
	if len(spent) != len(b.Txs)-1 {
		return fmt.Errorf("%w: undo data of block %v is of %d transactions, the block has %d after its coinbase",
			ErrDamaged, b.Hash, len(spent), len(b.Txs)-1)
	}
	for i := len(b.Txs) - 1; i > 0; i-- {
		if err := v.DisconnectTx(b.Txs[i], height, false, spent[i-1]); err != nil {
			return err
		}
	}
	return v.DisconnectTx(b.Txs[0], height, true, nil)
}

func errNoTxs(hash chainhash.Hash) error {
	return fmt.Errorf("block %v has no transactions", hash)
}
