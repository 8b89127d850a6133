package mempool

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/params"
)

func TestConnect(t *testing.T) {
	w := newWorld(t)
	coin := w.coin(1e8)
	a := spend(1000, 2, coin)
	b := spend(1000, 2, outputOf(a, 0))
	c := spend(1000, 1, w.coin(1e8))
	d := spend(1000, 1, outputOf(c, 0))
	w.accept(a, b, c, d)
	w.log = nil
	rival := spend(5000, 1, output{c.Msg.TxIn[0].PreviousOutPoint, 1e8})
	w.chain.mine(a, rival)
	w.expectPool(b)
	w.expectEvents(
		TxEvent{Kind: Removed, Tx: a, Reason: ReasonBlock},
		TxEvent{Kind: Removed, Tx: d, Reason: ReasonConflict},
		TxEvent{Kind: Removed, Tx: c, Reason: ReasonConflict},
	)
	if e, _ := w.pool.Entry(b.TxID); e.AncestorCount != 1 || len(e.Depends) != 0 {
		t.Errorf("a transaction whose parent was confirmed: %+v", e)
	}
}

// A block may confirm a transaction with another witness than the pool's.
func TestConnectOtherWitness(t *testing.T) {
	w := newWorld(t, nonStandard)
	tx := spend(1000, 1, w.coin(1e8))
	w.accept(tx)
	w.chain.mine(withWitness(tx.Msg.Copy(), nil, []byte{0x51}))
	w.expectPool()
}

func TestReorganisation(t *testing.T) {
	w := newWorld(t)
	a := spend(1000, 2, w.coin(1e8))
	b := spend(1000, 2, outputOf(a, 0))
	w.chain.mine(a)
	w.chain.mine(b)
	child := spend(1000, 1, outputOf(b, 0))
	other := spend(1000, 1, outputOf(a, 1))
	third := spend(1000, 1, w.coin(1e8))
	w.accept(child, other, third)
	w.log = nil
	entry, _ := w.pool.Entry(child.TxID)

	w.chain.disconnect()
	w.chain.disconnect()
	w.expectPool(third)
	w.expectEvents() // nothing is final yet
	w.chain.connect(w.chain.make(spend(1000, 1, w.coin(1e8)), a))
	w.chain.settle()
	w.expectPool(b, child, third, other)
	w.expectEvents(TxEvent{Kind: Added, Tx: b, Returned: true})
	after, _ := w.pool.Entry(child.TxID)
	if !after.Time.Equal(entry.Time) || after.Height != entry.Height || after.AncestorCount != 2 {
		t.Errorf("the child came back as %+v", after)
	}
}

// What returns, returns in the order in which it depends on each other,
// however it was set aside.
func TestReorganisationOrder(t *testing.T) {
	w := newWorld(t)
	a := spend(1000, 2, w.coin(1e8))
	b := spend(1000, 2, outputOf(a, 0))
	w.chain.mine(a)
	w.chain.mine(b)
	below := spend(1000, 1, outputOf(a, 1))                     // set aside with a's block
	above := spend(1000, 1, outputOf(b, 1), outputOf(below, 0)) // with b's block, before
	w.accept(below, above)
	w.log = nil
	w.chain.disconnect()
	w.chain.disconnect()
	w.chain.settle()
	w.expectPool(a, b, below, above)
	w.expectEvents(TxEvent{Kind: Added, Tx: a, Returned: true}, TxEvent{Kind: Added, Tx: b, Returned: true})
}

// The new branch spends what a returning transaction spends.
func TestReorganisationConflict(t *testing.T) {
	w := newWorld(t)
	coin := w.coin(1e8)
	a := spend(1000, 1, coin)
	w.chain.mine(a)
	child := spend(1000, 1, outputOf(a, 0))
	w.accept(child)
	w.log = nil
	w.chain.disconnect()
	w.chain.connect(w.chain.make(spend(2000, 1, coin)))
	w.chain.settle()
	w.expectPool()
	w.expectEvents(TxEvent{Kind: Removed, Tx: child, Reason: ReasonReorg})
}

