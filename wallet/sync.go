package wallet

import (
	"context"
	"errors"
	"fmt"
	"sort"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// saveEvery is after how many blocks a long scan is saved on the way.
const saveEvery = 2000

// birthdaySlack is how much older than the wallet, in seconds, blocks are
// read: clocks differ, and block times may lie behind by hours.
const birthdaySlack = 24 * 60 * 60

// Progress tells how far a scan is: Height of Target blocks.
type Progress struct{ Height, Target int32 }

// SyncResult tells what a Sync did.
type SyncResult struct {
	Height     int32 // of the last block seen
	Scanned    int32 // blocks read
	RolledBack int32 // blocks that left the best branch

	// Syncing says that the node itself is still catching up: it has
	// Height of NodeHeaders blocks.
	Syncing     bool
	NodeHeaders int32

	// PoolSkipped counts waiting transactions that were not looked at,
	// because the pool holds more than are looked at in one go.
	PoolSkipped int

	// Refused lists own payments that are in no block and that the node
	// does not take back into its pool, with its reason.
	Refused []Refusal

	// Dropped lists own transactions with records that the node does not
	// take back: the wallet has forgotten them.
	Dropped []Refusal
}

// Refusal is an own transaction that the node refuses.
type Refusal struct {
	TxID   chainhash.Hash
	Reason string
}

// errMoved says that the best branch changed while it was read.
var errMoved = errors.New("the best branch changed")

// Sync brings the wallet up to the node's best block and pool: it rolls
// back to the fork where the branch changed, reads new blocks, and asks for
// unconfirmed transactions. report, which may be nil, is called now and then.
//
// A scan that is cut short is saved as far as it came.
func (w *Wallet) Sync(ctx context.Context, rpc RPC, report func(Progress)) (*SyncResult, error) {
	n := node{rpc, &w.cfg.Chain.Limits}
	if report == nil {
		report = func(Progress) {}
	}
	res := &SyncResult{}
	err := w.follow(ctx, n, res, report)
	if saveErr := w.save(); saveErr != nil {
		return nil, errors.Join(err, saveErr)
	}
	if err != nil {
		return nil, err
	}
	return res, nil
}

// follow repeats until the branch held still for a whole round. A chain
// that moves faster than that is left to the next Sync.
func (w *Wallet) follow(ctx context.Context, n node, res *SyncResult, report func(Progress)) error {
	if err := w.bindGenesis(ctx, n); err != nil {
		return err
	}
	for range 10 {
		info, err := n.chainInfo(ctx)
		if err != nil {
			return err
		}
		res.Syncing, res.NodeHeaders = info.Syncing, info.Headers
		err = w.scan(ctx, n, info.Blocks, res, report)
		if err == nil {
			res.Height = w.height()
			err = w.syncPool(ctx, n, res)
		}
		if !errors.Is(err, errMoved) {
			return err
		}
	}
	return nil
}

// bindGenesis ties a new wallet to the node's chain, and keeps others apart.
func (w *Wallet) bindGenesis(ctx context.Context, n node) error {
	genesis, found, err := n.blockHash(ctx, 0)
	if err != nil {
		return err
	}
	if !found {
		return errors.New("the node has no genesis block")
	}
	if want := w.cfg.Chain.Genesis; want != (chainhash.Hash{}) && want != genesis {
		return fmt.Errorf("the node runs another chain: its genesis block is %v, that of the chain file is %v; name the right node with --rpc", genesis, want)
	}
	if err := w.checkGenesis(genesis, "the node's chain"); err != nil {
		return err
	}
	w.genesis = genesis
	return nil
}

// scan reads the blocks from the fork to the height target.
func (w *Wallet) scan(ctx context.Context, n node, target int32, res *SyncResult, report func(Progress)) error {
	before := w.height()
	if err := w.rollBack(ctx, n); err != nil {
		return err
	}
	res.RolledBack += before - w.height()
	for height := w.height() + 1; height <= target; height++ {
		if height == 1 {
			start, err := w.birthdayHeight(ctx, n, target)
			if err != nil {
				return err
			}
			height = start
		}
		if err := w.scanBlock(ctx, n, height); err != nil {
			return err
		}
		res.Scanned++
		if res.Scanned%saveEvery == 0 {
			if err := w.save(); err != nil {
				return err
			}
		}
		report(Progress{height, target})
	}
	return nil
}

// rollBack goes back to the newest block seen that is on the best branch.
func (w *Wallet) rollBack(ctx context.Context, n node) error {
	var fault error
	// stale tells, for marks counted from the newest, which left the branch.
	stale := func(i int) bool {
		m := w.marks[len(w.marks)-1-i]
		hash, found, err := n.blockHash(ctx, m.height)
		if err != nil {
			fault = err
		}
		return fault == nil && (!found || hash != m.hash)
	}
	if len(w.marks) == 0 || !stale(0) {
		return fault
	}
	// All above the fork are stale and none below it.
	gone := sort.Search(len(w.marks), func(i int) bool { return !stale(i) })
	if fault != nil {
		return fault
	}
	w.truncate(len(w.marks) - gone)
	return nil
}

// truncate forgets all marks but the first n, and what happened above them.
func (w *Wallet) truncate(n int) {
	w.marks = w.marks[:n]
	w.ledger.rollback(w.height())
}

// birthdayHeight is the first height above genesis that a wallet of this
// age has to read.
func (w *Wallet) birthdayHeight(ctx context.Context, n node, target int32) (int32, error) {
	if w.birthday == 0 {
		return 1, nil
	}
	var fault error
	count := sort.Search(int(target), func(i int) bool {
		if fault != nil {
			return true
		}
		hash, found, err := n.blockHash(ctx, int32(i)+1)
		if err != nil || !found {
			fault = err
			return true
		}
		median, err := n.medianTime(ctx, hash)
		fault = err
		return median >= w.birthday-birthdaySlack
	})
	// The last block is read in any case: it is where the next Sync starts.
	return min(int32(count)+1, target), fault
}

// scanBlock reads the block at height on the best branch.
func (w *Wallet) scanBlock(ctx context.Context, n node, height int32) error {
	hash, found, err := n.blockHash(ctx, height)
	if err != nil {
		return err
	}
	if !found {
		return errMoved
	}
	b, err := n.block(ctx, hash)
	if err != nil {
		return err
	}
	if last := len(w.marks) - 1; last >= 0 && w.marks[last].height == height-1 && b.Header.PrevBlock != w.marks[last].hash {
		return errMoved
	}
	if err := w.applyBlock(b, height, hash); err != nil {
		return err
	}
	w.marks = addMark(w.marks, blockMark{height, hash})
	return nil
}

// applyBlock takes over what concerns the wallet. A transaction late in the
// block may use an address that makes the look-out reach further, so the
// block is gone through until nothing new turns up.
func (w *Wallet) applyBlock(b *wire.MsgBlock, height int32, hash chainhash.Hash) error {
	for again := true; again; {
		again = false
		for i, tx := range b.Transactions {
			_, grew, err := w.ledger.apply(tx, place{height, hash, i, b.Header.Timestamp.Unix()})
			if err != nil {
				return fmt.Errorf("block %d: %w", height, err)
			}
			again = again || grew
		}
	}
	return nil
}
