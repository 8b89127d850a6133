package params

import (
	"math/big"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// Params is everything that a chain file decides. Load builds it; after
// that it is immutable and safe for concurrent use.
type Params struct {
	Name        string
	Address     Address
	Network     Network
	Genesis     Genesis
	PoW         PoW
	Subsidy     Subsidy
	Limits      Limits
	Deployments Deployments
	Exceptions  map[chainhash.Hash]Exception
	Permissions Permissions
	Snapshots   []Snapshot
	Policy      Policy

	// GenesisBlock is the block at height 0, built from the file or
	// decoded from genesis.raw.
	GenesisBlock *wire.MsgBlock
	GenesisHash  chainhash.Hash

	// RulesHash commits to every consensus key (design: chain file).
	RulesHash [32]byte
}

// Address holds the prefixes with which scripts and keys are written for
// people. They are not consensus.
type Address struct {
	Bech32HRP string
	P2PKH     byte
	P2SH      byte
	WIF       byte
	HDPrivate uint32 // big-endian version bytes of extended private keys
	HDPublic  uint32
	CoinType  uint32 // BIP44 coin type, without the hardening bit
}

// Network says how nodes of this chain find each other. Not consensus.
type Network struct {
	Magic       [4]byte // also frames blocks in exported files
	DefaultPort uint16
	Seeds       []string // charter://<identity>@host:port/<genesis hash>
}

// Genesis is the block at height 0 as the file describes it.
type Genesis struct {
	Time        uint32
	Bits        uint32
	Nonce       uint32
	Version     int32
	Message     string
	Raw         []byte // a whole block; then the fields above mirror its header
	Allocations []Allocation
	Members     []Member
}

// Allocation is an output of the genesis block. It is spendable at once.
type Allocation struct {
	Address string // as written in the file
	Script  []byte
	Amount  int64 // smallest unit
}

// Member is an organisation of a permissioned chain, as of genesis.
type Member struct {
	Name        string
	Permissions []Permission
	Keys        []MemberKey
}

// MemberKey is an identity (an output script) and the roles it acts in.
type MemberKey struct {
	Identity string // address as written in the file
	Script   []byte
	Roles    []Permission // permission names, and RoleManage
}

// Permission names what a member may do, or a role in which a key acts.
type Permission string

// The permissions, and the role that may change its own member's keys.
const (
	PermConnect  Permission = "connect"
	PermMine     Permission = "mine"
	PermSend     Permission = "send"
	PermReceive  Permission = "receive"
	PermAdmin    Permission = "admin"
	PermActivate Permission = "activate"
	PermIssue    Permission = "issue"
	PermCreate   Permission = "create"
	RoleManage   Permission = "manage"
)

// Algorithm names a difficulty rule.
type Algorithm string

// The difficulty rules.
const (
	AlgorithmFixed   Algorithm = "fixed"   // every block has bits = limit
	AlgorithmASERT   Algorithm = "asert"   // aserti3-2d, anchored at genesis
	AlgorithmBitcoin Algorithm = "bitcoin" // retarget once per timespan
)

// PoW holds the rules of proof of work and block times. Block times have
// one-second resolution; the durations here are whole seconds.
type PoW struct {
	Limit       uint32   // compact form of the easiest target
	LimitTarget *big.Int // the same, expanded; never modified
	Algorithm   Algorithm
	Spacing     time.Duration
	Timespan    time.Duration // AlgorithmBitcoin: length of a retarget window
	HalfLife    time.Duration // AlgorithmASERT

	// MinDifficultyAfter lets a block that is later than this after its
	// parent have bits = Limit (Bitcoin's testnet rule). 0: never.
	MinDifficultyAfter time.Duration

	// MinSpacing is the least time between a block and its parent. 0: none.
	MinSpacing time.Duration

	// MaxFuture is how far a block time may be ahead of the local clock.
	MaxFuture time.Duration

	// OnDemand allows the RPCs that mine at once (generatetoaddress).
	OnDemand bool
}

// Subsidy is what a block may create out of nothing.
type Subsidy struct {
	Initial         int64 // smallest unit
	HalvingInterval int32 // blocks; 0: no halving
	Maturity        int32 // confirmations before a coinbase output may be spent
}

// Limits bound blocks and amounts.
type Limits struct {
	BlockWeight     int64
	BlockSigOpCost  int64
	MaxMoney        int64 // smallest unit
	TxWeight        int64 // derived: no transaction weighs more
	BlockTxs        int   // derived: no block holds more transactions
	BlockSerialized int64 // derived: most bytes a valid block can take
}

// Never is the height of a deployment that does not happen.
const Never int32 = -1

// Deployments holds the height from which each rule change is in force.
type Deployments struct {
	BIP16   int32 // pay to script hash
	BIP34   int32 // height in coinbase
	BIP65   int32 // OP_CHECKLOCKTIMEVERIFY
	BIP66   int32 // strict DER
	CSV     int32 // BIP68, BIP112, BIP113
	Segwit  int32 // BIP141, BIP143, BIP147
	Taproot int32 // BIP340, BIP341, BIP342
	BIP54   int32 // consensus clean-up
}

// Active reports whether a deployment with the given activation height is
// in force in the block at height.
func Active(activation, height int32) bool {
	return activation != Never && height >= activation
}

// Exception switches rules off for one block that broke them in history.
type Exception struct {
	BIP16   bool
	BIP30   bool
	Taproot bool
}

// Permissions holds the rules of a permissioned chain.
type Permissions struct {
	Enabled         bool
	Restricted      []Permission // the others are everybody's
	SetupBlocks     int32
	MiningDiversity uint32 // parts per million
	RestartDelay    time.Duration
	Consensus       map[Permission]uint32 // share of administering members, ppm
}

// Restricts reports whether p is held by members only.
func (p *Permissions) Restricts(perm Permission) bool {
	if !p.Enabled {
		return false
	}
	if perm == PermAdmin || perm == PermActivate || perm == RoleManage {
		return true // never everybody's
	}
	for _, r := range p.Restricted {
		if r == perm {
			return true
		}
	}
	return false
}

// Snapshot names the digest of a UTXO snapshot that may be trusted. Not
// consensus.
type Snapshot struct {
	Height int32
	Digest [32]byte
}

// Policy holds the chain's defaults for node settings. Not consensus.
type Policy struct {
	MinRelayFee   int64 // smallest unit per 1,000 virtual bytes
	DustRelayFee  int64 // the same unit; an output is dust below this rate
	MaxDataBytes  int   // largest standard OP_RETURN script, 0: none
	SettleDepth   int32 // blocks
	AcceptNonStd  bool  // relay transactions of non-standard form
	MempoolBytes  int64 // default byte budget of the pool
	MempoolExpiry time.Duration
}
