package mempool

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/mempool/policy"
)

// The memory that the pool says it takes is what it takes: neither less, or
// the budget would be no bound, nor much more.
func TestUsageIsHonest(t *testing.T) {
	tests := map[string]struct{ ins, outs, items, item, script int }{
		"payments":     {1, 2, 1, 64, 34},
		"two inputs":   {2, 2, 2, 72, 22},
		"many outputs": {1, 40, 1, 64, 34},
		"many inputs":  {30, 1, 2, 72, 22},
		"data":         {1, 2, 3, 3000, 34},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			const budget = 24 << 20
			var said int64
			took := live(func() any {
				w := newWorld(t)
				var coin uint64
				for said = 0; said < budget; said = w.pool.usage {
					msg := wire.NewMsgTx(2)
					for range c.ins {
						coin++
						in := &wire.TxIn{}
						binary.BigEndian.PutUint64(in.PreviousOutPoint.Hash[:], coin)
						for range c.items {
							in.Witness = append(in.Witness, make([]byte, c.item))
						}
						msg.AddTxIn(in)
					}
					for range c.outs {
						msg.AddTxOut(wire.NewTxOut(1000, make([]byte, c.script)))
					}
					var raw bytes.Buffer
					if err := msg.Serialize(&raw); err != nil {
						t.Fatal(err)
					}
					tx, err := consensus.DecodeTx(bytes.Clone(raw.Bytes()))
					if err != nil {
						t.Fatal(err)
					}
					e := &entry{tx: tx, fee: int64(coin % 997), vsize: policy.VSize(tx.Weight, 0), usage: usageOf(tx)}
					w.pool.attachLocked(e)
				}
				return w
			})
			if ratio := float64(took) / float64(said); ratio > 1.1 || ratio < 0.6 {
				t.Errorf("it says %d bytes and takes %d, %.2f times as much", said, took, ratio)
			} else {
				t.Logf("it takes %.2f times what it says", ratio)
			}
		})
	}
}

// live returns the bytes of memory that what f makes takes.
func live(f func() any) int64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&before)
	made := f()
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(made)
	return int64(after.HeapAlloc) - int64(before.HeapAlloc)
}
