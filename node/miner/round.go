package miner

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"runtime"
	"sync"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/mempool"
)

// A thread hashes this many headers before it looks at the context and the
// clock and lets other goroutines run: about a millisecond's worth.
const batch = 4096

// round lets all threads work on a template until one finds a block, or the
// best block or the pool changes, or ctx is done. It returns nil when nothing
// was found.
func (m *Miner) round(ctx context.Context, t *mempool.Template) (*consensus.Block, error) {
	ctx, cancel := context.WithCancel(ctx)
	found := make(chan find, m.cfg.Threads)
	var threads sync.WaitGroup
	for range m.cfg.Threads {
		threads.Go(func() {
			b, err := m.grind(ctx, t, nil)
			if b != nil || err != nil {
				found <- find{b, err}
			}
		})
	}
	began, before := m.cfg.Now(), m.hashes.Load()
	defer func() {
		cancel()
		threads.Wait()
		m.measure(m.cfg.Now().Sub(began), m.hashes.Load()-before)
	}()
	refresh := time.NewTicker(m.cfg.Refresh)
	defer refresh.Stop()
	for {
		select {
		case f := <-found:
			return f.block, f.err
		case <-m.moved:
			return nil, nil
		case <-ctx.Done():
			return nil, nil
		case <-refresh.C:
			if m.cfg.Pool.Generation() != t.Generation || m.cfg.Hold() != "" || t.Sealed && m.look().turn.state != StateMining {
				return nil, nil
			}
			m.measure(m.cfg.Now().Sub(began), m.hashes.Load()-before)
		}
	}
}

// find is what a thread comes back with.
type find struct {
	block *consensus.Block
	err   error
}

// measure shows the hash rate, if there was time enough to tell.
func (m *Miner) measure(took time.Duration, hashes uint64) {
	if took < 100*time.Millisecond {
		return
	}
	rate := float64(hashes) / took.Seconds()
	m.update(func(s *Status) { s.HashRate = rate })
	m.metrics.rate.Set(rate)
}

// grind tries nonces, and one extra nonce after the other, until the block is
// found, ctx is done or *tries, which it counts down, is 0. A nil tries sets
// no bound. It returns nil when nothing was found.
func (m *Miner) grind(ctx context.Context, t *mempool.Template, tries *uint64) (*consensus.Block, error) {
	if t.Sealed {
		return m.grindSealed(ctx, t, tries)
	}
	goOn := func(w *work) bool { m.stamp(t, w); return true }
	for ctx.Err() == nil && (tries == nil || *tries > 0) {
		block := t.WithExtraNonce(m.extraNonce.Add(1) - 1)
		if m.search(ctx, &block.Header, tries, goOn) {
			return consensus.NewBlock(block), nil
		}
	}
	return nil, nil
}

// search tries the nonces of one header and reports whether it found one whose
// hash satisfies the header's bits. Every now and then it asks whether to go
// on; goOn may move the header's time on.
func (m *Miner) search(ctx context.Context, h *wire.BlockHeader, tries *uint64, goOn func(*work) bool) bool {
	w := newWork(h)
	for first := uint64(0); first < m.nonces; first += batch {
		if ctx.Err() != nil || !goOn(w) {
			return false
		}
		count := uint64(batch)
		if tries != nil {
			count = min(count, *tries)
		}
		nonce, hashed, ok := w.try(uint32(first), count)
		m.hashes.Add(hashed)
		m.metrics.hashes.Add(float64(hashed))
		if tries != nil {
			*tries -= hashed
		}
		if ok {
			h.Timestamp, h.Bits, h.Nonce = time.Unix(int64(w.time), 0), w.bits, nonce
			return true
		}
		if tries != nil && *tries == 0 {
			return false
		}
		runtime.Gosched()
	}
	return false
}

// stamp moves the header's time on with the clock, and its bits with that.
func (m *Miner) stamp(t *mempool.Template, w *work) {
	now := uint32(max(m.cfg.Now().Unix(), 0))
	if now = max(now, t.MinTime); now != w.time {
		w.setTime(now, t.BitsAt(now))
	}
}

// Offsets in the 80 bytes of an encoded header.
const (
	timeAt  = 68
	bitsAt  = 72
	nonceAt = 76
)

// work is a header in the form in which it is hashed.
type work struct {
	header [wire.MaxBlockHeaderPayload]byte
	time   uint32
	bits   uint32
	target [chainhash.HashSize]byte // big-endian
}

func newWork(h *wire.BlockHeader) *work {
	w := &work{}
	var buf bytes.Buffer
	if err := h.Serialize(&buf); err != nil {
		panic("a header cannot be written to memory: " + err.Error())
	}
	copy(w.header[:], buf.Bytes())
	w.setTime(uint32(h.Timestamp.Unix()), h.Bits)
	return w
}

func (w *work) setTime(seconds, bits uint32) {
	w.time = seconds
	binary.LittleEndian.PutUint32(w.header[timeAt:], seconds)
	if bits == w.bits {
		return
	}
	w.bits = bits
	binary.LittleEndian.PutUint32(w.header[bitsAt:], bits)
	w.target = [chainhash.HashSize]byte{}
	target, negative, overflow := consensus.CompactToTarget(bits)
	if !negative && !overflow {
		target.FillBytes(w.target[:])
	}
}

// try hashes with count nonces from first on and returns the one that
// satisfies the target, and how many it hashed.
func (w *work) try(first uint32, count uint64) (nonce uint32, hashed uint64, ok bool) {
	for hashed < count {
		nonce = first + uint32(hashed)
		binary.LittleEndian.PutUint32(w.header[nonceAt:], nonce)
		inner := sha256.Sum256(w.header[:])
		hash := sha256.Sum256(inner[:])
		hashed++
		if atMost(&hash, &w.target) {
			return nonce, hashed, true
		}
	}
	return 0, hashed, false
}

// atMost compares a hash, little-endian, with a target, big-endian.
func atMost(hash, target *[chainhash.HashSize]byte) bool {
	for i := range target {
		if h := hash[chainhash.HashSize-1-i]; h != target[i] {
			return h < target[i]
		}
	}
	return true
}
