package sigcheck

import (
	"slices"
	"sync"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
)

// passedCache remembers which transactions succeeded with which flags, and
// the parities that are hints for a block with them. It has two generations:
// when the young one holds half of the bound it becomes the old one, whose
// content is dropped. A hit in the old one counts as new.
type passedCache struct {
	half int // entries per generation; 0 remembers nothing

	mu         sync.Mutex // guards both
	young, old generation
}

// generation has no pointers but for the few large transactions with ECDSA
// signatures: the collector of garbage has nothing to look for in the rest.
type generation struct {
	all  map[chainhash.Hash]success
	many map[chainhash.Hash]parities // of those with more than fewInputs
}

type success struct {
	flags txscript.ScriptFlags
	few   [fewInputs / 32]uint32 // parities of the first inputs
}

// fewInputs is how many inputs have their parities in success itself.
const fewInputs = 64

func newGeneration(entries int) generation {
	return generation{make(map[chainhash.Hash]success, entries), map[chainhash.Hash]parities{}}
}

func newPassedCache(entries int) *passedCache {
	return &passedCache{half: max(entries, 0) / 2, young: newGeneration(0)}
}

// has reports whether the transaction is known to succeed with flags. If so it
// sets the parities of the transaction's inputs in `into`, from bit `at` on.
func (c *passedCache) has(wtxid chainhash.Hash, flags txscript.ScriptFlags, into parities, at, inputs int) bool {
	if c.half == 0 {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	with, ok := c.young.all[wtxid]
	many := c.young.many
	if !ok {
		if with, ok = c.old.all[wtxid]; !ok {
			return false
		}
		many = c.old.many
		c.addLocked(wtxid, with, many[wtxid])
	}
	if !covers(with.flags, flags) {
		return false
	}
	if inputs <= fewInputs {
		into.copyFrom(with.few[:], at, inputs)
	} else if bits := many[wtxid]; bits != nil {
		into.copyFrom(bits, at, inputs)
	}
	return true
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

// add remembers a success with the parities of all inputs.
func (c *passedCache) add(wtxid chainhash.Hash, flags txscript.ScriptFlags, bits parities) {
	if c.half == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	// Of two flag sets neither of which contains the other the latest stays.
	if with, ok := c.young.all[wtxid]; ok && covers(with.flags, flags) {
		return
	}
	s, many := success{flags: flags}, parities(nil)
	if len(bits) <= len(s.few) {
		copy(s.few[:], bits)
	} else if slices.ContainsFunc(bits, func(word uint32) bool { return word != 0 }) {
		many = bits
	}
	c.addLocked(wtxid, s, many)
}

func (c *passedCache) addLocked(wtxid chainhash.Hash, s success, many parities) {
	if _, ok := c.young.all[wtxid]; !ok && len(c.young.all) >= c.half {
		c.old, c.young = c.young, newGeneration(c.half)
	}
	c.young.all[wtxid] = s
	if many != nil {
		c.young.many[wtxid] = many
	}
}
