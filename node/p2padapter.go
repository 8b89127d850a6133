package node

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/permission"
	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/chain/permission/seal"
	"github.com/charterchain/charter/mempool"
	"github.com/charterchain/charter/mempool/policy"
	"github.com/charterchain/charter/p2p"
)

// p2pChain shows the chain to the peers' code.
type p2pChain struct{ c *chain.Chain }

func p2pInfo(b chain.BlockInfo) p2p.BlockInfo {
	return p2p.BlockInfo{
		Hash:     b.Hash,
		Prev:     b.Header.PrevBlock,
		Height:   b.Height,
		Time:     b.Header.Timestamp,
		Work:     b.Work,
		HaveData: b.HaveData,
		Invalid:  b.State == chain.StateInvalid,

		Undecided: b.Undecided,
		Restart:   b.Restart,
	}
}

func (a p2pChain) Best() p2p.BlockInfo       { return p2pInfo(a.c.Best()) }
func (a p2pChain) BestHeader() p2p.BlockInfo { return p2pInfo(a.c.BestHeader()) }

func (a p2pChain) Lookup(hash chainhash.Hash) (p2p.BlockInfo, bool) {
	b, ok := a.c.Lookup(hash)
	if !ok {
		return p2p.BlockInfo{}, false
	}
	return p2pInfo(b), true
}

func (a p2pChain) Ancestor(hash chainhash.Hash, height int32) (p2p.BlockInfo, bool) {
	b, ok := a.c.Ancestor(hash, height)
	if !ok {
		return p2p.BlockInfo{}, false
	}
	return p2pInfo(b), true
}

func (a p2pChain) Locator(from chainhash.Hash) []chainhash.Hash { return a.c.Locator(from) }

func (a p2pChain) HeadersAfter(locator []chainhash.Hash, stop chainhash.Hash, limit int) []wire.BlockHeader {
	return a.c.HeadersAfter(locator, stop, limit)
}

func (a p2pChain) SealProof(hash chainhash.Hash) (*p2p.SealProof, error) {
	proof, err := a.c.SealProof(hash)
	if err != nil {
		return nil, err
	}
	return &p2p.SealProof{Coinbase: proof.Encode(), Branch: proof.Branch}, nil
}

func (a p2pChain) AcceptHeaders(ctx context.Context, entries []p2p.SealedHeader, source [32]byte) (p2p.BlockInfo, error) {
	last, err := a.acceptHeaders(ctx, entries, source)
	switch {
	case errors.Is(err, chain.ErrUndecided):
		err = fmt.Errorf("%w: %w", p2p.ErrTooFarAhead, err)
	case errors.Is(err, chain.ErrVariant):
		err = fmt.Errorf("%w: %w", p2p.ErrVariant, err)
	}
	if last.Work == nil { // not even the first was kept
		return p2p.BlockInfo{}, err
	}
	return p2pInfo(last), err
}

// acceptHeaders offers headers to the chain with or without proofs, as the
// first has one or not: p2p has seen to it that all are alike.
func (a p2pChain) acceptHeaders(ctx context.Context, entries []p2p.SealedHeader, source [32]byte) (chain.BlockInfo, error) {
	if len(entries) == 0 || entries[0].Proof == nil {
		headers := make([]wire.BlockHeader, len(entries))
		for i := range entries {
			headers[i] = entries[i].Header
		}
		return a.c.AcceptHeaders(ctx, headers)
	}
	headers := make([]chain.SealedHeader, len(entries))
	for i := range entries {
		proof, err := seal.ParseProof(entries[i].Proof.Coinbase, entries[i].Proof.Branch)
		if err != nil {
			return chain.BlockInfo{}, err
		}
		headers[i] = chain.SealedHeader{Header: entries[i].Header, Proof: proof}
	}
	return a.c.AcceptSealed(ctx, headers, source)
}

func (a p2pChain) ForgetSource(source [32]byte) { a.c.ForgetSource(source) }

func (a p2pChain) Ahead(b *consensus.Block) bool { return a.c.Ahead(b, nil) }

func (a p2pChain) AcceptBlock(ctx context.Context, b *consensus.Block) error {
	_, err := a.c.AcceptBlock(ctx, b)
	if errors.Is(err, chain.ErrUnknownUpgrade) {
		err = fmt.Errorf("%w: %w", p2p.ErrTooOld, err)
	}
	return err
}

func (a p2pChain) Hints(hash chainhash.Hash) ([]byte, bool)         { return a.c.Hints(hash) }
func (a p2pChain) WantHints(hash chainhash.Hash)                    { a.c.WantHints(hash) }
func (a p2pChain) OfferHints(hash chainhash.Hash, h []byte)         { a.c.OfferHints(hash, h) }
func (a p2pChain) ReadRawBlock(hash chainhash.Hash) ([]byte, error) { return a.c.ReadRawBlock(hash) }

// p2pPermit answers by the state at the tip who may connect in the block that
// follows.
func p2pPermit(c *chain.Chain) func(xonly [32]byte) error {
	return func(xonly [32]byte) error {
		state := c.Permissions()
		if state == nil || state.May(record.KeyScript(xonly), record.Connect, c.Best().Height+1) {
			return nil
		}
		return errors.New("no member's key with role connect, of a member that may connect now")
	}
}

// p2pPool shows the pool to the peers' code.
type p2pPool struct{ pool *mempool.Pool }

// Accept tells refusals, for which no peer is to blame, from broken rules
// and from failures to decide.
func (a p2pPool) Accept(ctx context.Context, tx *consensus.Tx, source [32]byte) error {
	err := a.pool.AcceptFrom(ctx, tx, string(source[:]))
	if rule := consensus.AsRule(err); rule != nil && slices.Contains(permission.Rules(), rule.Rule) {
		// Judged by who may do what at the tip, and the peer's may differ.
		return &p2p.RefusedError{Err: err}
	}
	var refused *policy.Error
	var missing *mempool.MissingInputsError
	switch {
	case err == nil || errors.Is(err, mempool.ErrInPool):
		return nil
	case errors.As(err, &missing):
		return &p2p.RefusedError{Err: err, Missing: missing.Parents()}
	case errors.As(err, &refused), errors.Is(err, mempool.ErrSameTxID), errors.Is(err, mempool.ErrInChain):
		return &p2p.RefusedError{Err: err}
	}
	return err
}

func (a p2pPool) ForgetSource(source [32]byte) { a.pool.ForgetSource(string(source[:])) }

func (a p2pPool) Have(wtxid chainhash.Hash) bool { return a.pool.Have(wtxid) }

func (a p2pPool) Get(wtxid chainhash.Hash) (*consensus.Tx, bool) {
	tx := a.pool.GetByWTxID(wtxid)
	return tx, tx != nil
}

func (a p2pPool) GetByTxID(txid chainhash.Hash) (*consensus.Tx, bool) {
	tx := a.pool.Get(txid)
	return tx, tx != nil
}

func (a p2pPool) WTxIDs(limit int) []chainhash.Hash { return a.pool.WTxIDs(limit) }
