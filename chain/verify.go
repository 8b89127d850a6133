package chain

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/permission/seal"
	"github.com/charterchain/charter/chain/store"
	"github.com/charterchain/charter/chain/utxo"
)

// The levels of VerifyChain. Each includes the ones before it.
const (
	VerifyRead       = 0 // the block is on disk and undamaged
	VerifyBlock      = 1 // it keeps the rules that need no coins
	VerifyUndo       = 2 // its undo data is on disk, undamaged and fits it
	VerifyDisconnect = 3 // undoing it finds the coins that it made; stored permissions lead to the committed ones, and back
	VerifyConnect    = 4 // connecting it again breaks no rule, spends what the undo data says, and changes permissions as stored
)

// verifyBytes is the memory for coins that VerifyChain takes at most; blocks
// for which it does not suffice are not disconnected.
const verifyBytes = 256 << 20

// VerifyProgress says how far VerifyChain has come.
type VerifyProgress struct {
	Done, Total int   // steps: one per block, and one for each reconnected
	Height      int32 // of the block that was done
}

// VerifyReport is what VerifyChain found.
type VerifyReport struct {
	Tip    BlockInfo // where it began, going down
	Blocks int       // blocks without a fault
	Fault  *VerifyFault

	// DisconnectedTo is the height down to which blocks were disconnected;
	// it is above the lowest block looked at when memory did not suffice.
	DisconnectedTo int32
	Complete       bool // everything asked for was checked, without a fault
	Pruned         bool // it ended above a block that is pruned
	AtSnapshot     bool // it ended above a UTXO snapshot, below which blocks are not all checked yet
}

// VerifyFault is the first fault that VerifyChain met.
type VerifyFault struct {
	Block BlockInfo
	Level int
	Err   error // *store.DamageError, ErrNoData, *consensus.RuleError, utxo.ErrDamaged, …
}

func (f *VerifyFault) Error() string {
	return fmt.Sprintf("block %v at height %d, level %d: %v", f.Block.Hash, f.Block.Height, f.Level, f.Err)
}

// VerifyChain checks the last depth blocks of the best branch (0: all but
// genesis) on disk, at one of the levels above, from the tip down. It changes
// nothing: what it finds is in the report, in the log, and shown by Explain.
// report, if not nil, is called after each step. An error means that the check
// itself could not go on.
//
// Levels 3 and 4 flush, and then work on a snapshot of the committed coins
// with a cache of their own. So the chain's change lock is held only for as
// long as a flush takes to freeze the state, however long the check takes;
// blocks go on being accepted meanwhile.
func (c *Chain) VerifyChain(ctx context.Context, level, depth int, report func(VerifyProgress)) (VerifyReport, error) {
	return c.verify(ctx, level, depth, verifyBytes, report)
}

// verify is VerifyChain with that much memory for coins.
func (c *Chain) verify(ctx context.Context, level, depth int, budget int64, report func(VerifyProgress)) (VerifyReport, error) {
	if level < VerifyRead || level > VerifyConnect || depth < 0 {
		return VerifyReport{}, fmt.Errorf("verify chain: level %d, depth %d: want level 0 to 4 and a depth of 0 or more", level, depth)
	}
	v := verifier{c: c, level: level, budget: budget, progress: report, logged: c.cfg.Now()}
	tip, release, err := v.start(ctx)
	if err != nil {
		return VerifyReport{}, fmt.Errorf("verify chain: %w", err)
	}
	defer release()
	if depth == 0 || depth > int(tip.height) {
		depth = int(tip.height)
	}
	v.report.Tip, v.report.DisconnectedTo = c.info(tip), tip.height+1
	v.total = depth
	if level == VerifyConnect {
		v.total *= 2
	}
	lowest, fault := v.down(ctx, tip, depth)
	if fault == nil && level == VerifyConnect {
		fault = v.up(ctx, lowest, tip)
	}
	return v.finish(ctx, fault)
}

