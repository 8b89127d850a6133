package p2ptest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/p2p"
)

// MaxUndecided is how many undecided headers a sealed Chain holds above its
// tip, and of one source.
const MaxUndecided = 2048

// Versions that make a block or header break a rule when it is judged. All
// other blocks are valid; there is no proof of work, and each block counts
// as one unit of it.
const (
	BadHeaderVersion = -1 // found in the header
	BadBlockVersion  = -2 // found when the block is connected
	BadSealerVersion = -3 // on a sealed chain: found in the header once its parent is connected
)

// RestartVersion makes a block one that restarts a sealed chain: its branch
// is better than others from the same parent.
const RestartVersion = 77

// Rules that the versions above break.
const (
	RuleBadHeader consensus.Rule = "test-bad-header"
	RuleBadBlock  consensus.Rule = "test-bad-block"
	RuleBadSealer consensus.Rule = "test-bad-sealer"
	RuleBadProof  consensus.Rule = "test-bad-proof"
	ruleBadParent consensus.Rule = "bad-prevblk"
)

type blockNode struct {
	info   p2p.BlockInfo
	header wire.BlockHeader
	parent *blockNode
	block  *consensus.Block

	children []*blockNode
	complete bool // this block's body and those of all before it are here

	connected bool              // was part of the best branch once
	sources   map[[32]byte]bool // of an undecided header
	proof     *p2p.SealProof
}

// Chain is a tree of blocks in memory. Safe for concurrent use.
type Chain struct {
	OnTip func() // called after the tip has changed

	OnJudged func() // called after each AcceptHeaders; may be nil

	// Delay is how long AcceptBlock takes.
	Delay time.Duration

	// Stay keeps the best branch from moving, as what lies below a UTXO
	// snapshot does.
	Stay bool

	// Sealed: headers carry proofs and are undecided until their parent was
	// connected. Blocks that differ in the nonce alone are variants.
	Sealed bool

	mu         sync.Mutex
	nodes      map[chainhash.Hash]*blockNode
	best       *blockNode
	bestHeader *blockNode
	broken     error // returned by AcceptBlock instead of judging
	accepted   map[chainhash.Hash]int
	tooOld     int32 // see TooOld
	restarts   bool  // some block is a restart
	hints      hintBook
	ahead      aheadBook
	early      int // bodies that came before that of their parent, on a sealed chain
}

// NewChain returns a chain that holds the genesis block only.
func NewChain(genesis *wire.MsgBlock) *Chain {
	b := consensus.NewBlock(genesis)
	n := &blockNode{
		info: p2p.BlockInfo{Hash: b.Hash, Prev: b.Header.PrevBlock, Time: b.Header.Timestamp,
			Work: big.NewInt(1), HaveData: true},
		header:    b.Header,
		block:     b,
		complete:  true,
		connected: true,
	}
	return &Chain{
		nodes:      map[chainhash.Hash]*blockNode{b.Hash: n},
		best:       n,
		bestHeader: n,
		accepted:   make(map[chainhash.Hash]int),
		hints:      newHintBook(),
	}
}

// Mine makes count blocks with the given version on top of the best one,
// which no two chains with different tags make alike, and accepts them.
func (c *Chain) Mine(count int, tag string, version int32) []*consensus.Block {
	var out []*consensus.Block
	for range count {
		tip := c.Best()
		b := MakeBlock(tip, tag, version)
		out = append(out, b)
		if _, err := c.AcceptHeaders(context.Background(), []p2p.SealedHeader{c.Entry(b)}, [32]byte{}); err != nil {
			panic(err)
		}
		if err := c.AcceptBlock(context.Background(), b); err != nil {
			panic(err)
		}
	}
	return out
}

// MakeBlock builds a block on prev.
func MakeBlock(prev p2p.BlockInfo, tag string, version int32) *consensus.Block {
	script := append([]byte{4, byte(prev.Height), byte(prev.Height >> 8), byte(prev.Height >> 16), 0}, tag...)
	coinbase := wire.NewMsgTx(2)
	coinbase.AddTxIn(wire.NewTxIn(wire.NewOutPoint(&chainhash.Hash{}, 0xffffffff), script, nil))
	coinbase.AddTxOut(wire.NewTxOut(50, []byte{0x51}))
	msg := wire.NewMsgBlock(wire.NewBlockHeader(version, &prev.Hash, &chainhash.Hash{}, 0x207fffff, 0))
	msg.Header.MerkleRoot = coinbase.TxHash()
	msg.Header.Timestamp = prev.Time.Add(time.Second)
	if err := msg.AddTransaction(coinbase); err != nil {
		panic(err)
	}
	return consensus.NewBlock(msg)
}

