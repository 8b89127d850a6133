package permission

import (
	"fmt"
	"testing"

	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/permission/record"
)

// benchWorld has 1,000 members with 4 keys each.
func benchWorld(b *testing.B, restricted record.Set) *world {
	members := three(b)
	for i := range 1000 {
		members = append(members, member(b, fmt.Sprintf("m%d send,receive m%d=send,receive wpkh-%da=send wpkh-%db=send wpkh-%dc=receive", i, i, i, i, i)))
	}
	p := chainParams(members...)
	p.Permissions.Restricted = toParams(restricted)
	return newWorld(b, p)
}

// One input, two outputs, all P2TR.
func BenchmarkCheckTx(b *testing.B) {
	for name, restricted := range map[string]record.Set{"restricted": record.Permissions, "open": record.Mine} {
		b.Run(name, func(b *testing.B) {
			w := benchWorld(b, restricted)
			var txs []payment
			for i := range 256 {
				txs = append(txs, w.pay(fmt.Sprintf("m%d", i), [][]byte{identity(fmt.Sprintf("m%d", i+256)), identity(fmt.Sprintf("m%d", i+512))}))
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				p := &txs[i&255]
				if err := w.s.CheckTx(p.tx, p.coins, 1); err != nil {
					b.Fatal(err)
				}
				i++
			}
		})
	}
}

// A block with one grant on a chain with 1,000 members.
func BenchmarkApply(b *testing.B) {
	w := benchWorld(b, record.Permissions)
	p := w.spend("alpha", w.grant("m7", "connect", 0, forever))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := w.try(p); err != nil {
			b.Fatal(err)
		}
	}
}

// What the chain asks for every block.
func BenchmarkCheckSealer(b *testing.B) {
	var members []params.Member
	for i := range MaxMining {
		members = append(members, member(b, fmt.Sprintf("m%d mine,admin m%d=mine,admin", i, i)))
	}
	w := newWorld(b, chainParams(members...))
	key := xonly("m7")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.s.CheckSealer(key, 1000); err != nil {
			b.Fatal(err)
		}
		w.s.LookBack(1000)
	}
}
