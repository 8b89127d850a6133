package mempool

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/mempool/policy"
)

// TestAccept breaks one thing at a time, just outside its limit, and accepts
// the same transaction just inside.
func TestAccept(t *testing.T) {
	maturity := func(p *params.Params, _ *Config) { p.Subsidy.Maturity = 100 }
	noSegwit := func(p *params.Params, _ *Config) { p.Deployments.Segwit = 3 }
	tests := []struct {
		name string
		set  setUp
		bad  func(w *world) *consensus.Tx
		want error
		good func(w *world) *consensus.Tx // nil: the plain spend
	}{
		{
			name: "breaks a rule by itself",
			bad:  func(w *world) *consensus.Tx { return spend(-1, 2, output{w.coin(1e8).OutPoint, 21e14}) },
			want: consensus.RuleTxOutputsTooLarge,
			good: func(w *world) *consensus.Tx { return spend(1000, 2, w.coin(1e8)) },
		}, {
			name: "coinbase",
			bad:  func(w *world) *consensus.Tx { return w.chain.make().Txs[0] },
			want: RuleCoinbase,
		}, {
			name: "outputs hold more than inputs",
			bad:  func(w *world) *consensus.Tx { return spend(-1, 1, w.coin(1e8)) },
			want: consensus.RuleTxInputsBelowOut,
			good: func(w *world) *consensus.Tx { return spend(110, 1, w.coin(1e8)) },
		}, {
			name: "fee below the relay rate",
			bad:  func(w *world) *consensus.Tx { return spend(policy.FeeRate(1000).Fee(vsizeOf(1, 1))-1, 1, w.coin(1e8)) },
			want: policy.CodeMinRelay,
			good: func(w *world) *consensus.Tx { return spend(policy.FeeRate(1000).Fee(vsizeOf(1, 1)), 1, w.coin(1e8)) },
		}, {
			name: "script fails",
			bad: func(w *world) *consensus.Tx {
				return withWitness(spendMsg(1000, 1, w.coin(1e8)), []byte{txscript.OP_FALSE})
			},
			want: consensus.RuleTxScript,
		}, {
			name: "script fails by policy only",
			bad: func(w *world) *consensus.Tx {
				in := w.coinWith(consensus.Coin{Amount: 1e8, Script: p2wsh(txscript.OP_NOP10, txscript.OP_TRUE)})
				return withWitness(spendMsg(1000, 1, in), []byte{txscript.OP_NOP10, txscript.OP_TRUE})
			},
			want: policy.CodeScript,
			good: func(w *world) *consensus.Tx {
				in := w.coinWith(consensus.Coin{Amount: 1e8, Script: p2wsh(txscript.OP_NOP, txscript.OP_TRUE)})
				return withWitness(spendMsg(1000, 1, in), []byte{txscript.OP_NOP, txscript.OP_TRUE})
			},
		}, {
			name: "immature coinbase",
			set:  maturity,
			bad:  func(w *world) *consensus.Tx { return spend(1000, 1, w.coinbaseOfAge(99)) },
			want: policy.CodeImmature,
			good: func(w *world) *consensus.Tx { return spend(1000, 1, w.coinbaseOfAge(100)) },
		}, {
			name: "locktime by height",
			bad:  func(w *world) *consensus.Tx { return withLockTime(spendMsg(1000, 1, w.coin(1e8)), 1) },
			want: policy.CodeNotFinal,
			good: func(w *world) *consensus.Tx { return withLockTime(spendMsg(1000, 1, w.coin(1e8)), 0) },
		}, {
			name: "locktime by median time",
			bad: func(w *world) *consensus.Tx {
				return withLockTime(spendMsg(1000, 1, w.coin(1e8)), uint32(w.chain.Next().MedianTime))
			},
			want: policy.CodeNotFinal,
			good: func(w *world) *consensus.Tx {
				return withLockTime(spendMsg(1000, 1, w.coin(1e8)), uint32(w.chain.Next().MedianTime)-1)
			},
		}, {
			name: "relative locktime",
			bad:  func(w *world) *consensus.Tx { return withSequence(spendMsg(1000, 1, w.coin(1e8)), 2) },
			want: policy.CodeLocked,
			good: func(w *world) *consensus.Tx { return withSequence(spendMsg(1000, 1, w.coin(1e8)), 1) },
		}, {
			name: "witness before its time",
			set:  noSegwit,
			bad:  func(w *world) *consensus.Tx { return spend(1000, 1, w.coin(1e8)) },
			want: policy.CodeNoWitness,
			good: func(w *world) *consensus.Tx {
				w.chain.mine()
				w.chain.mine()
				return spend(1000, 1, w.coin(1e8))
			},
		}, {
			name: "form",
			bad: func(w *world) *consensus.Tx {
				msg := spendMsg(1000, 1, w.coin(1e8))
				msg.Version = 3
				return consensus.NewTx(msg)
			},
			want: policy.CodeVersion,
		}, {
			name: "form, where it is not asked for",
			set:  nonStandard,
			good: func(w *world) *consensus.Tx {
				msg := spendMsg(1000, 1, w.coin(1e8))
				msg.Version = 3
				return consensus.NewTx(msg)
			},
		}, {
			name: "coin of unknown form",
			bad: func(w *world) *consensus.Tx {
				return withWitness(spendMsg(1000, 1, w.coinWith(consensus.Coin{Amount: 1e8, Script: []byte{txscript.OP_TRUE}})))
			},
			want: policy.CodeInputs,
		}, {
			name: "too many signature operations",
			bad:  func(w *world) *consensus.Tx { return sigOps(w, policy.MaxSigOpCost/20+1) },
			want: policy.CodeSigOps,
			good: func(w *world) *consensus.Tx { return sigOps(w, policy.MaxSigOpCost/20) },
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			set := test.set
			if set == nil {
				set = func(*params.Params, *Config) {}
			}
			w := newWorld(t, set)
			if test.bad != nil {
				w.refuse(test.bad(w), test.want)
				w.expectPool()
			}
			good := test.good
			if good == nil {
				good = func(w *world) *consensus.Tx { return spend(1000, 1, w.coin(1e8)) }
			}
			tx := good(w)
			w.accept(tx)
			w.expectPool(tx)
		})
	}
}