// The new branch confirms what the pool set aside.
func TestReorganisationConfirms(t *testing.T) {
	w := newWorld(t)
	a := spend(1000, 1, w.coin(1e8))
	w.chain.mine(a)
	child := spend(1000, 1, outputOf(a, 0))
	w.accept(child)
	w.log = nil
	w.chain.disconnect()
	w.chain.connect(w.chain.make(a, child))
	w.chain.settle()
	w.expectPool()
	w.expectEvents(TxEvent{Kind: Removed, Tx: child, Reason: ReasonBlock})
}

// A reorganisation takes the coinbase away that a transaction spends.
func TestReorganisationCoinbase(t *testing.T) {
	w := newWorld(t)
	b := w.chain.mine()
	spends := spend(1000, 1, outputOf(b.Txs[0], 0))
	child := spend(1000, 1, outputOf(spends, 0))
	w.accept(spends, child)
	w.log = nil
	w.chain.disconnect()
	w.chain.connect(w.chain.make())
	w.chain.settle()
	w.expectPool()
	w.expectEvents(
		TxEvent{Kind: Removed, Tx: child, Reason: ReasonReorg},
		TxEvent{Kind: Removed, Tx: spends, Reason: ReasonReorg},
	)
}

// A shorter branch makes a coinbase immature and a locktime not final.
func TestReorganisationUnfit(t *testing.T) {
	w := newWorld(t, func(p *params.Params, _ *Config) { p.Subsidy.Maturity = 2 })
	b := w.chain.mine()
	w.chain.mine()
	w.chain.mine()
	immature := spend(1000, 1, outputOf(b.Txs[0], 0))
	child := spend(1000, 1, outputOf(immature, 0))
	locked := withLockTime(spendMsg(1000, 1, w.coin(1e8)), 3)
	relative := withSequence(spendMsg(1000, 1, w.coin(1e8)), 3)
	fine := withLockTime(spendMsg(1000, 1, w.coin(1e8)), 1)
	w.accept(immature, child, locked, relative, fine)
	w.chain.disconnect()
	w.chain.settle()
	w.expectPool(immature, child, relative, fine)
	w.chain.disconnect()
	w.chain.settle()
	w.expectPool(fine)
}

// A branch with more script rules throws out what was checked under fewer.
func TestReorganisationFlags(t *testing.T) {
	w := newWorld(t, func(p *params.Params, _ *Config) { p.Deployments.Taproot = 3 })
	tx := spend(1000, 1, w.coin(1e8))
	w.chain.mine(tx) // height 1, without taproot
	w.chain.disconnect()
	w.chain.settle()
	fresh := spend(1000, 1, w.coin(1e8))
	w.accept(fresh)
	w.expectPool(tx, fresh)
	w.log = nil
	w.chain.mine()
	w.expectPool(tx, fresh)
	w.chain.mine() // the next block, at height 3, has taproot
	w.expectPool(fresh)
	w.expectEvents(TxEvent{Kind: Removed, Tx: tx, Reason: ReasonFlags})
}

// What is set aside stays within the pool's budget: of the blocks, the
// highest give way.
func TestReorganisationBudget(t *testing.T) {
	low := spend(1000, 1, output{amount: 1e8})
	budget := usageOf(low) + usageOf(low)/2
	w := newWorld(t, func(p *params.Params, _ *Config) { p.Policy.MempoolBytes = budget })
	low = spend(1000, 1, w.coin(1e8))
	w.chain.mine(low)
	w.chain.mine(spend(1000, 1, outputOf(low, 0)))
	w.chain.disconnect()
	w.chain.disconnect()
	w.chain.settle()
	w.expectPool(low)
}

// Returning transactions are asked for no fee, but for the rest of the form.
func TestReorganisationPolicy(t *testing.T) {
	w := newWorld(t)
	free := spend(0, 1, w.coin(1e8))
	odd := spendMsg(1000, 1, w.coin(1e8))
	odd.Version = 7
	w.chain.mine(free, consensus.NewTx(odd))
	w.chain.disconnect()
	w.chain.settle()
	w.expectPool(free)
}

