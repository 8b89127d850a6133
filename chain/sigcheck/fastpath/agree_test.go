package fastpath

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/txscript/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/sigcheck/curve"
)

const (
	allConsensus = txscript.ScriptBip16 | txscript.ScriptVerifyDERSignatures | txscript.ScriptStrictMultiSig |
		txscript.ScriptVerifyCheckLockTimeVerify | txscript.ScriptVerifyCheckSequenceVerify |
		txscript.ScriptVerifyWitness | txscript.ScriptVerifyTaproot
	allPolicy = txscript.StandardVerifyFlags
)

// holds is what btcec says of a signature by the key.
func holds(s *Sig, key []byte) bool {
	if s.Kind == Schnorr {
		pub, err := schnorr.ParsePubKey(key)
		if err != nil {
			return false
		}
		sig, err := schnorr.ParseSignature(s.Sig[:])
		return err == nil && sig.Verify(s.Hash[:], pub)
	}
	pub, err := btcec.ParsePubKey(key)
	if err != nil {
		return false
	}
	var r, n btcec.ModNScalar
	if r.SetByteSlice(s.Sig[:32]) || n.SetByteSlice(s.Sig[32:]) || r.IsZero() || n.IsZero() {
		panic("a number of a signature is out of range")
	}
	return ecdsa.NewSignature(&r, &n).Verify(s.Hash[:], pub)
}

// matches reports whether each signature can have its own key so that both
// are in the same order, by trying all choices.
func matches(sigs []Sig, keys [][]byte) bool {
	if len(sigs) == 0 {
		return true
	}
	for i := range keys {
		if holds(&sigs[0], keys[i]) && matches(sigs[1:], keys[i+1:]) {
			return true
		}
	}
	return false
}

var (
	verifier = curve.New()
	used     Tx // for one transaction after the other
)

// fast is what the fast path says: whether it takes the spend, and then
// whether what it asks for holds.
func fast(t *testing.T, m made, flags txscript.ScriptFlags) (ok, valid bool) {
	t.Helper()
	var tx Tx
	tx.Reset(consensus.NewTx(m.msg), m.coins)
	before := []Sig{{Kind: 77}}
	sigs, multi, ok := tx.Input(m.at, flags, before)
	used.Reset(tx.tx, tx.coins)
	if again, _, _ := used.Input(m.at, flags, before); !slices.Equal(again, sigs) {
		t.Fatal("a Tx that was used before says something else")
	}
	if len(sigs) == 0 || sigs[0].Kind != 77 {
		t.Fatal("signatures that were there are gone")
	}
	sigs = sigs[1:]
	switch {
	case !ok && (multi != nil || len(sigs) > 0), multi != nil && len(sigs) > 0, ok && multi == nil && len(sigs) == 0:
		t.Fatalf("ok is %v with %d signatures and multi %v", ok, len(sigs), multi)
	case multi != nil:
		var keys [maxKeys][]byte
		n, _ := multiKeys(multi.script, &keys)
		valid = matches(multi.sigs, keys[:n])
		if got := multi.Check(verifier); got != valid {
			t.Fatalf("Check says %v and btcec %v", got, valid)
		}
		return ok, valid
	}
	valid = !slices.ContainsFunc(sigs, func(s Sig) bool { return !holds(&s, s.KeyBytes()) })
	return ok, valid
}

// agree checks that the fast path says nothing that the interpreter does not
// say, and gives both answers.
func agree(t *testing.T, m made, flags txscript.ScriptFlags) (ok, accepted bool) {
	t.Helper()
	ok, valid := fast(t, m, flags)
	err := m.interpret(flags)
	if ok && valid != (err == nil) {
		t.Fatalf("flags %s: the fast path says %v, the interpreter %v", flagNames(flags), valid, err)
	}
	return ok, err == nil
}

// plain are all kinds of spends that the fast path is for.
func plain() map[string]forge {
	kinds := map[string]forge{
		"p2tr":                   {form: p2tr},
		"p2wpkh":                 {form: p2wpkh},
		"p2sh-p2wpkh":            {form: p2shP2WPKH},
		"p2pkh":                  {asks: aKeyHash},
		"p2pkh uncompressed":     {asks: aKeyHash, keys: uncompressed},
		"p2pk":                   {},
		"p2pk uncompressed":      {keys: uncompressed},
		"p2wsh first 2 of 3":     {form: p2wsh, asks: multi, n: 3, signers: []int{0, 1}},
		"p2wsh last 2 of 3":      {form: p2wsh, asks: multi, n: 3, signers: []int{1, 2}},
		"p2wsh 2 of 16":          {form: p2wsh, asks: multi, n: 16, signers: []int{3, 15}},
		"bare 2 of 3 uncompress": {asks: multi, keys: uncompressed, n: 3, signers: []int{0, 2}},
	}
	for name, f := range map[string]form{"bare": bare, "p2sh": p2sh, "p2wsh": p2wsh, "p2sh-p2wsh": p2shP2WS} {
		kinds[name+" 1 of 1"] = forge{form: f, asks: multi, n: 1, signers: []int{0}}
		kinds[name+" 2 of 2"] = forge{form: f, asks: multi, n: 2, signers: []int{0, 1}}
		kinds[name+" 1 of 2"] = forge{form: f, asks: multi, n: 2, signers: []int{0}}
		kinds[name+" 2 of 3"] = forge{form: f, asks: multi, n: 3, signers: []int{0, 2}}
	}
	return kinds
}

