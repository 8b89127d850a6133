package p2p

import (
	"context"
	"fmt"
	"sync"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/p2p/message"
)

// Bounds of what a peer may have asked for and not yet been given.
const (
	maxAskedItems   = 4 * message.MaxInventory
	maxAskedHeaders = 32
)

// serveQueue holds the requests of one peer, in order. Its bounds are above
// what an honest peer keeps under way.
type serveQueue struct {
	ready chan struct{} // capacity 1: something was put

	mu      sync.Mutex // guards the fields below
	items   []message.InvItem
	headers []*message.GetHeaders
}

func newServeQueue() *serveQueue { return &serveQueue{ready: make(chan struct{}, 1)} }

func (q *serveQueue) putItems(items []message.InvItem) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.items)+len(items) > maxAskedItems {
		return violation("more than %d items asked for at a time", maxAskedItems)
	}
	q.items = append(q.items, items...)
	signal(q.ready)
	return nil
}

func (q *serveQueue) putHeaders(m *message.GetHeaders) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.headers) >= maxAskedHeaders {
		return violation("more than %d requests for headers at a time", maxAskedHeaders)
	}
	q.headers = append(q.headers, m)
	signal(q.ready)
	return nil
}

// take removes the next piece of work: a request for headers, which is
// cheap and what syncing waits for, or else an item.
func (q *serveQueue) take() (headers *message.GetHeaders, item message.InvItem, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.headers) > 0 {
		headers, q.headers = q.headers[0], q.headers[1:]
		return headers, item, true
	}
	if len(q.items) == 0 {
		q.items = nil // let the array go
		return nil, item, false
	}
	item, q.items = q.items[0], q.items[1:]
	return nil, item, true
}

// signal wakes the reader of a channel of capacity 1.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// answer serves the peer's requests, one at a time: what it has asked for
// waits while the link is busy, and never in the way of what it sends.
func (p *peer) answer(ctx context.Context) error {
	var missing []message.InvItem
	for {
		headers, item, ok := p.serving.take()
		if (!ok || len(missing) >= message.MaxInventory) && len(missing) > 0 {
			if err := p.conn.Send(ctx, &message.NotFound{Items: missing}); err != nil {
				return err
			}
			missing = nil
		}
		if !ok {
			select {
			case <-p.serving.ready:
				continue
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		var m message.Message
		if headers != nil {
			m = p.n.headersFor(headers)
		} else if m = p.n.find(item); m == nil {
			missing = append(missing, item)
			continue
		}
		if err := p.conn.Send(ctx, m); err != nil {
			return err
		}
	}
}

// headersFor answers a GetHeaders.
func (n *Network) headersFor(m *message.GetHeaders) *message.Headers {
	hs := n.cfg.Chain.HeadersAfter(m.Locator, m.Stop, message.MaxHeaders+1)
	out, err := n.newHeaders(hs)
	if err != nil {
		n.log.Debug("headers not served", "err", err)
	}
	return out
}

// headersOverhead is the size of a Headers payload around its entries.
const headersOverhead = 1 + 3

// newHeaders makes the message that holds as many of the headers as fit, and
// the proofs of their seals where there are any. It ends, with an error,
// before a header whose proof cannot be had.
func (n *Network) newHeaders(hs []wire.BlockHeader) (*message.Headers, error) {
	out := &message.Headers{Entries: make([]message.HeaderEntry, 0, min(len(hs), message.MaxHeaders))}
	size := headersOverhead
	for _, h := range hs {
		if len(out.Entries) == message.MaxHeaders {
			out.More = true
			break
		}
		e := message.HeaderEntry{Header: h}
		if n.blocks.sealed {
			hash := h.BlockHash()
			proof, err := n.cfg.Chain.SealProof(hash)
			if err != nil {
				return out, fmt.Errorf("seal proof of block %v: %w", hash, err)
			}
			e.Proof = proof
		}
		if size += e.EncodedSize(); size > message.MaxHeadersBytes {
			out.More = true
			break
		}
		out.Entries = append(out.Entries, e)
	}
	return out, nil
}

// find returns the message that answers an item of a GetData, or nil if the
// thing is not here.
func (n *Network) find(it message.InvItem) message.Message {
	switch it.Kind {
	case message.InvBlock, message.InvCompactBlock, message.InvHintedBlock:
		raw, err := n.cfg.Chain.ReadRawBlock(it.Hash)
		if err != nil {
			n.log.Debug("block not served", "hash", it.Hash, "err", err)
			return nil
		}
		if it.Kind == message.InvHintedBlock {
			return n.withHints(it.Hash, raw)
		}
		return &message.Block{Raw: raw}
	case message.InvWTx:
		if tx, ok := n.cfg.Pool.Get(it.Hash); ok {
			return &message.Tx{Tx: tx.Msg}
		}
	case message.InvTx:
		if tx, ok := n.cfg.Pool.GetByTxID(it.Hash); ok {
			return &message.Tx{Tx: tx.Msg}
		}
	}
	return nil
}
