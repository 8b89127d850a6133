package chain

import (
	"bytes"
	"encoding/hex"
	"io"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/hints"
	"github.com/charterchain/charter/chain/sigcheck"
	"github.com/charterchain/charter/chain/store"
)

// branch appends n nodes to parent and returns the last.
func branch(parent *node, n int, salt uint32) *node {
	for range n {
		h := wire.BlockHeader{Bits: 0x207fffff, Timestamp: time.Unix(int64(1000), 0), Nonce: salt}
		if parent != nil {
			h.PrevBlock = parent.hash
		}
		parent = newNode(&h, h.BlockHash(), parent)
	}
	return parent
}

func TestAncestor(t *testing.T) {
	tip := branch(nil, 700, 1)
	all := make([]*node, tip.height+1)
	for n := tip; n != nil; n = n.parent {
		all[n.height] = n
	}
	steps := 0
	for from := range all {
		for to := 0; to <= from; to += 1 + from/37 {
			if got := all[from].ancestor(int32(to)); got != all[to] {
				t.Fatalf("ancestor of %d at %d has height %d", from, to, got.height)
			}
		}
		// Counts the steps of the longest way.
		for n, count := all[from], 0; n.height > 0; count++ {
			n = n.jump
			steps = max(steps, count)
		}
	}
	if steps > 2*10 { // 700 < 2^10
		t.Errorf("%d jumps to genesis from one of %d blocks", steps, len(all))
	}
	for _, height := range []int32{-1, tip.height + 1} {
		if got := tip.ancestor(height); got != nil {
			t.Errorf("ancestor at %d is not nil", height)
		}
	}
}

func TestFork(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	trunk := branch(nil, 300, 1)
	for range 200 {
		at := trunk.ancestor(rng.Int32N(trunk.height + 1))
		a := branch(at, 1+rng.IntN(60), 2)
		b := branch(at, 1+rng.IntN(60), 3)
		if got := fork(a, b); got != at {
			t.Fatalf("fork of branches from %d is at %d", at.height, got.height)
		}
		if got := fork(a, trunk); got.height < at.height || got.ancestor(at.height) != at {
			t.Fatalf("fork with the trunk at %d, want %d", got.height, at.height)
		}
		if fork(a, a) != a || fork(at, a) != at {
			t.Fatal("a block forks from itself or its ancestor elsewhere")
		}
	}
}

// goldenRow is the row of a failed block, version 1.
const goldenRow = "01" +
	"02000000" + "0100000000000000000000000000000000000000000000000000000000000000" +
	"0200000000000000000000000000000000000000000000000000000000000000" +
	"80969800" + "ffff7f20" + "07000000" +
	"09000000" + "0b" + "03000000" +
	"010000000800000064000000" + "020000000900000065000000" +
	"6261642d63622d616d6f756e743a20746f6f206d756368"

func goldenNode() *node {
	return &node{
		header: wire.BlockHeader{
			Version: 2, PrevBlock: chainhash.Hash{1}, MerkleRoot: chainhash.Hash{2},
			Timestamp: time.Unix(10_000_000, 0), Bits: 0x207fffff, Nonce: 7,
		},
		height:  9,
		status:  statusData | statusUndo | statusFailed,
		txCount: 3,
		data:    store.Location{File: 1, Offset: 8, Size: 100},
		undo:    store.Location{File: 2, Offset: 9, Size: 101},
		broken:  &consensus.RuleError{Rule: consensus.RuleCoinbaseAmount, Detail: "too much"},
	}
}

func TestRowGolden(t *testing.T) {
	if got := hex.EncodeToString(encodeRow(goldenNode())); got != goldenRow {
		t.Errorf("row\n%s, want\n%s", got, goldenRow)
	}
	raw, _ := hex.DecodeString(goldenRow)
	r, err := decodeRow(raw)
	if err != nil {
		t.Fatal(err)
	}
	want := goldenNode()
	if diff := cmp.Diff(want.broken, r.broken); diff != "" || r.data != want.data || r.undo != want.undo || r.height != 9 || r.txCount != 3 || r.status != want.status {
		t.Errorf("decoded %+v", r)
	}
}

