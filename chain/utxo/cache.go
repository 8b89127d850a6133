package utxo

import (
	"bytes"
	"fmt"
	"slices"
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

	mu     sync.RWMutex // guards what follows
	budget int64        // bytes
	active *generation
	frozen *Frozen     // nil unless a freeze is under way
	clean  *generation // nil: none; flags of its entries mean nothing
	epoch  uint64      // number of releases: what was read from the backend before one may be old
	stats  Stats
}

// NewCache returns a cache over the committed set, whose stats the caller
// kept with the commit. budget is in bytes; see OverBudget.
func NewCache(b Backend, budget int64, stats Stats) *Cache {
	return &Cache{backend: b, budget: budget, active: newGeneration(), stats: stats}
}

// Coin returns the coin at op; false if there is none. Errors come from the
// backend, or wrap ErrDamaged.
func (c *Cache) Coin(op wire.OutPoint) (consensus.Coin, bool, error) {
	k := toOutpoint(&op)
	c.mu.RLock()
	coin, known, exists, err := c.findLocked(&op, &k)
	epoch := c.epoch
	c.mu.RUnlock()
	if known || err != nil {
		return coin, exists, err
	}
	var key [maxKey]byte
	value, ok, err := c.backend.Get(appendKey(key[:0], &op))
	if err != nil {
		return consensus.Coin{}, false, fmt.Errorf("coin %v: %w", op, err)
	}
	if !ok {
		return consensus.Coin{}, false, nil
	}
	coin, err = decodeCoin(value)
	if err != nil {
		return consensus.Coin{}, false, damagedCoin(op, err)
	}
	c.remember(&k, value, epoch)
	return coin, true, nil
}

// findLocked looks through the generations. known: one of them has an entry.
func (c *Cache) findLocked(op *wire.OutPoint, k *outpoint) (coin consensus.Coin, known, exists bool, err error) {
	value, known := c.active.find(k)
	if !known && c.frozen != nil {
		value, known = c.frozen.find(k)
	}
	if !known {
		value, known = c.clean.find(k)
	}
	if len(value) == 0 {
		return coin, known, false, nil
	}
	if coin, err = decodeCoin(value); err != nil {
		return coin, true, false, damagedCoin(*op, err)
	}
	return coin, true, true, nil
}

// remember keeps a value that was read from the backend, while there is room.
func (c *Cache) remember(k *outpoint, value []byte, epoch uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if epoch != c.epoch || c.sizeLocked() >= c.budget {
		return
	}
	if c.clean == nil {
		c.clean = newGeneration()
	}
	if _, known := c.clean.entries[*k]; !known {
		c.clean.set(k, value, 0)
	}
}

// Apply makes the changes of v part of the cache, all at once for readers. v
// must have been built on c as it is now, and must not be used again.
func (c *Cache) Apply(v *View) {
	c.mu.Lock()
	defer c.mu.Unlock()
	buf := make([]byte, 0, 128)
	for k, e := range v.entries {
		switch {
		case !e.changed:
		case e.exists:
			buf = appendCoin(buf[:0], &e.coin)
			c.putLocked(&k, buf, e.below)
		default:
			c.spendLocked(&k)
		}
	}
	v.entries = nil
	c.stats.Coins += v.delta.Coins
	c.stats.Total += v.delta.Total
	if c.sizeLocked() > c.budget {
		c.clean = nil
	}
}

// putLocked adds a coin. below says that a coin of this outpoint is known to
// be in the cache or the backend.
func (c *Cache) putLocked(k *outpoint, value []byte, below bool) {
	flags := slotDirty
	if old, ok := c.active.entries[*k]; ok {
		flags |= old & slotFresh
	} else if !below && !c.frozen.has(k) {
		flags |= slotFresh
	}
	c.active.set(k, value, flags)
}

// spendLocked takes away a coin that is there.
func (c *Cache) spendLocked(k *outpoint) {
	if old, ok := c.active.entries[*k]; ok && old&slotFresh != 0 {
		c.active.remove(k)
		return
	}
	c.active.set(k, nil, slotDirty)
}

// SetBudget changes the budget. Clean coins make way at once; it may be time
// to freeze then.
func (c *Cache) SetBudget(budget int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.budget = budget
	if c.sizeLocked() > budget {
		c.clean = nil
	}
}

// Budget is the budget in bytes.
func (c *Cache) Budget() int64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.budget
}

func (c *Cache) sizeLocked() int64 {
	n := c.active.size() + c.clean.size()
	if c.frozen != nil {
		n += c.frozen.generation.size()
	}
	return n
}

// Size is the memory that the cache uses, in bytes.
func (c *Cache) Size() int64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.sizeLocked()
}

// Entries is the number of entries in memory, spent ones included.
func (c *Cache) Entries() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	n := c.active.len() + c.clean.len()
	if c.frozen != nil {
		n += c.frozen.generation.len()
	}
	return n
}

// OverBudget says that it is time to freeze: the active generation has grown
// to half of the budget, so that both fit in while the frozen one is written.
// While a freeze is under way it says that the whole budget is used: the
// writer should then wait for Release before it applies more. Clean coins
// never count; they make room.
func (c *Cache) OverBudget() bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.frozen == nil {
		return c.active.size() > c.budget/2
	}
	return c.active.size()+c.frozen.generation.size() > c.budget
}

// Stats describe the coin set with everything that was applied.
func (c *Cache) Stats() Stats {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.stats
}

// Frozen is the generation of a cache that is being committed. Its methods
// may run while the cache is read and written.
type Frozen struct {
	generation *generation
	stats      Stats
}

func (f *Frozen) find(k *outpoint) (value []byte, known bool) { return f.generation.find(k) }

// has says that a coin, not just an entry, is in f, which may be nil.
func (f *Frozen) has(k *outpoint) bool {
	if f == nil {
		return false
	}
	value, _ := f.find(k)
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
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.frozen != nil {
		return nil
	}
	c.frozen = &Frozen{generation: c.active, stats: c.stats}
	c.active = newGeneration()
	return c.frozen
}

// eachParts is in how many parts Each sorts. More take less memory, of which
// one part needs 36 bytes per entry, and more walks over the map.
const eachParts = 8

// Each calls put or del for every row of the committed set that changes, in
// the order of txids: LevelDB then makes tables that do not overlap, and is
// several times as fast. The slices may change after each call.
func (f *Frozen) Each(put func(key, value []byte), del func(key []byte)) error {
	var buf [maxKey]byte
	keys := make([]outpoint, 0, len(f.generation.entries)/eachParts*9/8)
	for part := range eachParts {
		keys = keys[:0]
		for k := range f.generation.entries {
			if int(k[0])*eachParts>>8 == part {
				keys = append(keys, k)
			}
		}
		slices.SortFunc(keys, func(a, b outpoint) int { return bytes.Compare(a[:], b[:]) })
		for _, k := range keys {
			s := f.generation.entries[k]
			op := k.wire()
			key := appendKey(buf[:0], &op)
			if s.size() == 0 {
				del(key)
			} else {
				put(key, f.generation.arena.value(s))
			}
		}
	}
	return nil
}

// Release ends a freeze after everything in f was committed. Its entries
// stay as clean ones while there is room.
func (c *Cache) Release(f *Frozen) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f == nil || c.frozen != f {
		panic("utxo: release of something that is not frozen")
	}
	c.clean, c.frozen = f.generation, nil
	c.epoch++
	if c.sizeLocked() > c.budget {
		c.clean = nil
	}
}