// verifier is one run of VerifyChain.
type verifier struct {
	c        *Chain
	level    int
	budget   int64 // bytes
	progress func(VerifyProgress)
	coins    *utxo.Cache  // of the snapshot; nil below level 3
	perm     verifiedPerm // of the snapshot
	full     bool         // no memory for further blocks
	done     int
	total    int
	logged   time.Time // when progress was last in the log
	report   VerifyReport
}

// start returns the block to begin at, and where coins are needed, those as
// of it.
func (v *verifier) start(ctx context.Context) (tip *node, release func(), err error) {
	c := v.c
	if v.level < VerifyDisconnect {
		c.mu.RLock()
		defer c.mu.RUnlock()
		return c.tip(), func() {}, nil
	}
	if err := c.Flush(ctx); err != nil {
		return nil, nil, err
	}
	snap, err := c.store.Snapshot()
	if err != nil {
		return nil, nil, err
	}
	row, _ := snap.Best()
	stats, perm, err := c.decodeMeta(row.Meta)
	c.mu.RLock()
	tip = c.index[row.Best]
	c.mu.RUnlock()
	if err == nil && tip == nil {
		err = &store.DamageError{File: "chainstate", Offset: -1, What: fmt.Sprintf("committed best block at height %d is not in the block index", row.Height)}
	}
	if err != nil {
		snap.Release()
		return nil, nil, err
	}
	v.coins = utxo.NewCache(snap, v.budget, stats)
	v.readPerm(snap, tip, perm)
	return tip, snap.Release, nil
}

// down checks depth blocks from tip on, and disconnects them where the level
// says so. It returns the lowest block that is disconnected.
func (v *verifier) down(ctx context.Context, tip *node, depth int) (lowest *node, fault *VerifyFault) {
	n := tip
	for range depth {
		if ctx.Err() != nil {
			return lowest, nil
		}
		if v.report.Pruned = v.c.info(n).Pruned; v.report.Pruned {
			return lowest, nil
		}
		if v.report.AtSnapshot = v.c.info(n).Unchecked; v.report.AtSnapshot {
			return lowest, nil
		}
		b, spent, fault := v.checkStored(n)
		if fault == nil && v.coins != nil && !v.full {
			fault = v.disconnect(b, n, spent)
			lowest = n
		}
		if fault != nil {
			return lowest, fault
		}
		v.report.Blocks++
		v.step(n, min(v.level, VerifyDisconnect))
		n = n.parent
	}
	return lowest, nil
}

// checkStored does levels 0 to 2.
func (v *verifier) checkStored(n *node) (b *consensus.Block, spent [][]consensus.Coin, fault *VerifyFault) {
	c := v.c
	b, err := c.readBody(n)
	if err != nil {
		return nil, nil, v.fault(n, VerifyRead, err)
	}
	if v.level >= VerifyBlock {
		if err := c.checkAlone(b, n); err != nil {
			return nil, nil, v.fault(n, VerifyBlock, err)
		}
	}
	if v.level >= VerifyUndo {
		if spent, err = c.loadUndo(n, b); err != nil {
			return nil, nil, v.fault(n, VerifyUndo, err)
		}
	}
	return b, spent, nil
}

// checkAlone applies the rules that need no coins.
func (c *Chain) checkAlone(b *consensus.Block, n *node) error {
	if err := consensus.CheckHeader(&b.Header, c.p); err != nil {
		return err
	}
	if err := consensus.CheckHeaderContext(&b.Header, n.parent, c.p); err != nil {
		return err
	}
	if err := consensus.CheckBlock(b, c.p); err != nil {
		return err
	}
	if n.seal != nil {
		proof := seal.ProofOf(b)
		if _, err := c.checkSeal(&b.Header, n.height, &proof); err != nil {
			return err
		}
	}
	return consensus.CheckBlockContext(b, n.parent, c.p)
}

func (v *verifier) disconnect(b *consensus.Block, n *node, spent [][]consensus.Coin) *VerifyFault {
	view := utxo.NewView(v.coins)
	if err := v.c.disconnectOn(view, b, n, spent); err != nil {
		return v.fault(n, VerifyDisconnect, err)
	}
	if err := v.perm.down(n); err != nil {
		return v.fault(n, VerifyDisconnect, err)
	}
	v.coins.Apply(view)
	v.report.DisconnectedTo = n.height
	v.full = v.coins.Size() > v.budget
	return nil
}

