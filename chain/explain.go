package chain

import (
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain/consensus"
)

// Verdict says in one word what this node holds of a block.
type Verdict string

// The verdicts.
const (
	VerdictUnknown     Verdict = "unknown"      // never seen, or refused before it was kept
	VerdictOrphan      Verdict = "orphan"       // its parent is not known; kept in memory for now
	VerdictHeader      Verdict = "header"       // the header keeps all rules; the body was never here
	VerdictStored      Verdict = "stored"       // the body keeps the rules that need no coins; never connected
	VerdictValid       Verdict = "valid"        // was connected, so keeps all rules; another branch is better
	VerdictActive      Verdict = "active"       // on the best branch
	VerdictInvalid     Verdict = "invalid"      // breaks a rule, or the operator said so
	VerdictBadAncestor Verdict = "bad-ancestor" // stands on such a block
)

// Explanation is what is known of a block, and why.
type Explanation struct {
	Hash    chainhash.Hash
	Verdict Verdict
	Why     []string // sentences, for people

	Known    bool      // in the block index; else all up to Fault is empty
	Block    BlockInfo // the block
	HaveUndo bool
	Precious bool
	TooFar   bool      // its branch leaves the best one further back than blocks are undone without the operator
	Fork     BlockInfo // the last block that its branch shares with the best one: itself if on it

	// Where Verdict is invalid or bad-ancestor: what is broken, and by whom.
	Culprit    *BlockInfo
	Rule       consensus.Rule
	Detail     string
	ByOperator bool

	// Missing is the first block up to and with it whose body was never
	// here: nothing from it on can be connected. Nil: there is none.
	Missing *BlockInfo

	// Fault is what last went wrong with it without making it invalid; nil:
	// nothing since the start, or so many other blocks had one since that it
	// was forgotten.
	Fault *Fault
}

// Explain says what is known of a block. It decides nothing, reads no disk
// and does not wait for validation.
func (c *Chain) Explain(hash chainhash.Hash) Explanation {
	e := Explanation{Hash: hash, Verdict: VerdictUnknown}
	if c.orphans.has(hash) {
		e.Verdict = VerdictOrphan
	}
	if f, ok := c.faults.get(hash); ok {
		e.Fault = &f
	} else if f, ok := c.strange.get(hash); ok {
		e.Fault = &f
	}
	c.mu.RLock()
	n := c.index[hash]
	if n != nil {
		c.explainLocked(&e, n)
	}
	tip := c.tip()
	c.mu.RUnlock()
	e.tell(tip)
	return e
}

// explainLocked fills in what the block index says of n.
func (c *Chain) explainLocked(e *Explanation, n *node) {
	e.Known = true
	e.Block = c.infoLocked(n)
	e.HaveUndo = n.status&statusUndo != 0
	e.Precious = n.precious > 0
	e.Fork = c.infoLocked(fork(n, c.tip()))
	e.TooFar = !c.onBest(n) && c.conflictsLocked(n)
	if n.chainTxs == 0 {
		e.Missing = c.firstMissingLocked(n)
	}
	switch {
	case n.failed():
		c.blameLocked(e, n)
	case c.onBest(n):
		e.Verdict = VerdictActive
	case n.status&statusValid != 0:
		e.Verdict = VerdictValid
	case n.txCount > 0:
		e.Verdict = VerdictStored
	default:
		e.Verdict = VerdictHeader
	}
}

// firstMissingLocked returns the lowest block up to and with n whose body is
// not linked with those before it.
func (c *Chain) firstMissingLocked(n *node) *BlockInfo {
	for n.parent != nil && n.parent.chainTxs == 0 {
		n = n.parent
	}
	info := c.infoLocked(n)
	return &info
}

// blameLocked finds the block that makes n invalid.
func (c *Chain) blameLocked(e *Explanation, n *node) {
	e.Verdict = VerdictBadAncestor
	if n.status&statusFailed != 0 {
		e.Verdict = VerdictInvalid
	}
	for n != nil && n.status&statusFailed == 0 {
		n = n.parent
	}
	if n == nil {
		return
	}
	info := c.infoLocked(n)
	e.Culprit = &info
	if n.broken != nil {
		e.Rule, e.Detail = n.broken.Rule, n.broken.Detail
		e.ByOperator = n.broken.Rule == RuleByOperator
	}
}

func (e *Explanation) say(format string, args ...any) {
	e.Why = append(e.Why, fmt.Sprintf(format, args...))
}

// tell puts it into sentences.
func (e *Explanation) tell(tip *node) {
	e.tellVerdict(tip)
	if e.Known && e.Verdict != VerdictInvalid && e.Verdict != VerdictBadAncestor {
		e.tellData()
	}
	if e.Precious {
		e.say("It was called precious: among blocks of equal work it is preferred until the node restarts.")
	}
	if e.Fault != nil {
		e.tellFault()
	}
}

