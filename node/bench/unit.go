package bench

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
)

// meter measures U, the time of one btcec Schnorr check on one core.
type meter struct {
	sigs   []signed
	checks int // of one sample

	wall, cpu []float64 // microseconds per check, one per sample
}

// signed is a signature with what it signs.
type signed struct {
	hash [32]byte
	key  *btcec.PublicKey
	sig  *schnorr.Signature
}

func newMeter(checks int) (*meter, error) {
	m := &meter{checks: checks}
	for i := range min(checks, 64) {
		seed := sha256.Sum256(fmt.Appendf(nil, "U %d", i))
		secret, key := btcec.PrivKeyFromBytes(seed[:])
		s := signed{hash: sha256.Sum256(seed[:]), key: key}
		var err error
		if s.sig, err = schnorr.Sign(secret, s.hash[:]); err != nil {
			return nil, err
		}
		m.sigs = append(m.sigs, s)
	}
	return m, nil
}

// sample takes n more samples and returns their medians.
func (m *meter) sample(n int) (wall, cpu float64, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for range n {
		began, used := time.Now(), cpuTime()
		for i := range m.checks {
			if s := &m.sigs[i%len(m.sigs)]; !s.sig.Verify(s.hash[:], s.key) {
				return 0, 0, errors.New("a good signature was refused")
			}
		}
		m.wall = append(m.wall, micros(time.Since(began))/float64(m.checks))
		m.cpu = append(m.cpu, micros(cpuTime()-used)/float64(m.checks))
	}
	return median(m.wall[len(m.wall)-n:]), median(m.cpu[len(m.cpu)-n:]), nil
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }

func millis(d time.Duration) float64 { return micros(d) / 1e3 }

// median is 0 of nothing.
func median(list []float64) float64 {
	if len(list) == 0 {
		return 0
	}
	list = slices.Sorted(slices.Values(list))
	mid := len(list) / 2
	if len(list)%2 == 1 {
		return list[mid]
	}
	return (list[mid-1] + list[mid]) / 2
}
