package chain_test

import (
	"bytes"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/store/storetest"
)

// decoded is b as it comes over the wire, after change, with its header kept.
func decoded(t *testing.T, h *chaintest.Harness, b *consensus.Block, change func(*wire.MsgBlock)) *consensus.Block {
	t.Helper()
	var raw bytes.Buffer
	if err := b.Msg().Serialize(&raw); err != nil {
		t.Fatal(err)
	}
	var msg wire.MsgBlock
	if err := msg.Deserialize(&raw); err != nil {
		t.Fatal(err)
	}
	change(&msg)
	raw.Reset()
	if err := msg.Serialize(&raw); err != nil {
		t.Fatal(err)
	}
	changed, err := consensus.DecodeBlock(raw.Bytes(), &h.Params.Limits)
	if err != nil {
		t.Fatal(err)
	}
	if changed.Hash != b.Hash {
		t.Fatal("the header is another")
	}
	return changed
}

// TestAheadOfOtherBody: a header commits to one body, but a copy of a block
// may have another. Whichever of the two is looked at ahead, the block itself
// is connected, and the copy neither connected nor held against it.
func TestAheadOfOtherBody(t *testing.T) {
	for name, change := range map[string]func(*wire.MsgBlock){
		"a signature that does not hold": func(b *wire.MsgBlock) { b.Transactions[2].TxIn[0].Witness[0][20] ^= 1 },
		"a witness that is taken away":   func(b *wire.MsgBlock) { b.Transactions[2].TxIn[0].Witness = nil },
		"another item":                   func(b *wire.MsgBlock) { w := &b.Transactions[2].TxIn[0].Witness; *w = append(*w, []byte{1}) },
		"another reserved value":         func(b *wire.MsgBlock) { b.Transactions[0].TxIn[0].Witness[0][0] ^= 1 },
		"the last transaction twice":     func(b *wire.MsgBlock) { b.Transactions = append(b.Transactions, b.Transactions[2]) },
		"another transaction":            func(b *wire.MsgBlock) { b.Transactions[2].LockTime++ },
	} {
		t.Run(name, func(t *testing.T) {
			h := chaintest.New(t, chaintest.Options{FS: storetest.New(), Dir: "/data"})
			fuzzBase(h)
			blocks, _ := spendingChain(h, 3)
			for i, b := range blocks {
				b = decoded(t, h, b, func(*wire.MsgBlock) {})
				copied := decoded(t, h, b, change)
				refuse := func() {
					t.Helper()
					_, err := h.Chain.AcceptBlock(t.Context(), copied)
					if rule := consensus.AsRule(err); rule == nil || !rule.Mutated {
						t.Fatalf("block %d: the copy: %v", i, err)
					}
				}
				switch i {
				case 0: // the copy ahead, and then the block
					h.Chain.Ahead(copied, nil)
				case 1: // the block ahead, and then the copy
					h.Chain.Ahead(b, nil)
					refuse()
				default:
					h.Chain.Ahead(copied, nil)
					h.Chain.Ahead(b, nil)
					refuse()
					h.Chain.Ahead(copied, nil)
				}
				if result, err := h.Chain.AcceptBlock(t.Context(), b); err != nil || result != chain.ResultConnected {
					t.Fatalf("block %d: %v, %v", i, result, err)
				}
				if result, err := h.Chain.AcceptBlock(t.Context(), copied); err != nil || result != chain.ResultDuplicate {
					t.Fatalf("block %d: the copy of a known block: %v, %v", i, result, err)
				}
				raw, err := h.Chain.ReadRawBlock(b.Hash)
				if err != nil || !bytes.Equal(raw, b.Raw()) {
					t.Fatalf("block %d: what is stored is another body (%v)", i, err)
				}
			}
		})
	}
}