func nonStandard(p *params.Params, _ *Config) { p.Policy.AcceptNonStd = true }

func vsizeOf(ins, outs int) int64 {
	return spend(0, outs, make([]output, ins)...).VSize()
}

func p2wsh(script ...byte) []byte {
	hash := sha256.Sum256(script)
	return append([]byte{txscript.OP_0, txscript.OP_DATA_32}, hash[:]...)
}

func withWitness(msg *wire.MsgTx, items ...[]byte) *consensus.Tx {
	for _, in := range msg.TxIn {
		in.Witness = items
	}
	return consensus.NewTx(msg)
}

func withLockTime(msg *wire.MsgTx, lock uint32) *consensus.Tx {
	msg.LockTime = lock
	msg.TxIn[0].Sequence--
	return consensus.NewTx(msg)
}

func withSequence(msg *wire.MsgTx, sequence uint32) *consensus.Tx {
	msg.TxIn[0].Sequence = sequence
	return consensus.NewTx(msg)
}

// coinbaseOfAge returns a coinbase output that a transaction in the next
// block spends at the given depth.
func (w *world) coinbaseOfAge(depth int32) output {
	return w.coinWith(consensus.Coin{
		Amount: 1e8, Script: chaintest.AnyoneCanSpend(), Coinbase: true, Height: w.chain.Next().Height - depth,
	})
}

// sigOps makes a transaction with n inputs, each of a witness script with one
// bare multisignature check (20 operations) that is not reached.
func sigOps(w *world, n int) *consensus.Tx {
	script := []byte{txscript.OP_0, txscript.OP_IF, txscript.OP_CHECKMULTISIG, txscript.OP_ENDIF, txscript.OP_TRUE}
	ins := make([]output, n)
	for i := range ins {
		ins[i] = w.coinWith(consensus.Coin{Amount: 1e8, Script: p2wsh(script...)})
	}
	return withWitness(spendMsg(1e6, 1, ins...), script)
}

