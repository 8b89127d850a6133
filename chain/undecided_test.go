package chain_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/store"
	"github.com/charterchain/charter/chain/store/storetest"
)

// refused offers a block that must not be accepted, for a fault that breaks
// no rule of the block: neither now nor later may it count as invalid.
func refused(t *testing.T, h *chaintest.Harness, offered *consensus.Block, want string) {
	t.Helper()
	_, err := h.Chain.AcceptBlock(t.Context(), offered)
	if err == nil {
		t.Fatal("the block was accepted in spite of the fault")
	}
	if rule := consensus.AsRule(err); rule != nil && !rule.Mutated {
		t.Fatalf("the fault counts as a broken rule: %v", err)
	}
	if !strings.Contains(err.Error(), want) {
		t.Fatalf("error %v, want one with %q", err, want)
	}
	undecided(t, h, offered, want)
}

// undecided expects that a block is explained by a fault, and not invalid.
func undecided(t *testing.T, h *chaintest.Harness, b *consensus.Block, want string) {
	t.Helper()
	e := h.Chain.Explain(b.Hash)
	if e.Verdict == chain.VerdictInvalid || e.Verdict == chain.VerdictBadAncestor {
		t.Fatalf("the block is remembered as invalid: %+v", e)
	}
	if e.Fault == nil || !strings.Contains(e.Fault.Err, want) || !strings.Contains(strings.Join(e.Why, " "), want) {
		t.Fatalf("explained as %+v with fault %+v, want one with %q", e, e.Fault, want)
	}
}

// accepted offers the good block again.
func accepted(t *testing.T, h *chaintest.Harness, name string) {
	t.Helper()
	h.Again(name).Accept()
	if e := h.Chain.Explain(h.Block(name).Hash); e.Verdict != chain.VerdictActive || e.Fault != nil {
		t.Errorf("the accepted block is explained as %+v", e)
	}
}

// faultyFS is a disk that can be exchanged, and whose reads can fail.
type faultyFS struct {
	store.FS
	failReads atomic.Bool
}

var errRead = errors.New("input/output error")

func (f *faultyFS) Open(name string) (store.File, error) {
	file, err := f.FS.Open(name)
	return f.wrap(file), err
}

func (f *faultyFS) wrap(file store.File) store.File {
	if file == nil {
		return nil
	}
	return faultyFile{file, f}
}

type faultyFile struct {
	store.File
	fs *faultyFS
}

func (f faultyFile) ReadAt(b []byte, off int64) (int, error) {
	if f.fs.failReads.Load() {
		return 0, errRead
	}
	return f.File.ReadAt(b, off)
}

// TestWriteErrorIsNotInvalid stops the disk at each change that accepting a
// block and flushing it makes.
func TestWriteErrorIsNotInvalid(t *testing.T) {
	t.Parallel() // LevelDB waits a second before it tries again
	const changes = 16
	for k := 1; k <= changes; k++ {
		t.Run(fmt.Sprint("change ", k), func(t *testing.T) {
			t.Parallel()
			stopAtChange(t, k)
		})
	}
	disk := storetest.New()
	h := chaintest.New(t, chaintest.Options{FS: disk, Dir: "data"})
	h.Next("b1").Accept()
	before := disk.Changes()
	h.Next("b2", h.Spend("b1")).Accept()
	if err := h.Chain.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := disk.Changes() - before; got != changes {
		t.Errorf("a block and a flush make %d changes, the test knows of %d", got, changes)
	}
}

func stopAtChange(t *testing.T, k int) {
	disk := storetest.New()
	fs := &faultyFS{FS: disk}
	h := chaintest.New(t, chaintest.Options{FS: fs, Dir: "data"})
	h.Next("b1").Accept()
	b2 := h.Next("b2", h.Spend("b1"))
	disk.StopAt(k, k%2 == 0)
	_, err := h.Chain.AcceptBlock(t.Context(), b2.Block)
	if err == nil {
		err = h.Chain.Flush(t.Context())
	} else {
		undecided(t, h, b2.Block, storetest.ErrStopped.Error())
	}
	if consensus.AsRule(err) != nil || !errors.Is(err, storetest.ErrStopped) {
		t.Fatalf("error %v", err)
	}
	// Nothing more may be written: the node has to start again.
	if _, err := h.Chain.AcceptBlock(t.Context(), h.Next("b3").Block); !errors.Is(err, storetest.ErrStopped) {
		t.Fatalf("error %v after the failure", err)
	}
	h.Kill()
	fs.FS = disk.Crash(storetest.LoseNothing)
	h.Open()
	if h.Chain.Best().Hash != b2.Hash {
		accepted(t, h, "b2")
	}
	accepted(t, h, "b3")
}

