package chain

import (
	"bytes"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain/hints"
	"github.com/charterchain/charter/chain/sigcheck"
)

// Hints let ECDSA signatures be checked in batches. Those of a block are found
// when its scripts are checked, and kept in a row beside its index row until it
// is pruned, for peers, exports, and this node when it connects the block again.
// They are no part of the chain's state: a row that is missing or damaged is
// made again when somebody asks for it (hintwork.go), and a wrong one would cost
// time only, as would what comes from others with a block (OfferHints).

// Bounds of what others said that waits in memory.
const (
	maxOffers      = 512     // blocks that hints came with
	maxOfferedSize = 8 << 20 // bytes of these
)

// hintBook holds rows that are not on disk yet, and what others said of blocks
// that are not connected yet.
type hintBook struct {
	rowBook // its lock guards the fields below too

	offers  map[chainhash.Hash]sigcheck.Hints
	order   []chainhash.Hash // of offers, the oldest first; some may be gone
	offered int              // bytes of offers
}

// offer notes what came with a block. The oldest make room.
func (k *hintBook) offer(hash chainhash.Hash, h sigcheck.Hints) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, known := k.offers[hash]; known || len(h) == 0 || len(h) > maxOfferedSize {
		return
	}
	if k.offers == nil {
		k.offers = make(map[chainhash.Hash]sigcheck.Hints)
	}
	k.offers[hash] = h
	k.offered += len(h)
	k.order = append(k.order, hash)
	for len(k.order) > maxOffers || k.offered > maxOfferedSize {
		k.removeOfferLocked(k.order[0])
		k.order = k.order[1:]
	}
}

func (k *hintBook) removeOfferLocked(hash chainhash.Hash) {
	k.offered -= len(k.offers[hash])
	delete(k.offers, hash)
}

func (k *hintBook) offerOf(hash chainhash.Hash) sigcheck.Hints {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.offers[hash]
}

// forget drops what came with a block: it is connected.
func (k *hintBook) forget(hash chainhash.Hash) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.removeOfferLocked(hash)
}

// OfferHints says what came with a block that will be offered to the chain, or
// is looked at ahead. It may be wrong, and is forgotten if many come.
func (c *Chain) OfferHints(hash chainhash.Hash, h sigcheck.Hints) { c.hints.offer(hash, h) }

// hintsFor returns hints with which the scripts of a block may be checked: those
// given, else those that came with it, else those kept of an earlier check.
func (c *Chain) hintsFor(hash chainhash.Hash, given sigcheck.Hints) sigcheck.Hints {
	if given == nil {
		given = c.hints.offerOf(hash)
	}
	if given == nil {
		given, _, _ = c.keptHints(hash)
	}
	return given
}

// keepHints keeps what the check of a block's scripts has proven. Blocks that
// are not stored, such as proposals, leave nothing.
func (c *Chain) keepHints(n *node, spends []sigcheck.Spend, h sigcheck.Hints) error {
	inputs := 0
	for i := range spends {
		inputs += len(spends[i].Coins)
	}
	c.hints.forget(n.hash)
	if inputs == 0 || h == nil || !c.still(n, statusData) || !hints.Fit(h, inputs) {
		return nil
	}
	if kept, of, _ := c.keptHints(n.hash); kept != nil && of == inputs && bytes.Equal(kept, h) {
		return nil
	}
	return c.putHints(n.hash, hints.AppendRow(nil, h, inputs))
}

// putHints keeps a row.
func (c *Chain) putHints(hash chainhash.Hash, row []byte) error {
	if !c.hints.put(hash, row) {
		return nil
	}
	if err := c.writeIndex(nil); err != nil {
		return c.fatal("write hints of blocks", err)
	}
	return nil
}

// Hints returns the hints of a stored block where they are known: from when it
// was connected on, unless their row was lost or never made. Those of a block
// without ECDSA signatures are zeros.
func (c *Chain) Hints(hash chainhash.Hash) (sigcheck.Hints, bool) {
	f, ok := c.knownHints(hash)
	return f.Hints, ok
}

func (c *Chain) knownHints(hash chainhash.Hash) (hints.Frame, bool) {
	c.mu.RLock()
	n := c.index[hash]
	stored := n != nil && n.status&statusData != 0
	empty := stored && n.txCount == 1
	c.mu.RUnlock()
	f := hints.Frame{Block: hash, Hints: sigcheck.Hints{}}
	if !stored || empty {
		return f, stored
	}
	h, inputs, err := c.keptHints(hash)
	if err != nil {
		c.log.Debug("hints of a block are of no use", "hash", hash, "err", err)
	}
	f.Hints, f.Inputs = h, inputs
	return f, h != nil
}

// keptHints returns what a block's row says, nil where there is none or, with an
// error, where it is of no use.
func (c *Chain) keptHints(hash chainhash.Hash) (h sigcheck.Hints, inputs int, err error) {
	row := c.hints.row(hash)
	if row == nil {
		stored, ok, err := c.store.Hints(hash)
		if err != nil || !ok {
			return nil, 0, err
		}
		row = stored
	}
	return hints.ParseRow(row, c.p.Limits.BlockSerialized)
}