func FuzzDecodeRow(f *testing.F) {
	raw, _ := hex.DecodeString(goldenRow)
	f.Add(raw)
	f.Add(raw[:rowFixed])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decodeRow(b)
		if err != nil {
			return
		}
		n := &node{header: r.header, height: r.height, status: r.status, txCount: r.txCount, data: r.data, undo: r.undo, broken: r.broken}
		again, err := decodeRow(encodeRow(n))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(r, again, cmp.AllowUnexported(row{})); diff != "" {
			t.Errorf("decode, encode, decode (-first +second):\n%s", diff)
		}
	})
}

func FuzzFrames(f *testing.F) {
	magic := [4]byte{0xf9, 0xbe, 0xb4, 0xd9}
	frame := append(append(magic[:], 90, 0, 0, 0), bytes.Repeat([]byte("ab"), 45)...)
	f.Add(frame)
	f.Add(append([]byte{0, 0}, append(frame, frame...)...))
	f.Add(append(magic[:], 0xff, 0xff, 0xff, 0xff))
	hinted := (&hints.Frame{Block: chainhash.DoubleHashH(frame[8:88]), Inputs: 3, Hints: sigcheck.Hints{5}}).Append(nil, hints.Magic(magic))
	f.Add(append(append([]byte(nil), hinted...), frame...))
	f.Add(append(append([]byte(nil), hinted[:len(hinted)-1]...), frame...))
	f.Add(append(append(append(append([]byte(nil), hinted...), 0), hinted...), hinted[:9]...))
	f.Fuzz(func(t *testing.T, b []byte) {
		in := newFrameReader(bytes.NewReader(b), magic, 1000, slog.New(slog.DiscardHandler))
		for {
			fr, err := in.next()
			if err == io.EOF && in.offset != int64(len(b)) {
				t.Fatalf("end of stream after %d of %d bytes", in.offset, len(b))
			}
			if err != nil {
				return
			}
			if fr.size%2 == 1 {
				if err := in.skip(fr); err != nil {
					t.Fatalf("skip a frame that is there: %v", err)
				}
				continue
			}
			raw, err := in.body(fr)
			if err != nil || int64(len(raw)) != fr.size || !bytes.Equal(raw, b[fr.at:fr.at+fr.size]) {
				t.Fatalf("%d bytes of a frame of %d: %v", len(raw), fr.size, err)
			}
			if len(raw) > 1000 {
				t.Fatalf("frame of %d bytes, limit 1000", len(raw))
			}
		}
	})
}

func TestOrphanBounds(t *testing.T) {
	o := newOrphans(1000) // 8,000 bytes in all
	block := func(parent, nonce int) *consensus.Block {
		tx := wire.NewMsgTx(1)
		tx.AddTxIn(&wire.TxIn{SignatureScript: make([]byte, 800)})
		tx.AddTxOut(wire.NewTxOut(1, nil))
		return consensus.NewBlock(&wire.MsgBlock{
			Header:       wire.BlockHeader{PrevBlock: chainhash.Hash{byte(parent)}, Nonce: uint32(nonce)},
			Transactions: []*wire.MsgTx{tx},
		})
	}
	for i := range 20 {
		o.add(block(i%2, i))
		o.add(block(i%2, i)) // twice is once
	}
	if o.bytes > o.limit || len(o.blocks) != len(o.order) || len(o.blocks) < 5 {
		t.Errorf("%d bytes of %d, %d blocks, %d in order", o.bytes, o.limit, len(o.blocks), len(o.order))
	}
	n := len(o.blocks)
	got := len(o.takeChildren(chainhash.Hash{0})) + len(o.takeChildren(chainhash.Hash{1}))
	if got != n || len(o.blocks) != 0 || o.bytes != 0 || len(o.byParent) != 0 {
		t.Errorf("%d of %d children taken; %d blocks, %d bytes, %d parents left", got, n, len(o.blocks), o.bytes, len(o.byParent))
	}
}
