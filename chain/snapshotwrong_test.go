package chain_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/sigcheck"
	"github.com/charterchain/charter/chain/store"
	"github.com/charterchain/charter/chain/utxo"
	"github.com/charterchain/charter/chain/utxo/snapshot"
)

type setCoin struct {
	op   wire.OutPoint
	coin consensus.Coin
}

// forge writes a snapshot of the last of these blocks (by height, from
// genesis) with coins that somebody made up, and returns its digest.
func forge(t *testing.T, m *chaintest.Maker, blocks []*consensus.Block, coins []setCoin) (file []byte, digest [32]byte) {
	t.Helper()
	var out bytes.Buffer
	w := snapshot.NewWriter(&out, snapshot.Identity{Genesis: m.Params.GenesisHash, Rules: m.Params.RulesHash})
	base := blocks[len(blocks)-1]
	height := int32(len(blocks) - 1)
	w.Base(snapshot.Base{Hash: base.Hash, Height: height, ChainTxs: int64(height) + 100})
	for _, b := range blocks[1:] {
		w.Header(&b.Header)
	}
	sum, _ := utxo.Summarise(utxo.WithMuHash, 1, func(fn func(wire.OutPoint, consensus.Coin) error) error {
		for _, c := range coins {
			w.Coin(&c.op, &c.coin)
			fn(c.op, c.coin)
		}
		return nil
	})
	digest = snapshot.Digest(base.Hash, height, sum.MuHash, nil, nil)
	if _, err := w.Finish(digest); err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), digest
}