func (e *Explanation) tellVerdict(tip *node) {
	switch e.Verdict {
	case VerdictUnknown:
		e.say("This node does not know the block.")
	case VerdictOrphan:
		e.say("The block came before its parent, which this node does not know yet. It waits in memory and is judged when the parent comes.")
	case VerdictHeader:
		if e.Block.Undecided {
			e.say("Its header at height %d has proof of work and a seal. Whether its sealer may seal it is not known before the blocks below it are validated.", e.Block.Height)
			return
		}
		e.say("Its header at height %d keeps all rules. Its body never came, so nothing more can be said.", e.Block.Height)
	case VerdictStored:
		if e.Block.Undecided {
			e.say("Whether its sealer may seal it is not known before the blocks below it are validated.")
		}
		e.say("Its body keeps the rules that need no coins. It was never connected, so its inputs and scripts are not checked.")
	case VerdictValid:
		e.say("It was on the best branch once, so it breaks no rule.")
	case VerdictActive:
		if e.Block.Unchecked {
			e.say("It is on the best branch, at height %d of %d, at or below the UTXO snapshot that this node started from: the blocks there are still being checked.", e.Block.Height, tip.height)
			return
		}
		if tip.hash == e.Hash {
			e.say("It is the best block, so it breaks no rule.")
			return
		}
		e.say("It is on the best branch, at height %d of %d, so it breaks no rule.", e.Block.Height, tip.height)
	case VerdictInvalid:
		e.tellBroken("The block")
	case VerdictBadAncestor:
		if e.Culprit == nil {
			e.say("It stands on an invalid block.")
			return
		}
		e.say("It stands on an invalid block: %v at height %d.", e.Culprit.Hash, e.Culprit.Height)
		e.tellBroken("That block")
	}
}

func (e *Explanation) tellBroken(who string) {
	switch {
	case e.ByOperator:
		e.say("%s was declared invalid by the operator (invalidateblock); reconsiderblock takes that back.", who)
	case e.Detail == "":
		e.say("%s breaks the rule %s.", who, e.Rule)
	default:
		e.say("%s breaks the rule %s: %s.", who, e.Rule, e.Detail)
	}
}

// tellData says what is here of a block that is not invalid, and why it is
// not on the best branch.
func (e *Explanation) tellData() {
	switch {
	case !e.Block.HaveData && e.Block.Pruned:
		e.say("Its body was pruned to save disk space (--prune).")
	case !e.Block.HaveData && e.Block.TxCount > 0:
		e.say("Its body was here and is not any more: it was found damaged and has to be fetched again.")
	case e.Missing != nil && e.Missing.Hash != e.Hash:
		e.say("The body of an ancestor is missing, at height %d: %v. Until it comes, this block cannot be connected.", e.Missing.Height, e.Missing.Hash)
	case e.Verdict == VerdictStored || e.Verdict == VerdictValid:
		e.tellBeside()
	}
	if (e.Verdict == VerdictActive || e.Verdict == VerdictValid) && !e.HaveUndo && e.Block.Height > 0 {
		e.say("Its undo data is not on disk, so it cannot be disconnected.")
	}
}

// tellBeside says why a block that could be connected is not.
func (e *Explanation) tellBeside() {
	switch {
	case e.TooFar:
		e.say("Its branch leaves the best one at height %d, further back than blocks are undone without the operator (settle_depth). preciousblock changes over to it, if it has as much work or more.", e.Fork.Height)
	case e.Block.Sealed:
		e.say("Its branch leaves the best one at height %d and has less work than the best one, or as much and a higher hash, or it is beaten by a restart.", e.Fork.Height)
	default:
		e.say("Its branch leaves the best one at height %d and has less work than the best one, or as much and came later.", e.Fork.Height)
	}
}

func (e *Explanation) tellFault() {
	f := e.Fault
	at := f.At.UTC().Format("2006-01-02 15:04:05 MST")
	switch {
	case f.VerifyLevel >= 0:
		e.say("Verification at %s found its stored data damaged: %s. --reindex rebuilds from undamaged block files.", at, f.Err)
	case f.Rule != "" && !e.Known:
		e.say("It was refused at %s, and is not remembered as invalid: %s.", at, f.Err)
	case f.Rule != "" && e.Verdict != VerdictInvalid && e.Verdict != VerdictBadAncestor:
		e.say("A copy of it was refused at %s, %d in a row: %s. Another copy of the same block may be good.", at, f.Times, f.Err)
	case f.Rule != "":
		e.say("It was last offered at %s and refused: %s.", at, f.Err)
	default:
		e.say("No decision was possible at %s, %d in a row: %s. That says nothing about the block; it may be offered again.", at, f.Times, f.Err)
	}
}
