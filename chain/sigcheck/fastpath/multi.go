package fastpath

import (
	"github.com/btcsuite/btcd/txscript/v2"

	"github.com/charterchain/charter/chain/sigcheck/curve"
)

// maxKeys is the most keys whose number is one operation.
const maxKeys = 16

// Multi is a spend that needs m signatures by some of n keys, m < n, in the
// order of the keys. It never changes, and holds on to the script with the
// keys.
type Multi struct {
	script []byte // known to be well formed
	sigs   []Sig  // without keys
}

// Sigs is how many signatures the spend has.
func (m *Multi) Sigs() int { return len(m.sigs) }

// Check reports whether each signature holds for one of the keys, so that
// later signatures are by later keys.
//
// It goes from the last to the first and gives each signature to the first
// key for which it holds, as OP_CHECKMULTISIG does; another choice never
// leaves more keys to the rest.
func (m *Multi) Check(v *curve.Verifier) bool {
	var keys [maxKeys][]byte
	key, _ := multiKeys(m.script, &keys)
	for sig := len(m.sigs); sig > 0; key-- {
		if sig > key {
			return false
		}
		if m.sigs[sig-1].holdsFor(v, keys[key-1]) {
			sig--
		}
	}
	return true
}

func (s *Sig) holdsFor(v *curve.Verifier, key []byte) bool {
	p, ok := curve.ParsePoint(key)
	if !ok {
		return false
	}
	// Both numbers were in range when they were parsed.
	r, _ := curve.ParseScalar((*[32]byte)(s.Sig[:32]))
	n, _ := curve.ParseScalar((*[32]byte)(s.Sig[32:]))
	return v.ECDSA(s.Hash, &p, r, n)
}

// multiKeys reads a script m <key>... n OP_CHECKMULTISIG, 1 <= m <= n <= 16,
// whatever the keys, and gives n and m. n is 0 for any other.
func multiKeys(script []byte, keys *[maxKeys][]byte) (n, m int) {
	if !endsMulti(script) || len(script) < 3 {
		return 0, 0
	}
	m, rest := small(script[0]), script[1:len(script)-1]
	for len(rest) > 1 {
		key, after, ok := cutPush(rest)
		if !ok || n == maxKeys {
			return 0, 0
		}
		keys[n], rest = key, after
		n++
	}
	if len(rest) != 1 || small(rest[0]) != n || m < 1 || m > n {
		return 0, 0
	}
	return n, m
}

// endsMulti tells at once which scripts can be a multisig.
func endsMulti(script []byte) bool {
	const longest = 1 + maxKeys*66 + 2
	return len(script) > 0 && len(script) <= longest && script[len(script)-1] == txscript.OP_CHECKMULTISIG
}

// small is the number that OP_1 to OP_16 push, else 0.
func small(op byte) int {
	if op < txscript.OP_1 || op > txscript.OP_16 {
		return 0
	}
	return int(op) - (txscript.OP_1 - 1)
}

// multisig is a spend of the script of a multisig with the stack that it
// starts with: an empty item and m signatures.
func (s *spend) multisig(script []byte, stack [][]byte, segwit bool) bool {
	var keys [maxKeys][]byte
	n, m := multiKeys(script, &keys)
	if n == 0 || len(stack) != m+1 || len(stack[0]) != 0 {
		return false
	}
	for _, key := range keys[:n] {
		if !s.usableKey(key, segwit) {
			return false
		}
	}
	if m == n {
		for i, sig := range stack[1:] {
			if !s.add(sig, keys[i], script, segwit) {
				return false
			}
		}
		return true
	}
	multi := &Multi{script: script, sigs: make([]Sig, m)}
	for i, raw := range stack[1:] {
		rs, hashType, ok := parseECDSA(raw, s.has(txscript.ScriptVerifyLowS))
		if !ok {
			return false
		}
		hash, ok := s.hash(hashType, script, segwit)
		if !ok {
			return false
		}
		multi.sigs[i] = Sig{Kind: ECDSA, Hash: hash, Sig: rs}
	}
	s.multi = multi
	return true
}