// TestReadErrorIsNotInvalid: the coins, then a stored block, cannot be read.
func TestReadErrorIsNotInvalid(t *testing.T) {
	disk := storetest.New()
	fs := &faultyFS{FS: disk}
	h := chaintest.New(t, chaintest.Options{FS: fs, Dir: "data"})
	h.Next("b1").Accept()
	h.Next("b2", chaintest.Tx(chaintest.SpendTx(1000, 1000, h.Coin("b1")), 1000)).Accept()
	h.Close()
	h.Open() // LevelDB knows the first of many parts of its table only
	many := h.Block("b2").Txs[1]
	last := chaintest.Output{OutPoint: wire.OutPoint{Hash: many.TxID, Index: 999}, Amount: many.Msg.TxOut[999].Value}
	b3 := h.Next("b3", chaintest.Tx(chaintest.SpendTx(1000, 1, last), 1000))
	fs.failReads.Store(true)
	refused(t, h, b3.Block, errRead.Error())
	fs.failReads.Store(false)
	if _, err := h.Chain.AcceptBlock(t.Context(), b3.Block); !errors.Is(err, errRead) {
		t.Errorf("error %v: after coins could not be read the node has to start again", err)
	}
	h.Kill()
	h.Open()
	if h.Chain.Best().Hash != b3.Hash { // its body may be on disk
		accepted(t, h, "b3")
	}

	// A branch whose first block has to be read again to be connected.
	h.On("b2").Next("b3a").Side()
	b4a := h.Next("b4a")
	fs.failReads.Store(true)
	refused(t, h, b4a.Block, errRead.Error())
	fs.failReads.Store(false)
	h.Next("b5a").Accept()
}

// TestMissingDataIsNotInvalid: a parent that is not known, one without a
// body, and one whose body is damaged on disk.
func TestMissingDataIsNotInvalid(t *testing.T) {
	dir := t.TempDir()
	h := chaintest.New(t, chaintest.Options{Dir: dir})
	b1, b2 := h.Next("b1"), h.Next("b2", h.Spend("b1"))
	b2.Orphan()
	if e := h.Chain.Explain(b2.Hash); e.Verdict != chain.VerdictOrphan || e.Known {
		t.Errorf("a block without a parent: %+v", e)
	}
	if _, err := h.Chain.AcceptBlock(t.Context(), b1.Block); err != nil {
		t.Fatal(err)
	}
	h.ExpectTip("b2")

	b3, b4 := h.Next("b3"), h.Next("b4", h.Spend("b2"))
	if _, err := h.Chain.AcceptHeaders(t.Context(), []wire.BlockHeader{b3.Header}); err != nil {
		t.Fatal(err)
	}
	b4.Side()
	e := h.Chain.Explain(b4.Hash)
	if e.Verdict != chain.VerdictStored || e.Missing == nil || e.Missing.Hash != b3.Hash {
		t.Errorf("a block whose parent's body is missing: %+v", e)
	}
	if e := h.Chain.Explain(b3.Hash); e.Verdict != chain.VerdictHeader || e.Block.HaveData {
		t.Errorf("a header: %+v", e)
	}
	if _, err := h.Chain.AcceptBlock(t.Context(), b3.Block); err != nil {
		t.Fatal(err)
	}
	h.ExpectTip("b4")

	h.On("b3").Next("b4a").Side()
	damage(t, filepath.Join(dir, "blocks", "blk00000.dat"), h.Block("b4a").Hash[:], 50)
	h.Next("b5a")
	if _, err := h.Chain.AcceptBlock(t.Context(), h.Block("b5a")); consensus.AsRule(err) != nil {
		t.Fatalf("on a damaged block: %v", err)
	}
	undecided(t, h, h.Block("b4a"), "blk00000.dat")
	h.ExpectTip("b4")
	if _, err := h.Chain.AcceptBlock(t.Context(), h.Block("b4a")); err != nil {
		t.Fatal(err)
	}
	h.ExpectTip("b5a")
	if e := h.Chain.Explain(h.Block("b4a").Hash); e.Verdict != chain.VerdictActive || e.Fault != nil {
		t.Errorf("the block that was fetched again: %+v", e)
	}
}