// Whatever happens in whatever order, the pool stays one that could be mined
// as it stands.
func TestRandomHistory(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := newWorld(t, func(p *params.Params, _ *Config) {
				p.Subsidy.Maturity = 3
				p.Policy.MempoolBytes = 60_000
			})
			h := &history{world: w, rng: rand.New(rand.NewPCG(seed, 1))}
			for range 400 {
				h.step()
				w.checkPool()
			}
			if h.accepted < 50 || h.reorgs < 5 {
				t.Errorf("only %d transactions and %d reorganisations: the test tests little", h.accepted, h.reorgs)
			}
		})
	}
}

// history does random things to a world.
type history struct {
	*world
	rng              *rand.Rand
	outs             []output // known ones, spent or not
	accepted, reorgs int
}

func (h *history) step() {
	switch n := h.rng.IntN(20); {
	case n < 15:
		h.transaction()
	case n < 18:
		h.chain.mine(h.someOfPool()...)
		h.outs = append(h.outs, outputOf(h.chain.top().Txs[0], 0))
	default:
		h.reorganise()
	}
	// The pool at rest can be mined as a whole.
	if h.rng.IntN(10) == 0 {
		h.chain.mine(h.poolTxs()...)
	}
}

func (h *history) transaction() {
	ins := []output{h.coin(1e8)}
	for range h.rng.IntN(3) {
		if len(h.outs) > 0 {
			ins = append(ins, h.outs[h.rng.IntN(len(h.outs))])
		}
	}
	tx := spend(200+int64(h.rng.IntN(5000)), 1+h.rng.IntN(3), ins...)
	if h.pool.Accept(context.Background(), tx) == nil {
		h.accepted++
	}
	for n := range tx.Msg.TxOut {
		h.outs = append(h.outs, outputOf(tx, n))
	}
	if len(h.outs) > 60 {
		h.outs = h.outs[len(h.outs)-60:]
	}
}

func (h *history) poolTxs() (txs []*consensus.Tx) {
	for _, e := range h.pool.Entries() {
		txs = append(txs, e.Tx)
	}
	return txs
}

// someOfPool picks transactions with everything they depend on.
func (h *history) someOfPool() (txs []*consensus.Tx) {
	picked := make(map[string]bool)
	for _, e := range h.pool.Entries() {
		ok := h.rng.IntN(3) > 0
		for _, parent := range e.Depends {
			ok = ok && picked[parent.String()]
		}
		if ok {
			picked[e.Tx.TxID.String()] = true
			txs = append(txs, e.Tx)
		}
	}
	return txs
}

// reorganise replaces up to four blocks by others, which hold some of the
// same transactions.
func (h *history) reorganise() {
	depth := min(h.rng.IntN(4)+1, len(h.chain.blocks)-1)
	if depth == 0 {
		return
	}
	h.reorgs++
	var old []*consensus.Block
	for range depth {
		old = append([]*consensus.Block{h.chain.disconnect()}, old...)
	}
	for _, b := range old {
		h.chain.connect(h.chain.make(h.stillValid(b)...))
	}
	if h.rng.IntN(2) == 0 {
		h.chain.connect(h.chain.make())
	}
	h.chain.settle()
}

func (h *history) stillValid(b *consensus.Block) (txs []*consensus.Tx) {
	made := make(map[string]bool)
	for _, tx := range b.Txs[1:] {
		ok := h.rng.IntN(2) == 0
		for _, in := range tx.Msg.TxIn {
			_, have := h.chain.coins[in.PreviousOutPoint]
			ok = ok && (have || made[in.PreviousOutPoint.Hash.String()])
		}
		if ok {
			made[tx.TxID.String()] = true
			txs = append(txs, tx)
		}
	}
	return txs
}

// What returns from a block shares no memory with it: it would keep the whole
// block.
func TestReturnedKeepsNoBlock(t *testing.T) {
	w := newWorld(t)
	tx := spend(1000, 1, w.coin(1e8))
	w.chain.mine(tx)
	b := w.chain.disconnect()
	w.chain.settle()
	w.expectPool(tx)
	got := w.pool.Get(tx.TxID)
	if got == nil || got.WTxID != tx.WTxID || got.Weight != tx.Weight {
		t.Fatalf("%+v returned, want a copy of %v", got, tx.TxID)
	}
	if from := b.Txs[1]; got == from || got.Msg == from.Msg || &got.Msg.TxOut[0].PkScript[0] == &from.Msg.TxOut[0].PkScript[0] {
		t.Error("it shares memory with the block")
	}
}
