package chain

import (
	"context"

	"github.com/charterchain/charter/chain/consensus"
)

// readAhead reads the next bodies of a branch from disk, and has them looked at
// ahead, while the blocks before them are connected. Only the goroutine that
// connects uses it.
type readAhead struct {
	c    *Chain
	line *ordered[*storedBody]
	next int32 // height of the block that comes next
}

// storedBody is a block of the branch, with its body unless that could not be
// read: then those who need it try again, and say why.
type storedBody struct {
	n     *node
	block *consensus.Block
}

// readTo begins to read the bodies of the blocks above the tip up to target,
// but for fresh, which is here, if it is not nil. The caller calls end. change
// held.
func (c *Chain) readTo(ctx context.Context, target *node, fresh *consensus.Block) *readAhead {
	first := c.tip().height + 1
	return &readAhead{c: c, next: first, line: newOrdered(ctx, c.lookahead.most(), func(o *ordered[*storedBody]) {
		for height := first; height <= target.height; height++ {
			b := &storedBody{n: target.ancestor(height)}
			if fresh != nil && fresh.Hash == b.n.hash {
				b.block = fresh
			}
			c.mu.RLock()
			have, size := b.n.status&statusData != 0, int64(b.n.data.Size)
			c.mu.RUnlock()
			if !have {
				return // nothing above it is connected
			}
			size, ok := o.reserve(decodedSize * size)
			if !ok || !o.add(b, size, c.readStored) {
				return
			}
		}
	})}
}

// readStored reads the body of b, if it is not here, and looks at it ahead.
func (c *Chain) readStored(b *storedBody) {
	if b.block == nil {
		block, err := c.readBody(b.n)
		if err != nil {
			return
		}
		b.block = block
	}
	c.mu.RLock()
	valid := b.n.status&statusValid != 0
	c.mu.RUnlock()
	c.expect(b.block, nil, !valid)
}

// body returns the body of n, a block of the branch; nil if it was not read
// ahead, or is asked for again. Those before n are given up.
func (r *readAhead) body(n *node) *consensus.Block {
	for r != nil && r.next <= n.height {
		b, ok := r.line.next()
		if !ok {
			break
		}
		r.next = b.n.height + 1
		if b.n == n {
			return b.block
		}
		r.forget(b)
	}
	return nil
}

// end stops reading.
func (r *readAhead) end() {
	if r != nil {
		r.line.end(r.forget)
	}
}

func (r *readAhead) forget(b *storedBody) { r.c.lookahead.drop(b.n.hash) }
