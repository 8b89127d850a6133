package p2p

import (
	"context"
	"errors"
	"math/big"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/p2p/message"
)

// Errors by which Chain.AcceptHeaders says that it did not keep a header
// which breaks no rule. They count against nobody.
var (
	// ErrTooFarAhead: the header, and those behind it, are further above the
	// blocks that were judged, or are more of one source, than is held of
	// undecided headers. They are asked for again as judging goes on.
	ErrTooFarAhead = errors.New("too many undecided headers")
	// ErrVariant: the header seals the same block as one that is known. It is
	// neither kept nor passed on unless headers come that build on it.
	ErrVariant = errors.New("another variant of the block is known")
	// ErrTooOld, of Chain.AcceptBlock: this program does not know a rule that
	// is in force in this block or in one below it. The body is stored, for a
	// newer program; asking for it again would change nothing.
	ErrTooOld = errors.New("this version of the software is too old for the chain")
)

// SealedHeader is a header and, on chains that restrict mining, the proof
// of its seal (nil on others).
type SealedHeader = message.HeaderEntry

// SealProof is the proof of a seal: the coinbase without witness, encoded,
// and its merkle branch.
type SealProof = message.SealProof

// BlockInfo is what the peers' code needs to know of a block in the index.
type BlockInfo struct {
	Hash     chainhash.Hash
	Prev     chainhash.Hash
	Height   int32
	Time     time.Time // of the header
	Work     *big.Int  // of the branch up to and with this block; not modified
	HaveData bool      // its body is stored
	Invalid  bool      // it, or one of its ancestors, breaks a rule

	// Undecided: on chains that restrict mining, whether its sealer may seal
	// it is not known yet, because blocks below it have not been judged. It
	// is in memory only and may be forgotten.
	Undecided bool

	// Restart: it restarts the chain on its parent (permissioned chains). Its
	// branch may be best with less work.
	Restart bool
}

// Chain is what the peers' code asks of the block chain. All methods are
// safe for concurrent use and, except the two Accept methods, quick.
type Chain interface {
	// Best returns the tip of the best branch: all its bodies are connected.
	Best() BlockInfo
	// BestHeader returns the header with most work that is neither invalid
	// nor undecided.
	BestHeader() BlockInfo
	// Lookup returns the block with this hash, if its header is known. It,
	// Ancestor and Locator know undecided headers as well.
	Lookup(hash chainhash.Hash) (BlockInfo, bool)
	// Ancestor returns the ancestor at height of the block with this hash
	// (the block itself at its own height).
	Ancestor(hash chainhash.Hash, height int32) (BlockInfo, bool)
	// Locator returns hashes from the given block back to genesis, dense
	// at first, then exponentially sparse.
	Locator(from chainhash.Hash) []chainhash.Hash
	// HeadersAfter returns at most max headers of the best branch that
	// follow the first locator hash on it, up to and with stop.
	HeadersAfter(locator []chainhash.Hash, stop chainhash.Hash, max int) []wire.BlockHeader
	// SealProof returns the proof of the seal of a block of the best branch.
	// It is asked for only where mining is restricted, then for each header
	// that a peer is sent, however old and whether its body is kept or not.
	SealProof(hash chainhash.Hash) (*SealProof, error)
	// AcceptHeaders judges headers, each the child of the one before, and
	// keeps the good ones up to the first that fails. It returns the last
	// one kept or already known. Every entry has a proof iff mining is
	// restricted. source is the x-only key of the peer that sent them: how
	// many undecided headers are held for one source is bounded
	// (ErrTooFarAhead).
	AcceptHeaders(ctx context.Context, headers []SealedHeader, source [32]byte) (BlockInfo, error)
	// ForgetSource says that there is no session with source any more:
	// undecided headers that only it brought need not be held.
	ForgetSource(source [32]byte)
	// Ahead says that block will be offered soon: the chain may prepare what
	// does not depend on those before it. false: it has no room, try again
	// once one was accepted. It decides nothing and does not wait.
	Ahead(block *consensus.Block) bool
	// AcceptBlock judges and stores a block whose header is known and
	// connects what then is best. nil: the block breaks no rule so far.
	// Where mining is restricted, the body of its parent is stored, or was
	// and is connected.
	AcceptBlock(ctx context.Context, block *consensus.Block) error
	// ReadRawBlock returns the encoded body of a stored block.
	ReadRawBlock(hash chainhash.Hash) ([]byte, error)

	// Hints returns the hints of a stored block, as message.HintedBlock has
	// them, where they are known without computing: from when it was
	// connected on, or from some time after WantHints.
	Hints(hash chainhash.Hash) (hints []byte, ok bool)
	// WantHints says that a peer would have liked a block's hints. They may
	// be computed when there is nothing else to do.
	WantHints(hash chainhash.Hash)
	// OfferHints says what came with a block that AcceptBlock is called with
	// later, or not at all. Hints may be wrong: they decide nothing.
	OfferHints(hash chainhash.Hash, hints []byte)
}

// Pool is what the peers' code asks of the transaction pool. All methods
// are safe for concurrent use.
type Pool interface {
	// Accept judges a transaction and keeps it if it is good. A
	// *consensus.RuleError counts against the peer that sent it, a
	// *RefusedError does not but is remembered for a while, and any other
	// error means that nothing could be decided. source is the x-only key
	// of the peer that sent it: the pool may let a transaction wait for its
	// parents, but must bound how many wait for one peer.
	// Several goroutines call it at once.
	Accept(ctx context.Context, tx *consensus.Tx, source [32]byte) error
	// ForgetSource says that there is no session with source any more: what
	// waits for parents only source can bring need not be kept.
	ForgetSource(source [32]byte)
	// Have reports whether the pool holds the transaction, or needs it no
	// more (it waits for its parents, or was confirmed lately).
	Have(wtxid chainhash.Hash) bool
	// Get returns a transaction of the pool.
	Get(wtxid chainhash.Hash) (*consensus.Tx, bool)
	// GetByTxID is Get by the hash without witness, by which children name
	// their parents.
	GetByTxID(txid chainhash.Hash) (*consensus.Tx, bool)
	// WTxIDs returns at most max transactions of the pool, parents before
	// children. They are announced to a peer that has just connected.
	WTxIDs(max int) []chainhash.Hash
}

// RefusedError is what Pool.Accept returns for a transaction that breaks no
// consensus rule but is not wanted here: policy, a conflict, an unknown
// parent. The peer that sent it is not blamed.
type RefusedError struct {
	Err error

	// Missing holds the txids of parents that are not known, where that is
	// the reason. The sender is asked for them.
	Missing []chainhash.Hash
}

func (e *RefusedError) Error() string { return e.Err.Error() }

// Unwrap returns the reason.
func (e *RefusedError) Unwrap() error { return e.Err }
