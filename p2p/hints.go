package p2p

import (
	"bytes"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/p2p/message"
)

// The results under which hints are counted.
const (
	resultRight = "right"
	resultWrong = "wrong"
)

// blockKind returns how p is asked for blocks: with hints where it knows
// them, unless those that it sent were wrong.
func (p *peer) blockKind() message.InvKind {
	if p.hello.Features.Has(message.FeatureHints) && !p.misled.Load() {
		return message.InvHintedBlock
	}
	return message.InvBlock
}

// withHints returns the message with a block for a peer that wants its hints
// too: without them where they are not known, or say nothing.
func (n *Network) withHints(hash chainhash.Hash, raw []byte) message.Message {
	hints, ok := n.cfg.Chain.Hints(hash)
	if !ok {
		n.cfg.Chain.WantHints(hash)
	}
	block := message.Block{Raw: raw}
	if !slices.ContainsFunc(hints, func(b byte) bool { return b != 0 }) {
		return &block
	}
	return &message.HintedBlock{Block: block, Hints: hints}
}

// compareHints looks at what became of a block's hints, now that the chain
// has accepted it. Wrong ones cost time and are no fault: nobody can tell a
// lie from a bug. But their sender is not asked for more.
func (s *syncer) compareHints(w arrivedBlock) {
	if w.hints == nil {
		return
	}
	proven, ok := s.chain.Hints(w.block.Hash)
	switch {
	case !ok: // not connected yet
	case bytes.Equal(proven, w.hints):
		s.n.cfg.Metrics.hint(resultRight)
	default:
		s.n.cfg.Metrics.hint(resultWrong)
		w.from.misled.Store(true)
		w.from.log.Debug("hints of a block were wrong, the peer is not asked for hints any more", "hash", w.block.Hash, "height", w.height)
	}
}
