package chain_test

import (
	"bytes"
	"testing"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/chaintest"
)

// TestReindexMutatedBody: the block files hold, for a good header, a body
// that is not its own. The node starts without that block and takes it when
// it comes.
func TestReindexMutatedBody(t *testing.T) {
	dir := t.TempDir()
	h := chaintest.New(t, chaintest.Options{Dir: dir})
	h.Next("b1").Accept()
	b2 := h.Next("b2", h.Spend("b1"))
	b2.Accept()
	h.Next("b3").Accept()
	msg := b2.Msg().Copy()
	msg.Transactions = append(msg.Transactions, msg.Transactions[1]) // same Merkle root
	var raw bytes.Buffer
	if err := msg.Serialize(&raw); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Store.AppendBlock(b2.Hash, raw.Bytes()); err != nil {
		t.Fatal(err)
	}
	h.Close()

	n, err := openDir(dir, h.Maker, dropAll)
	if err != nil {
		t.Fatal(err)
	}
	defer n.close()
	if best := n.Best().Hash; best != h.Block("b1").Hash {
		t.Errorf("best block %v, want b1", best)
	}
	if info, _ := n.Lookup(b2.Hash); info.HaveData || info.State == chain.StateInvalid {
		t.Errorf("the block counts as here (%v), state %v", info.HaveData, info.State)
	}
	if e := n.Explain(b2.Hash); e.Fault == nil {
		t.Errorf("nothing is known of why: %+v", e)
	}
	if _, err := n.AcceptBlock(t.Context(), b2.Block); err != nil {
		t.Fatal(err)
	}
	if best := n.Best().Hash; best != h.Block("b3").Hash {
		t.Errorf("best block %v, want b3", best)
	}
}
