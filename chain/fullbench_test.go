package chain_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/btcsuite/btcd/txscript/v2"

	"github.com/charterchain/charter/chain/chaintest"
)

// The benchmarks of this file make the table in README.md: `make bench-chain`.

// fullBlock returns as many 1-in-2-out payments of the key as fit a block.
func fullBlock(h *chaintest.Harness, kind chaintest.Kind) []chaintest.Option {
	key := chaintest.NewKey(kind, 1)
	limit := h.Params.Limits.BlockWeight - 4000 // room for header and coinbase
	var opts []chaintest.Option
	var weight int64
	for _, from := range fund(h, kind, 8000) {
		tx := chaintest.Pay(key, []chaintest.Output{from}, key, 2, 1000)
		weight += int64(3*tx.SerializeSizeStripped() + tx.SerializeSize())
		if weight > limit {
			return opts
		}
		opts = append(opts, chaintest.Tx(tx, 1000))
	}
	panic("the block is not full")
}

// BenchmarkFullUndo: the disconnection of a block of 4,000,000 weight.
func BenchmarkFullUndo(b *testing.B) {
	for _, kind := range []chaintest.Kind{chaintest.P2TR, chaintest.P2WPKH} {
		h := chaintest.New(b, chaintest.Options{CacheBytes: 256 << 20})
		opts := fullBlock(h, kind)
		h.Next("full", opts...).Accept()
		undo := func(name string) {
			if err := h.Chain.Invalidate(b.Context(), h.Block(name).Hash); err != nil {
				b.Fatal(err)
			}
		}
		undo("full")
		n := 0
		b.Run(string(kind), func(b *testing.B) {
			for range b.N {
				b.StopTimer()
				n++
				name := fmt.Sprint("again", n)
				h.OnParent("full").Next(name, opts...).Accept()
				b.StartTimer()
				undo(name)
			}
			b.ReportMetric(float64(b.N*len(opts))/b.Elapsed().Seconds(), "tx/s")
		})
	}
}

// million makes a chain with a million taproot coins, each of a key of its
// own, that nobody has flushed.
func million(b *testing.B, dir string) *chaintest.Harness {
	b.Helper()
	const perTx = 10_000
	late := chaintest.Params(chaintest.ChainFile).GenesisBlock.Header.Timestamp.AddDate(1, 0, 0)
	h := chaintest.New(b, chaintest.Options{CacheBytes: 1 << 30, Dir: dir, Now: func() time.Time { return late }})
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range 100 {
		name := fmt.Sprint("m", i)
		h.Next(name).Accept()
		tx := chaintest.SpendTx(0, perTx, h.Coin(name))
		for _, out := range tx.TxOut {
			script := append([]byte{txscript.OP_1, txscript.OP_DATA_32}, make([]byte, 32)...)
			for j := 2; j < len(script); j += 8 {
				binary.LittleEndian.PutUint64(script[j:], rng.Uint64())
			}
			out.PkScript = script
		}
		h.Next(name+"s", chaintest.Tx(tx, 0)).Accept()
	}
	return h
}

// BenchmarkFullIndexRow: bytes on disk per row of the block index.
func BenchmarkFullIndexRow(b *testing.B) {
	dir := b.TempDir()
	h := chaintest.New(b, chaintest.Options{Dir: dir})
	const blocks = 1400 // one day: the test clock stands a day after genesis
	for i := range blocks {
		h.Next(fmt.Sprint("b", i)).Accept()
	}
	h.Close()
	for range b.N {
		b.ReportMetric(float64(sizeOf(b, filepath.Join(dir, "index")))/blocks, "B/row")
	}
}

// sizeOf is the sum of the files' sizes in dir.
func sizeOf(b *testing.B, dir string) int64 {
	b.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		b.Fatal(err)
	}
	var total int64
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			b.Fatal(err)
		}
		total += info.Size()
	}
	return total
}
