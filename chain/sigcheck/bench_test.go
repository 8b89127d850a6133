package sigcheck

import (
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcec/v2/schnorr"
)

// BenchmarkBlocks checks blocks of one kind, each input by a key of its own:
// one block alone, and four that were begun one after the other. checks/U is
// how many signatures are checked in the time of one check by btcec on one
// core, measured by turns; checks/cpuU counts the time of all cores that was
// spent, and depends little on what else the machine does. Medians.
func BenchmarkBlocks(b *testing.B) {
	const txs, inputs = 2000, 2
	for _, kind := range []string{p2tr, p2wpkh, "p2wpkh with hints", p2pkh, "mixed"} {
		var block []Spend
		for n := range txs {
			one := kind
			switch {
			case kind == "mixed":
				one = []string{p2wpkh, p2tr, p2wpkh, p2tr, p2pkh}[n%5]
			case kind == "p2wpkh with hints":
				one = p2wpkh
			}
			block = append(block, spendOf(b, n, slices.Repeat([]string{one}, inputs)...))
		}
		var hints Hints
		if kind == "p2wpkh with hints" {
			hints = trueHints(b, block)
		}
		for _, workers := range []int{1, 2} {
			for _, blocks := range []int{1, 4} {
				b.Run(fmt.Sprintf("%s/workers=%d/blocks=%d", kind, workers, blocks), func(b *testing.B) {
					benchmarkBlocks(b, block, hints, workers, blocks)
				})
			}
		}
	}
}

func benchmarkBlocks(b *testing.B, block []Spend, hints Hints, workers, blocks int) {
	c := New(Config{Workers: workers})
	var units, took, busy []time.Duration
	if err := c.CheckBlock(b.Context(), block, allConsensus); err != nil { // workers get their memory
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		units = append(units, unit(b))
		start, cpu := time.Now(), cpuTime()
		var pending []*Pending
		for range blocks {
			pending = append(pending, c.Begin(block, allConsensus, hints))
		}
		for _, p := range pending {
			if err := p.Wait(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
		took, busy = append(took, time.Since(start)), append(busy, cpuTime()-cpu)
	}
	checks := float64(blocks * inputsOf(block))
	b.ReportMetric(median(units)*checks/median(took), "checks/U")
	b.ReportMetric(median(units)*checks/median(busy), "checks/cpuU")
}

// cpuTime is what the process used so far, of all cores.
func cpuTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// BenchmarkTx checks transactions as the pool does, alone or from many
// callers at once.
func BenchmarkTx(b *testing.B) {
	for _, kind := range []string{p2tr, p2wpkh} {
		var spends []Spend
		for n := range 256 {
			spends = append(spends, spendOf(b, n, kind))
		}
		for _, callers := range []int{1, 8, 64} {
			b.Run(fmt.Sprintf("%s/callers=%d", kind, callers), func(b *testing.B) {
				c := New(Config{Workers: 2})
				var units []time.Duration
				for range 9 {
					units = append(units, unit(b))
				}
				b.SetParallelism(max(1, callers/2))
				b.ReportAllocs()
				b.ResetTimer()
				b.RunParallel(func(pb *testing.PB) {
					for n := 0; pb.Next(); n++ {
						s := &spends[n%len(spends)]
						if err := c.CheckTx(b.Context(), s.Tx, s.Coins, allConsensus); err != nil {
							b.Error(err)
						}
					}
				})
				b.ReportMetric(median(units)*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "checks/U")
			})
		}
	}
}

// unit is the time of a few checks by btcec, for each of them.
func unit(b *testing.B) time.Duration {
	const checks = 9
	hash := [32]byte{1}
	sig, err := schnorr.Sign(testKey(), hash[:])
	if err != nil {
		b.Fatal(err)
	}
	pub := testKey().PubKey()
	var each []time.Duration
	for range checks {
		start := time.Now()
		if !sig.Verify(hash[:], pub) {
			b.Fatal("a valid signature was refused")
		}
		each = append(each, time.Since(start))
	}
	return time.Duration(median(each))
}

// median is in nanoseconds.
func median(d []time.Duration) float64 {
	slices.Sort(d)
	return float64(d[len(d)/2])
}