// Force adds blocks whatever rule they break, and makes the last one the
// best: how a node without rules would see them.
func (c *Chain) Force(blocks ...*consensus.Block) {
	c.mu.Lock()
	for _, b := range blocks {
		n := c.addLocked(&b.Header, c.nodes[b.Header.PrevBlock])
		n.block, n.info.HaveData, n.info.Undecided = b, true, false
		n.proof, n.connected = proofOf(b), true
		n.linkLocked()
		c.best = n
	}
	c.mu.Unlock()
	c.tipChanged()
}

// Break lets AcceptBlock return err without judging; nil ends that.
func (c *Chain) Break(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.broken = err
}

// Lose forgets the body of a block, as when a record turns out damaged.
func (c *Chain) Lose(hash chainhash.Hash) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.nodes[hash]
	n.block, n.info.HaveData = nil, false
}

// Accepted returns how often a block was handed to AcceptBlock.
func (c *Chain) Accepted(hash chainhash.Hash) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.accepted[hash]
}

func (c *Chain) tipChanged() {
	if c.OnTip != nil {
		c.OnTip()
	}
}

// Best implements p2p.Chain, as do the methods below.
func (c *Chain) Best() p2p.BlockInfo {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.best.info
}

func (c *Chain) BestHeader() p2p.BlockInfo {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.bestHeader.info
}

func (c *Chain) Lookup(hash chainhash.Hash) (p2p.BlockInfo, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := c.nodes[hash]; n != nil {
		return n.info, true
	}
	return p2p.BlockInfo{}, false
}

func (c *Chain) Ancestor(hash chainhash.Hash, height int32) (p2p.BlockInfo, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.nodes[hash]
	if n == nil || height < 0 || height > n.info.Height {
		return p2p.BlockInfo{}, false
	}
	return n.at(height).info, true
}

func (n *blockNode) at(height int32) *blockNode {
	for n.info.Height > height {
		n = n.parent
	}
	return n
}

func (c *Chain) Locator(from chainhash.Hash) []chainhash.Hash {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.nodes[from]
	if n == nil {
		n = c.best
	}
	var out []chainhash.Hash
	for step, height := int32(1), n.info.Height; height > 0; height -= step {
		n = n.at(height)
		out = append(out, n.info.Hash)
		if len(out) > 10 {
			step *= 2
		}
	}
	return append(out, n.at(0).info.Hash)
}

