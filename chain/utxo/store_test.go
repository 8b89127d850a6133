package utxo_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/store"
	"github.com/charterchain/charter/chain/utxo"
)

func openStore(t testing.TB) *store.Store {
	t.Helper()
	s, err := store.Open(store.Config{Dir: filepath.Join(t.TempDir(), "chain"), FS: store.OS()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// taproot is the i-th of many P2TR coins.
func taproot(i int) (wire.OutPoint, consensus.Coin) {
	op := wire.OutPoint{Hash: chainhash.HashH(fmt.Append(nil, i/2)), Index: uint32(i % 2)}
	script := append([]byte{0x51, 0x20}, op.Hash[:]...)
	return op, consensus.Coin{Amount: int64(i) * 12345, Script: script, Height: int32(i / 1000)}
}

// fill adds coins from to to-1, a thousand per view.
func fill(t testing.TB, c *utxo.Cache, from, to int) {
	t.Helper()
	for i := from; i < to; i += 1000 {
		v := utxo.NewView(c)
		for j := i; j < min(i+1000, to); j++ {
			op, coin := taproot(j)
			if _, err := v.Add(op, coin); err != nil {
				t.Fatal(err)
			}
		}
		c.Apply(v)
	}
}

func flush(t testing.TB, s *store.Store, c *utxo.Cache, height int32) {
	t.Helper()
	f := c.Freeze()
	if err := s.Commit(store.Commit{Height: height, Meta: f.Stats().Encode(), Each: f.Each}); err != nil {
		t.Fatal(err)
	}
	c.Release(f)
}

// TestOverStore puts a cache on a real store, spends, flushes and walks.
func TestOverStore(t *testing.T) {
	s := openStore(t)
	c := utxo.NewCache(s, 1<<20, utxo.Stats{})
	const n = 3000
	fill(t, c, 0, n)
	flush(t, s, c, 1)
	best, _ := s.Best()
	stats, err := utxo.DecodeStats(best.Meta)
	if err != nil || stats.Coins != n {
		t.Fatalf("stats %+v, %v", stats, err)
	}
	c = utxo.NewCache(s, 1<<20, stats)
	v := utxo.NewView(c)
	for i := range n / 3 {
		op, want := taproot(i * 3)
		coin, err := v.Spend(op)
		if err != nil || coin.Amount != want.Amount || !bytes.Equal(coin.Script, want.Script) {
			t.Fatal(i, coin, err)
		}
	}
	c.Apply(v)
	flush(t, s, c, 2)
	snap, err := s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Release()
	var last wire.OutPoint
	var seen utxo.Stats
	err = utxo.EachCoin(snap, func(op wire.OutPoint, coin consensus.Coin) error {
		if order := bytes.Compare(last.Hash[:], op.Hash[:]); order > 0 || order == 0 && last.Index >= op.Index {
			t.Errorf("%v after %v", op, last)
		}
		last = op
		seen.Coins++
		seen.Total += coin.Amount
		return nil
	})
	if err != nil || seen != c.Stats() || seen.Coins != n-n/3 {
		t.Errorf("walked %+v, cache says %+v, %v", seen, c.Stats(), err)
	}
}

// BenchmarkApply adds and spends in a cache: one operation is a block of
// 2,000 new coins that spends the 2,000 of the block before.
func BenchmarkApply(b *testing.B) {
	c := utxo.NewCache(openStore(b), 1<<30, utxo.Stats{})
	fill(b, c, 0, 2000)
	b.ReportAllocs()
	for i := 2000; b.Loop(); i += 2000 {
		v := utxo.NewView(c)
		for j := i; j < i+2000; j++ {
			op, _ := taproot(j - 2000)
			if _, err := v.Spend(op); err != nil {
				b.Fatal(err)
			}
			op, coin := taproot(j)
			if _, err := v.Add(op, coin); err != nil {
				b.Fatal(err)
			}
		}
		c.Apply(v)
	}
}

// benchBlock makes a block of n payments with one input and two P2TR outputs.
// They spend the first outputs of before, if there is one.
func benchBlock(before *consensus.Block, n int, height uint32) *consensus.Block {
	b := new(consensus.Block)
	for i := range n + 1 {
		msg := wire.NewMsgTx(2)
		msg.LockTime = height
		op := wire.OutPoint{Index: ^uint32(0)}
		if i > 0 && before != nil {
			op = wire.OutPoint{Hash: before.Txs[i].TxID}
		}
		msg.AddTxIn(&wire.TxIn{PreviousOutPoint: op, Sequence: uint32(i)})
		for j := range 2 {
			_, coin := taproot(int(height)*100_000 + 2*i + j)
			msg.AddTxOut(wire.NewTxOut(coin.Amount, coin.Script))
		}
		b.Txs = append(b.Txs, consensus.NewTx(msg))
	}
	return b
}

// BenchmarkConnectBlock connects blocks of 4,000 payments that spend those of
// the block before, encodes their undo data and applies them; the disk is not
// touched.
func BenchmarkConnectBlock(b *testing.B) {
	const n = 4000
	c := utxo.NewCache(openStore(b), 1<<30, utxo.Stats{})
	connect := func(block *consensus.Block, height int32) {
		v := utxo.NewView(c)
		spent, err := v.ConnectBlock(block, height)
		if err != nil {
			b.Fatal(err)
		}
		utxo.EncodeUndo(spent)
		c.Apply(v)
	}
	v := utxo.NewView(c)
	first := benchBlock(nil, n, 1)
	for i, tx := range first.Txs {
		if _, err := v.ConnectTx(tx, 1, true); err != nil {
			b.Fatal(i, err)
		}
	}
	c.Apply(v)
	last := first
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		b.StopTimer()
		next := benchBlock(last, n, uint32(i+2))
		b.StartTimer()
		connect(next, int32(i+2))
		last = next
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/payment")
}

func BenchmarkLookupCached(b *testing.B) {
	c := utxo.NewCache(openStore(b), 1<<30, utxo.Stats{})
	const n = 100_000
	fill(b, c, 0, n)
	ops := make([]wire.OutPoint, n)
	for i := range ops {
		ops[i], _ = taproot(i)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, ok, _ := c.Coin(ops[i%n]); !ok {
			b.Fatal("missing")
		}
	}
}

func BenchmarkLookupStored(b *testing.B) {
	s := openStore(b)
	c := utxo.NewCache(s, 1<<30, utxo.Stats{})
	const n = 100_000
	fill(b, c, 0, n)
	flush(b, s, c, 1)
	ops := make([]wire.OutPoint, n)
	for i := range ops {
		ops[i], _ = taproot(i)
	}
	c = utxo.NewCache(s, 0, utxo.Stats{})
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, ok, _ := c.Coin(ops[i*7919%n]); !ok {
			b.Fatal("missing")
		}
	}
}

// BenchmarkFlush commits 100,000 new coins per operation.
func BenchmarkFlush(b *testing.B) {
	s := openStore(b)
	c := utxo.NewCache(s, 1<<30, utxo.Stats{})
	const n = 100_000
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		fill(b, c, i*n, (i+1)*n)
		b.StartTimer()
		flush(b, s, c, int32(i+1))
	}
	b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "coins/s")
}