// A transaction with many signature operations pays for more bytes than it
// has.
func TestSigOpsCountAsSize(t *testing.T) {
	w := newWorld(t)
	tx := sigOps(w, 10)
	w.accept(tx)
	e, _ := w.pool.Entry(tx.TxID)
	if want := int64(10 * 20 * policy.BytesPerSigOp / 4); e.VSize != want || e.VSize <= tx.VSize() {
		t.Errorf("VSize is %d, want %d, more than its bytes (%d)", e.VSize, want, tx.VSize())
	}
}

func TestKnownTransactions(t *testing.T) {
	w := newWorld(t)
	tx := spend(1000, 2, w.coin(1e8))
	w.accept(tx)
	w.refuse(tx, ErrInPool)
	w.refuse(withWitness(tx.Msg.Copy(), []byte{1}, []byte{txscript.OP_TRUE}), ErrSameTxID)
	w.chain.mine(tx)
	w.refuse(tx, ErrInChain)
	w.expectPool()
	w.chain.mine(spend(1000, 1, outputOf(tx, 0), outputOf(tx, 1)))
	err := w.pool.Accept(context.Background(), tx)
	if missing, ok := errors.AsType[*MissingInputsError](err); !ok || missing.OutPoints[0] != tx.Msg.TxIn[0].PreviousOutPoint {
		t.Errorf("a transaction whose outputs are all spent: %v, want missing inputs", err)
	}
}

func TestConflict(t *testing.T) {
	w := newWorld(t)
	coin := w.coin(1e8)
	tx := spend(1000, 2, coin)
	w.accept(tx)
	w.refuse(spend(100_000, 1, w.coin(1e8), coin), policy.CodeConflict)
	w.expectPool(tx)
}

func TestMissingInputs(t *testing.T) {
	w := newWorld(t)
	parent := spend(1000, 1, w.coin(1e8))
	lost := output{wire.OutPoint{Hash: chainhash.Hash{9}, Index: 1}, 1}
	child := spend(1000, 1, w.coin(1e8), outputOf(parent, 0), lost)
	err := w.pool.Accept(context.Background(), child)
	missing, ok := errors.AsType[*MissingInputsError](err)
	if !ok || len(missing.OutPoints) != 2 || len(missing.Parents()) != 2 || missing.Kept {
		t.Fatalf("Accept: %#v, want two missing inputs", err)
	}
	w.accept(parent)
	// An output that the parent does not have is missing, too.
	beyond := outputOf(parent, 0)
	beyond.Index = 1
	err = w.pool.Accept(context.Background(), spend(1000, 1, beyond))
	if missing, ok := errors.AsType[*MissingInputsError](err); !ok || missing.OutPoints[0] != beyond.OutPoint {
		t.Errorf("Accept: %v, want a missing input", err)
	}
}

func TestUndecided(t *testing.T) {
	w := newWorld(t)
	broken := errors.New("disk on fire")
	w.chain.failing = broken
	err := w.pool.Accept(context.Background(), spend(1000, 1, w.coin(1e8)))
	if !errors.Is(err, broken) || reasonOf(err) != "" {
		t.Errorf("Accept: %v, want the chain's error and no reason", err)
	}
}

func TestRelatives(t *testing.T) {
	t.Run("chain", func(t *testing.T) {
		w := newWorld(t)
		txs := []*consensus.Tx{spend(1000, 1, w.coin(1e8))}
		for range maxRelatives - 1 {
			txs = append(txs, spend(1000, 1, outputOf(txs[len(txs)-1], 0)))
		}
		w.accept(txs...)
		w.refuse(spend(1000, 1, outputOf(txs[len(txs)-1], 0)), policy.CodeLongWay)
		w.expectPool(txs...)
	})
	t.Run("descendants", func(t *testing.T) {
		w := newWorld(t)
		root := spend(10_000, maxRelatives, w.coin(1e8))
		txs := []*consensus.Tx{root}
		for i := range maxRelatives - 1 {
			txs = append(txs, spend(1000, 1, outputOf(root, i)))
		}
		w.accept(txs...)
		w.refuse(spend(1000, 1, outputOf(root, maxRelatives-1)), policy.CodeLongWay)
		w.expectPool(txs...)
	})
	t.Run("parents", func(t *testing.T) {
		w := newWorld(t)
		var outs []output
		for range maxRelatives {
			tx := spend(1000, 1, w.coin(1e8))
			w.accept(tx)
			outs = append(outs, outputOf(tx, 0))
		}
		w.refuse(spend(10_000, 1, outs...), policy.CodeLongWay)
		w.accept(spend(10_000, 1, outs[1:]...))
	})
	t.Run("size of ancestors", func(t *testing.T) {
		w := newWorld(t)
		a, b := spend(1e5, 1000, w.coin(1e9)), spend(1e5, 1000, w.coin(1e9))
		w.accept(a, b)
		room := maxRelativesVSize - a.VSize() - b.VSize()
		w.refuse(ofSize(t, room+1, outputOf(a, 0), outputOf(b, 0)), policy.CodeLongWay)
		w.accept(ofSize(t, room, outputOf(a, 0), outputOf(b, 0)))
	})
	t.Run("size of descendants", func(t *testing.T) {
		w := newWorld(t)
		root := spend(1e5, 1000, w.coin(1e9))
		child := spend(1e5, 1000, outputOf(root, 0))
		w.accept(root, child)
		room := maxRelativesVSize - root.VSize() - child.VSize()
		w.refuse(ofSize(t, room+1, outputOf(root, 1)), policy.CodeLongWay)
		w.accept(ofSize(t, room, outputOf(root, 1)))
	})
}

