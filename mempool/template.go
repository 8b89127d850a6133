package mempool

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/permission"
	"github.com/charterchain/charter/chain/permission/seal"
)

// TemplateOptions says what a block template is for.
type TemplateOptions struct {
	// CoinbaseScript is the output script that takes subsidy and fees.
	CoinbaseScript []byte

	// Text is put into the coinbase's input script; 80 bytes at most.
	Text []byte

	// Fixed, when not nil, are the transactions that the block shall hold,
	// parents first, whatever the pool holds. Their fees are left unclaimed.
	Fixed []*consensus.Tx

	// MaxWeight is the most that the block may weigh. 0: what the chain allows.
	MaxWeight int64

	// Restart, when not nil, makes the block one that restarts the chain: its
	// coinbase carries this certificate, and it holds nothing else.
	Restart *seal.Certificate
}

// Template is a block that lacks nothing but its proof of work and, where
// mining is restricted, its seal. It is immutable and safe for concurrent use, apart from Block, which belongs to
// the caller.
type Template struct {
	// Block has the coinbase for extra nonce 0, its merkle root, and time and
	// bits of the moment. Its transactions are shared: do not change them.
	Block *wire.MsgBlock

	Prev         chain.BlockInfo
	Height       int32
	MinTime      uint32                   // least header time
	MedianTime   int64                    // of Prev
	BitsAt       func(time uint32) uint32 // the bits that a header time demands
	Generation   uint64                   // of the pool: while it lasts, a new template would be equal
	ExtraNonceAt int                      // offset of the 8 bytes of extra nonce in the coinbase's input script

	// Of the transactions after the coinbase, in block order:
	Txs        []*consensus.Tx
	Fees       []int64 // smallest units; all 0 when the transactions were fixed
	SigOpCosts []int64
	Depends    [][]int // places in Txs, from 0, of those whose outputs each spends

	Subsidy       int64
	CoinbaseValue int64  // subsidy and fees
	Weight        int64  // of the whole block
	SigOpCost     int64  // of Txs
	Commitment    []byte // script of the witness commitment output; nil before BIP141

	// Permissions judge the block; nil on chains without. Sealed: the coinbase
	// has an output for the seal, which Seal fills in; without it the block is
	// not valid. Unclaimed: the coinbase takes nothing, since CoinbaseScript
	// may not receive.
	Permissions *permission.State
	Sealed      bool
	Unclaimed   bool

	branch  []chainhash.Hash // merkle branch of the coinbase
	genesis chainhash.Hash
}

const (
	blockVersion   = 0x20000000 // BIP9: no deployment is signalled
	extraNonceSize = 8
	maxText        = 80

	// What templates leave free for header, count and coinbase, at least.
	reservedWeight = 8_000
	reservedSigOps = 400
)

// errTemplate: options that no block can satisfy.
var errTemplate = errors.New("block template")

// Template makes a block on top of the best one, of the transactions that
// pay most per virtual byte counted with what they depend on. It waits until
// the pool has heard of the best block. While neither pool nor chain change,
// the choice is made once.
func (p *Pool) Template(ctx context.Context, opts TemplateOptions) (*Template, error) {
	if len(opts.Text) > maxText {
		return nil, fmt.Errorf("%w: coinbase text of %d bytes, at most %d", errTemplate, len(opts.Text), maxText)
	}
	if opts.Restart != nil {
		opts.Fixed = []*consensus.Tx{}
	}
	reserve := max(reservedWeight, consensus.WitnessScale*(wire.MaxBlockHeaderPayload+wire.MaxVarIntPayload)+p.coinbase(p.mostExpensive(opts)).Weight+reservedWeight/10)
	limit := p.params.Limits.BlockWeight
	if opts.MaxWeight > 0 {
		limit = min(limit, opts.MaxWeight)
	}
	left := room{
		weight: limit - reserve,
		sigOps: p.params.Limits.BlockSigOpCost - reservedSigOps,
		txs:    p.params.Limits.BlockTxs - 1,
	}
	next, err := p.lockCaughtUp(ctx, false)
	if err != nil {
		return nil, err
	}
	generation := p.generation.Load()
	if opts.Fixed != nil {
		p.mu.RUnlock()
		return p.assemble(next, opts, fixedChoice(opts.Fixed, generation))
	}
	chosen, cluttered := p.made.choice(generation, left.weight), false
	if chosen == nil {
		p.choosing.Lock()
		chosen = choose(&p.best, p.speakingLocked(), left, draftOf(next))
		p.choosing.Unlock()
		chosen.generation = generation
		cluttered = p.best.cluttered()
	}
	p.mu.RUnlock()
	p.made.keep(chosen.finish(), left.weight)
	if cluttered {
		p.wakeRun()
	}
	t, err := p.assemble(next, opts, chosen)
	if err == nil {
		p.made.note(t)
	}
	return t, err
}

// draftOf begins the block to come for those who govern; nil on chains
// without permissions.
func draftOf(next chain.NextBlock) *permission.Draft {
	if next.Permissions == nil {
		return nil
	}
	return next.Permissions.Draft(next.Height)
}

// lastTemplate is what is known of the last template of the pool's
// transactions. Its lock is a leaf.
type lastTemplate struct {
	mu     sync.Mutex
	chosen *choice // nil: none yet
	room   int64   // weight that there was for it

	weight int64 // see Info
	txs    int
}

// choice returns the last choice, if it is that of a generation and a room.
func (l *lastTemplate) choice(generation uint64, room int64) *choice {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.chosen == nil || l.chosen.generation != generation || l.room != room {
		return nil
	}
	return l.chosen
}

func (l *lastTemplate) keep(c *choice, room int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.chosen, l.room = c, room
}

