package mempool

import (
	"bytes"
	"context"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/sigcheck"
)

// BenchmarkAccept measures Accept for payments with one input and two
// outputs, signatures and all; the checker remembers nothing.
func BenchmarkAccept(b *testing.B) {
	key, _ := btcec.PrivKeyFromBytes([]byte{31: 7})
	pub := key.PubKey().SerializeCompressed()
	p2wpkh := append([]byte{txscript.OP_0, 20}, address.Hash160(pub)...)
	tweaked := txscript.ComputeTaprootKeyNoScript(key.PubKey())
	p2tr := append([]byte{txscript.OP_1, 32}, schnorr.SerializePubKey(tweaked)...)
	witness := func(b *testing.B, msg *wire.MsgTx, script []byte) (w wire.TxWitness) {
		fetch := txscript.NewCannedPrevOutputFetcher(script, 1e8)
		hashes := txscript.NewTxSigHashes(msg, fetch)
		var err error
		if txscript.IsPayToTaproot(script) {
			w, err = txscript.TaprootWitnessSignature(msg, hashes, 0, 1e8, script, txscript.SigHashDefault, key)
		} else {
			w, err = txscript.WitnessSignature(msg, hashes, 0, 1e8, script, txscript.SigHashAll, key, true)
		}
		if err != nil {
			b.Fatal(err)
		}
		return w
	}
	for name, script := range map[string][]byte{"p2tr": p2tr, "p2wpkh": p2wpkh} {
		b.Run(name, func(b *testing.B) {
			w := newWorld(b, func(_ *params.Params, cfg *Config) {
				cfg.Checker = sigcheck.New(sigcheck.Config{Workers: 1})
			})
			txs := make([]*consensus.Tx, b.N)
			for i := range txs {
				in := w.coinWith(consensus.Coin{Amount: 1e8, Script: script})
				msg := spendMsg(1000, 2, in)
				msg.TxOut[0].PkScript, msg.TxOut[1].PkScript = script, script
				msg.TxIn[0].Witness = witness(b, msg, script)
				txs[i] = consensus.NewTx(msg)
			}
			b.ReportAllocs()
			b.ResetTimer()
			for _, tx := range txs {
				if err := w.pool.Accept(context.Background(), tx); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkTemplate measures the choice among 10,000 transactions, a third of
// which depend on others, for a block that holds about half of them.
func BenchmarkTemplate(b *testing.B) {
	w := newWorld(b)
	rng := rand.New(rand.NewPCG(1, 1))
	var outs []output
	for w.pool.Info().Count < 10_000 {
		ins := []output{w.coin(1e8)}
		if rng.IntN(3) == 0 && len(outs) > 0 {
			at := rng.IntN(len(outs))
			ins = append(ins, outs[at])
			outs[at] = outs[len(outs)-1]
			outs = outs[:len(outs)-1]
		}
		tx := spend(1000+int64(rng.IntN(100_000)), 2, ins...)
		if w.pool.Accept(context.Background(), tx) == nil {
			outs = append(outs, outputOf(tx, 0), outputOf(tx, 1))
		}
	}
	opts := TemplateOptions{MaxWeight: 2_500_000, CoinbaseScript: []byte{txscript.OP_TRUE}}
	b.ReportAllocs()
	for b.Loop() {
		w.pool.generation.Add(1) // as if something had changed
		t, err := w.pool.Template(context.Background(), opts)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(t.Txs)), "txs")
	}
}

// schnorrChecks times many btcec Schnorr checks, of which one is the unit U in
// which this package's documentation gives its figures.
func schnorrChecks(b *testing.B) (u clock) {
	const checks = 51
	key, _ := btcec.PrivKeyFromBytes([]byte{31: 9})
	msg := make([]byte, 32)
	sig, err := schnorr.Sign(key, msg)
	if err != nil {
		b.Fatal(err)
	}
	u = timed(func() {
		for range checks {
			if !sig.Verify(msg, key.PubKey()) {
				b.Fatal("a good signature fails")
			}
		}
	})
	return clock{u.passed / checks, u.computed / checks}
}

// clock says how much time something took, and for how much of it this thread
// computed.
type clock struct{ passed, computed time.Duration }

func timed(f func()) clock {
	begin, computed := time.Now(), computing()
	f()
	return clock{time.Since(begin), computing() - computed}
}

// inUnits measures an operation, with U measured before each time, and
// something else done before that.
func inUnits(b *testing.B, before, op func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var took, units, computed []float64
	for range b.N {
		b.StopTimer()
		before()
		u := schnorrChecks(b)
		b.StartTimer()
		d := timed(op)
		took, units = append(took, d.passed.Seconds()*1e3), append(units, float64(d.passed)/float64(u.passed))
		if u.computed > 0 {
			computed = append(computed, float64(d.computed)/float64(u.computed))
		}
	}
	report := func(list []float64, unit string) {
		if slices.Sort(list); len(list) > 0 {
			b.ReportMetric(list[len(list)/2], unit)
		}
	}
	report(took, "ms/median")
	report(units, "U/median")
	report(computed, "U-computing/median")
}

// fullPool fills a pool of 300 MB with payments of one input and two outputs,
// a tenth of which depend on others.
func fullPool(b *testing.B) (*world, *filler) {
	w := newWorld(b, func(p *params.Params, _ *Config) { p.Policy.MempoolBytes = defaultBytes })
	f := &filler{pool: w.pool, rng: rand.New(rand.NewPCG(1, 1))}
	for w.pool.usage < defaultBytes {
		fee := func(vsize int64) int64 { return vsize * (1000 + f.rng.Int64N(100_000)) / 1000 }
		e := f.put(fee, 0, nil, 2, f.fresh())
		for f.rng.IntN(10) == 0 && e != nil {
			e = f.put(fee, 0, nil, 2, wire.OutPoint{Hash: e.tx.TxID, Index: uint32(f.rng.IntN(2))})
		}
	}
	return w, f
}

// BenchmarkTemplateFull measures a new template of a full pool: after another
// transaction came, and after a block with all of the template before; and how
// long the pool holds the chain up to follow such a block.
func BenchmarkTemplateFull(b *testing.B) {
	w, f := fullPool(b)
	opts := TemplateOptions{CoinbaseScript: []byte{txscript.OP_TRUE}}
	template := func() *Template {
		t, err := w.pool.Template(context.Background(), opts)
		if err != nil {
			b.Fatal(err)
		}
		return t
	}
	last := template()
	b.Run("new", func(b *testing.B) {
		inUnits(b, func() { f.put(func(v int64) int64 { return 50 * v }, 0, nil, 2, f.fresh()) }, func() { last = template() })
		b.ReportMetric(float64(len(last.Txs)), "txs")
		b.ReportMetric(float64(w.pool.Info().Count), "waiting")
	})
	var block *consensus.Block
	solve := func() { // a block as it comes from outside, with memory of its own
		var raw bytes.Buffer
		if err := w.chain.make(last.Txs...).Msg().Serialize(&raw); err != nil {
			b.Fatal(err)
		}
		var err error
		if block, err = consensus.DecodeBlock(raw.Bytes(), &w.chain.params.Limits); err != nil {
			b.Fatal(err)
		}
	}
	connect := func() {
		w.chain.add(block)
		w.pool.HandleEvent(chain.Event{Kind: chain.Connected, Block: block, Info: w.chain.Best()})
	}
	refill := func() {
		for w.pool.usage < defaultBytes {
			f.put(func(v int64) int64 { return v * (1000 + f.rng.Int64N(100_000)) / 1000 }, 0, nil, 2, f.fresh())
		}
	}
	b.Run("block", func(b *testing.B) {
		inUnits(b, func() { solve(); connect(); refill(); w.pool.tidy() }, func() { last = template() })
	})
	b.Run("connect", func(b *testing.B) {
		inUnits(b, func() { refill(); w.pool.tidy(); last = template(); solve() }, connect)
	})
}

// BenchmarkConnect measures how long the pool holds the chain up when a block
// confirms 6,500 of its transactions.
func BenchmarkConnect(b *testing.B) {
	const txs = 6500
	for b.Loop() {
		b.StopTimer()
		w := newWorld(b, func(_ *params.Params, cfg *Config) { cfg.Checker = &gateChecker{} })
		list := make([]*consensus.Tx, txs)
		for i := range list {
			list[i] = spend(1000, 2, w.coin(1e8))
		}
		w.accept(list...)
		block := w.chain.make(list...)
		var held chain.Event
		w.chain.sink = func(ev chain.Event) { held = ev }
		w.chain.connect(block)
		b.StartTimer()
		w.pool.HandleEvent(held)
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/txs, "ns/tx")
}

// BenchmarkJudge measures what Accept does beside the signature, from as many
// goroutines as there are cores.
func BenchmarkJudge(b *testing.B) {
	w := newWorld(b, func(_ *params.Params, cfg *Config) { cfg.Checker = &gateChecker{} })
	p2tr := append([]byte{txscript.OP_1, 32}, make([]byte, 32)...)
	txs := make([]*consensus.Tx, b.N)
	for i := range txs {
		in := w.coinWith(consensus.Coin{Amount: 1e8, Script: p2tr})
		msg := spendMsg(1000, 2, in)
		msg.TxOut[0].PkScript, msg.TxOut[1].PkScript = p2tr, p2tr
		msg.TxIn[0].Witness = wire.TxWitness{make([]byte, 64)}
		txs[i] = consensus.NewTx(msg)
	}
	var next atomic.Int64
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := w.pool.Accept(context.Background(), txs[next.Add(1)-1]); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
