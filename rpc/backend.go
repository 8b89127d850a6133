package rpc

import (
	"context"
	"errors"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/hints"
	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/permission"
	"github.com/charterchain/charter/chain/permission/seal"
	"github.com/charterchain/charter/chain/utxo"
)

// Chain is what the methods need of the chain. *chain.Chain is one.
type Chain interface {
	Params() *params.Params
	Best() chain.BlockInfo
	BestHeader() chain.BlockInfo
	Lookup(hash chainhash.Hash) (chain.BlockInfo, bool)
	AtHeight(height int32) (chain.BlockInfo, bool) // on the best branch
	Ancestor(hash chainhash.Hash, height int32) (chain.BlockInfo, bool)
	Tips() []chain.Tip
	Next() chain.NextBlock
	InitialSync() bool

	ReadBlock(hash chainhash.Hash) (*consensus.Block, error)
	ReadRawBlock(hash chainhash.Hash) ([]byte, error)
	ReadSpent(hash chainhash.Hash) ([][]consensus.Coin, error)
	// MakeHints returns the hints of a block that was connected once, if need
	// be by checking its signatures.
	MakeHints(ctx context.Context, hash chainhash.Hash) (hints.Frame, error)

	Coin(op wire.OutPoint) (consensus.Coin, bool, error)
	// EachCoin visits the coins of the best block in the order of their
	// transaction ids (internal byte order) until fn fails.
	EachCoin(ctx context.Context, fn func(wire.OutPoint, consensus.Coin) error) (chain.BlockInfo, error)

	AcceptBlock(ctx context.Context, b *consensus.Block) (chain.Result, error)
	CheckProposal(ctx context.Context, b *consensus.Block) error
	Invalidate(ctx context.Context, hash chainhash.Hash) error
	Reconsider(ctx context.Context, hash chainhash.Hash) error
	Precious(ctx context.Context, hash chainhash.Hash) error

	SummariseCoins(ctx context.Context, hashes utxo.SetHashes) (chain.CoinSet, error)
	VerifyChain(ctx context.Context, level, depth int, report func(chain.VerifyProgress)) (chain.VerifyReport, error)
	Explain(hash chainhash.Hash) chain.Explanation

	Stats() chain.Stats
	Background() (chain.Background, bool)
	// Unvalidated says why no blocks are to be made on this chain state.
	Unvalidated() string

	// Permissions says who may do what after the best block, nil on chains
	// without members; PermissionsAt after the one at a height.
	Permissions() *permission.State
	PermissionsAt(height int32) (*permission.State, bool)

	// Sealers returns who made the last n blocks, the newest first.
	Sealers(n int) []chain.Sealing
	// Warnings says what an operator has to look at.
	Warnings() []string

	PruneStatus() chain.PruneStatus
	PruneTo(ctx context.Context, height int32) (int32, error)
}

// Errors of Mempool.Accept and in TestResult.Err that break no rule. They may
// be wrapped.
var (
	// ErrMissingInputs: an output that the transaction spends is not known,
	// or was spent.
	ErrMissingInputs = errors.New("bad-txns-inputs-missingorspent")
	// ErrInMempool: the pool holds the same transaction already.
	ErrInMempool = errors.New("txn-already-in-mempool")
	// ErrConfirmed: the transaction is in a block of the best branch.
	ErrConfirmed = errors.New("txn-already-known")
)

// PolicyError is what errors.As must find in an error of the pool that refuses
// a transaction by policy. Its Error text may say more than the reason.
type PolicyError interface {
	error
	RejectReason() string // Bitcoin Core's, such as "min relay fee not met"
}

// Mempool is what the methods need of the pool of unconfirmed transactions.
type Mempool interface {
	// Accept returns nil, a *consensus.RuleError, a PolicyError, one of
	// the errors above, or another error when it could not decide.
	Accept(ctx context.Context, tx *consensus.Tx) error
	// Test returns for each of txs what Accept would say once those before it
	// that would be accepted are in the pool. It changes nothing.
	Test(ctx context.Context, txs []*consensus.Tx) []TestResult

	Get(txid chainhash.Hash) (*consensus.Tx, bool)
	Entry(txid chainhash.Hash) (PoolEntry, bool)
	Entries() []PoolEntry
	TxIDs() []chainhash.Hash
	// Spends reports whether a transaction of the pool spends op.
	Spends(op wire.OutPoint) bool
	Info() PoolInfo
	// Sequence grows with every transaction that enters or leaves.
	Sequence() uint64
}

// TestResult is the pool's judgement of one transaction.
type TestResult struct {
	VSize int64 // as policy counts it
	Fee   int64 // where Err is nil
	Err   error
}

// Package sums up a pool entry with its ancestors or its descendants.
type Package struct {
	Count int
	VSize int64
	Fees  int64
}

