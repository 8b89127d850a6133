package bench

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"runtime"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/txscript/v2"

	"github.com/charterchain/charter/chain/sigcheck"
	"github.com/charterchain/charter/chain/sigcheck/curve"
	"github.com/charterchain/charter/chain/sigcheck/fastpath"
)

// batchSize is how many signatures are checked at once, as sigcheck does.
const batchSize = 4096

// errBad says that a signature that is good was refused.
var errBad = errors.New("a good signature was refused")

// sigsInstrument checks signatures, each by a key of its own, on one core.
func sigsInstrument() instrument {
	return instrument{
		name:  "sigs",
		about: "signatures alone, on one core: BIP340 and ECDSA, one by one and in batches of 4,096",
		round: sigsRound,
	}
}

func sigsRound(_ context.Context, j Job) (result Result, err error) {
	n := batchSize
	if j.Txs > 0 {
		n = min(j.Txs, n)
	}
	bip340, err := signatures(n, fastpath.Schnorr)
	if err != nil {
		return result, err
	}
	plain, err := signatures(n, fastpath.ECDSA)
	if err != nil {
		return result, err
	}
	verifier := curve.New()
	batch := verifier.NewBatch()
	hints, err := parities(verifier, plain)
	if err != nil {
		return result, err
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	_, err = j.measure(func() error {
		for _, part := range []struct {
			name string
			sigs []fastpath.Sig
			fn   func([]fastpath.Sig) error
		}{
			{"BIP340, one by one", bip340[:max(1, n/4)], func(s []fastpath.Sig) error { return single(verifier, s) }},
			{fmt.Sprintf("BIP340, batch of %d", n), bip340, func(s []fastpath.Sig) error { return check(verifier, batch, s, nil, 0, len(s)) }},
			{"ECDSA, one by one", plain[:max(1, n/4)], func(s []fastpath.Sig) error { return single(verifier, s) }},
			{fmt.Sprintf("ECDSA with hints, batch of %d", n), plain, func(s []fastpath.Sig) error { return check(verifier, batch, s, hints, 0, len(s)) }},
		} {
			const times = 3
			began := cpuTime()
			for range times {
				if err := part.fn(part.sigs); err != nil {
					return fmt.Errorf("%s: %w", part.name, err)
				}
			}
			if used := cpuTime() - began; used > 0 {
				result.add(part.name, times*float64(len(part.sigs))/used.Seconds(), PerCPU)
			}
		}
		return nil
	})
	return result, err
}

// signatures makes n of a kind, by n keys.
func signatures(n int, kind fastpath.Kind) ([]fastpath.Sig, error) {
	list := make([]fastpath.Sig, n)
	for i := range list {
		seed := sha256.Sum256(fmt.Appendf(nil, "signature %d", i))
		secret, key := btcec.PrivKeyFromBytes(seed[:])
		s := fastpath.Sig{Kind: kind, Hash: sha256.Sum256(seed[:])}
		if kind == fastpath.ECDSA {
			s.KeyLen = uint8(copy(s.Key[:], key.SerializeCompressed()))
			sig := ecdsa.Sign(secret, s.Hash[:])
			r, z := sig.R(), sig.S()
			r.PutBytesUnchecked(s.Sig[:32])
			z.PutBytesUnchecked(s.Sig[32:])
		} else {
			s.KeyLen = uint8(copy(s.Key[:], schnorr.SerializePubKey(key)))
			sig, err := schnorr.Sign(secret, s.Hash[:], schnorr.FastSign())
			if err != nil {
				return nil, err
			}
			copy(s.Sig[:], sig.Serialize())
		}
		list[i] = s
	}
	return list, nil
}

// collect finds the signatures that spends need, and the spends for which
// only the interpreter can tell.
func collect(spends []sigcheck.Spend, flags txscript.ScriptFlags) (sigs []fastpath.Sig, rest []sigcheck.Spend) {
	var tx fastpath.Tx
	sigs = make([]fastpath.Sig, 0, len(spends))
	for _, spend := range spends {
		tx.Reset(spend.Tx, spend.Coins)
		for i := range spend.Coins {
			var multi *fastpath.Multi
			var ok bool
			if sigs, multi, ok = tx.Input(i, flags, sigs); !ok || multi != nil {
				rest = append(rest, spend)
				break
			}
		}
	}
	return sigs, rest
}

func single(v *curve.Verifier, sigs []fastpath.Sig) error {
	for i := range sigs {
		s := &sigs[i]
		if s.Kind == fastpath.Schnorr {
			if !v.Schnorr(s.Hash, [32]byte(s.KeyBytes()), s.Sig) {
				return errBad
			}
			continue
		}
		r, z, key, ok := ecdsaParts(s)
		if !ok || !v.ECDSA(s.Hash, &key, r, z) {
			return errBad
		}
	}
	return nil
}

// check checks the signatures in one batch, but ECDSA one by one where there
// are no hints: odd holds them, one for each of sigs.
func check(v *curve.Verifier, batch *curve.Batch, sigs []fastpath.Sig, odd []bool, from, to int) error {
	batch.Reset()
	for i := from; i < to; i++ {
		s := &sigs[i]
		switch {
		case s.Kind == fastpath.Schnorr:
			batch.Add(s.Hash, [32]byte(s.KeyBytes()), s.Sig)
		case odd == nil:
			if err := single(v, sigs[i:i+1]); err != nil {
				return err
			}
		default:
			r, okR := curve.ParseScalar((*[32]byte)(s.Sig[:32]))
			z, okS := curve.ParseScalar((*[32]byte)(s.Sig[32:]))
			if !okR || !okS {
				return errBad
			}
			batch.AddECDSA(s.Hash, s.KeyBytes(), r, z, odd[i])
		}
	}
	if !batch.Verify(rand.Reader) {
		return errBad
	}
	return nil
}

// parities finds the hints for the ECDSA signatures among sigs.
func parities(v *curve.Verifier, sigs []fastpath.Sig) ([]bool, error) {
	list := make([]bool, len(sigs))
	for i := range sigs {
		if sigs[i].Kind != fastpath.ECDSA {
			continue
		}
		r, z, key, ok := ecdsaParts(&sigs[i])
		if ok {
			list[i], ok = v.ECDSAParity(sigs[i].Hash, &key, r, z)
		}
		if !ok {
			return nil, errBad
		}
	}
	return list, nil
}

func ecdsaParts(s *fastpath.Sig) (r, z curve.Scalar, key curve.Point, ok bool) {
	r, okR := curve.ParseScalar((*[32]byte)(s.Sig[:32]))
	z, okS := curve.ParseScalar((*[32]byte)(s.Sig[32:]))
	key, okKey := curve.ParsePoint(s.KeyBytes())
	return r, z, key, okR && okS && okKey
}
