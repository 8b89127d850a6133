package utxo

import "sync/atomic"

// shards is into how many tables a generation is divided, by the first bits
// of the txid: so that they are in the order of rows, one table grows at a
// time, and whoever changes one keeps few readers waiting. Transactions that
// crowd into few shards make those larger and nothing worse.
const shards = 64

func (k *outpoint) shard() int { return int(k[0] >> 2) }

// generation is a set of entries by outpoint. Its tables are guarded by the
// locks of the cache's shards.
type generation struct {
	tables  [shards]table
	bytes   atomic.Int64
	entries atomic.Int64
}

// size is the memory of the generation in bytes; nil has none.
func (g *generation) size() int64 {
	if g == nil {
		return 0
	}
	return g.bytes.Load()
}

func (g *generation) len() int {
	if g == nil {
		return 0
	}
	return int(g.entries.Load())
}

// get returns the value at k; nil has none. known says that the generation
// has an entry; then no value means that there is no coin.
func (g *generation) get(k *outpoint, h uint64) (value []byte, known bool) {
	if g == nil {
		return nil, false
	}
	return g.tables[k.shard()].get(k, h)
}

// update changes the entry at k: fn is given its slot, or -1.
func (g *generation) update(k *outpoint, h uint64, fn func(t *table, i int)) {
	t := &g.tables[k.shard()]
	size, used := t.size(), t.used
	fn(t, t.find(k, h))
	if d := t.size() - size; d != 0 {
		g.bytes.Add(int64(d))
	}
	if d := t.used - used; d != 0 {
		g.entries.Add(int64(d))
	}
}

// keep adds a clean coin at k, at which there is no entry.
func (g *generation) keep(k *outpoint, h uint64, value []byte, pool *chunkPool) {
	g.update(k, h, func(t *table, i int) { t.set(i, k, h, value, 0, pool) })
}

// forget removes the entry at k, if there is one; nil has none.
func (g *generation) forget(k *outpoint, h uint64) {
	if g == nil || g.tables[k.shard()].used == 0 {
		return
	}
	g.update(k, h, func(t *table, i int) {
		if i >= 0 {
			t.remove(i)
		}
	})
}

// drop forgets one shard.
func (g *generation) drop(shard int, pool *chunkPool) {
	t := &g.tables[shard]
	g.bytes.Add(-int64(t.size()))
	g.entries.Add(-int64(t.used))
	pool.put(&t.arena)
	*t = table{}
}
