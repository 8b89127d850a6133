package curve

import "math/bits"

// pairsPerInversion bounds the additions that share one inversion, and with
// it the memory that two passes over them touch.
const pairsPerInversion = 1024

// summer adds up many lists of points at once. It works in affine
// coordinates, where an addition is a division and 3 multiplications; the
// divisions of pairsPerInversion additions share one inversion. Each round
// adds neighbours within the lists and so halves them.
//
// The zero value is ready; it keeps its memory between calls.
type summer struct {
	// The results, then two regions that rounds read and write by turns.
	arena []affine
	// Lists that are not done: where each begins and the result it is for.
	active, next []list

	pairs        []pair
	diff, prefix []fe
	kind         []pairKind
	// Whether a sum was infinity, so that operands must be looked at.
	sawInfinity bool
}

// list is a run of points in the arena, or of refs in the first round.
type list struct{ start, n, result uint32 }

// pair is an addition of the points (in the first round: of the refs) at src
// and src+1.
type pair struct{ src, dst uint32 }

type pairKind uint8

const (
	pairDiffers pairKind = iota // two x: the slope is dy/dx
	pairEqual                   // a doubling: the slope is 3x^2/2y
	pairDone                    // one is infinity, or the sum is
)

// ref names a point of a slice: twice its index, plus 1 for its negative.
type ref = uint32

// sum adds up lists of refs to points, none of them infinity. List i has the
// refs from ends[i-1] (or 0) up to ends[i]. The results are good until the
// next call; that of an empty list is infinity.
func (s *summer) sum(points []affine, refs []ref, ends []uint32) []affine {
	s.prepare(len(refs), len(ends))
	s.sawInfinity = false
	regions := [2]uint32{uint32(len(ends)), uint32(len(ends) + firstRegion(len(refs)))}
	out, start := regions[0], uint32(0)
	s.next = s.next[:0]
	for i, end := range ends {
		n := end - start
		switch n {
		case 0:
			s.arena[i] = affine{}
		case 1:
			s.arena[i] = points[refs[start]>>1]
			if refs[start]&1 != 0 {
				s.arena[i].y.neg(&s.arena[i].y)
			}
		default:
			out = s.halve(list{start, n, uint32(i)}, out)
			if n&1 != 0 {
				p := &s.arena[out-1]
				*p = points[refs[end-1]>>1]
				if refs[end-1]&1 != 0 {
					p.y.neg(&p.y)
				}
			}
		}
		if len(s.pairs) >= pairsPerInversion {
			s.addRefs(points, refs)
		}
		start = end
	}
	s.addRefs(points, refs)

	for turn := 1; len(s.next) > 0; turn ^= 1 {
		s.active, s.next = s.next, s.active[:0]
		out = regions[turn]
		for _, l := range s.active {
			out = s.halve(l, out)
			if l.n&1 != 0 {
				s.arena[out-1] = s.arena[l.start+l.n-1]
			}
			if len(s.pairs) >= pairsPerInversion {
				s.addArena()
			}
		}
		s.addArena()
	}
	return s.arena[:len(ends)]
}

// halve plans the additions of a list of two or more and where their sums
// go: from out on, with room behind them for the odd one left, or to the
// results if there is only one. It gives the next place.
func (s *summer) halve(l list, out uint32) uint32 {
	if l.n == 2 {
		s.pairs = append(s.pairs, pair{l.start, l.result})
		return out
	}
	for i := range l.n / 2 {
		s.pairs = append(s.pairs, pair{l.start + 2*i, out + i})
	}
	n := (l.n + 1) / 2
	s.next = append(s.next, list{out, n, l.result})
	return out + n
}

// firstRegion is the room for a round's sums of n points: a list that goes on
// has at least 3, and leaves 2 of them.
func firstRegion(n int) int { return n*2/3 + 1 }

func (s *summer) prepare(refs, lists int) {
	first := firstRegion(refs)
	s.arena = resize(s.arena, lists+first+firstRegion(first))
}

// room makes the tables of a round fit its pairs.
func (s *summer) room() {
	if n := len(s.pairs); len(s.diff) < n {
		s.diff, s.prefix, s.kind = make([]fe, n), make([]fe, n), make([]pairKind, n)
	}
}

