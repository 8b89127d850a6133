package utxo

import (
	"hash/maphash"
	"sync"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
)

// Backend is the committed set: store.Store. It is safe for concurrent use.
type Backend interface {
	Get(key []byte) (value []byte, ok bool, err error)
}

// Cache is the coin set: what is committed, and above it in memory what is
// not yet. doc.go describes its layers.
type Cache struct {
	backend Backend
	seed    maphash.Seed
	pool    chunkPool

	// gate is held for reading by whoever looks at shards, and for writing to
	// change what follows.
	gate    sync.RWMutex
	budget  int64 // bytes
	pending *View // that is being applied; nil: none
	active  *generation
	frozen  *Frozen     // nil unless a freeze is under way
	recent  *generation // clean coins: what was committed or read lately
	older   *generation // and before that; nil: nothing
	epoch   uint64      // number of releases: what was read from the backend before one may be old
	dropped int         // shards of older that made way
	stats   Stats

	freezeAt float64 // part of the room for changed coins; see OverBudget

	// A lock guards one table of every generation. Held within gate.
	locks [shards]struct {
		sync.RWMutex
		_ [40]byte // of its own cache line
	}

	views spareView
}

// NewCache returns a cache over the committed set, whose stats the caller
// kept with the commit. budget is in bytes; see OverBudget.
func NewCache(b Backend, budget int64, stats Stats) *Cache {
	return &Cache{backend: b, seed: maphash.MakeSeed(), budget: budget, active: new(generation), recent: new(generation), stats: stats, freezeAt: firstFreeze}
}

// Coin returns the coin at op; false if there is none. Errors come from the
// backend, or wrap ErrDamaged.
func (c *Cache) Coin(op wire.OutPoint) (consensus.Coin, bool, error) {
	var scripts byteSlab
	return c.coin(&op, &scripts)
}

// coin is Coin with the memory for the script.
func (c *Cache) coin(op *wire.OutPoint, scripts *byteSlab) (consensus.Coin, bool, error) {
	k := toOutpoint(op)
	h := k.hash(c.seed)
	c.gate.RLock()
	coin, known, exists, err := c.findGated(op, &k, h, scripts)
	epoch := c.epoch
	c.gate.RUnlock()
	if known || err != nil {
		return coin, exists, err
	}
	value, err := c.read(op)
	if value == nil || err != nil {
		return consensus.Coin{}, false, err
	}
	if coin, err = decodeCoin(value, scripts); err != nil {
		return consensus.Coin{}, false, damagedCoin(*op, err)
	}
	c.remember([]fetched{{k, h, value}}, epoch)
	return coin, true, nil
}

// findGated looks through what is in memory. known: there is an entry.
func (c *Cache) findGated(op *wire.OutPoint, k *outpoint, h uint64, scripts *byteSlab) (coin consensus.Coin, known, exists bool, err error) {
	if c.pending != nil {
		if e := c.pending.find(k, h); e != nil && e.is(viewChanged) {
			return e.coin, true, e.is(viewExists), nil
		}
	}
	lock := &c.locks[k.shard()]
	lock.RLock()
	defer lock.RUnlock()
	value, known := c.valueLocked(k, h)
	if len(value) == 0 {
		return coin, known, false, nil
	}
	if coin, err = decodeCoin(value, scripts); err != nil {
		return coin, true, false, damagedCoin(*op, err)
	}
	return coin, true, true, nil
}

// valueLocked looks through the generations, below gate and the shard's lock.
func (c *Cache) valueLocked(k *outpoint, h uint64) (value []byte, known bool) {
	for _, g := range [...]*generation{c.active, c.frozen.entries(), c.recent, c.older} {
		if value, known = g.get(k, h); known {
			return value, true
		}
	}
	return nil, false
}

// Apply makes the changes of v part of the cache, all at once for readers. v
// must have been built on c as it is now, and must not be used again.
//
// Shard after shard is changed; until that has ended, readers see the changes
// in v itself.
func (c *Cache) Apply(v *View) {
	c.gate.Lock()
	c.pending = v
	c.stats.Coins += v.delta.Coins
	c.stats.Total += v.delta.Total
	c.gate.Unlock()
	buf := make([]byte, 0, 128)
	for shard, entries := range v.byShard() {
		c.gate.RLock()
		c.locks[shard].Lock()
		for _, i := range entries {
			buf = c.applyLocked(&v.t.entries[i], buf)
		}
		c.locks[shard].Unlock()
		c.gate.RUnlock()
	}
	c.gate.Lock()
	c.pending = nil
	c.gate.Unlock()
	c.makeRoom()
	c.views.put(v)
}

// applyLocked makes one change, with buf as memory, which it returns.
func (c *Cache) applyLocked(e *viewEntry, buf []byte) []byte {
	if e.is(viewBelow) {
		c.recent.forget(&e.key, e.hash)
		c.older.forget(&e.key, e.hash)
	}
	if e.is(viewExists) {
		buf = appendCoin(buf[:0], &e.coin)
		c.active.update(&e.key, e.hash, func(t *table, i int) {
			flags := slotDirty
			if i >= 0 {
				flags |= t.slots[i] & slotFresh
			} else if !e.is(viewBelow) && !c.frozen.has(&e.key, e.hash) {
				flags |= slotFresh
			}
			t.set(i, &e.key, e.hash, buf, flags, &c.pool)
		})
		return buf
	}
	c.active.update(&e.key, e.hash, func(t *table, i int) {
		if i >= 0 && t.slots[i]&slotFresh != 0 {
			t.remove(i)
			return
		}
		t.set(i, &e.key, e.hash, nil, slotDirty, &c.pool)
	})
	return buf
}

// Stats describe the coin set with everything that was applied.
func (c *Cache) Stats() Stats {
	c.gate.RLock()
	defer c.gate.RUnlock()
	return c.stats
}

// Entries is the number of entries in memory, spent ones included.
func (c *Cache) Entries() int {
	c.gate.RLock()
	defer c.gate.RUnlock()
	return c.active.len() + c.frozen.entries().len() + c.recent.len() + c.older.len()
}

// Reset forgets everything in memory: the committed set was replaced by one
// with these stats. No freeze may be under way.
func (c *Cache) Reset(stats Stats) {
	c.gate.Lock()
	defer c.gate.Unlock()
	if c.frozen != nil {
		panic("utxo: reset during a freeze")
	}
	c.active, c.stats = new(generation), stats
	c.recent, c.older = new(generation), nil
	c.pool.trim(0)
	c.epoch++
}
