package curve

import "math/bits"

// Inversion by the division steps of Bernstein and Yang ("Fast constant-time
// gcd computation and modular inversion", 2019), in the variable-time form:
// 62 steps at a time are worked out on the low words alone, as a 2x2 matrix,
// which is then applied to the whole numbers.

// signed62 is the sum of v[i] * 2^(62 i). All limbs but the last are in
// [0, 2^62), the last carries the sign.
type signed62 [5]int64

// modulus is an odd modulus of 256 bits.
type modulus struct {
	m   signed62
	inv uint64 // 1/m mod 2^62
}

var (
	modulusP = modulus{signed62{-0x1000003D1, 0, 0, 0, 256}, 0x27C7F6E22DDACACF}
	modulusN = modulus{signed62{0x3FD25E8CD0364141, 0x2ABB739ABD2280EE, -0x15, 0, 256}, 0x34F20099AA774EC1}
)

const mask62 = 1<<62 - 1

// step62 is 2^62 times the matrix of 62 division steps: f, g become
// (u f + v g) / 2^62 and (q f + r g) / 2^62.
type step62 struct{ u, v, q, r int64 }

// inverse gives 1/x mod m, and 0 for 0. x must be below m.
func inverse(x [4]uint64, m *modulus) [4]uint64 {
	var d signed62
	e := signed62{1}
	f := m.m
	g := signed62{
		int64(x[0] & mask62),
		int64((x[0]>>62 | x[1]<<2) & mask62),
		int64((x[1]>>60 | x[2]<<4) & mask62),
		int64((x[2]>>58 | x[3]<<6) & mask62),
		int64(x[3] >> 56),
	}
	eta, n := int64(-1), 5
	for {
		var t step62
		t, eta = divSteps(eta, uint64(f[0]), uint64(g[0]))
		applyDE(&d, &e, &t, m)
		applyFG(&f, &g, &t, n)
		var rest int64
		for _, limb := range g[:n] {
			rest |= limb
		}
		if rest == 0 {
			break
		}
		n = shorten(&f, &g, n)
	}
	// f is 1 or -1 (or m for x = 0), and d is 1/x times that.
	return normalize62(d, f[n-1], m)
}

// shorten drops the top limbs of f and g while they hold signs alone, and
// gives the new length.
func shorten(f, g *signed62, n int) int {
	fn, gn := f[n-1], g[n-1]
	if n > 1 && (fn^fn>>63)|(gn^gn>>63) == 0 {
		f[n-2] |= int64(uint64(fn) << 62)
		g[n-2] |= int64(uint64(gn) << 62)
		f[n-1], g[n-1] = 0, 0
		n--
	}
	return n
}

// divSteps does 62 steps on the low words of f and g. The masks of shift
// counts change nothing but what the compiler knows about them.
func divSteps(eta int64, f, g uint64) (step62, int64) {
	u, v, q, r := uint64(1), uint64(0), uint64(0), uint64(1)
	for i := uint(62); ; {
		zeros := uint(bits.TrailingZeros64(g | ones<<(i&63)))
		g >>= zeros & 63
		u <<= zeros & 63
		v <<= zeros & 63
		eta -= int64(zeros)
		i -= zeros
		if i == 0 {
			return step62{int64(u), int64(v), int64(q), int64(r)}, eta
		}
		// g is odd. w times f added to g cancels as many low bits as are
		// known to be steps of the same kind.
		var w uint64
		if eta < 0 {
			eta = -eta
			f, g = g, -f
			u, q = q, -u
			v, r = r, -v
			limit := min(uint(eta)+1, i)
			w = f * g * (f*f - 2) & (ones >> ((64 - limit) & 63)) & 63
		} else {
			limit := min(uint(eta)+1, i)
			w = f + (f+1)&4<<1
			w = -w * g & (ones >> ((64 - limit) & 63)) & 15
		}
		g += f * w
		q += u * w
		r += v * w
	}
}

// acc128 is a signed sum of products, 128 bits.
type acc128 struct {
	hi int64
	lo uint64
}

func (a *acc128) addMul(x, y int64) {
	hi, lo := bits.Mul64(uint64(x), uint64(y))
	hi -= uint64(x>>63&y) + uint64(y>>63&x)
	var c uint64
	a.lo, c = bits.Add64(a.lo, lo, 0)
	hi, _ = bits.Add64(uint64(a.hi), hi, c)
	a.hi = int64(hi)
}

// shift takes off the low 62 bits and gives them.
func (a *acc128) shift() int64 {
	low := int64(a.lo & mask62)
	a.lo = a.lo>>62 | uint64(a.hi)<<2
	a.hi >>= 62
	return low
}

// applyDE computes d, e = t(d, e) / 2^62 mod m, both in (-2m, m).
func applyDE(d, e *signed62, t *step62, m *modulus) {
	sd, se := d[4]>>63, e[4]>>63
	md := t.u&sd + t.v&se
	me := t.q&sd + t.r&se
	var cd, ce acc128
	cd.addMul(t.u, d[0])
	cd.addMul(t.v, e[0])
	ce.addMul(t.q, d[0])
	ce.addMul(t.r, e[0])
	// Multiples of m that make the low 62 bits zero.
	md -= int64((m.inv*cd.lo + uint64(md)) & mask62)
	me -= int64((m.inv*ce.lo + uint64(me)) & mask62)
	cd.addMul(m.m[0], md)
	ce.addMul(m.m[0], me)
	cd.shift()
	ce.shift()
	for i := 1; i < 5; i++ {
		di, ei := d[i], e[i]
		cd.addMul(t.u, di)
		cd.addMul(t.v, ei)
		ce.addMul(t.q, di)
		ce.addMul(t.r, ei)
		if mi := m.m[i]; mi != 0 {
			cd.addMul(mi, md)
			ce.addMul(mi, me)
		}
		d[i-1] = cd.shift()
		e[i-1] = ce.shift()
	}
	d[4], e[4] = int64(cd.lo), int64(ce.lo)
}

// applyFG computes f, g = t(f, g) / 2^62, exactly, over n limbs.
func applyFG(f, g *signed62, t *step62, n int) {
	var cf, cg acc128
	for i := range n {
		fi, gi := f[i], g[i]
		cf.addMul(t.u, fi)
		cf.addMul(t.v, gi)
		cg.addMul(t.q, fi)
		cg.addMul(t.r, gi)
		fl, gl := cf.shift(), cg.shift()
		if i > 0 {
			f[i-1], g[i-1] = fl, gl
		}
	}
	f[n-1], g[n-1] = int64(cf.lo), int64(cg.lo)
}

// normalize62 gives d mod m, or -d mod m if sign is negative, for d in
// (-2m, m).
func normalize62(d signed62, sign int64, m *modulus) [4]uint64 {
	addIf := func(cond int64) {
		for i := range d {
			d[i] += m.m[i] & cond
		}
	}
	carry := func() {
		for i := range 4 {
			d[i+1] += d[i] >> 62
			d[i] &= mask62
		}
	}
	addIf(d[4] >> 63)
	if sign < 0 {
		for i := range d {
			d[i] = -d[i]
		}
	}
	carry()
	addIf(d[4] >> 63)
	carry()
	u := [5]uint64{uint64(d[0]), uint64(d[1]), uint64(d[2]), uint64(d[3]), uint64(d[4])}
	return [4]uint64{u[0] | u[1]<<62, u[1]>>2 | u[2]<<60, u[2]>>4 | u[3]<<58, u[3]>>6 | u[4]<<56}
}
