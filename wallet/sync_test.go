package wallet

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/charterchain/charter/wallet/wallettest"
)

func TestGenesisAllocationIsSpendableAtOnce(t *testing.T) {
	x := newWorld(t, 1000*coin)
	x.sync()
	x.wantBalance("genesis only", Balance{Confirmed: 1000 * coin})
	h := x.w.History()
	if len(h) != 1 || h[0].Kind != KindGenesis || h[0].Amount != 1000*coin || h[0].Height != 0 {
		t.Errorf("history %+v", h)
	}
}

func TestCoinbaseMatures(t *testing.T) {
	x := newWorld(t)
	x.node.Mine([]*wire.TxOut{x.pay(50*coin, 0)})
	x.node.MineEmpty(8)
	x.sync()
	x.wantBalance("9 confirmations of 10", Balance{Immature: 50 * coin})
	x.node.MineEmpty(1)
	x.sync()
	x.wantBalance("10 confirmations", Balance{Confirmed: 50 * coin})
	x.node.Rewind(0)
	x.sync()
	x.wantBalance("its block is gone", Balance{})
}

func TestIncoming(t *testing.T) {
	x := newWorld(t)
	x.node.MineEmpty(3)
	tx := from(1, x.pay(3*coin, 0), wire.NewTxOut(5, foreign))
	x.node.Add(from(9, wire.NewTxOut(1, foreign))) // none of ours
	x.node.Add(tx)
	x.sync()
	x.wantBalance("in the pool", Balance{Incoming: 3 * coin})
	x.node.MinePool()
	x.sync()
	x.wantBalance("in a block", Balance{Confirmed: 3 * coin})
	h := x.w.History()
	if len(h) != 1 || h[0].Kind != KindReceived || h[0].Height != 4 || h[0].Confirmations != 1 || h[0].Fee != 0 {
		t.Errorf("history %+v", h)
	}

	t.Run("others' payments leave with the pool", func(t *testing.T) {
		x.node.Rewind(3)
		x.sync()
		x.wantBalance("back in the pool", Balance{Incoming: 3 * coin})
		x.node.Drop()
		x.sync()
		x.wantBalance("gone", Balance{})
	})
}

func TestDoubleSpendOfIncoming(t *testing.T) {
	x := newWorld(t)
	x.node.Add(from(1, x.pay(3*coin, 0)))
	x.sync()
	x.wantBalance("first version", Balance{Incoming: 3 * coin})
	x.node.Drop()
	x.node.Add(from(1, x.pay(1*coin, 1)))
	x.sync()
	x.wantBalance("replaced in the pool", Balance{Incoming: 1 * coin})
	x.node.Mine(nil, from(1, wire.NewTxOut(3*coin, foreign)))
	x.sync()
	x.wantBalance("paid to somebody else in a block", Balance{})
	if h := x.w.History(); len(h) != 0 {
		t.Errorf("history %+v", h)
	}
}

func TestReorganisation(t *testing.T) {
	x := newWorld(t, 100*coin)
	x.node.MineEmpty(5)
	x.sync()
	paid := x.send(x.foreignAddress(), 10*coin)
	x.node.MinePool()
	x.node.MineEmpty(1)
	x.sync()
	rest := 90*coin - paid.Fee
	x.wantBalance("confirmed at 6", Balance{Confirmed: rest})

	x.node.Rewind(5)
	x.node.MineEmpty(3)
	res := x.sync()
	if res.RolledBack != 2 || res.Height != 8 {
		t.Errorf("result %+v", res)
	}
	x.wantBalance("waits again on the other branch", Balance{Change: rest})
	x.node.MinePool()
	x.sync()
	x.wantBalance("confirmed at 9", Balance{Confirmed: rest})
	if h := x.w.History(); len(h) != 2 || h[1].Height != 9 || h[1].Kind != KindSent || h[1].Amount != -10*coin || h[1].Fee != paid.Fee {
		t.Errorf("history %+v", h)
	}
}

