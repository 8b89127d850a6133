package mempool

import (
	"context"
	"math/rand/v2"
	"testing"

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

// BenchmarkConnect measures how long the pool holds the chain up when a block
// confirms 2,000 of its transactions.
func BenchmarkConnect(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		w := newWorld(b)
		txs := make([]*consensus.Tx, 2000)
		for i := range txs {
			txs[i] = spend(1000, 2, w.coin(1e8))
		}
		w.accept(txs...)
		block := w.chain.make(txs...)
		var held chain.Event
		w.chain.sink = func(ev chain.Event) { held = ev }
		w.chain.connect(block)
		b.StartTimer()
		w.pool.HandleEvent(held)
	}
}