// ofSize makes a transaction of exactly vsize virtual bytes.
func ofSize(t *testing.T, vsize int64, ins ...output) *consensus.Tx {
	t.Helper()
	const perOut, least = 43, 12 // of an output, of one with data
	outs := int((vsize - vsizeOf(len(ins), 300) - least) / perOut)
	msg := spendMsg(1e5, 300+outs, ins...)
	pad := int(vsize-consensus.NewTx(msg).VSize()) - 9
	msg.AddTxOut(wire.NewTxOut(0, append([]byte{txscript.OP_RETURN, byte(pad - 2)}, make([]byte, pad-2)...)))
	tx := consensus.NewTx(msg)
	if tx.VSize() != vsize {
		t.Fatalf("the test's transaction has %d virtual bytes, not %d", tx.VSize(), vsize)
	}
	return tx
}

// What is judged while the chain moves on is judged again.
func TestChainMovesMeanwhile(t *testing.T) {
	// The block comes while the first or second coin is looked up, which
	// Accept does under the pool's lock (its events have to wait for that), or
	// while the scripts are checked.
	for _, at := range []string{"first coin", "second coin", "scripts"} {
		gate := &gateChecker{}
		w := newWorld(t, func(_ *params.Params, cfg *Config) { cfg.Checker = gate })
		first, second := w.coin(1e8), w.coin(1e8)
		tx, rival := spend(1000, 1, first, second), spend(2000, 1, first)
		var told sync.WaitGroup
		move := func() {
			var held []chain.Event
			w.chain.sink = func(ev chain.Event) { held = append(held, ev) }
			w.chain.mine(rival)
			told.Go(func() {
				for _, ev := range held {
					w.pool.HandleEvent(ev)
				}
			})
		}
		lookups := 0
		w.chain.looked = func() {
			if lookups++; lookups == 1 && at == "first coin" || lookups == 2 && at == "second coin" {
				move()
			}
		}
		gate.during = func() {
			gate.during = nil
			if at == "scripts" {
				move()
			}
		}
		err := w.pool.Accept(context.Background(), tx)
		told.Wait()
		missing, ok := errors.AsType[*MissingInputsError](err)
		if !ok || len(missing.OutPoints) != 1 || missing.OutPoints[0] != first.OutPoint {
			t.Errorf("%s: Accept: %v, want the first input missing", at, err)
		}
		w.expectPool()
		w.expectEvents()
	}
}

// gateChecker finds all scripts good, and lets a test act meanwhile.
type gateChecker struct{ during func() }

func (g *gateChecker) CheckTx(context.Context, *consensus.Tx, []consensus.Coin, txscript.ScriptFlags) error {
	if g.during != nil {
		g.during()
	}
	return nil
}

