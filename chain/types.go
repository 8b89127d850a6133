package chain

import (
	"errors"
	"math/big"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/permission"
	"github.com/charterchain/charter/chain/permission/record"
)

// ErrUnknownBlock is returned where a block hash or height is asked for
// that this node has never seen.
var ErrUnknownBlock = errors.New("block not found")

// ErrNoData is returned where a block's header is known but its body or
// undo data is not on this disk (not yet, or pruned).
var ErrNoData = errors.New("block data not available")

// ErrUnknownParent is returned for a block or header whose parent this
// node has never seen. It breaks no rule.
var ErrUnknownParent = errors.New("previous block not found")

// State says how far a block has been checked.
type State uint8

// The states of a block. Each implies the ones before it, except Invalid.
const (
	StateHeader  State = iota // header passes all its rules
	StateStored               // body passes the rules that need no coins, and is on disk
	StateValid                // was connected at least once: breaks no rule
	StateInvalid              // breaks a rule, or descends from a block that does
)

// BlockInfo is an immutable description of a block in the index.
type BlockInfo struct {
	Hash       chainhash.Hash
	Header     wire.BlockHeader
	Height     int32
	Work       *big.Int // of the branch up to and with this block; do not modify
	MedianTime time.Time
	State      State
	HaveData   bool
	Pruned     bool            // its body, or its undo data, was removed to save space
	OnBest     bool            // on the best branch when asked
	Unchecked  bool            // at or below a UTXO snapshot while the check of the blocks there is under way
	Next       *chainhash.Hash // its child on the best branch, else nil
	TxCount    int             // 0 when the body was never here
	ChainTxs   int64           // transactions up to and with this block; 0 when not known

	// Where mining is restricted: the member that sealed the block, and
	// whether that restarted the chain. Undecided: it is open if the member
	// may, since the permissions as of its parent are not known yet.
	Sealed    bool
	Sealer    record.MemberID
	SealKey   [32]byte // x-only
	Restart   bool
	Undecided bool
}

// Tip is a leaf of the block tree.
type Tip struct {
	BlockInfo
	BranchLen int32  // blocks between it and the best branch
	Status    string // as Core's getchaintips: active, valid-fork, valid-headers, headers-only, invalid
}

// EventKind says what happened.
type EventKind uint8

// The kinds of events.
const (
	// Connected: Block became the best block.
	Connected EventKind = iota
	// Disconnected: Block was the best block; its parent now is.
	Disconnected
	// Settled ends every run of the two above: Info is the best block and
	// no further change follows for now.
	Settled
	// Jumped: a UTXO snapshot made Info the best block, without the blocks
	// between. Settled follows.
	Jumped
)

// Event reports one step of the best branch.
type Event struct {
	Kind  EventKind
	Block *consensus.Block // nil for Settled and Jumped
	Info  BlockInfo

	// Spent holds, for Connected and Disconnected, the coins that the
	// block's inputs spend: one slice per transaction after the coinbase.
	Spent [][]consensus.Coin

	// Permissions: who may do what is not as it was before this block.
	Permissions bool
}

// Result says what became of a block that broke no rule.
type Result uint8

// The results of AcceptBlock.
const (
	ResultConnected Result = iota // it is now on the best branch
	ResultSide                    // stored; another branch is better, or its ancestors' bodies are missing
	ResultDuplicate               // was known, with its body, before
	ResultOrphan                  // parent not known; kept in memory, within bounds
)

// NextBlock is what a block on top of the best one must fit.
type NextBlock struct {
	Prev       BlockInfo
	Height     int32
	MedianTime int64  // of Prev: seconds since 1970
	MinTime    uint32 // least header time
	Bits       func(time uint32) uint32
	Flags      txscript.ScriptFlags
	Subsidy    int64 // smallest unit

	// Permissions judge the block; nil on chains without.
	Permissions *permission.State
}
