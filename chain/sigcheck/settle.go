package sigcheck

import (
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"

	"github.com/charterchain/charter/chain/sigcheck/curve"
	"github.com/charterchain/charter/chain/sigcheck/fastpath"
)

// settleSingly is the number of signatures that are not worth another batch
// once it is known that one of them does not hold.
const settleSingly = 8

// settle checks the signatures that were collected, and empties the worker.
func (w *worker) settle() {
	if len(w.slices) == 0 {
		return
	}
	w.checkAll()
	for _, s := range w.slices {
		s.p.finish(s.n)
	}
	w.empty()
}

// empty drops what was collected.
func (w *worker) empty() {
	clear(w.refs)
	clear(w.slices)
	w.sigs, w.refs, w.slices = w.sigs[:0], w.refs[:0], w.slices[:0]
}

// checkAll checks what was collected. After a panic nothing is known of it.
func (w *worker) checkAll() {
	defer func() {
		if v := recover(); v != nil {
			w.batch, w.at, w.fast = w.c.verify.NewBatch(), loaded{}, fastpath.Tx{}
			for i := range w.refs {
				w.panicked(w.refs[i].p, w.refs[i].place, v)
			}
		}
	}()
	if !w.passes(0, len(w.refs)) {
		w.bisect(0, len(w.refs))
	}
}

// bisect finds the signatures from lo up to hi that do not hold, of which
// there is one at least.
func (w *worker) bisect(lo, hi int) {
	if hi-lo <= settleSingly {
		for i := lo; i < hi; i++ {
			w.settleOne(i)
		}
		return
	}
	mid := (lo + hi) / 2
	left := w.passes(lo, mid)
	if !left {
		w.bisect(lo, mid)
	}
	if left || !w.passes(mid, hi) {
		w.bisect(mid, hi)
	}
}

// passes checks the signatures from lo up to hi as one batch.
func (w *worker) passes(lo, hi int) bool {
	w.batch.Reset()
	for i := lo; i < hi; i++ {
		if r := &w.refs[i]; !r.settled && r.p.misled.Load() && w.sigs[i].Kind == fastpath.ECDSA {
			w.settleOne(i)
		}
		if w.refs[i].needless() {
			continue
		}
		s := &w.sigs[i]
		if s.Kind == fastpath.Schnorr {
			w.batch.Add(s.Hash, [32]byte(s.Key[:32]), s.Sig)
		} else {
			a, b := scalars(s)
			w.batch.AddECDSA(s.Hash, s.KeyBytes(), a, b, w.refs[i].odd)
		}
	}
	n := w.batch.Len()
	if n == 0 {
		return true
	}
	w.c.counts.batches.Add(1)
	w.c.counts.batched.Add(uint64(n))
	if !w.batch.Verify(w.c.random) {
		return false
	}
	again := w.c.recheck > 0 && (w.c.counts.rechecks.Add(1)-1)%w.c.recheck == 0
	for i := lo; i < hi; i++ {
		if r := &w.refs[i]; !r.needless() {
			if again {
				w.again(i)
			}
			if r.odd {
				r.p.parities.set(r.input())
			}
			r.settled = true
		}
	}
	return true
}

// needless reports whether the signature decides nothing any more.
func (r *ref) needless() bool { return r.settled || int64(r.input()) > r.p.broken.Load() }

// settleOne checks one signature by itself. If it does not hold, or the fast
// path was wrong about what the input needs, the interpreter tells.
func (w *worker) settleOne(i int) {
	r, s := &w.refs[i], &w.sigs[i]
	if r.needless() {
		return
	}
	r.settled = true
	if s.Kind == fastpath.Schnorr {
		w.c.counts.singles.Add(1)
		if !w.c.verify.Schnorr(s.Hash, [32]byte(s.Key[:32]), s.Sig) {
			w.interpret(r.p, r.place, true)
		}
		return
	}
	odd, ok := w.ecdsa(s)
	if !ok {
		w.interpret(r.p, r.place, true)
		return
	}
	if odd != r.odd {
		w.c.counts.wrongHints.Add(1)
		r.p.misled.Store(true)
	}
	if odd {
		r.p.parities.set(r.input())
	}
}

// ecdsa checks an ECDSA signature, and tells the parity of R's y if it holds.
func (w *worker) ecdsa(s *fastpath.Sig) (odd, ok bool) {
	w.c.counts.singles.Add(1)
	key, ok := curve.ParsePoint(s.KeyBytes())
	if !ok {
		return false, false
	}
	a, b := scalars(s)
	return w.c.verify.ECDSAParity(s.Hash, &key, a, b)
}

// scalars gives r and s of an ECDSA signature, which the fast path found in
// range; 0, which never holds, for others.
func scalars(sig *fastpath.Sig) (r, s curve.Scalar) {
	r, _ = curve.ParseScalar((*[32]byte)(sig.Sig[:32]))
	s, _ = curve.ParseScalar((*[32]byte)(sig.Sig[32:]))
	return r, s
}

// again asks btcec about a signature of a batch that passed. Should it refuse
// that, one of the two is broken, and nothing is known.
func (w *worker) again(i int) {
	r := &w.refs[i]
	if !holds(&w.sigs[i]) {
		tx := r.p.spend(r.p.todo[r.place.todo]).Tx
		r.p.record(int64(r.input()), fmt.Errorf("check scripts: a batch passed with a signature that btcec refuses, at input %d of transaction %v", r.place.input, tx.TxID))
	}
}

// holds is btcec's word on a signature.
func holds(s *fastpath.Sig) bool {
	if s.Kind == fastpath.Schnorr {
		key, err := schnorr.ParsePubKey(s.KeyBytes())
		if err != nil {
			return false
		}
		sig, err := schnorr.ParseSignature(s.Sig[:])
		return err == nil && sig.Verify(s.Hash[:], key)
	}
	key, err := btcec.ParsePubKey(s.KeyBytes())
	if err != nil {
		return false
	}
	var a, b btcec.ModNScalar
	if a.SetByteSlice(s.Sig[:32]) || b.SetByteSlice(s.Sig[32:]) {
		return false
	}
	return ecdsa.NewSignature(&a, &b).Verify(s.Hash[:], key)
}