// PoolEntry is a transaction of the pool.
type PoolEntry struct {
	Tx          *consensus.Tx
	VSize       int64 // as policy counts it
	Fee         int64
	Time        time.Time // of entry
	Height      int32     // of the best block then
	Ancestors   Package
	Descendants Package
	Depends     []chainhash.Hash // its parents in the pool
	SpentBy     []chainhash.Hash // its children in the pool
	Replaceable bool             // it or an ancestor signals BIP125
	Unbroadcast bool
}

// PoolInfo is the state of the pool. Fee rates are amounts per 1,000 virtual
// bytes.
type PoolInfo struct {
	Loaded         bool
	Count          int
	VBytes         int64 // sum of virtual sizes
	Usage          int64 // bytes of memory
	MaxUsage       int64
	TotalFee       int64
	MinFee         int64 // what the pool asks for now
	MinRelayFee    int64
	IncrementalFee int64
	Unbroadcast    int
	FullRBF        bool

	// Of the last block template; 0 before the first.
	TemplateWeight int64
	TemplateTxs    int // without the coinbase
}

// Template is a block that needs a nonce.
type Template struct {
	// Block has a coinbase that pays to nobody in particular: of it only the
	// witness commitment is used.
	Block         *wire.MsgBlock
	Fees          []int64 // by transaction; the coinbase's is not used
	SigOpCosts    []int64 // likewise
	Height        int32
	MinTime       uint32
	CoinbaseValue int64 // subsidy and fees
}

// Miner makes blocks.
type Miner interface {
	Template(ctx context.Context) (*Template, error)
	// Generate mines n blocks that pay to script, and adds them to the
	// chain. It stops early, without an error, once maxTries nonces were
	// tried. A *MayNotError says that the next one is not for this node.
	Generate(ctx context.Context, n int, script []byte, maxTries uint64) ([]chainhash.Hash, error)
	// GenerateBlock mines one block of exactly txs in this order, and adds it
	// to the chain if submit is set. A set that makes no valid block is a
	// *consensus.RuleError.
	GenerateBlock(ctx context.Context, script []byte, txs []*consensus.Tx, submit bool) (*consensus.Block, error)

	Status() MinerStatus
	// SubmitRestart keeps a certificate for the restart of the chain on the
	// best block until its time comes. The error says why it is of no use.
	SubmitRestart(cert *seal.Certificate) error
}

// MinerStatus is what the node's miner does.
type MinerStatus struct {
	Mining bool
	State  string // "mining", or in one word why not
	Reason string // the same in words; empty while it mines

	// Where mining is restricted:
	Key     *[32]byte // x-only, in its seals; nil: none
	Rank    int       // how many members start before it; -1: it may not seal the next block
	Next    time.Time // when it may publish its next block; zero where Rank is -1
	Restart bool      // a restart certificate waits for its time
}

// Errors of Peers.
var (
	ErrNodeAdded        = errors.New("node already added")
	ErrNodeNotAdded     = errors.New("node was not added before")
	ErrNodeNotConnected = errors.New("node not found in connected nodes")
)

// Peers is what the methods need of the peer-to-peer part.
type Peers interface {
	Peers() []PeerInfo
	LocalAddresses() []LocalAddress
	Active() bool
	SetActive(active bool)

	// AddNode keeps up a connection to addr from now on (else ErrNodeAdded),
	// RemoveNode ends that (else ErrNodeNotAdded).
	AddNode(addr string) error
	RemoveNode(addr string) error
	// Connect starts one attempt to connect to addr and does not wait.
	Connect(addr string) error
	// Disconnect ends the connection with this address, else ErrNodeNotConnected.
	Disconnect(addr string) error
	DisconnectID(id int64) error
}

// LocalAddress is where this node can be reached from outside.
type LocalAddress struct {
	Address string
	Port    uint16
}

// PeerInfo is a connected peer.
type PeerInfo struct {
	ID             int64
	Address        string // host:port
	LocalAddress   string // host:port of this end
	Identity       string // address of the peer's key
	UserAgent      string
	Version        uint32 // of the protocol
	Services       uint64
	ServiceNames   []string
	Inbound        bool
	Manual         bool // added by a person
	RelaysTx       bool
	LastSend       time.Time
	LastReceive    time.Time
	LastBlock      time.Time // zero: none
	LastTx         time.Time // zero: none
	Connected      time.Time
	BytesSent      int64
	BytesReceived  int64
	SentByType     map[string]int64 // bytes by message type
	ReceivedByType map[string]int64
	Ping           time.Duration // 0: not measured
	MinPing        time.Duration
	PingWait       time.Duration // how long the open ping is under way; 0: none
	TimeOffset     time.Duration
	StartHeight    int32 // its best height when it connected
	SyncedHeaders  int32 // -1: not known
	SyncedBlocks   int32
	InFlight       []int32 // heights of blocks asked for
	Transport      string
	SessionID      string
}
