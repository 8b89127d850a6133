package miner

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/permission"
	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/chain/permission/seal"
	"github.com/charterchain/charter/mempool"
)

// presentWithin is how many times the spacing a member counts as seen for.
const presentWithin = 3

// sealFor is how long nonces are searched for one seal, which fixes the time
// of the block.
const sealFor = 10 * time.Second

// ErrNoKey is returned where blocks are to be made that need a seal, and the
// miner has no key.
var ErrNoKey = errors.New("blocks of this chain are sealed by members that may mine: this node has no miner key")

// ErrMayNot is returned where blocks are asked for that the miner's key may
// not seal now.
var ErrMayNot = errors.New("this node may not seal the next block")

// SealKey is the x-only public key in the seals of this miner; ok is false if
// it has none.
func (m *Miner) SealKey() (key [32]byte, ok bool) {
	if m.cfg.Key == nil {
		return key, false
	}
	return seal.KeyOf(m.cfg.Key), true
}

// sealed reports whether blocks of the chain carry seals.
func (m *Miner) sealed() bool { return m.cfg.Params.Permissions.Restricts(params.PermMine) }

// prospect is the next block as this miner could make it.
type prospect struct {
	parent  chain.BlockInfo
	height  int32
	turn    turn
	restart *seal.Certificate // nil: the block restarts nothing
	safe    int               // blocks after which a payment is safe
}

// look finds out if and when this miner may make the next block.
func (m *Miner) look() prospect {
	next := m.cfg.Chain.Next()
	if next.Permissions == nil || !m.sealed() {
		return prospect{parent: next.Prev, height: next.Height, safe: openSafe, turn: turn{state: StateMining, at: timeOf(next.MinTime)}}
	}
	p := prospect{parent: next.Prev, height: next.Height, safe: next.Permissions.Required(next.Height)}
	if m.cfg.Key == nil {
		p.turn = turn{state: StateNoKey, reason: ErrNoKey.Error()}
		return p
	}
	if c, ok := m.cfg.Chain.Conflict(); ok {
		p.turn = turn{state: StateConflict, reason: fmt.Sprintf("conflicting history: a branch that ends in block %v leaves this one at height %d; an operator has to decide", c.Other.Hash, c.Fork.Height)}
		return p
	}
	state, minTime := next.Permissions, timeOf(next.MinTime)
	if cert, restarted := m.restartOn(next); cert != nil {
		state, p.restart = restarted, cert
		minTime = m.restartTime(next, minTime)
	}
	p.turn = m.outlook(next, state, minTime).decide()
	return p
}

// outlook is what this miner knows about the block after next.Prev, judged by
// state and not allowed before minTime.
func (m *Miner) outlook(next chain.NextBlock, state *permission.State, minTime time.Time) *outlook {
	o := &outlook{
		state: state, height: next.Height, minTime: minTime,
		key: seal.KeyOf(m.cfg.Key), spacing: m.cfg.Params.PoW.Spacing, held: m.heldAt(),
	}
	for _, s := range m.cfg.Chain.Sealers(historyFor(len(state.Miners(next.Height)))) {
		if s.Height < next.Height { // else the best block changed meanwhile; the next round sees it
			o.sealers = append(o.sealers, s.Member)
		}
	}
	if m.cfg.Present != nil {
		o.present = presence(state, m.cfg.Present(presentWithin*m.cfg.Params.PoW.Spacing))
	}
	return o
}

// presence tells which members the keys of nodes that are up belong to.
func presence(state *permission.State, keys [][32]byte) func(record.MemberID) bool {
	seen := make(map[record.MemberID]bool, len(keys))
	for _, key := range keys {
		if m, _, ok := state.ByIdentity(record.KeyScript(key)); ok {
			seen[m.ID] = true
		}
	}
	return func(id record.MemberID) bool { return seen[id] }
}

// SubmitRestart gives the miner a certificate by which administering members
// restart the chain on the present best block. It is used as soon as the
// chain's restart delay allows, by the rules that hold for any other block:
// this node's member has to be among those that mine from then on. If another
// block comes before, the certificate is forgotten. The error says why it is
// of no use.
func (m *Miner) SubmitRestart(cert *seal.Certificate) error {
	if !m.sealed() {
		return errors.New("mining is not restricted on this chain: there is nothing to restart")
	}
	if m.cfg.Key == nil {
		return ErrNoKey
	}
	next := m.cfg.Chain.Next()
	if cert.Parent != next.Prev.Hash {
		return fmt.Errorf("the certificate is for a restart on block %v, the best block is %v", cert.Parent, next.Prev.Hash)
	}
	state, _, err := next.Permissions.Restart(next.Height, cert) // and the signatures
	if err != nil {
		return err
	}
	if _, err := state.CheckSealer(seal.KeyOf(m.cfg.Key), next.Height); err != nil {
		return fmt.Errorf("this node could not seal the restart: %w", err)
	}
	m.mu.Lock()
	m.restart = cert
	m.mu.Unlock()
	m.wake()
	return nil
}

// restartOn returns the certificate that is to be used in the block after
// next.Prev, and the state that judges it, once its time has come.
func (m *Miner) restartOn(next chain.NextBlock) (*seal.Certificate, *permission.State) {
	m.mu.Lock()
	cert := m.restart
	m.mu.Unlock()
	if cert == nil {
		return nil, nil
	}
	if cert.Parent != next.Prev.Hash {
		m.dropRestart(cert)
		m.log.Info("the chain went on, the restart certificate is of no use any more", "parent", cert.Parent, "height", next.Height)
		return nil, nil
	}
	if m.cfg.Now().Before(m.restartTime(next, timeOf(next.MinTime))) {
		return nil, nil // blocks of the ordinary kind are still welcome
	}
	state, _, err := next.Permissions.Restart(next.Height, cert)
	if err != nil {
		m.dropRestart(cert)
		m.log.Warn("the restart certificate is of no use", "err", err)
		return nil, nil
	}
	return cert, state
}

// restartTime is the least time of a restart block after next.Prev.
func (m *Miner) restartTime(next chain.NextBlock, least time.Time) time.Time {
	if at := next.Prev.Header.Timestamp.Add(m.cfg.Params.Permissions.RestartDelay); at.After(least) {
		return at
	}
	return least
}

func (m *Miner) dropRestart(cert *seal.Certificate) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.restart == cert {
		m.restart = nil
	}
}

// grindSealed is grind where blocks carry seals: the seal comes first, then
// the nonce. Every seal that this makes is of the same block but for its time.
func (m *Miner) grindSealed(ctx context.Context, t *mempool.Template, tries *uint64) (*consensus.Block, error) {
	if m.cfg.Key == nil {
		return nil, ErrNoKey
	}
	for ctx.Err() == nil && (tries == nil || *tries > 0) {
		var aux [32]byte
		binary.LittleEndian.PutUint64(aux[:], m.extraNonce.Add(1)-1)
		now := m.cfg.Now()
		at := max(uint32(max(now.Unix(), 0)), t.MinTime)
		block, err := t.Seal(m.cfg.Key, at, aux)
		if err != nil {
			return nil, fmt.Errorf("seal block %d: %w", t.Height, err)
		}
		inTime := func(*work) bool { return m.cfg.Now().Sub(now) <= sealFor }
		if m.search(ctx, &block.Header, tries, inTime) {
			return consensus.NewBlock(block), nil
		}
	}
	return nil, nil
}

func timeOf(seconds uint32) time.Time { return time.Unix(int64(seconds), 0) }
