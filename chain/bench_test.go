package chain_test

import (
	"fmt"
	"testing"

	"github.com/charterchain/charter/chain/chaintest"
)

// BenchmarkConnect measures one block of 1-in-2-out transactions, from the
// decoded block to the events: rules, signatures, coins, undo data. The
// cache is warm and nothing was checked before.
func BenchmarkConnect(b *testing.B) {
	const perBlock = 500
	for _, kind := range []chaintest.Kind{chaintest.Anyone, chaintest.P2TR, chaintest.P2WPKH} {
		b.Run(string(kind), func(b *testing.B) {
			h := chaintest.New(b, chaintest.Options{CacheBytes: 256 << 20})
			funds := fund(h, kind, perBlock*b.N)
			key := chaintest.NewKey(kind, 1)
			var steps []*chaintest.Step
			for i := range b.N {
				var opts []chaintest.Option
				for j := range perBlock {
					from := funds[i*perBlock+j : i*perBlock+j+1]
					opts = append(opts, chaintest.Tx(chaintest.Pay(key, from, key, 2, 1000), 1000))
				}
				steps = append(steps, h.Next(fmt.Sprint("bench", i), opts...))
			}
			b.ResetTimer() // the blocks are made; b.Loop would not say how many are needed
			for _, s := range steps {
				s.Accept()
			}
			b.ReportMetric(float64(b.N)*perBlock/b.Elapsed().Seconds(), "tx/s")
		})
	}
}

// fund returns n outputs of the key that are in the chain.
func fund(h *chaintest.Harness, kind chaintest.Kind, n int) []chaintest.Output {
	const perTx = 2000
	key := chaintest.NewKey(kind, 1)
	anyone := chaintest.NewKey(chaintest.Anyone, 0)
	var outs []chaintest.Output
	last := "genesis"
	for i := 0; len(outs) < n; i++ {
		name := fmt.Sprint("fund", i)
		h.Next(name).Accept()
		last = name
		tx := chaintest.Pay(anyone, []chaintest.Output{h.Coin(last)}, key, perTx, 0)
		h.Next(name+"s", chaintest.Tx(tx, 0)).Accept()
		outs = append(outs, chaintest.Outputs(tx)...)
	}
	return outs
}
