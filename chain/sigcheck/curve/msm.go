package curve

import "math/bits"

// multi computes sums of many multiples of points (Pippenger's method): it
// cuts the scalars into windows of digits and, window by window, collects the
// points of each digit in a bucket and adds up the buckets, times their
// digits. The zero value is ready; it keeps its memory between calls.
type multi struct {
	points  []affine
	scalars [][4]uint64 // in two's complement; later with the bias

	keys     []uint32 // of each point and window: twice the list, plus the sign
	ends     []uint32
	refs     []ref
	lists    summer
	products summer
}

// plan is how a sum is cut up: the bits of a window and the windows whose
// buckets are filled together.
type plan struct{ window, windows, together uint }

// scalarBits is 1 for the sign and 1 for the carry more than a half has.
const scalarBits = 130

// entriesTogether is how many points and windows are worked on together, so
// that inversions are shared by many additions and memory stays in the cache.
const entriesTogether = 25000

// mostTerms is where a sum is cut in parts, which then stay in the cache.
const mostTerms = 20000

// planFor estimates, in additions, what each window would cost.
func planFor(n int) plan {
	best, bestCost := plan{}, ^uint(0)
	for c := uint(3); c <= 15; c++ {
		windows := (scalarBits + c - 1) / c
		buckets := uint(1) << (c - 1)
		root := uint(1) << (c / 2)
		cost := windows * (2*uint(n) + 3*buckets + 16*root) / 2
		if cost < bestCost {
			best, bestCost = plan{window: c, windows: windows}, cost
		}
	}
	best.together = min(max(1, entriesTogether/max(uint(n), 1<<(best.window-1))), best.windows)
	return best
}

// reset begins a sum.
func (m *multi) reset() {
	m.points, m.scalars = m.points[:0], m.scalars[:0]
}

// add appends k*p to the sum. p is not infinity.
func (m *multi) add(p *affine, k half) {
	if k.isZero() {
		return
	}
	m.points = append(m.points, *p)
	w := [4]uint64{k.lo, k.hi}
	if k.neg {
		var c uint64
		w[0], c = bits.Sub64(0, k.lo, 0)
		w[1], c = bits.Sub64(0, k.hi, c)
		w[2] = -c
		w[3] = -c
	}
	m.scalars = append(m.scalars, w)
}

// sum gives the sum of all terms and takes them out.
func (m *multi) sum() (acc jacobian) {
	points, scalars := m.points, m.scalars
	parts := (len(points) + mostTerms - 1) / mostTerms
	for i := range parts {
		from, to := i*len(points)/parts, (i+1)*len(points)/parts
		m.points, m.scalars = points[from:to], scalars[from:to]
		p := m.sumPlanned(planFor(to - from))
		acc.add(&p)
	}
	m.points, m.scalars = points[:0], scalars[:0]
	return acc
}

func (m *multi) sumPlanned(pl plan) (acc jacobian) {
	m.bias(pl)
	for top := pl.windows; top > 0; {
		n := min(pl.together, top)
		top -= n
		m.fill(pl, top, n)
		sums := m.lists.sum(m.points, m.refs, m.ends)
		for w, p := range m.weigh(sums, pl, n) {
			if w > 0 || top+n < pl.windows {
				for range pl.window {
					acc.double(&acc)
				}
			}
			acc.add(&p)
		}
	}
	return acc
}

// bias adds 2^(window-1) to every digit of every scalar: digits that run from
// -2^(window-1) then begin at 0, and are read off without a carry.
func (m *multi) bias(pl plan) {
	var b [4]uint64
	for w := range pl.windows {
		at := w*pl.window + pl.window - 1
		b[at/64] |= 1 << (at % 64)
	}
	for i := range m.scalars {
		k := &m.scalars[i]
		var c uint64
		k[0], c = bits.Add64(k[0], b[0], 0)
		k[1], c = bits.Add64(k[1], b[1], c)
		k[2], c = bits.Add64(k[2], b[2], c)
		k[3], _ = bits.Add64(k[3], b[3], c)
	}
}

