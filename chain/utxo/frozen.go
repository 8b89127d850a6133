package utxo

import (
	"encoding/binary"
	"slices"
)

// Frozen is the generation of a cache that is being committed. Its methods
// may run while the cache is read and written.
type Frozen struct {
	generation *generation
	stats      Stats
}

// entries returns the generation; nil has none.
func (f *Frozen) entries() *generation {
	if f == nil {
		return nil
	}
	return f.generation
}

// has says that a coin, not just an entry, is in f, which may be nil.
func (f *Frozen) has(k *outpoint, h uint64) bool {
	value, _ := f.entries().get(k, h)
	return len(value) > 0
}

// Stats describe the coin set as of the freeze: they belong into the commit.
func (f *Frozen) Stats() Stats { return f.stats }

// Freeze sets the active generation aside, to be committed, and goes on with
// an empty one. It returns nil while an earlier freeze was not released. The
// caller commits what Each hands out, together with Stats, and then calls
// Release. If the commit fails the frozen generation just stays: reads
// remain right, and the process is about to end.
func (c *Cache) Freeze() *Frozen {
	c.gate.Lock()
	defer c.gate.Unlock()
	if c.frozen != nil {
		return nil
	}
	c.frozen = &Frozen{generation: c.active, stats: c.stats}
	c.active = new(generation)
	return c.frozen
}

// Each calls put or del for every row of the committed set that changes, in
// the order of txids: LevelDB then makes tables that do not overlap, and is
// several times as fast. The slices may change after each call.
//
// One shard is sorted at a time, for which Each needs 16 bytes per entry.
func (f *Frozen) Each(put func(key, value []byte), del func(key []byte)) error {
	var rows []row
	var buf [maxKey]byte
	for i := range f.generation.tables {
		t := &f.generation.tables[i]
		rows = t.sorted(rows[:0])
		for _, r := range rows {
			op := t.arena.key(r.at).wire()
			key, value := appendKey(buf[:0], &op), t.arena.value(r.at)
			if len(value) == 0 {
				del(key)
			} else {
				put(key, value)
			}
		}
	}
	return nil
}

// row is an entry on its way to the disk.
type row struct {
	first uint64 // bytes of the txid, which mostly tell entries apart
	at    address
}

// sorted adds the entries to rows, in the order of their keys.
func (t *table) sorted(rows []row) []row {
	rows = slices.Grow(rows, t.used)
	for _, s := range t.slots {
		if s != 0 {
			rows = append(rows, row{binary.BigEndian.Uint64(t.arena.at(s.address())), s.address()})
		}
	}
	slices.SortFunc(rows, func(a, b row) int {
		switch {
		case a.first < b.first:
			return -1
		case a.first > b.first:
			return 1
		}
		x, y := t.arena.key(a.at).wire(), t.arena.key(b.at).wire()
		return ComparePoints(&x, &y)
	})
	return rows
}

// Release ends a freeze after everything in f was committed. Its coins stay
// as clean ones while there is room: as they are, before those that were clean
// so far, or where there is room for both and more, one by one, shard after
// shard, beside readers and Apply.
func (c *Cache) Release(f *Frozen) {
	c.gate.Lock()
	if f == nil || c.frozen != f {
		c.gate.Unlock()
		panic("utxo: release of something that is not frozen")
	}
	// From here on nobody keeps what was read before the commit: the entries
	// that told them so are about to go.
	c.epoch++
	c.paceGated(f)
	if c.older == nil || c.dropped > 0 {
		c.followGated(f)
		c.gate.Unlock()
		c.makeRoom()
		return
	}
	c.gate.Unlock()
	for i := range shards {
		c.gate.RLock()
		c.locks[i].Lock()
		c.settleLocked(f.generation, i)
		c.locks[i].Unlock()
		c.gate.RUnlock()
		c.makeRoom()
	}
	c.gate.Lock()
	defer c.gate.Unlock()
	c.frozen = nil
}

// followGated makes f the clean coins, and those so far the older ones. What
// the active generation has changed since is not theirs to tell.
func (c *Cache) followGated(f *Frozen) {
	if c.older != nil {
		for i := c.dropped; i < shards; i++ {
			c.older.drop(i, &c.pool)
		}
	}
	c.older, c.recent, c.dropped, c.frozen = c.recent, f.generation, 0, nil
	if c.older.len() == 0 {
		c.older = nil
	}
	for i := range c.active.tables {
		t := &c.active.tables[i]
		for _, s := range t.slots {
			if s != 0 {
				c.recent.forget(t.arena.key(s.address()), s.hash())
			}
		}
	}
}

// settleLocked makes the coins of one shard of g clean ones, and empties it.
// What the active generation has changed since is not theirs to tell.
func (c *Cache) settleLocked(g *generation, shard int) {
	t := &g.tables[shard]
	for _, s := range t.slots {
		if s == 0 {
			continue
		}
		k, value := t.arena.key(s.address()), t.arena.value(s.address())
		if len(value) == 0 {
			continue
		}
		if _, changed := c.active.get(k, s.hash()); !changed {
			c.recent.keep(k, s.hash(), value, &c.pool)
		}
	}
	g.drop(shard, &c.pool)
}