// damage changes the byte of a file that lies offset behind mark.
func damage(t *testing.T, name string, mark []byte, offset int) {
	t.Helper()
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	at := strings.Index(string(raw), string(mark))
	if at < 0 {
		t.Fatalf("%s does not hold %x", name, mark)
	}
	raw[at+len(mark)+offset] ^= 0x10
	if err := os.WriteFile(name, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestMutatedCopyIsNotInvalid: bodies that do not belong to the header.
func TestMutatedCopyIsNotInvalid(t *testing.T) {
	mutations := map[string]func(*wire.MsgBlock){
		"last transaction twice": func(m *wire.MsgBlock) { // CVE-2012-2459
			m.Transactions = append(m.Transactions, m.Transactions[len(m.Transactions)-1])
		},
		"a transaction less":  func(m *wire.MsgBlock) { m.Transactions = m.Transactions[:2] },
		"another transaction": func(m *wire.MsgBlock) { m.Transactions[1].LockTime++ },
		"no transactions":     func(m *wire.MsgBlock) { m.Transactions = nil },
		"another witness":     func(m *wire.MsgBlock) { m.Transactions[1].TxIn[0].Witness = wire.TxWitness{{1}, {2}} },
		"no reserved value":   func(m *wire.MsgBlock) { m.Transactions[0].TxIn[0].Witness = nil },
	}
	for name, mutate := range mutations {
		t.Run(name, func(t *testing.T) {
			h := chaintest.New(t, chaintest.Options{})
			h.Next("b1").Accept()
			h.Next("b2").Accept()
			good := h.Next("b3", h.Spend("b1"), h.Spend("b2"))
			msg := good.Msg()
			mutated := msg.Copy()
			mutate(mutated)
			bad := consensus.NewBlock(mutated)
			if bad.Hash != good.Hash {
				t.Fatal("the copy has another header")
			}
			refused(t, h, bad, "")
			refused(t, h, bad, "") // the answer is no other the second time
			if e := h.Chain.Explain(good.Hash); e.Fault.Rule == "" || e.Fault.Times != 2 {
				t.Errorf("fault %+v", e.Fault)
			}
			accepted(t, h, "b3")
		})
	}
}

// TestEarlyIsNotInvalid: a time too far ahead, as a header and as a block,
// and a call that ended before there was an answer.
func TestEarlyIsNotInvalid(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	h := chaintest.New(t, chaintest.Options{Now: func() time.Time { return now }})
	early := h.Next("b1", chaintest.Time(now.Add(h.Params.PoW.MaxFuture+time.Second)))
	if _, err := h.Chain.AcceptHeaders(t.Context(), []wire.BlockHeader{early.Header}); !errors.Is(err, consensus.ErrNotYet) {
		t.Fatalf("early header: error %v", err)
	}
	undecided(t, h, early.Block, consensus.ErrNotYet.Error())
	refused(t, h, early.Block, consensus.ErrNotYet.Error())
	now = now.Add(time.Second)
	accepted(t, h, "b1")
	now = now.Add(time.Hour)

	b2 := h.Next("b2", h.Spend("b1"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Chain.AcceptBlock(ctx, b2.Block); !errors.Is(err, context.Canceled) {
		t.Fatalf("cancelled: error %v", err)
	}
	undecided(t, h, b2.Block, context.Canceled.Error())
	accepted(t, h, "b2")
}

func TestExplainInvalid(t *testing.T) {
	h := chaintest.New(t, chaintest.Options{})
	h.Next("b1").Accept()
	h.Next("b2").Accept()
	h.On("b1").Next("b2a").Side()
	h.Next("b3a", h.Spend("b1"), chaintest.Tx(chaintest.SpendTx(2000, 1, h.Coin("b1")), 2000)).Reject(consensus.RuleTxMissingInputs)
	bad := h.Block("b3a").Hash
	e := h.Chain.Explain(bad)
	if e.Verdict != chain.VerdictInvalid || e.Rule != consensus.RuleTxMissingInputs || e.Culprit == nil || e.Culprit.Hash != bad || e.ByOperator || e.Detail == "" {
		t.Errorf("a block that breaks a rule: %+v", e)
	}
	h.On("b3a").Next("b4a").Reject(chain.RuleBadParent)
	if e := h.Chain.Explain(h.Block("b4a").Hash); e.Known || e.Verdict != chain.VerdictUnknown || e.Fault == nil || e.Fault.Rule != chain.RuleBadParent {
		t.Errorf("a block on top of it that was not kept: %+v", e)
	}
	if e := h.Chain.Explain(h.Block("b2a").Hash); e.Verdict != chain.VerdictValid || e.Fork.Hash != h.Block("b1").Hash {
		t.Errorf("a block of the other branch: %+v", e)
	}

	h.On("b2").Next("b3").Accept()
	h.Next("b4").Accept()
	if err := h.Chain.Invalidate(t.Context(), h.Block("b3").Hash); err != nil {
		t.Fatal(err)
	}
	e = h.Chain.Explain(h.Block("b4").Hash)
	if e.Verdict != chain.VerdictBadAncestor || !e.ByOperator || e.Culprit.Hash != h.Block("b3").Hash {
		t.Errorf("a block on top of one that the operator refused: %+v", e)
	}
	if e := h.Chain.Explain(h.Block("genesis").Hash); e.Verdict != chain.VerdictActive || len(e.Why) == 0 {
		t.Errorf("genesis: %+v", e)
	}
	for _, sentence := range e.Why {
		if !strings.HasSuffix(sentence, ".") {
			t.Errorf("not a sentence: %q", sentence)
		}
	}
}

func TestPrecious(t *testing.T) {
	h := chaintest.New(t, chaintest.Options{})
	h.Next("b1").Accept()
	h.Next("b2").Accept()
	h.On("b1").Next("b2a").Side()
	precious := func(name string) {
		t.Helper()
		if err := h.Chain.Precious(t.Context(), h.Block(name).Hash); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"b2a", "b2a", "b2", "b2a"} { // the last call wins
		precious(name)
		h.ExpectTip(name)
	}
	if e := h.Chain.Explain(h.Block("b2a").Hash); !e.Precious {
		t.Errorf("%+v", e)
	}
	h.On("b2").Next("b3").Accept() // more work
	precious("b2a")                // has less: nothing happens
	h.ExpectTip("b3")
	h.On("b2a").Next("b3a").Side()
	precious("b3a")
	h.ExpectTip("b3a")
	h.On("b3").Next("b3x").Accept()
	if err := h.Chain.Precious(t.Context(), h.Block("b3").Header.MerkleRoot); !errors.Is(err, chain.ErrUnknownBlock) {
		t.Errorf("error %v", err)
	}
}

// TestPreciousInvalid: a block that turns out to break a rule changes nothing.
func TestPreciousInvalid(t *testing.T) {
	h := chaintest.New(t, chaintest.Options{})
	h.Next("b1").Accept()
	h.Next("b2").Accept()
	h.On("b1").Next("b2a", h.Spend("b1"), chaintest.Tx(chaintest.SpendTx(2000, 1, h.Coin("b1")), 2000)).Side()
	for range 2 {
		if err := h.Chain.Precious(t.Context(), h.Block("b2a").Hash); err != nil {
			t.Fatal(err)
		}
		h.ExpectTip("b2")
	}
	if e := h.Chain.Explain(h.Block("b2a").Hash); e.Verdict != chain.VerdictInvalid {
		t.Errorf("%+v", e)
	}
}
