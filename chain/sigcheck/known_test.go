package sigcheck

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"

	"github.com/charterchain/charter/chain/consensus"
)

// witnessed is a spend of a script that needs one signature: with(sig) has
// that signature, whose last byte is the hash type unless there is none.
type witnessed struct {
	name string
	with func(sig []byte) Spend
	hash func(s *Spend, common shared) ([]byte, error)
	key  []byte // as the script has it
	sign *btcec.PrivateKey
	kind byte // hash type
	held bool // the signature is found before the interpreter asks
}

// witnessedSpends are the scripts that known looks at, and some that it
// cannot make out.
func witnessedSpends(tb testing.TB) (all []witnessed) {
	x := func(n int) []byte { return schnorr.SerializePubKey(numbered(n).PubKey()) }
	full := func(n int) []byte { return numbered(n).PubKey().SerializeCompressed() }
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	op := func(ops ...byte) []byte { return ops }

	tap := func(name string, script []byte, n int, kind byte, held bool, before, behind [][]byte) {
		all = append(all, witnessed{
			name: name, key: x(n), sign: numbered(n), kind: kind, held: held,
			with: func(sig []byte) Spend {
				return leaf(tb, txscript.BaseLeafVersion, script, append([][]byte{sig}, before...), behind...)
			},
			hash: func(s *Spend, common shared) ([]byte, error) {
				var options []txscript.TaprootSigHashOption
				if len(behind) > 0 {
					options = append(options, txscript.WithAnnex(behind[0]))
				}
				return txscript.CalcTapscriptSignaturehash(common.hashes, txscript.SigHashType(kind), s.Tx.Msg, 0, common.fetcher, txscript.NewBaseTapLeaf(script), options...)
			},
		})
	}
	one := join(pushes(tb, x(1)), op(txscript.OP_CHECKSIG))
	tap("one key", one, 1, 0, true, nil, nil)
	tap("one key, another hash type", one, 1, 0x83, true, nil, nil)
	tap("one key and an annex", one, 1, 0, true, nil, [][]byte{{0x50, 1}})
	tap("a data push before the key", join(pushes(tb, x(7)), op(txscript.OP_DROP), one), 1, 0, true, nil, nil)
	branches := join(op(txscript.OP_IF), pushes(tb, x(1)), op(txscript.OP_CHECKSIG, txscript.OP_ELSE), pushes(tb, x(2)), op(txscript.OP_CHECKSIG, txscript.OP_ENDIF))
	tap("the first branch", branches, 1, 0, true, [][]byte{{1}}, nil)
	tap("the second branch", branches, 2, 0, true, [][]byte{nil}, nil)
	tap("the key is not beside the operation", join(pushes(tb, x(1)), op(txscript.OP_NOP, txscript.OP_CHECKSIG)), 1, 0, false, nil, nil)

	v0 := func(name string, script []byte, n int, held bool, before ...[]byte) {
		all = append(all, witnessed{
			name: name, key: full(n), sign: numbered(n), kind: 1, held: held,
			with: func(sig []byte) Spend { return p2wsh(script, append([][]byte{sig}, before...)...) },
			hash: func(s *Spend, common shared) ([]byte, error) {
				return txscript.CalcWitnessSigHash(script, common.hashes, txscript.SigHashAll, s.Tx.Msg, 0, s.Coins[0].Amount)
			},
		})
	}
	v0("P2WSH of one key", join(pushes(tb, full(1)), op(txscript.OP_CHECKSIG)), 1, true)
	v0("P2WSH of two branches", join(op(txscript.OP_IF), pushes(tb, full(1)), op(txscript.OP_ELSE), pushes(tb, full(2)), op(txscript.OP_ENDIF, txscript.OP_CHECKSIG)), 2, false, nil)
	v0("P2WSH with a preimage", join(op(txscript.OP_SIZE, 1, 32, txscript.OP_EQUALVERIFY, txscript.OP_DROP), pushes(tb, full(3)), op(txscript.OP_CHECKSIG)), 3, true, bytesOf(32, 0x30))
	return all
}

