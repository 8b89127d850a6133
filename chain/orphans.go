package chain

import (
	"sync"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain/consensus"
)

// orphans keeps blocks whose parent is not known yet, oldest out first.
// Each of them has proof of work. Only has is safe for concurrent use.
type orphans struct {
	limit    int64 // bytes
	bytes    int64
	order    []chainhash.Hash // by arrival
	mu       sync.RWMutex     // guards blocks: its owner writes it
	blocks   map[chainhash.Hash]*consensus.Block
	byParent map[chainhash.Hash][]chainhash.Hash
}

// orphanBlocks is how many blocks of the largest size fit in the budget.
const orphanBlocks = 8

func newOrphans(blockSize int64) *orphans {
	return &orphans{
		limit:    orphanBlocks * blockSize,
		blocks:   make(map[chainhash.Hash]*consensus.Block),
		byParent: make(map[chainhash.Hash][]chainhash.Hash),
	}
}

// add keeps b, and drops the oldest ones that no longer fit.
func (o *orphans) add(b *consensus.Block) {
	if _, ok := o.blocks[b.Hash]; ok {
		return
	}
	o.mu.Lock()
	o.blocks[b.Hash] = b
	o.mu.Unlock()
	o.order = append(o.order, b.Hash)
	o.byParent[b.Header.PrevBlock] = append(o.byParent[b.Header.PrevBlock], b.Hash)
	o.bytes += int64(b.Size())
	for o.bytes > o.limit && len(o.order) > 1 {
		o.remove(o.order[0])
	}
}

// has reports whether the block waits here.
func (o *orphans) has(hash chainhash.Hash) bool {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return o.blocks[hash] != nil
}

// takeChildren removes and returns the blocks whose parent is hash.
func (o *orphans) takeChildren(hash chainhash.Hash) []*consensus.Block {
	var children []*consensus.Block
	for _, h := range append([]chainhash.Hash(nil), o.byParent[hash]...) {
		children = append(children, o.blocks[h])
		o.remove(h)
	}
	return children
}

// take removes and returns the block, nil if it is not here.
func (o *orphans) take(hash chainhash.Hash) *consensus.Block {
	b := o.blocks[hash]
	if b != nil {
		o.remove(hash)
	}
	return b
}

func (o *orphans) remove(hash chainhash.Hash) {
	b, ok := o.blocks[hash]
	if !ok {
		return
	}
	o.mu.Lock()
	delete(o.blocks, hash)
	o.mu.Unlock()
	o.bytes -= int64(b.Size())
	o.order = without(o.order, hash)
	if rest := without(o.byParent[b.Header.PrevBlock], hash); len(rest) > 0 {
		o.byParent[b.Header.PrevBlock] = rest
	} else {
		delete(o.byParent, b.Header.PrevBlock)
	}
}

func without(list []chainhash.Hash, hash chainhash.Hash) []chainhash.Hash {
	for i, h := range list {
		if h == hash {
			return append(list[:i:i], list[i+1:]...)
		}
	}
	return list
}
