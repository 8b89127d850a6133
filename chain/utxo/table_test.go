package utxo

import (
	"math/rand/v2"
	"testing"
)

// TestTableAgainstMap changes a table at random, with hashes that often
// collide, and with values of all kinds of sizes.
func TestTableAgainstMap(t *testing.T) {
	for name, hash := range map[string]func(n uint64) uint64{
		"spread":    func(n uint64) uint64 { return n * 0x9e3779b97f4a7c15 },
		"few homes": func(n uint64) uint64 { return n % 5 << (slotHashBits - 3) },
		"one home":  func(uint64) uint64 { return slotHashMask }, // the last one: entries wrap around
	} {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, 2))
			var g table
			var pool chunkPool
			model := make(map[outpoint]string)
			for range 5_000 {
				n := rng.Uint64N(300)
				k := outpoint{byte(n), byte(n >> 8)}
				h := hash(n)
				value, known := g.get(&k, h)
				if want, ok := model[k]; ok != known || want != string(value) {
					t.Fatalf("entry %d: %x, %v, want %x, %v", n, value, known, want, ok)
				}
				switch i := g.find(&k, h); {
				case rng.IntN(3) > 0:
					value := make([]byte, []int{0, 5, 38, 300, maxCoinValue}[rng.IntN(5)])
					for j := range value {
						value[j] = byte(rng.Uint32())
					}
					g.set(i, &k, h, value, slotDirty, &pool)
					model[k] = string(value)
				case i >= 0:
					g.remove(i)
					delete(model, k)
				}
				if g.used != len(model) {
					t.Fatalf("%d entries, want %d", g.used, len(model))
				}
			}
			rows := g.sorted(nil)
			for i, r := range rows {
				if k := *g.arena.key(r.at); model[k] != string(g.arena.value(r.at)) {
					t.Errorf("row %d is not what was set", i)
				}
				if i > 0 {
					a, b := g.arena.key(rows[i-1].at).wire(), g.arena.key(r.at).wire()
					if ComparePoints(&a, &b) >= 0 {
						t.Errorf("row %d out of order", i)
					}
				}
			}
			if len(rows) != len(model) {
				t.Errorf("%d rows, want %d", len(rows), len(model))
			}
		})
	}
}

// TestChunksStay: what one generation leaves is memory of the next.
func TestChunksStay(t *testing.T) {
	m := newMemory()
	c := NewCache(m, 4<<20, Stats{})
	next := 0
	most := int64(0)
	for range 6 {
		for !c.OverBudget() {
			apply(t, c, func(v *View) {
				for range 100 {
					mustAdd(t, v, next)
					next++
				}
			})
			most = max(most, c.Size())
		}
		flushAll(t, c, m)
	}
	if most > 4<<20+300<<10 {
		t.Errorf("%d bytes, budget 4 MiB", most)
	}
	// Clean coins and the active generation are there, and no more.
	if n := c.usedGated() + c.pool.bytes.Load(); n > 4<<20 {
		t.Errorf("%d bytes after all", n)
	}
	c.SetBudget(0)
	if n := c.Size(); n != 0 {
		t.Errorf("%d bytes are kept without a budget", n)
	}
}
