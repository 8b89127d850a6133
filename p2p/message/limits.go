package message

import (
	"fmt"

	"github.com/charterchain/charter/chain/params"
)

// Bounds of fields and counts. All are part of the protocol.
const (
	MaxHello          = 1_019 // bytes of payload: the whole frame is 1 KiB
	MaxUserAgent      = 64    // bytes, printable ASCII
	MaxHelloAddresses = 4
	MaxExtensions     = 16
	MaxHostName       = 253 // bytes
	MaxReason         = 256 // bytes, printable ASCII
	MaxPeers          = 200 // entries of one Peers
	MaxLocator        = 101 // hashes of one GetHeaders
	MaxHeaders        = 2_000
	MaxHeadersBytes   = 4 << 20 // payload of Headers
	MaxProofCoinbase  = 16 << 10
	MaxProofBranch    = 24 // hashes
	MaxInventory      = 1_000
	MaxPresences      = 200      // entries of one Presence
	MaxFilters        = 100      // entries of one Filters
	MinFiltersBytes   = 4 << 20  // payload of Filters: this, or a block if larger
	MaxChainFile      = 32 << 20 // bytes of a chain file
	maxBlockTxs       = 1 << 24  // no chain file allows more transactions
	maxFilter         = 1 << 30  // the payload's limit is lower
)

// Limits holds the largest payload of each type on one chain. Immutable.
type Limits struct {
	chain params.Limits
	max   [lastType + 1]int64
}

// NewLimits derives the limits from the chain file's. A message that
// carries a valid transaction or block always fits.
func NewLimits(c params.Limits) *Limits {
	l := &Limits{chain: c}
	const hash = 32
	l.max = [lastType + 1]int64{
		TypeHello:        MaxHello,
		TypeDisconnect:   2 + 3 + MaxReason,
		TypePing:         8,
		TypePong:         8,
		TypeGetPeers:     0,
		TypePeers:        3 + MaxPeers*maxPeerEntry,
		TypeGetHeaders:   1 + MaxLocator*hash + hash,
		TypeHeaders:      MaxHeadersBytes,
		TypeInv:          3 + MaxInventory*invItemSize,
		TypeGetData:      3 + MaxInventory*invItemSize,
		TypeNotFound:     3 + MaxInventory*invItemSize,
		TypeTx:           c.TxWeight, // a byte weighs at least 1
		TypeBlock:        c.BlockSerialized,
		TypeCompactBlock: c.BlockSerialized + 5*int64(c.BlockTxs) + 32,
		TypeGetBlockTxns: hash + 9 + 5*int64(c.BlockTxs),
		TypeBlockTxns:    hash + 9 + c.BlockSerialized,
		TypeGetFilters:   1 + 4 + hash,
		TypeFilters:      max(MinFiltersBytes, c.BlockSerialized),
		TypeGetChainFile: hash,
		TypeChainFile:    64 + MaxChainFile,
		TypePresence:     3 + MaxPresences*presenceEntrySize,
		TypeHintedBlock:  5 + int64(l.maxHints()) + c.BlockSerialized,
	}
	return l
}

// Max returns the largest payload of type t in bytes; ok is false for a
// type that this version does not know.
func (l *Limits) Max(t Type) (bytes int64, ok bool) {
	if !t.Known() {
		return 0, false
	}
	return l.max[t], true
}

// Largest returns the largest payload that an open session can carry, in
// bytes: that of any type but ChainFile.
func (l *Limits) Largest() int64 {
	var most int64
	for t, m := range l.max {
		if Type(t) != TypeChainFile {
			most = max(most, m)
		}
	}
	return most
}

// CheckSize returns a *DecodeError if a payload of type t and the given
// size breaks the limit, or t is unknown.
func (l *Limits) CheckSize(t Type, size int64) error {
	most, ok := l.Max(t)
	if !ok {
		return &DecodeError{Type: t, Field: "type", Detail: fmt.Sprintf("%d is not a type of this version", byte(t))}
	}
	if size > most {
		return &DecodeError{Type: t, Field: "size", Detail: fmt.Sprintf("%d bytes, at most %d", size, most)}
	}
	return nil
}