// What the pool took in, or let go of, while scripts were checked counts.
func TestPoolMovesMeanwhile(t *testing.T) {
	type parts struct{ parent, tx, rival, heavy *consensus.Tx }
	cases := map[string]struct {
		meanwhile func(w *world, p parts)
		want      error
	}{
		"the same":  {func(w *world, p parts) { w.accept(p.tx) }, ErrInPool},
		"a rival":   {func(w *world, p parts) { w.accept(p.rival) }, policy.CodeConflict},
		"no parent": {func(w *world, p parts) { w.chain.mine(p.heavy) }, consensus.RuleTxMissingInputs},
		"a parent that was let go": {func(w *world, p parts) {
			w.pool.mu.Lock()
			w.pool.removeTreeLocked(ReasonExpiry, w.pool.byTxID[p.parent.TxID])
			w.pool.mu.Unlock()
		}, consensus.RuleTxMissingInputs},
		"siblings, too many": {func(w *world, p parts) {
			for n := 1; n < maxRelatives; n++ {
				w.accept(spend(1000, 1, outputOf(p.parent, n)))
			}
		}, policy.CodeLongWay},
		"a dearer floor": {func(w *world, _ parts) { w.pool.floor.raise(1e6, w.clock) }, policy.CodeMempoolFee},
		"nothing that matters": {func(w *world, p parts) {
			w.accept(spend(1000, 1, w.coin(1e8)), spend(1000, 1, outputOf(p.parent, 1)))
		}, nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			gate := &gateChecker{}
			w := newWorld(t, func(_ *params.Params, cfg *Config) { cfg.Checker = gate })
			coin, own := w.coin(1e8), w.coin(1e8)
			p := parts{parent: spend(3000, maxRelatives, coin), heavy: spend(5000, 1, coin)}
			w.accept(p.parent)
			p.tx = spend(1000, 1, outputOf(p.parent, 0), own)
			p.rival = spend(1000, 1, own)
			gate.during = func() {
				gate.during = nil
				c.meanwhile(w, p)
			}
			err := w.pool.Accept(context.Background(), p.tx)
			if c.want == consensus.RuleTxMissingInputs {
				if _, ok := errors.AsType[*MissingInputsError](err); !ok {
					t.Errorf("Accept: %v, want missing inputs", err)
				}
			} else if !errors.Is(err, c.want) {
				t.Errorf("Accept: %v, want %v", err, c.want)
			}
			w.checkPool()
		})
	}
}

// The pool judges nothing before it has heard of the best block.
func TestWaitsForEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var held []chain.Event
		w.chain.sink = func(ev chain.Event) { held = append(held, ev) }
		coin := w.coin(1e8)
		w.chain.mine()
		result := make(chan error, 1)
		go func() { result <- w.pool.Accept(context.Background(), spend(1000, 1, coin)) }()
		synctest.Wait()
		select {
		case err := <-result:
			t.Fatalf("Accept returned %v before the event", err)
		default:
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := w.pool.Accept(ctx, spend(1000, 1, w.coin(1e8))); !errors.Is(err, context.Canceled) {
			t.Errorf("Accept with a context that is done: %v", err)
		}
		for _, ev := range held {
			w.pool.HandleEvent(ev)
		}
		if err := <-result; err != nil {
			t.Errorf("Accept: %v", err)
		}
	})
}

func TestDryRun(t *testing.T) {
	w := newWorld(t)
	pooled := spend(1000, 2, w.coin(1e8))
	w.accept(pooled)
	w.log = nil
	before := w.pool.Generation()
	coin := w.coin(1e8)
	parent := spend(1000, 2, coin)
	txs := []*consensus.Tx{
		parent,
		spend(2000, 1, outputOf(parent, 0), outputOf(pooled, 0)),
		spend(2000, 1, outputOf(parent, 0)), // spent by the one before
		spend(1, 1, w.coin(1e8)),
		parent,
	}
	want := []error{nil, nil, policy.CodeConflict, policy.CodeMinRelay, ErrInPool}
	for i, res := range w.pool.Test(context.Background(), txs) {
		if res.Tx != txs[i] || !errors.Is(res.Err, want[i]) {
			t.Errorf("transaction %d: error %v, want %v", i, res.Err, want[i])
		}
		if res.Err == nil && (res.Fee < 1000 || res.VSize != txs[i].VSize()) {
			t.Errorf("transaction %d: fee %d, size %d", i, res.Fee, res.VSize)
		}
	}
	w.expectPool(pooled)
	w.expectEvents()
	if w.pool.Generation() != before {
		t.Error("a dry run changed the pool")
	}
}