func TestDeepReorganisation(t *testing.T) {
	x := newWorld(t)
	x.node.MineEmpty(100)
	x.node.Mine(nil, from(1, x.pay(1*coin, 0)))
	x.node.MineEmpty(400)
	x.node.Mine(nil, from(2, x.pay(2*coin, 1)))
	x.sync()
	x.wantBalance("first branch", Balance{Confirmed: 3 * coin})
	x.node.Rewind(150)
	x.node.Drop()
	x.node.MineEmpty(500)
	x.node.Calls("getblockhash")
	res := x.sync()
	x.wantBalance("second branch", Balance{Confirmed: 1 * coin})
	if res.Height != 650 || res.Scanned < 500 || res.Scanned > 520 {
		t.Errorf("result %+v", res)
	}
	x.node.Calls("getblockhash")
	x.sync()
	if n := x.node.Calls("getblockhash"); n > 2 {
		t.Errorf("%d questions about blocks although nothing is new", n)
	}
	x.node.Rewind(20) // the node itself is behind for a while
	x.sync()
	x.wantBalance("a node with 20 blocks", Balance{Incoming: 1 * coin})
}

// TestBranchMovesWhileRead changes the chain at every call of a sync in
// turn. Whatever is seen, the end must be right.
func TestBranchMovesWhileRead(t *testing.T) {
	for at := 1; at < 60; at++ {
		x := newWorld(t)
		x.node.MineEmpty(4)
		x.sync()
		x.node.MineEmpty(6)
		x.node.Mine(nil, from(1, x.pay(1*coin, 0)))
		calls := 0
		x.node.OnCall = func(string) error {
			if calls++; calls == at {
				x.node.Rewind(3)
				x.node.Drop()
				x.node.MineEmpty(4)
				x.node.Mine(nil, from(2, x.pay(2*coin, 1)))
				x.node.MineEmpty(5)
			}
			return nil
		}
		x.sync()
		x.sync()
		want := Balance{Confirmed: 2 * coin}
		if calls < at {
			break
		}
		if got := x.w.Balance(); got != want {
			t.Fatalf("moved at call %d: %+v, want %+v", at, got, want)
		}
	}
}

