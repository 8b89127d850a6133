package utxo

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
)

const (
	chunkSize  = 1 << 16
	firstChunk = 1 << 9 // of an arena with few values; it grows to chunkSize
	unit       = 4      // records start at multiples of it
	chunkUnits = chunkSize / unit

	recordFixed = len(outpoint{}) + 2
	smallUnits  = 64 // records of fewer units have a free list in an array
)

// address is where a record lies in its arena, in units; 0 is none.
type address uint64

// arena holds records: outpoint, size u16 le of the value, value. They lie in
// chunks without pointers, so that the garbage collector has nothing to
// follow. Space of records that went is used again for others that take as
// many units: most coins have one of a few sizes.
type arena struct {
	chunks [][]byte
	used   int                 // bytes of the last chunk
	small  [smallUnits]address // by units: first free record, which holds the next
	large  map[int]address     // the same for larger ones; nil: none
	bytes  int                 // of all chunks
}

func unitsOf(value int) int { return (recordFixed + value + unit - 1) / unit }

// store adds a record and returns where it lies.
func (a *arena) store(k *outpoint, value []byte, pool *chunkPool) address {
	at := a.room(unitsOf(len(value)), pool)
	r := a.at(at)
	copy(r, k[:])
	binary.LittleEndian.PutUint16(r[len(k):], uint16(len(value)))
	copy(r[recordFixed:], value)
	return at
}

// room finds space for a record of n units.
func (a *arena) room(n int, pool *chunkPool) address {
	at := a.firstFree(n)
	if at != 0 {
		a.setFree(n, address(binary.LittleEndian.Uint64(a.at(at))))
		return at
	}
	size := n * unit
	if len(a.chunks) == 0 || a.used+size > len(a.chunks[len(a.chunks)-1]) {
		a.grow(size, pool)
	}
	at = address((len(a.chunks)-1)*chunkUnits + a.used/unit)
	a.used += size
	return at
}

// grow makes room for size bytes in the last chunk.
func (a *arena) grow(size int, pool *chunkPool) {
	if len(a.chunks) == 1 && len(a.chunks[0]) < chunkSize {
		bigger := chunk(max(2*len(a.chunks[0]), nextPower(a.used+size)), pool)
		copy(bigger, a.chunks[0][:a.used])
		a.bytes += len(bigger) - len(a.chunks[0])
		a.chunks[0] = bigger
		if a.used+size <= len(bigger) {
			return
		}
	}
	if len(a.chunks) == 0 {
		a.chunks = append(a.chunks, chunk(nextPower(max(firstChunk, unit+size)), pool))
		a.used = unit // address 0 stands for none
	} else {
		a.chunks = append(a.chunks, chunk(chunkSize, pool))
		a.used = 0
	}
	a.bytes += len(a.chunks[len(a.chunks)-1])
}

func nextPower(n int) int {
	p := 1
	for p < n {
		p *= 2
	}
	return p
}

// chunk returns memory of size bytes, at most chunkSize.
func chunk(size int, pool *chunkPool) []byte {
	if size < chunkSize {
		return make([]byte, size)
	}
	return pool.get()
}

func (a *arena) firstFree(units int) address {
	if units < smallUnits {
		return a.small[units]
	}
	return a.large[units]
}

func (a *arena) setFree(units int, at address) {
	if units < smallUnits {
		a.small[units] = at
		return
	}
	if a.large == nil {
		a.large = make(map[int]address)
	}
	a.large[units] = at
}

// release lets the space of a record be used again.
func (a *arena) release(at address) {
	r := a.at(at)
	n := unitsOf(int(binary.LittleEndian.Uint16(r[len(outpoint{}):])))
	binary.LittleEndian.PutUint64(r, uint64(a.firstFree(n)))
	a.setFree(n, at)
}

// at returns the memory from a record on, up to the end of its chunk.
func (a *arena) at(at address) []byte {
	return a.chunks[at/chunkUnits][at%chunkUnits*unit:]
}

func (a *arena) key(at address) *outpoint { return (*outpoint)(a.at(at)) }

// value returns the value of a record; its bytes stay the arena's.
func (a *arena) value(at address) []byte {
	r := a.at(at)
	size := int(binary.LittleEndian.Uint16(r[len(outpoint{}):]))
	return r[recordFixed : recordFixed+size]
}

// chunkPool keeps chunks of arenas that went for those that grow: what the
// cache holds stays the same memory while coins come and go.
type chunkPool struct {
	mu    sync.Mutex
	free  [][]byte // guarded by mu
	bytes atomic.Int64
}

func (p *chunkPool) get() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.free)
	if n == 0 {
		return make([]byte, chunkSize)
	}
	c := p.free[n-1]
	p.free[n-1] = nil
	p.free = p.free[:n-1]
	p.bytes.Add(-chunkSize)
	return c
}

// put takes the chunks of an arena that nobody reads any more.
func (p *chunkPool) put(a *arena) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range a.chunks {
		if len(c) == chunkSize {
			p.free = append(p.free, c)
			p.bytes.Add(chunkSize)
		}
	}
}

// trim leaves at most keep bytes to the pool.
func (p *chunkPool) trim(keep int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := max(0, min(len(p.free), int(keep/chunkSize)))
	p.bytes.Add(-int64(len(p.free)-n) * chunkSize)
	clear(p.free[n:])
	p.free = p.free[:n]
	if n == 0 {
		p.free = nil
	}
}