func (c *witnessed) signed(t *testing.T) (hash, sig []byte) {
	t.Helper()
	s := c.with(nil)
	hash, err := c.hash(&s, prepare(&s))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.key) == 32 {
		made, err := schnorr.Sign(c.sign, hash)
		if err != nil {
			t.Fatal(err)
		}
		if sig = made.Serialize(); c.kind != 0 {
			sig = append(sig, c.kind)
		}
		return hash, sig
	}
	return hash, append(ecdsa.Sign(c.sign, hash).Serialize(), c.kind)
}

// told is what the interpreter asks for: with an ECDSA signature it leaves the
// hash type out.
func (c *witnessed) told(sig []byte) []byte {
	if len(c.key) == 32 {
		return sig
	}
	return sig[:len(sig)-1]
}

// TestKnownSignatures: what the interpreter is told changes no outcome, and it
// believes it.
func TestKnownSignatures(t *testing.T) {
	checker := New(Config{Workers: 1})
	for _, c := range witnessedSpends(t) {
		t.Run(c.name, func(t *testing.T) {
			hash, sig := c.signed(t)
			s := c.with(sig)
			cache := newTxScripts(&s, allConsensus).known(checker.verify, 0)
			if held := cache != nil && cache.Exists(chainhash.Hash(hash), c.told(sig), c.key); held != c.held {
				t.Errorf("the signature is found: %v", held)
			}
			sameOutcome(t, checker, c.name, s, true)

			wrong := bytes.Clone(sig)
			wrong[40] ^= 1
			bad := c.with(wrong)
			sameOutcome(t, checker, "a signature that does not hold", bad, false)
			if newTxScripts(&bad, allConsensus).known(checker.verify, 0) != nil {
				t.Error("a signature that does not hold is told")
			}
			for _, flip := range []int{0, 3, len(sig) - 1} {
				wrong := bytes.Clone(sig)
				wrong[flip] ^= 1
				sameOutcome(t, checker, fmt.Sprintf("byte %d is another", flip), c.with(wrong), false)
			}

			// Told of that signature the interpreter accepts it: so it does
			// ask, and in this form.
			lied := newTxScripts(&bad, allConsensus)
			lied.cache = knowing(hash, c.told(wrong), c.key)
			if err := lied.run(0); err != nil {
				t.Errorf("the interpreter does not ask: %v", err)
			}
		})
	}
	if got := checker.Stats(); got.Interpreted == 0 || got.Overruled != 0 {
		t.Errorf("%+v", got)
	}
}

func sameOutcome(t *testing.T, c *Checker, what string, s Spend, passes bool) {
	t.Helper()
	err := c.CheckTx(t.Context(), s.Tx, s.Coins, allConsensus)
	sameAsReferee(t, what, err, []Spend{s}, allConsensus)
	if (err == nil) != passes {
		t.Errorf("%s: got %v", what, err)
	}
}

// FuzzKnown spends any witness script with any items: what is told changes no
// outcome.
func FuzzKnown(f *testing.F) {
	for _, c := range witnessedSpends(f) {
		s := c.with(bytesOf(64, 3))
		w := s.Tx.Msg.TxIn[0].Witness
		f.Add(s.Coins[0].Script, w[len(w)-1], w[0], byte(0x7f))
	}
	c := New(Config{Workers: 1})
	f.Fuzz(func(t *testing.T, script, last, item []byte, which byte) {
		s := scripted(1, script)
		s.Tx.Msg.TxIn[0].Witness = [][]byte{item, last}
		s.Tx = consensus.NewTx(s.Tx.Msg)
		flags := someFlags(which)
		err := c.CheckTx(t.Context(), s.Tx, s.Coins, flags)
		sameAsReferee(t, "told", err, []Spend{s}, flags)
	})
}
