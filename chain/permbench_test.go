package chain_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/permission/record"
)

// BenchmarkConnectPermissions measures what permissions cost: blocks of
// 1-in-2-out payments, each from the decoded block to the events, on an open
// chain and, in turn with it, on one that restricts everything. taproot
// payments have a signature each; the others none, so that all else shows.
func BenchmarkConnectPermissions(b *testing.B) {
	const perBlock = 1000
	for _, kind := range []chaintest.Kind{chaintest.P2TR, chaintest.Anyone} {
		b.Run(string(kind), func(b *testing.B) {
			open := chaintest.New(b, chaintest.Options{CacheBytes: 256 << 20})
			openFunds := fund(open, kind, perBlock*b.N)
			net := chaintest.NewConsortium(chaintest.ConsortiumOptions{Allocation: 1 << 44})
			sealed := chaintest.New(b, chaintest.Options{CacheBytes: 256 << 20, Consortium: net})
			sealedFunds := fundMember(sealed, net, kind, perBlock*b.N)
			var took [2][]time.Duration
			b.ResetTimer()
			for i := range b.N {
				for j, h := range []*chaintest.Harness{open, sealed} {
					b.StopTimer()
					funds := [][]chaintest.Output{openFunds, sealedFunds}[j][i*perBlock : (i+1)*perBlock]
					step := h.Next(fmt.Sprint("bench", i), payments(kind, funds)...)
					began := time.Now()
					b.StartTimer()
					step.Accept()
					took[j] = append(took[j], time.Since(began))
				}
			}
			var median [2]float64 // the machine is noisy
			for j := range took {
				slices.Sort(took[j])
				median[j] = float64(took[j][len(took[j])/2].Microseconds())
			}
			b.ReportMetric(median[0], "µs/open")
			b.ReportMetric(median[1], "µs/sealed")
			b.ReportMetric(100*(median[1]/median[0]-1), "%more")
		})
	}
}

func payments(kind chaintest.Kind, funds []chaintest.Output) (opts []chaintest.Option) {
	key := chaintest.NewKey(kind, 1)
	for i := range funds {
		opts = append(opts, chaintest.Tx(chaintest.Pay(key, funds[i:i+1], key, 2, 1000), 1000))
	}
	return opts
}

// fundMember gives alpha the key, and returns n outputs of it.
func fundMember(h *chaintest.Harness, net *chaintest.Consortium, kind chaintest.Kind, n int) []chaintest.Output {
	const perTx = 2000
	alpha, key := net.Member("alpha"), chaintest.NewKey(kind, 1)
	h.Next("key", net.Vote(members{alpha}, net.AddKey(alpha, key, record.Send|record.Receive))).Accept()
	var outs []chaintest.Output
	from := net.Funds(alpha)
	for i := 0; len(outs) < n; i++ {
		h.Next(fmt.Sprint("empty", i)).Accept()
		tx := chaintest.PayAndKeep(alpha.Key, from, key, perTx, 1_000_000)
		h.Next(fmt.Sprint("fund", i), chaintest.Tx(tx, 0)).Accept()
		all := chaintest.Outputs(tx)
		outs = append(outs, all[:perTx]...)
		from = all[perTx]
	}
	return outs
}
