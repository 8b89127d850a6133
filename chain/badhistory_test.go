package chain_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/consensus"
)

// TestSnapshotOfChainWithBadBlock: a block below the base breaks a rule that
// is found when its body comes.
func TestSnapshotOfChainWithBadBlock(t *testing.T) {
	h := newHistory(t, 6, 0)
	ctx := context.Background()
	at := h.blocks[6].Hash
	blocks := h.blocks
	for i := range 4 {
		var opts []chaintest.Option
		if i == 1 {
			opts = append(opts, chaintest.Change(func(d *chaintest.Draft) {
				d.Coinbase().TxIn[0].SignatureScript = append(consensus.CoinbaseHeightScript(d.Height+1), 0)
			}))
		}
		b := h.x.Make(at, opts...)
		blocks, at = append(blocks, b), b.Hash
	}
	above := h.x.Make(at)
	file, digest := forge(t, h.x.Maker, blocks, coinsOf(t, h.x.Maker, h.file))
	y := chaintest.New(t, chaintest.Options{})
	if _, err := y.Chain.LoadSnapshot(ctx, bytes.NewReader(file), &digest); err != nil {
		t.Fatal(err)
	}
	h.give(t, y.Chain, 1, 6)
	var wrong *chain.SnapshotError
	if _, err := y.Chain.AcceptBlock(ctx, blocks[8]); !errors.As(err, &wrong) || !strings.Contains(wrong.Reason, "height 8") {
		t.Fatalf("the bad block: %v", err)
	}
	if _, err := y.Chain.AcceptBlock(ctx, above); !errors.As(err, &wrong) {
		t.Errorf("a block above it: %v", err)
	}
	if err := y.Chain.Run(ctx); !errors.As(err, &wrong) || !strings.Contains(wrong.Reason, string(consensus.RuleCoinbaseHeight)) {
		t.Errorf("Run ends with %v", err)
	}
	y.Kill()
	if err := y.TryOpen(); !errors.As(err, &wrong) {
		t.Errorf("start: %v", err)
	}
}

// TestMutatedBodyBelowSnapshot: the block files hold, for the header of a block
// below a snapshot, a body that is not its own. The check waits for another.
func TestMutatedBodyBelowSnapshot(t *testing.T) {
	h := newHistory(t, 6, 1)
	dir := t.TempDir()
	y := h.load(t, chaintest.Options{Dir: dir})
	h.give(t, y.Chain, 1, 3)
	at := 4 // spends a coinbase
	msg := h.blocks[at].Msg().Copy()
	msg.Transactions = append(msg.Transactions, msg.Transactions[1]) // same Merkle root
	var raw bytes.Buffer
	if err := msg.Serialize(&raw); err != nil {
		t.Fatal(err)
	}
	if err := y.Chain.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := y.Store.AppendBlock(h.blocks[at].Hash, raw.Bytes()); err != nil {
		t.Fatal(err)
	}
	y.Kill()
	y.Open()
	h.give(t, y.Chain, 5, 7)
	check(t, y.Chain)
	if b, ok := y.Chain.Background(); !ok || b.Checked.Height != int32(at)-1 || b.Missing != int32(at) {
		t.Fatalf("checked to %d, missing from %d, %v", b.Checked.Height, b.Missing, ok)
	}
	h.give(t, y.Chain, at, at)
	check(t, y.Chain)
	if _, ok := y.Chain.Background(); ok {
		t.Error("the check has not ended")
	}
}