func (c *Chain) HeadersAfter(locator []chainhash.Hash, stop chainhash.Hash, max int) []wire.BlockHeader {
	c.mu.Lock()
	defer c.mu.Unlock()
	height := int32(0)
	for _, h := range locator {
		if n := c.nodes[h]; n != nil && c.onBestLocked(n) {
			height = n.info.Height
			break
		}
	}
	var out []wire.BlockHeader
	end := min(c.best.info.Height, height+int32(max))
	for n := c.best.at(end); n.info.Height > height; n = n.parent {
		out = append(out, n.header)
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	for i := range out {
		if out[i].BlockHash() == stop {
			return out[:i+1]
		}
	}
	return out
}

func (c *Chain) onBestLocked(n *blockNode) bool {
	return n.info.Height <= c.best.info.Height && c.best.at(n.info.Height) == n
}

func (c *Chain) AcceptHeaders(_ context.Context, hs []p2p.SealedHeader, source [32]byte) (p2p.BlockInfo, error) {
	if c.OnJudged != nil {
		defer c.OnJudged()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var last p2p.BlockInfo
	held := c.heldLocked(source)
	for i := range hs {
		if err := c.checkSealLocked(hs, i, &held); err != nil {
			return last, err
		}
		n, err := c.acceptHeaderLocked(&hs[i].Header)
		if err != nil {
			return last, err
		}
		if n.info.Undecided {
			n.sources[source] = true
		}
		n.proof = hs[i].Proof
		last = n.info
	}
	return last, nil
}

func (c *Chain) acceptHeaderLocked(h *wire.BlockHeader) (*blockNode, error) {
	hash := h.BlockHash()
	if n := c.nodes[hash]; n != nil {
		if n.info.Invalid {
			return nil, &consensus.RuleError{Rule: "duplicate-invalid"}
		}
		return n, nil
	}
	parent := c.nodes[h.PrevBlock]
	switch {
	case parent == nil:
		return nil, errors.New("unknown parent")
	case parent.info.Invalid:
		return nil, &consensus.RuleError{Rule: ruleBadParent}
	case h.Version == BadSealerVersion && c.Sealed && parent.connected:
		return nil, &consensus.RuleError{Rule: RuleBadSealer}
	case h.Version == BadHeaderVersion:
		return nil, &consensus.RuleError{Rule: RuleBadHeader}
	case h.Timestamp.After(time.Now().Add(24 * time.Hour)):
		return nil, fmt.Errorf("header: %w", consensus.ErrNotYet)
	}
	return c.addLocked(h, parent), nil
}

func (c *Chain) addLocked(h *wire.BlockHeader, parent *blockNode) *blockNode {
	n := &blockNode{
		info: p2p.BlockInfo{Hash: h.BlockHash(), Prev: h.PrevBlock, Height: parent.info.Height + 1,
			Time: h.Timestamp, Work: new(big.Int).Add(parent.info.Work, big.NewInt(1)),
			Restart: c.Sealed && h.Version == RestartVersion},
		header: *h,
		parent: parent,
	}
	c.restarts = c.restarts || n.info.Restart
	if n.info.Undecided = c.Sealed && !parent.connected; n.info.Undecided {
		n.sources = make(map[[32]byte]bool)
	}
	c.nodes[n.info.Hash] = n
	parent.children = append(parent.children, n)
	if !n.info.Undecided && n.info.Work.Cmp(c.bestHeader.info.Work) > 0 {
		c.bestHeader = n
	}
	return n
}

func (c *Chain) AcceptBlock(ctx context.Context, b *consensus.Block) error {
	if c.Delay > 0 {
		select {
		case <-time.After(c.Delay):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	moved, err := c.acceptBlock(b)
	if moved {
		c.tipChanged()
	}
	return err
}

func (c *Chain) acceptBlock(b *consensus.Block) (moved bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.accepted[b.Hash]++
	c.ahead.taken(b.Hash)
	if c.broken != nil {
		return false, c.broken
	}
	n, err := c.acceptHeaderLocked(&b.Header)
	if err != nil {
		return false, err
	}
	if len(b.Txs) == 0 || b.Txs[0].TxID != b.Header.MerkleRoot {
		return false, &consensus.RuleError{Rule: consensus.RuleMerkleRoot, Mutated: true}
	}
	if n.info.HaveData {
		return false, nil
	}
	if c.Sealed && !n.parent.info.HaveData {
		c.early++
	}
	n.block, n.info.HaveData = b, true
	n.linkLocked()
	moved = c.activateLocked()
	if n.info.Invalid {
		return moved, &consensus.RuleError{Rule: RuleBadBlock}
	}
	if c.tooOld > 0 && n.info.Height >= c.tooOld {
		return moved, p2p.ErrTooOld
	}
	return moved, nil
}

// activateLocked connects the branch with the most work of which all bodies
// are here.
func (c *Chain) activateLocked() (moved bool) {
	for !c.Stay {
		target := c.best
		for _, n := range c.nodes {
			if c.tooOld > 0 && n.info.Height >= c.tooOld {
				continue
			}
			if n.complete && !n.info.Invalid && c.better(n, target) {
				target = n
			}
		}
		if target == c.best {
			return moved
		}
		// The lowest block that breaks a rule decides.
		var bad *blockNode
		for n := target; n.parent != nil && !c.onBestLocked(n); n = n.parent {
			if n.header.Version == BadBlockVersion {
				bad = n
			}
		}
		if bad == nil {
			c.connectLocked(target)
			c.best, moved = target, true
			continue
		}
		c.invalidateLocked(bad)
	}
	return false
}

// linkLocked marks a block, and the descendants that waited for it, as
// complete.
func (n *blockNode) linkLocked() {
	for todo := []*blockNode{n}; len(todo) > 0; todo = todo[1:] {
		if at := todo[0]; at.info.HaveData && at.parent.complete {
			at.complete = true
			todo = append(todo, at.children...)
		}
	}
}

func (c *Chain) invalidateLocked(bad *blockNode) {
	for _, n := range c.nodes {
		if n.info.Height >= bad.info.Height && n.at(bad.info.Height) == bad {
			n.info.Invalid = true
		}
	}
	c.bestHeader = c.best
	for _, n := range c.nodes {
		if !n.info.Invalid && !n.info.Undecided && n.info.Work.Cmp(c.bestHeader.info.Work) > 0 {
			c.bestHeader = n
		}
	}
}

func (c *Chain) ReadRawBlock(hash chainhash.Hash) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.nodes[hash]
	if n == nil || n.block == nil {
		return nil, errors.New("block not available")
	}
	var raw bytes.Buffer
	if err := n.block.Msg().Serialize(&raw); err != nil {
		return nil, err
	}
	return raw.Bytes(), nil
}