// fill sorts the points into the buckets of n windows, from the window at
// first on: bucket d-1 of a window takes those with digit d or -d.
func (m *multi) fill(pl plan, first, n uint) {
	buckets := uint32(1) << (pl.window - 1)
	m.ends = resize(m.ends, int(uint32(n)*buckets))
	clear(m.ends)
	m.keys = resize(m.keys, len(m.points)*int(n))
	counts := m.ends
	mask := uint64(1)<<pl.window - 1
	at := 0
	for w := range n {
		bit := (first + w) * pl.window
		limb, shift := bit/64, bit%64
		base := uint32(w) * buckets
		for i := range m.scalars {
			k := &m.scalars[i]
			d := k[limb] >> shift
			if shift+pl.window > 64 {
				d |= k[limb+1] << (64 - shift)
			}
			digit := int32(d&mask) - int32(buckets)
			sign := uint32(digit) >> 31
			size := (uint32(digit) ^ -sign) + sign
			key := (base+size-1)<<1 | sign
			if size == 0 {
				key = ones32
			} else {
				counts[key>>1]++
			}
			m.keys[at] = key
			at++
		}
	}
	// From counts to beginnings, which become ends as the lists are filled.
	total := uint32(0)
	for i := range counts {
		n := counts[i]
		counts[i] = total
		total += n
	}
	m.refs = resize(m.refs, int(total))
	at = 0
	for range n {
		for i := range m.scalars {
			if key := m.keys[at]; key != ones32 {
				m.refs[counts[key>>1]] = uint32(i)<<1 | key&1
				counts[key>>1]++
			}
			at++
		}
	}
}

const ones32 = ^uint32(0)

// resize gives a slice of n elements, of no particular values.
func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, n+n/4)
	}
	return s[:n]
}

// weigh adds up the buckets of each window, times their digits, and gives the
// windows' sums from the top down.
//
// A digit is high*2^h + low. All buckets of one high part are added up, and
// all of one low part, which takes two cheap additions for each bucket; then
// few are left to be multiplied.
func (m *multi) weigh(sums []affine, pl plan, n uint) []jacobian {
	buckets := uint32(1) << (pl.window - 1)
	h := pl.window / 2
	highs, lows := buckets>>h, uint32(1)<<h-1
	m.refs, m.ends = m.refs[:0], m.ends[:0]
	for w := range uint32(n) {
		of := sums[w*buckets : (w+1)*buckets] // digit d at d-1
		collect := func(first, count, step uint32) {
			for d := first; count > 0 && d <= buckets; d, count = d+step, count-1 {
				if !of[d-1].isInfinity() {
					m.refs = append(m.refs, (w*buckets+d-1)<<1)
				}
			}
			m.ends = append(m.ends, uint32(len(m.refs)))
		}
		for high := uint32(1); high <= highs; high++ {
			collect(high<<h, 1<<h, 1)
		}
		for low := uint32(1); low <= lows; low++ {
			collect(low, highs+1, 1<<h)
		}
	}
	parts := m.products.sum(sums, m.refs, m.ends)
	out := make([]jacobian, n)
	for w := range uint32(n) {
		of := parts[w*(highs+lows) : (w+1)*(highs+lows)]
		p := runningSum(of[:highs])
		for range h {
			p.double(&p)
		}
		q := runningSum(of[highs:])
		p.add(&q)
		out[uint32(n)-1-w] = p
	}
	return out
}

// runningSum gives 1*p[0] + 2*p[1] + 3*p[2] and so on.
func runningSum(p []affine) (total jacobian) {
	var run jacobian
	for i := len(p) - 1; i >= 0; i-- {
		run.addAffine(&p[i])
		total.add(&run)
	}
	return total
}