func (l *lastTemplate) note(t *Template) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.weight, l.txs = t.Weight, len(t.Txs)
}

func (l *lastTemplate) size() (weight int64, txs int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.weight, l.txs
}

// choice is a list of transactions for a block.
type choice struct {
	generation uint64
	txs        []*consensus.Tx
	fees       []int64
	sigOps     []int64
	depends    [][]int

	totalFees, weight, totalSigOps int64

	branch     []chainhash.Hash
	commitment *wire.TxOut
}

// witnessReserved is the reserved value of BIP141, which has no meaning yet.
func witnessReserved() (reserved [32]byte) { return reserved }

// add puts an entry at the end.
func (c *choice) add(e *entry, depends []int) {
	c.txs = append(c.txs, e.tx)
	c.fees = append(c.fees, e.fee)
	c.sigOps = append(c.sigOps, e.sigOps)
	c.depends = append(c.depends, depends)
}

// finish computes what follows from the list, the first time.
func (c *choice) finish() *choice {
	if c.commitment != nil {
		return c
	}
	var branch sync.WaitGroup // beside the tree of witness ids, which takes as long
	branch.Go(func() {
		ids := make([]chainhash.Hash, 1+len(c.txs)) // that of the coinbase is not part of the branch
		for i, tx := range c.txs {
			ids[i+1] = tx.TxID
		}
		c.branch = consensus.FirstBranch(ids)
	})
	for i, tx := range c.txs {
		c.totalFees += c.fees[i]
		c.totalSigOps += c.sigOps[i]
		c.weight += tx.Weight
	}
	all := append(make([]*consensus.Tx, 1, 1+len(c.txs)), c.txs...)
	c.commitment = consensus.WitnessCommitmentOutput(all, witnessReserved())
	branch.Wait()
	return c
}

func fixedChoice(txs []*consensus.Tx, generation uint64) *choice {
	c := &choice{generation: generation, txs: txs, fees: make([]int64, len(txs)), sigOps: make([]int64, len(txs)), depends: dependencies(txs)}
	return c.finish()
}

// dependencies lists, for each transaction, the places of those before it
// whose outputs it spends, each once and in rising order.
func dependencies(txs []*consensus.Tx) [][]int {
	place := make(map[chainhash.Hash]int, len(txs))
	depends := make([][]int, len(txs))
	for i, tx := range txs {
		for _, in := range tx.Msg.TxIn {
			if at, ok := place[in.PreviousOutPoint.Hash]; ok {
				depends[i] = insertOnce(depends[i], at)
			}
		}
		place[tx.TxID] = i
	}
	return depends
}

func insertOnce(list []int, n int) []int {
	at := 0
	for at < len(list) && list[at] < n {
		at++
	}
	if at < len(list) && list[at] == n {
		return list
	}
	list = append(list, 0)
	copy(list[at+1:], list[at:])
	list[at] = n
	return list
}

func hashPair(a, b chainhash.Hash) chainhash.Hash {
	var both [2 * chainhash.HashSize]byte
	copy(both[:], a[:])
	copy(both[chainhash.HashSize:], b[:])
	return chainhash.DoubleHashH(both[:])
}

// assemble makes the template of a choice.
func (p *Pool) assemble(next chain.NextBlock, opts TemplateOptions, c *choice) (*Template, error) {
	parts, err := p.coinbaseParts(next, opts)
	if err != nil {
		return nil, err
	}
	minTime := next.MinTime
	if opts.Restart != nil {
		minTime = max(minTime, uint32(next.Prev.Header.Timestamp.Add(p.params.Permissions.RestartDelay).Unix()))
	}
	t := &Template{
		Prev: next.Prev, Height: next.Height, MinTime: minTime, MedianTime: next.MedianTime,
		BitsAt: next.Bits, Generation: c.generation,
		Txs: c.txs, Fees: c.fees, SigOpCosts: c.sigOps, Depends: c.depends,
		Subsidy: next.Subsidy, CoinbaseValue: next.Subsidy + c.totalFees,
		SigOpCost: c.totalSigOps, branch: c.branch,
		Permissions: parts.state, Sealed: parts.seal, Unclaimed: !parts.pays, genesis: p.params.GenesisHash,
	}
	if params.Active(p.params.Deployments.Segwit, next.Height) {
		parts.commitment = c.commitment
		t.Commitment = c.commitment.PkScript
	}
	parts.value = t.CoinbaseValue
	coinbase := p.coinbase(parts)
	if n := coinbase.Msg.SerializeSizeStripped(); t.Sealed && n > seal.MaxCoinbaseSize {
		return nil, fmt.Errorf("%w: coinbase of %d bytes without witness, at most %d where blocks carry seals: shorten payout script or text", errTemplate, n, seal.MaxCoinbaseSize)
	}
	t.ExtraNonceAt = len(consensus.CoinbaseHeightScript(next.Height)) + 1
	stamp := max(uint32(max(p.now().Unix(), 0)), minTime)
	t.Block = &wire.MsgBlock{
		Header: wire.BlockHeader{
			Version: blockVersion, PrevBlock: next.Prev.Hash,
			MerkleRoot: climb(coinbase.TxID, t.branch),
			Timestamp:  unixTime(stamp), Bits: next.Bits(stamp),
		},
		Transactions: make([]*wire.MsgTx, 0, 1+len(c.txs)),
	}
	t.Block.Transactions = append(t.Block.Transactions, coinbase.Msg)
	for _, tx := range c.txs {
		t.Block.Transactions = append(t.Block.Transactions, tx.Msg)
	}
	count := wire.VarIntSerializeSize(uint64(1 + len(c.txs)))
	t.Weight = int64(wire.MaxBlockHeaderPayload+count)*consensus.WitnessScale + coinbase.Weight + c.weight
	return t, nil
}