// addRefs does the planned additions of refs.
func (s *summer) addRefs(points []affine, refs []ref) {
	s.room()
	acc := feOne
	for k, job := range s.pairs {
		a, b := refs[job.src], refs[job.src+1]
		p, q := &points[a>>1], &points[b>>1]
		d := &s.diff[k]
		d.sub(&q.x, &p.x)
		s.kind[k] = pairDiffers
		if d.isZero() {
			py, qy := signed(&p.y, a), signed(&q.y, b)
			s.sameX(k, &p.x, &py, &qy)
		}
		s.prefix[k] = acc
		acc.mul(&acc, d)
	}
	if len(s.pairs) > 0 {
		acc.inv(&acc)
	}
	for k := len(s.pairs) - 1; k >= 0; k-- {
		job := s.pairs[k]
		a, b := refs[job.src], refs[job.src+1]
		p, q := &points[a>>1], &points[b>>1]
		var inv fe
		inv.mul(&acc, &s.prefix[k])
		acc.mul(&acc, &s.diff[k])
		py, qy := signed(&p.y, a), signed(&q.y, b)
		s.finish(k, &s.arena[job.dst], &p.x, &py, &q.x, &qy, &inv)
	}
	s.pairs = s.pairs[:0]
}

// addArena does the planned additions of points in the arena.
func (s *summer) addArena() {
	s.room()
	acc := feOne
	for k, job := range s.pairs {
		p, q := &s.arena[job.src], &s.arena[job.src+1]
		d := &s.diff[k]
		d.sub(&q.x, &p.x)
		s.kind[k] = pairDiffers
		if s.sawInfinity && (p.isInfinity() || q.isInfinity()) {
			s.kind[k] = pairDone
			*d = feOne
			if p.isInfinity() {
				p = q
			}
			s.arena[job.dst] = *p
		} else if d.isZero() {
			s.sameX(k, &p.x, &p.y, &q.y)
		}
		s.prefix[k] = acc
		acc.mul(&acc, d)
	}
	if len(s.pairs) > 0 {
		acc.inv(&acc)
	}
	for k := len(s.pairs) - 1; k >= 0; k-- {
		job := s.pairs[k]
		p, q := &s.arena[job.src], &s.arena[job.src+1]
		var inv fe
		inv.mul(&acc, &s.prefix[k])
		acc.mul(&acc, &s.diff[k])
		s.finish(k, &s.arena[job.dst], &p.x, &p.y, &q.x, &q.y, &inv)
	}
	s.pairs = s.pairs[:0]
}

// sameX decides on pair k, of points with the same x.
func (s *summer) sameX(k int, x, y1, y2 *fe) {
	if !y1.equal(y2) {
		s.arena[s.pairs[k].dst] = affine{}
		s.sawInfinity = true
		s.kind[k] = pairDone
		s.diff[k] = feOne
		return
	}
	s.kind[k] = pairEqual
	s.diff[k].add(y1, y1)
}

// finish computes the sum of pair k with the inverse of its divisor.
func (s *summer) finish(k int, sum *affine, x1, y1, x2, y2, inv *fe) {
	var slope, x3, t fe
	switch s.kind[k] {
	case pairDone:
		return
	case pairEqual:
		slope.sqr(x1)
		t.add(&slope, &slope)
		slope.add(&slope, &t)
	default:
		slope.sub(y2, y1)
	}
	slope.mul(&slope, inv)
	x3.sqrSub(&slope, x1, x2)
	t.sub(x1, &x3)
	sum.y.mulSub(&t, &slope, y1)
	sum.x = x3
}

// signed gives y, or its negative for an odd ref, without a branch that
// could not be foreseen.
func signed(y *fe, r ref) fe {
	// -y is the complement of y less foldP-1.
	m := -uint64(r & 1)
	t0, c := bits.Sub64(y[0]^m, m&(foldP-1), 0)
	t1, c := bits.Sub64(y[1]^m, 0, c)
	t2, c := bits.Sub64(y[2]^m, 0, c)
	t3, c := bits.Sub64(y[3]^m, 0, c)
	if c != 0 { // y was within foldP of 2^256
		t0 -= foldP
	}
	return fe{t0, t1, t2, t3}
}