// coinsOf reads the coins of a snapshot.
func coinsOf(t *testing.T, m *chaintest.Maker, file []byte) (coins []setCoin) {
	t.Helper()
	_, err := snapshot.Read(bytes.NewReader(file), snapshot.Identity{Genesis: m.Params.GenesisHash, Rules: m.Params.RulesHash}, snapshot.Handler{
		Coin: func(op wire.OutPoint, coin consensus.Coin) error {
			coins = append(coins, setCoin{op, coin})
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return coins
}

// reopen opens the chain in dir, without a harness, so that flags can be given.
func reopen(t *testing.T, p *chaintest.Maker, dir string, dropChainstate bool) (*chain.Chain, func(), error) {
	t.Helper()
	st, err := store.Open(store.Config{Dir: dir, FS: store.OS(), Magic: p.Params.Network.Magic, MaxBlock: p.Params.Limits.BlockSerialized, DropChainstate: dropChainstate})
	if err != nil {
		t.Fatal(err)
	}
	now := p.Params.GenesisBlock.Header.Timestamp.Add(24 * time.Hour)
	c, err := chain.New(context.Background(), chain.Config{
		Params: p.Params, Store: st, Checker: sigcheck.New(sigcheck.Config{Workers: 1, Recheck: 256}), Now: func() time.Time { return now },
		Log: slog.New(slog.DiscardHandler), CacheBytes: 8 << 20,
	})
	if err != nil {
		st.Close()
		return nil, nil, err
	}
	return c, func() { c.Close(); st.Close() }, nil
}

// TestSnapshotWrong: the operator trusts a snapshot with a coin that is not in
// the chain, and a block spends it. The node finds out, stops, refuses to
// start, and is right after it was told to begin again.
func TestSnapshotWrong(t *testing.T) {
	h := newHistory(t, 12, 4)
	ctx := context.Background()
	coins := coinsOf(t, h.x.Maker, h.file)
	spent := -1 // a coinbase coin of AnyoneCanSpend becomes ten times as large
	for i, c := range coins {
		if c.coin.Coinbase && c.op.Hash == h.blocks[12].Txs[0].TxID && c.op.Index == 0 {
			spent = i
		}
	}
	if spent < 0 {
		t.Fatal("no coin to change")
	}
	coins[spent].coin.Amount *= 10
	file, digest := forge(t, h.x.Maker, h.blocks[:13], coins)
	dir := t.TempDir()
	y := chaintest.New(t, chaintest.Options{Dir: dir})
	if _, err := y.Chain.LoadSnapshot(ctx, bytes.NewReader(file), &digest); err != nil {
		t.Fatal(err)
	}
	// A block that only the forged coins allow, of a branch that the true
	// chain does not have.
	h.x.On("b12")
	bad := h.x.Next("bad", chaintest.Tx(chaintest.SpendTx(1000, 1, chaintest.Output{OutPoint: coins[spent].op, Amount: coins[spent].coin.Amount}), 1000)).Block
	if r, err := y.Chain.AcceptBlock(ctx, bad); err != nil || r != chain.ResultConnected {
		t.Fatalf("block that spends the forged coin: %v, %v", r, err)
	}
	if err := y.Chain.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	h.give(t, y.Chain, 1, 12)
	var wrong *chain.SnapshotError
	if err := chain.CheckHistory(y.Chain, ctx); !errors.As(err, &wrong) || wrong.Height != 12 {
		t.Fatalf("the check ends with %v", err)
	}
	if err := y.Chain.Run(ctx); !errors.As(err, &wrong) {
		t.Errorf("Run ends with %v", err)
	}
	if _, err := y.Chain.AcceptBlock(ctx, h.blocks[13]); !errors.As(err, &wrong) {
		t.Errorf("a block is accepted afterwards: %v", err)
	}
	y.Kill()
	for range 2 {
		if _, _, err := reopen(t, h.x.Maker, dir, false); !errors.As(err, &wrong) || !strings.Contains(err.Error(), "--reindex-chainstate") {
			t.Fatalf("start: %v", err)
		}
	}
	c, done, err := reopen(t, h.x.Maker, dir, true)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { done() }()
	expectHeight(t, c, 12)
	if e := c.Explain(bad.Hash); e.Verdict != chain.VerdictInvalid {
		t.Errorf("the block that spends the forged coin is %s", e.Verdict)
	}
	h.give(t, c, 13, 16)
	if got, want := muhash(t, c), muhash(t, h.x.Chain); got != want {
		t.Errorf("coins differ: %+v, %+v", got, want)
	}
	if _, ok := c.Background(); ok {
		t.Error("the snapshot is not forgotten")
	}
	done()
	if c, done, err = reopen(t, h.x.Maker, dir, false); err != nil {
		t.Fatal(err)
	}
	expectHeight(t, c, 16)
}

// TestSnapshotForgedScript: a forged coin has another script under the same
// outpoint. The block that spends it was valid by that script; it must not
// stay so, nor may a good block that the forged coins forbid stay invalid.
func TestSnapshotForgedScript(t *testing.T) {
	h := newHistory(t, 12, 4)
	ctx := context.Background()
	coins := coinsOf(t, h.x.Maker, h.file)
	for i, c := range coins {
		if c.op.Hash == h.blocks[12].Txs[0].TxID {
			coins[i].coin.Script = []byte{0x51} // OP_TRUE: spent with nothing
		}
	}
	file, digest := forge(t, h.x.Maker, h.blocks[:13], coins)
	dir := t.TempDir()
	y := chaintest.New(t, chaintest.Options{Dir: dir})
	if _, err := y.Chain.LoadSnapshot(ctx, bytes.NewReader(file), &digest); err != nil {
		t.Fatal(err)
	}
	// Block 13 spends that coinbase with a witness, which OP_TRUE does not take.
	if _, err := y.Chain.AcceptBlock(ctx, h.blocks[13]); consensus.AsRule(err) == nil {
		t.Fatalf("good block, forged coins: %v", err)
	}
	h.x.On("b12")
	tx := chaintest.SpendTx(1000, 1, h.x.Coin("b12"))
	tx.TxIn[0].Witness = nil
	bad := h.x.Next("bad", chaintest.Tx(tx, 1000)).Block
	if _, err := y.Chain.AcceptBlock(ctx, bad); err != nil {
		t.Fatalf("bad block, forged coins: %v", err)
	}
	y.Close()
	c, done, err := reopen(t, h.x.Maker, dir, true)
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	h.give(t, c, 1, 16)
	if got, want := c.Best().Hash, h.blocks[16].Hash; got != want {
		t.Errorf("best block %v, want %v", got, want)
	}
	if e := c.Explain(bad.Hash); e.Verdict == chain.VerdictValid || e.Verdict == chain.VerdictActive {
		t.Errorf("bad block is %s", e.Verdict)
	}
}

// TestSnapshotOfInvalidChain: a block below the base breaks a rule.
func TestSnapshotOfInvalidChain(t *testing.T) {
	h := newHistory(t, 6, 0)
	ctx := context.Background()
	at := h.blocks[6].Hash
	blocks := h.blocks
	for i := range 4 {
		var opts []chaintest.Option
		if i == 1 { // block 5 has spent it
			opts = append(opts, chaintest.Tx(chaintest.SpendTx(2000, 1, h.x.Coin("b4")), 2000))
		}
		b := h.x.Make(at, opts...)
		blocks, at = append(blocks, b), b.Hash
	}
	file, digest := forge(t, h.x.Maker, blocks, coinsOf(t, h.x.Maker, h.file))
	y := chaintest.New(t, chaintest.Options{})
	if _, err := y.Chain.LoadSnapshot(ctx, bytes.NewReader(file), &digest); err != nil {
		t.Fatal(err)
	}
	for i, b := range blocks[1:] {
		if _, err := y.Chain.AcceptBlock(ctx, b); err != nil {
			t.Fatalf("block %d: %v", i+1, err)
		}
	}
	var wrong *chain.SnapshotError
	if err := chain.CheckHistory(y.Chain, ctx); !errors.As(err, &wrong) || !strings.Contains(wrong.Reason, "height 8") ||
		!strings.Contains(wrong.Reason, string(consensus.RuleTxMissingInputs)) {
		t.Fatalf("the check ends with %v", err)
	}
	y.Kill()
	if err := y.TryOpen(); !errors.As(err, &wrong) {
		t.Errorf("start: %v", err)
	}
}
