package index

import (
	"context"
	"encoding/binary"
	"io/fs"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/store"
)

// benchTxs is how many transactions a block of benchChain has.
const benchTxs = 1000

// benchChain is blocks of payments with one input and two P2WPKH outputs, one
// to a script that is new and one back to the payer.
func benchChain(tb testing.TB, blocks int) *fakeChain {
	c := newFakeChain(testParams(tb))
	serial := uint64(0)
	script := func(n uint64) []byte {
		s := append([]byte{txscript.OP_0, txscript.OP_DATA_20}, make([]byte, 20)...)
		binary.BigEndian.PutUint64(s[4:], n*0x9e3779b97f4a7c15)
		return s
	}
	for range blocks {
		d := c.draft(c.tip())
		d.coinbase(c.salt, wire.NewTxOut(5000, script(0)))
		before := c.tip().Txs
		for i := range benchTxs {
			tx := wire.NewMsgTx(2)
			coin := consensus.Coin{Amount: 1 << 40, Script: script(uint64(i)), Height: d.height - 1}
			op := wire.OutPoint{Index: uint32(serial), Hash: c.p.GenesisHash}
			if len(before) > 1 {
				op = wire.OutPoint{Hash: before[i+1].TxID}
			}
			serial++
			tx.AddTxIn(&wire.TxIn{PreviousOutPoint: op, Witness: wire.TxWitness{make([]byte, 72), make([]byte, 33)}})
			tx.AddTxOut(wire.NewTxOut(1<<40-1000, script(uint64(i))))
			tx.AddTxOut(wire.NewTxOut(1000, script(benchTxs+serial)))
			d.spent = append(d.spent, []consensus.Coin{coin})
			d.msg.Transactions = append(d.msg.Transactions, tx)
		}
		d.coins, d.order = nil, nil
		c.setTip(c.done(d))
	}
	return c
}

// BenchmarkBuild builds each index over 200 blocks of 1,000 transactions from
// the start, on the real disk, and shows what it costs per transaction. The
// bytes are those of the files after a restart.
func BenchmarkBuild(b *testing.B) {
	const blocks = 200
	c := benchChain(b, blocks)
	for n, name := range []string{"tx", "addr", "basicfilter"} {
		b.Run(name, func(b *testing.B) {
			var size int64
			for b.Loop() {
				dir := b.TempDir()
				cfg := Config{Params: c.p, Source: c, Tx: n == 0, Addr: n == 1, Filter: n == 2, Log: slog.New(slog.DiscardHandler)}
				run(b, dir, cfg)
				run(b, dir, cfg)
				size = sizeOf(b, filepath.Join(dir, "indexes", name))
			}
			txs := float64(blocks * benchTxs)
			b.ReportMetric(float64(size)/txs, "bytes/tx")
			b.ReportMetric(txs*float64(b.N)/b.Elapsed().Seconds(), "tx/s")
		})
	}
}

// run opens a store with the indexes of cfg and brings them to the best block.
func run(tb testing.TB, dir string, cfg Config) {
	tb.Helper()
	s, err := store.Open(store.Config{Dir: dir, FS: store.OS(), Magic: [4]byte{1}})
	if err != nil {
		tb.Fatal(err)
	}
	cfg.Store = s
	set, err := Open(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	for _, f := range set.followers {
		if err := f.follow(context.Background()); err != nil {
			tb.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		tb.Fatal(err)
	}
}

func sizeOf(tb testing.TB, dir string) (total int64) {
	tb.Helper()
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			total += info.Size()
		}
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return total
}

// BenchmarkPage reads pages of 100 at the start and at the end of a history
// of 200,000 transactions, and the balance.
func BenchmarkPage(b *testing.B) {
	c := newFakeChain(testParams(b))
	hot := []byte{txscript.OP_TRUE}
	for range 200 {
		d := c.draft(c.tip())
		d.coinbase(c.salt, wire.NewTxOut(1, hot))
		for i := range benchTxs {
			tx := wire.NewMsgTx(2)
			tx.AddTxIn(&wire.TxIn{PreviousOutPoint: wire.OutPoint{Index: uint32(i), Hash: c.tip().Hash}})
			tx.AddTxOut(wire.NewTxOut(10, hot))
			d.spent = append(d.spent, []consensus.Coin{{Amount: 10, Script: []byte{1}}})
			d.msg.Transactions = append(d.msg.Transactions, tx)
		}
		d.coins, d.order = nil, nil
		c.setTip(c.done(d))
	}
	cfg := Config{Params: c.p, Source: c, Addr: true, Log: slog.New(slog.DiscardHandler)}
	dir := b.TempDir()
	run(b, dir, cfg)
	s, err := store.Open(store.Config{Dir: dir, FS: store.OS(), Magic: [4]byte{1}})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	cfg.Store = s
	set, err := Open(cfg)
	if err != nil {
		b.Fatal(err)
	}
	page := func(cursor string, reverse bool) func(*testing.B) {
		return func(b *testing.B) {
			for b.Loop() {
				list, _, _, err := set.Addr().History(Page{Cursor: cursor, Limit: 100, Reverse: reverse}, hot)
				if err != nil || len(list) != 100 {
					b.Fatal(len(list), err)
				}
			}
		}
	}
	b.Run("first", page("", false))
	b.Run("middle", page("00000064000001", false))
	b.Run("last", page("", true))
	b.Run("balance", func(b *testing.B) {
		for b.Loop() {
			if _, err := set.Addr().Totals(hot); err != nil {
				b.Fatal(err)
			}
		}
	})
}