// flagSets are the sets of flags by which blocks and pools are judged, now
// and before some of the rules.
func flagSets() []txscript.ScriptFlags {
	return []txscript.ScriptFlags{
		0,
		txscript.ScriptBip16,
		txscript.ScriptBip16 | txscript.ScriptVerifyDERSignatures | txscript.ScriptVerifyCheckLockTimeVerify | txscript.ScriptVerifyCheckSequenceVerify,
		allConsensus &^ txscript.ScriptVerifyTaproot,
		allConsensus,
		allPolicy &^ (txscript.ScriptVerifyTaproot | txscript.ScriptVerifyWitness | txscript.ScriptVerifyCleanStack),
		allPolicy,
	}
}

// TestPlain takes each kind through each set of flags: the fast path takes it
// wherever its signatures count, and both agree, on a good spend and on one of
// another amount.
func TestPlain(t *testing.T) {
	for name, f := range plain() {
		t.Run(name, func(t *testing.T) {
			f.inputs, f.outputs, f.at = 3, 2, 1
			good := f.make(t)
			bad := f.make(t)
			bad.coins[1].Amount++
			bad.msg.TxOut[1].Value++
			for _, flags := range flagSets() {
				want := flags&f.form.needs() == f.form.needs()
				ok, accepted := agree(t, good, flags)
				if f.form.segwit() && !want {
					if ok {
						t.Errorf("flags %s: taken", flagNames(flags))
					}
					continue
				}
				if ok != want || !accepted {
					t.Errorf("flags %s: taken %v, accepted %v", flagNames(flags), ok, accepted)
				}
			}
			if ok, accepted := agree(t, bad, allConsensus); !ok || accepted {
				t.Errorf("a changed transaction: taken %v, accepted %v", ok, accepted)
			}
		})
	}
}

// TestHashTypes takes one kind of each hash through all bytes of hash types.
func TestHashTypes(t *testing.T) {
	for name, f := range map[string]forge{
		"BIP341": {form: p2tr}, "BIP143": {form: p2wpkh}, "BIP143 multisig": {form: p2wsh, asks: multi, n: 2, signers: []int{0, 1}},
		"legacy": {asks: aKeyHash},
	} {
		for _, outputs := range []int{2, 4} { // without and with an output for SINGLE
			f.inputs, f.outputs, f.at = 4, outputs, 2
			var taken []byte
			for _, hashType := range []byte{0, 1, 2, 3, 4, 0x1f, 0x41, 0x80, 0x81, 0x82, 0x83, 0x84, 0xc1, 0xff} {
				f.hashType = hashType
				m := f.make(t)
				if hashType == 0 && f.form != p2tr {
					continue // make takes 0 for ALL
				}
				for _, flags := range []txscript.ScriptFlags{allConsensus, allPolicy} {
					ok, accepted := agree(t, m, flags)
					if ok && !accepted {
						t.Errorf("%s, type %#x: taken and refused", name, hashType)
					}
					if ok && flags == allPolicy {
						taken = append(taken, hashType)
					}
				}
			}
			want := []byte{1, 2, 3, 0x81, 0x82, 0x83}
			switch {
			case name == "legacy":
				want = []byte{1}
			case name == "BIP341" && outputs == 2:
				want = []byte{0, 1, 2, 0x81, 0x82}
			case name == "BIP341":
				want = append([]byte{0}, want...)
			}
			if !slices.Equal(taken, want) {
				t.Errorf("%s with %d outputs: took types %x, want %x", name, outputs, taken, want)
			}
		}
	}
}

func flagNames(flags txscript.ScriptFlags) string {
	var names []string
	for name, f := range map[string]txscript.ScriptFlags{
		"bip16": txscript.ScriptBip16, "nulldummy": txscript.ScriptStrictMultiSig, "dersig": txscript.ScriptVerifyDERSignatures,
		"low_s": txscript.ScriptVerifyLowS, "minimaldata": txscript.ScriptVerifyMinimalData, "nullfail": txscript.ScriptVerifyNullFail,
		"pushonly": txscript.ScriptVerifySigPushOnly, "strictenc": txscript.ScriptVerifyStrictEncoding, "witness": txscript.ScriptVerifyWitness,
		"pubkeytype": txscript.ScriptVerifyWitnessPubKeyType, "taproot": txscript.ScriptVerifyTaproot, "cleanstack": txscript.ScriptVerifyCleanStack,
		"constscript": txscript.ScriptVerifyConstScriptCode,
	} {
		if flags&f != 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return fmt.Sprintf("%#x (%s)", uint32(flags), strings.Join(names, ","))
}