func TestInterruptedScanGoesOn(t *testing.T) {
	x := newWorld(t, 5*coin)
	x.node.MineEmpty(30)
	ctx, cancel := context.WithCancel(context.Background())
	_, err := x.w.Sync(ctx, x.node, func(p Progress) {
		if p.Height == 10 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	x.reopen()
	if got := x.w.Height(); got != 10 {
		t.Errorf("saved at block %d, want 10", got)
	}
	if res := x.sync(); res.Scanned != 20 {
		t.Errorf("%d blocks read, want the other 20", res.Scanned)
	}
}

func TestRestoreFindsUpToTheGapLimit(t *testing.T) {
	x := newWorld(t)
	x.node.Mine(nil, from(1, x.pay(1*coin, gapLimit-1)))
	// In one block, each behind the look-out of the one before, in the
	// wrong order.
	x.node.Mine(nil,
		from(2, x.pay(4*coin, 3*gapLimit-1)),
		from(3, x.pay(2*coin, 2*gapLimit-1)))
	x.node.Mine(nil, from(4, x.pay(8*coin, 4*gapLimit))) // one too far
	x.sync()
	x.wantBalance("restored", Balance{Confirmed: 7 * coin})
	addr, err := x.w.ReceiveAddress()
	if want := addressOf(x.cfg.Chain.Address, x.pay(1, 3*gapLimit).PkScript); err != nil || addr != want {
		t.Errorf("next address %s, %v; want %s", addr, err, want)
	}
}

func TestRestoredEqualsOriginal(t *testing.T) {
	x := newWorld(t, 100*coin)
	for i := range 3 {
		x.sync()
		x.send(x.foreignAddress(), Amount(i+1)*coin)
		x.node.MinePool()
	}
	x.sync()
	cfg := x.cfg
	cfg.Dir = "again"
	again, err := Restore(cfg, words, passphrase)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := again.Sync(context.Background(), x.node, nil); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(x.w.History(), again.History()); diff != "" {
		t.Errorf("history (-original +restored):\n%s", diff)
	}
	if diff := cmp.Diff(x.w.Unspent(), again.Unspent(), cmp.AllowUnexported(Unspent{}, keyPath{})); diff != "" {
		t.Errorf("outputs (-original +restored):\n%s", diff)
	}
}

func TestNewWalletSkipsOldBlocks(t *testing.T) {
	x := newWorld(t)
	x.cfg.Dir, x.cfg.Chain.Genesis = "new", chainhash.Hash{}
	// A block a minute: the wallet is 5,000 blocks younger than genesis.
	x.cfg.Now = func() time.Time { return time.Unix(wallettest.Start+5000*60, 0) }
	made, err := Create(x.cfg, passphrase)
	if err != nil {
		t.Fatal(err)
	}
	x.w = made.Wallet
	if len(strings.Fields(made.Mnemonic)) != 24 {
		t.Errorf("mnemonic of %d words", len(strings.Fields(made.Mnemonic)))
	}
	x.node = wallettest.New(refuse, x.pay(7*coin, 0)) // an allocation to a wallet made before
	if want := addressOf(x.cfg.Chain.Address, x.pay(1, 0).PkScript); made.Address != want {
		t.Errorf("first address %s, want %s", made.Address, want)
	}
	x.node.MineEmpty(6000)
	res := x.sync()
	if want := int32(6000 - 5000 + birthdaySlack/60 + 2); res.Scanned != want {
		t.Errorf("%d blocks read, want %d", res.Scanned, want)
	}
	x.wantBalance("genesis and later", Balance{Confirmed: 7 * coin})

	t.Run("all blocks older", func(t *testing.T) {
		x.cfg.Dir = "newer"
		x.cfg.Now = func() time.Time { return time.Unix(wallettest.Start+1e9, 0) }
		made, err := Create(x.cfg, passphrase)
		if err != nil {
			t.Fatal(err)
		}
		x.w = made.Wallet
		if res := x.sync(); res.Scanned != 2 || res.Height != 6000 {
			t.Errorf("%+v, want genesis and the last block read", res)
		}
	})
}

func TestAnotherChainIsRefused(t *testing.T) {
	x := newWorld(t, 5*coin)
	x.sync()
	other := wallettest.New(refuse, wire.NewTxOut(1, foreign))
	_, err := x.w.Sync(context.Background(), other, nil)
	if err == nil || !strings.Contains(err.Error(), "another chain") {
		t.Errorf("another node: %v", err)
	}
	x.wantBalance("unchanged", Balance{Confirmed: 5 * coin})
	if err := x.w.Close(); err != nil {
		t.Fatal(err)
	}
	cfg := x.cfg
	cfg.Chain.Genesis = other.Genesis()
	if _, err := Open(cfg); err == nil || !strings.Contains(err.Error(), "belongs to another chain") {
		t.Errorf("another chain file: %v", err)
	}
	cfg.Chain.Genesis = chainhash.Hash{}
	w, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Sync(context.Background(), other, nil); err == nil || !strings.Contains(err.Error(), "belongs to another chain") {
		t.Errorf("another node without a chain file: %v", err)
	}
}

func TestNodeFaults(t *testing.T) {
	x := newWorld(t, 5*coin)
	x.node.MineEmpty(3)
	x.sync()
	before := x.w.History()
	x.node.MineEmpty(2)
	x.node.Add(from(1, x.pay(1*coin, 0)))
	broken := errors.New("connection refused")
	for _, method := range []string{"getblockhash", "getblockchaininfo", "getblock", "getrawmempool", "getrawtransaction"} {
		x.node.OnCall = func(m string) error {
			if m == method {
				return broken
			}
			return nil
		}
		if _, err := x.w.Sync(context.Background(), x.node, nil); !errors.Is(err, broken) {
			t.Errorf("%s: got %v", method, err)
		}
		x.reopen()
		if diff := cmp.Diff(before[0].TxID, x.w.History()[0].TxID); diff != "" {
			t.Errorf("%s: history changed", method)
		}
	}
	x.node.OnCall = nil
	x.sync()
	x.wantBalance("in the end", Balance{Confirmed: 5 * coin, Incoming: 1 * coin})
}

func TestMarks(t *testing.T) {
	var marks []blockMark
	for h := int32(0); h < 20_000; h++ {
		marks = addMark(marks, blockMark{height: h})
	}
	if len(marks) > denseMarks*12 {
		t.Errorf("%d marks for 20,000 blocks", len(marks))
	}
	for i, m := range marks {
		if i == 0 {
			if m.height != 0 {
				t.Error("genesis is not marked")
			}
			continue
		}
		depth := 20_000 - m.height
		if gap := m.height - marks[i-1].height; gap > depth/16+1 {
			t.Errorf("gap of %d below height %d", gap, m.height)
		}
		if depth < denseMarks && marks[i-1].height != m.height-1 {
			t.Errorf("height %d is not marked", m.height-1)
		}
	}
}
