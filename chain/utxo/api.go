package utxo

import (
	"errors"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
)

var errSoon = errors.New("utxo: not available")

// Backend is the committed state below the cache.
type Backend interface {
	Get(key []byte) ([]byte, bool, error)
}

// Snapshot is the committed state at one moment.
type Snapshot interface {
	Each(prefix []byte, fn func(key, value []byte) error) error
}

// Stats describe the whole coin set.
type Stats struct {
	Coins int64
	Total int64 // sum of amounts, smallest unit
}

// EncodeStats and DecodeStats: for the Meta of a commit.
func (s Stats) Encode() []byte            { return nil }
func DecodeStats(b []byte) (Stats, error) { return Stats{}, errSoon }

var (
	ErrMissing = errors.New("coin not found or spent")
	ErrDamaged = errors.New("utxo: stored coin does not decode")
)

type Cache struct{}

// NewCache: stats describe what the backend holds.
func NewCache(b Backend, budget int64, stats Stats) *Cache { return nil }

func (c *Cache) Coin(op wire.OutPoint) (consensus.Coin, bool, error) {
	return consensus.Coin{}, false, errSoon
}
func (c *Cache) Apply(v *View)     {}
func (c *Cache) Size() int64       { return 0 }
func (c *Cache) Entries() int      { return 0 }
func (c *Cache) OverBudget() bool  { return false }
func (c *Cache) Stats() Stats      { return Stats{} } // with everything applied
func (c *Cache) Freeze() *Frozen   { return nil }
func (c *Cache) Release(f *Frozen) {}

type Frozen struct{}

func (f *Frozen) Each(put func(k, v []byte), del func(k []byte)) error { return errSoon }

// Stats of the set as of the freeze: what belongs into the commit.
func (f *Frozen) Stats() Stats { return Stats{} }

type View struct{}

func NewView(c *Cache) *View { return nil }
func (v *View) Coin(op wire.OutPoint) (consensus.Coin, bool, error) {
	return consensus.Coin{}, false, errSoon
}

// Add makes op a coin. Unspendable ones are left out. existed says that a
// coin of that outpoint was there, which is replaced.
func (v *View) Add(op wire.OutPoint, coin consensus.Coin) (existed bool, err error) {
	return false, errSoon
}

// Spend removes op and returns what it was; ErrMissing where there is none.
func (v *View) Spend(op wire.OutPoint) (consensus.Coin, error) { return consensus.Coin{}, errSoon }

// ConnectTx spends the inputs of tx (none for a coinbase) and adds its
// outputs; it returns the coins spent, in input order.
func (v *View) ConnectTx(tx *consensus.Tx, height int32, coinbase bool) ([]consensus.Coin, error) {
	return nil, errSoon
}

// DisconnectTx takes the outputs of tx away and puts spent back.
func (v *View) DisconnectTx(tx *consensus.Tx, coinbase bool, spent []consensus.Coin) error {
	return errSoon
}

// ConnectBlock and DisconnectBlock do so for all transactions of a block;
// spent has one slice per transaction after the coinbase.
func (v *View) ConnectBlock(b *consensus.Block, height int32) ([][]consensus.Coin, error) {
	return nil, errSoon
}
func (v *View) DisconnectBlock(b *consensus.Block, height int32, spent [][]consensus.Coin) error {
	return errSoon
}

func Unspendable(script []byte) bool { return false }

func EncodeUndo(spent [][]consensus.Coin) []byte { return nil }

// DecodeUndo: inputs holds the number of inputs of each transaction after the coinbase.
func DecodeUndo(b []byte, inputs []int) ([][]consensus.Coin, error) { return nil, errSoon }

// EachCoin calls fn for every coin of a snapshot in key order.
func EachCoin(snap Snapshot, fn func(op wire.OutPoint, coin consensus.Coin) error) error {
	return errSoon
}