// up connects the blocks from lowest to tip again.
func (v *verifier) up(ctx context.Context, lowest, tip *node) *VerifyFault {
	if lowest == nil {
		return nil
	}
	for height := lowest.height; height <= tip.height && ctx.Err() == nil; height++ {
		n := tip.ancestor(height)
		err := v.reconnect(ctx, n)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return v.fault(n, VerifyConnect, err)
		}
		v.step(n, VerifyConnect)
	}
	return nil
}

func (v *verifier) reconnect(ctx context.Context, n *node) error {
	b, err := v.c.readBody(n)
	if err != nil {
		return err
	}
	undo, err := v.c.loadUndo(n, b)
	if err != nil {
		return err
	}
	if err := v.c.checkSealer(b, n, v.perm.state()); err != nil {
		return err
	}
	view := utxo.NewView(v.coins)
	spent, after, err := v.c.judgeOn(ctx, view, b, n, v.perm.state(), false)
	if err == nil {
		err = v.c.checkScripts(ctx, b, n, spent)
	}
	if err != nil {
		return err
	}
	if !sameCoins(spent, undo) {
		return fmt.Errorf("%w: undo data holds other coins than the block spends", utxo.ErrDamaged)
	}
	v.coins.Apply(view)
	return v.perm.up(n, after)
}

func sameCoins(a, b [][]consensus.Coin) bool {
	return slices.EqualFunc(a, b, func(a, b []consensus.Coin) bool {
		return slices.EqualFunc(a, b, func(a, b consensus.Coin) bool {
			return a.Amount == b.Amount && a.Height == b.Height && a.Coinbase == b.Coinbase && string(a.Script) == string(b.Script)
		})
	})
}

func (v *verifier) fault(n *node, level int, err error) *VerifyFault {
	return &VerifyFault{Block: v.c.info(n), Level: level, Err: err}
}

// step reports a block that is well at level.
func (v *verifier) step(n *node, level int) {
	v.c.faults.settle(n.hash, level)
	v.done++
	if now := v.c.cfg.Now(); now.Sub(v.logged) >= progressEvery {
		v.logged = now
		v.c.log.Info("chain verification goes on", "done", v.done, "of", v.total, "height", n.height)
	}
	if v.progress != nil {
		v.progress(VerifyProgress{Done: v.done, Total: v.total, Height: n.height})
	}
}

// finish makes the report, and names a fault to those who look for one.
func (v *verifier) finish(ctx context.Context, fault *VerifyFault) (VerifyReport, error) {
	c := v.c
	if err := ctx.Err(); err != nil {
		return v.report, fmt.Errorf("verify chain: %w", err)
	}
	v.report.Fault = fault
	lowest := v.report.Tip.Height - int32(v.report.Blocks) + 1
	v.report.Complete = fault == nil && !v.report.Pruned && !v.report.AtSnapshot && (v.coins == nil || v.report.DisconnectedTo <= lowest)
	switch {
	case fault != nil:
		c.faults.note(fault.Block.Hash, fmt.Errorf("verifychain level %d: %w", fault.Level, fault.Err), fault.Level, c.cfg.Now())
		c.log.Warn("chain verification found a fault", "hash", fault.Block.Hash, "height", fault.Block.Height,
			"level", fault.Level, "err", fault.Err)
	case v.report.Pruned:
		c.log.Info("chain verified down to pruned blocks", "from", v.report.Tip.Height, "blocks", v.report.Blocks, "level", v.level)
	case v.report.AtSnapshot:
		c.log.Info("chain verified down to the UTXO snapshot, below which blocks are not all checked yet", "from", v.report.Tip.Height, "blocks", v.report.Blocks, "level", v.level)
	case !v.report.Complete:
		c.log.Warn("chain verification disconnected fewer blocks than asked for: not enough memory",
			"disconnectedTo", v.report.DisconnectedTo, "asked", lowest)
	default:
		c.log.Info("chain verified", "from", v.report.Tip.Height, "blocks", v.report.Blocks, "level", v.level)
	}
	return v.report, nil
}
