package permission

import (
	"hash/maphash"
	"math/rand/v2"
	"testing"
)

// crowded keys collide: all of one level, some in all bits.
type crowded uint32

func (k crowded) hash(maphash.Seed) uint64 { return uint64(k%7)<<61 | uint64(k%3) }

// A table does what a map does, and older versions stay as they were.
func TestTable(t *testing.T) {
	t.Run("spread", func(t *testing.T) { testTable[heightKey](t, 5000) })
	t.Run("crowded", func(t *testing.T) { testTable[crowded](t, 60) })
}

func testTable[K interface {
	~uint32
	tableKey
}](t *testing.T, keys uint32) {
	rng := rand.New(rand.NewPCG(1, 2))
	table, want := newTable[K, int](maphash.MakeSeed()), map[K]int{}
	var kept table2[K]
	for i := range 20_000 {
		k := K(rng.Uint32N(keys))
		if rng.IntN(3) == 0 {
			table = table.without(k)
			delete(want, k)
		} else {
			table = table.set(k, i)
			want[k] = i
		}
		if i == 10_000 {
			kept = keep(table, want)
		}
	}
	keep(table, want).check(t)
	kept.check(t)
	for k := range want {
		table = table.without(k)
	}
	if table.len() != 0 || len(table.root.slots) != 0 {
		t.Errorf("an emptied table has %d entries, %d slots", table.len(), len(table.root.slots))
	}
}

// table2 is a table and what it should hold.
type table2[K tableKey] struct {
	table table[K, int]
	want  map[K]int
}

func keep[K tableKey](t table[K, int], want map[K]int) table2[K] {
	c := make(map[K]int, len(want))
	for k, v := range want {
		c[k] = v
	}
	return table2[K]{t, c}
}

func (c table2[K]) check(t *testing.T) {
	t.Helper()
	n := 0
	for k, v := range c.table.all() {
		if n++; c.want[k] != v {
			t.Fatalf("all yields %v: %d, want %d", k, v, c.want[k])
		}
	}
	for k, v := range c.want {
		if got, ok := c.table.get(k); !ok || got != v {
			t.Fatalf("get %v: %d %v, want %d", k, got, ok, v)
		}
	}
	if n != len(c.want) || c.table.len() != n {
		t.Fatalf("%d entries, len %d, want %d", n, c.table.len(), len(c.want))
	}
	for range c.table.all() {
		break // stops when told to
	}
}
