package utxo

const (
	// readShare is which part of the budget is for coins that were read from
	// the backend, however much has changed: what was read ahead is still
	// there when its block is connected. In a budget below leastReads none is.
	readShare  = 8
	leastReads = 2 << 20

	// What changed coins may take is divided between the frozen generation
	// and the one that fills meanwhile: by halves at first, then by how much
	// came while the last one was written, and a quarter of that for safety.
	firstFreeze = 0.5
	leastFreeze = 1. / 3
	mostFreeze  = 3. / 4
	freezeSlack = 1.25
)

// readPart is what coins that were read may always take, in bytes.
func readPart(budget int64) int64 {
	if budget < leastReads {
		return 0
	}
	return budget / readShare
}

// SetBudget changes the budget. Clean coins make way at once; it may be time
// to freeze then.
func (c *Cache) SetBudget(budget int64) {
	c.gate.Lock()
	defer c.gate.Unlock()
	c.budget = budget
	c.makeRoomGated()
}

// Budget is the budget in bytes.
func (c *Cache) Budget() int64 {
	c.gate.RLock()
	defer c.gate.RUnlock()
	return c.budget
}

// changedGated is the memory of coins that are not committed.
func (c *Cache) changedGated() int64 { return c.active.size() + c.frozen.entries().size() }

func (c *Cache) readsGated() int64 { return c.recent.size() + c.older.size() }

func (c *Cache) usedGated() int64 { return c.changedGated() + c.readsGated() }

// makeRoomGated drops clean coins, the older ones first, while there are more
// bytes than the budget. gate is held for writing.
func (c *Cache) makeRoomGated() {
	for c.usedGated() > c.budget && c.readsGated() > readPart(c.budget) {
		if c.older == nil {
			c.older, c.recent, c.dropped = c.recent, new(generation), 0
		}
		c.older.drop(c.dropped, &c.pool)
		if c.dropped++; c.dropped == shards {
			c.older = nil
		}
	}
	c.pool.trim(c.budget - c.usedGated())
}

// makeRoom is makeRoomGated where it is needed.
func (c *Cache) makeRoom() {
	c.gate.RLock()
	over := c.usedGated()+c.pool.bytes.Load() > c.budget
	c.gate.RUnlock()
	if over {
		c.gate.Lock()
		c.makeRoomGated()
		c.gate.Unlock()
	}
}

// fetched is a coin that was read from the backend.
type fetched struct {
	key   outpoint
	hash  uint64
	value []byte
}

// remember keeps coins that were read from the backend in an epoch, if there
// is room for any. Older ones make way.
func (c *Cache) remember(coins []fetched, epoch uint64) {
	if len(coins) == 0 {
		return
	}
	c.gate.RLock()
	if c.epoch == epoch && (readPart(c.budget) > 0 || c.usedGated() < c.budget) {
		for i := range coins {
			c.rememberGated(&coins[i])
		}
	}
	c.gate.RUnlock()
	c.makeRoom()
}

// rememberGated keeps a coin unless there is an entry, which is newer.
func (c *Cache) rememberGated(f *fetched) {
	lock := &c.locks[f.key.shard()]
	lock.Lock()
	defer lock.Unlock()
	if _, known := c.valueLocked(&f.key, f.hash); !known {
		c.recent.keep(&f.key, f.hash, f.value, &c.pool)
	}
}

// Size is the memory that the cache uses, in bytes.
func (c *Cache) Size() int64 {
	c.gate.RLock()
	defer c.gate.RUnlock()
	return c.usedGated() + c.pool.bytes.Load()
}

// OverBudget says that it is time to freeze: the active generation has grown
// so far that, going by the flush before, what comes while it is written has
// just room. While a freeze is under way it says that all room is used: the
// writer should then wait for Release before it applies more. Clean coins
// never count; they make room.
func (c *Cache) OverBudget() bool {
	c.gate.RLock()
	defer c.gate.RUnlock()
	if c.frozen == nil {
		return c.active.size() > int64(float64(c.changeRoomGated())*c.freezeAt)
	}
	return c.changedGated() > c.changeRoomGated()
}

// changeRoomGated is how many bytes coins may take that are not committed.
func (c *Cache) changeRoomGated() int64 { return c.budget - readPart(c.budget) }

// paceGated learns from a flush that ends when to begin the next one. A small
// one, of which somebody asked for other reasons, says nothing.
func (c *Cache) paceGated(f *Frozen) {
	size := f.generation.size()
	if size < c.changeRoomGated()/8 {
		return
	}
	came := float64(c.active.size()) / float64(size)
	c.freezeAt = min(max(1/(1+freezeSlack*came), leastFreeze), mostFreeze)
}
