package sigcheck

import (
	"sync"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
)

// passedCache remembers which transactions succeeded with which flags. It
// has two generations: when the young one holds half of the bound it becomes
// the old one, whose content is dropped. A hit in the old one counts as new.
type passedCache struct {
	half int // entries per generation; 0 remembers nothing

	mu         sync.Mutex // guards both maps
	young, old map[chainhash.Hash]txscript.ScriptFlags
}

func newPassedCache(entries int) *passedCache {
	return &passedCache{half: max(entries, 0) / 2, young: map[chainhash.Hash]txscript.ScriptFlags{}}
}

// has reports whether the transaction is known to succeed with flags.
func (c *passedCache) has(wtxid chainhash.Hash, flags txscript.ScriptFlags) bool {
	if c.half == 0 {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	with, ok := c.young[wtxid]
	if !ok {
		if with, ok = c.old[wtxid]; ok {
			c.addLocked(wtxid, with)
		}
	}
	return ok && covers(with, flags)
}

// covers reports whether success with the flags `with` implies success with
// flags. Each flag of the engine only adds ways to fail, with one exception:
// where OP_CHECKLOCKTIMEVERIFY or OP_CHECKSEQUENCEVERIFY is not in force it is
// one of the operations that ScriptDiscourageUpgradableNops refuses. That is
// a policy, so consensus flags never have it.
func covers(with, flags txscript.ScriptFlags) bool {
	if flags&txscript.ScriptDiscourageUpgradableNops != 0 {
		return with == flags
	}
	return with&flags == flags
}

func (c *passedCache) add(wtxid chainhash.Hash, flags txscript.ScriptFlags) {
	if c.half == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	// Of two flag sets neither of which contains the other the latest stays.
	if with, ok := c.young[wtxid]; ok && covers(with, flags) {
		return
	}
	c.addLocked(wtxid, flags)
}

func (c *passedCache) addLocked(wtxid chainhash.Hash, flags txscript.ScriptFlags) {
	if _, ok := c.young[wtxid]; !ok && len(c.young) >= c.half {
		c.old, c.young = c.young, make(map[chainhash.Hash]txscript.ScriptFlags, c.half)
	}
	c.young[wtxid] = flags
}
