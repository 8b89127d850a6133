package rpc

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/txscript/v2"

	"github.com/charterchain/charter/chain/params"
)

// The alphabets of descriptor checksums (BIP380).
const (
	descriptorInput = "0123456789()[],'/*abcdefgh@:$%{}" +
		"IJKLMNOPQRSTUVWXYZ&+-.;<=>?!^_|~" +
		"ijklmnopqrstuvwxyzABCDEFGH`#\"\\ "
	descriptorChecksum = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
)

// checksum returns the eight characters that follow # in a descriptor. ok is
// false where text holds a character that no descriptor has. Source: BIP380.
func checksum(text string) (sum string, ok bool) {
	state, class, count := uint64(1), 0, 0
	for _, r := range text {
		at := strings.IndexRune(descriptorInput, r)
		if at < 0 {
			return "", false
		}
		state = checksumStep(state, at&31)
		class = class*3 + at>>5
		if count++; count == 3 {
			state = checksumStep(state, class)
			class, count = 0, 0
		}
	}
	if count > 0 {
		state = checksumStep(state, class)
	}
	for range 8 {
		state = checksumStep(state, 0)
	}
	state ^= 1
	var b [8]byte
	for i := range b {
		b[i] = descriptorChecksum[state>>(5*(7-i))&31]
	}
	return string(b[:]), true
}

func checksumStep(state uint64, value int) uint64 {
	top := state >> 35
	state = (state&0x7ffffffff)<<5 ^ uint64(value)
	for i, g := range [...]uint64{0xf5dee51989, 0xa9fdca3312, 0x1bab10e32d, 0x3706b1677a, 0x644d626ffd} {
		if top>>i&1 == 1 {
			state ^= g
		}
	}
	return state
}

func withChecksum(descriptor string) string {
	sum, ok := checksum(descriptor)
	if !ok {
		return descriptor
	}
	return descriptor + "#" + sum
}

// describe writes the descriptor that Bitcoin Core infers for an output script
// of which nothing else is known.
func describe(script []byte, prefixes params.Address) string {
	return withChecksum(plainDescriptor(script, prefixes))
}

func plainDescriptor(script []byte, prefixes params.Address) string {
	f := recognize(script)
	switch f.kind {
	case typePubKey, typeMultiSig:
		if d, ok := keyDescriptor(&f, false); ok {
			return d
		}
	case typeTaproot:
		if _, err := schnorr.ParsePubKey(f.hash); err == nil {
			return "rawtr(" + hex.EncodeToString(f.hash) + ")"
		}
	}
	if addr, ok := prefixes.Encode(script); ok && f.kind != typeNonStandard {
		return "addr(" + addr + ")"
	}
	return "raw(" + hex.EncodeToString(script) + ")"
}

// keyDescriptor writes pk() or multi(), unless a key is hybrid, or not compressed
// where it must be.
func keyDescriptor(f *form, compressed bool) (string, bool) {
	var keys strings.Builder
	for i, key := range f.keys {
		if key[0] > 4 || (compressed && len(key) != 33) {
			return "", false
		}
		if i > 0 {
			keys.WriteByte(',')
		}
		keys.WriteString(hex.EncodeToString(key))
	}
	if f.kind == typePubKey {
		return "pk(" + keys.String() + ")", true
	}
	return fmt.Sprintf("multi(%d,%s)", f.required, keys.String()), true
}

// scanTarget is an output script to look for, with the descriptor it is shown as.
type scanTarget struct {
	script     []byte
	descriptor string
}

var errPrivateKey = errors.New("it holds a private key, and keys do not belong in a node: give the public key")

// expand reads a descriptor of one key, an address or a script, and returns its
// output scripts. Errors are for people and never repeat a key.
func expand(text string, prefixes params.Address) ([]scanTarget, error) {
	text, err := cutChecksum(text)
	if err != nil {
		return nil, err
	}
	name, inner, ok := cutCall(text)
	if !ok {
		return nil, errors.New("want NAME(…), such as addr(ADDRESS), raw(HEX) or wpkh(PUBKEY)")
	}
	switch name {
	case "addr":
		script, err := prefixes.Decode(inner)
		if err != nil {
			return nil, fmt.Errorf("address is not valid: %w", err)
		}
		return []scanTarget{{script, withChecksum(text)}}, nil
	case "raw":
		script, err := hex.DecodeString(inner)
		if err != nil {
			return nil, errors.New("raw() takes a script as hex")
		}
		return []scanTarget{{script, withChecksum(text)}}, nil
	case "rawtr":
		key, err := xOnlyKey(inner, prefixes)
		if err != nil {
			return nil, err
		}
		return taprootTarget(key, text)
	case "tr":
		if strings.Contains(inner, ",") {
			return nil, errors.New("tr() with a script tree is not supported: give its address or raw()")
		}
		key, err := xOnlyKey(inner, prefixes)
		if err != nil {
			return nil, err
		}
		return taprootTarget(txscript.ComputeTaprootKeyNoScript(key), text)
	case "pk", "pkh", "wpkh", "combo":
		return keyTargets(name, inner, prefixes)
	case "sh":
		if form, key, ok := cutCall(inner); ok && form == "wpkh" {
			return keyTargets("sh(wpkh", key, prefixes)
		}
	}
	return nil, fmt.Errorf("%.20s() is not supported; supported are addr, raw, pk, pkh, wpkh, sh(wpkh()), tr, rawtr and combo", name)
}

// cutChecksum takes the checksum off, if there is one, and checks it.
func cutChecksum(text string) (string, error) {
	body, sum, found := strings.Cut(text, "#")
	want, ok := checksum(body)
	if !ok {
		return "", errors.New("it holds a character that no descriptor has")
	}
	if found && sum != want {
		return "", errors.New("its checksum does not match")
	}
	return body, nil
}

// cutCall splits NAME(INNER).
func cutCall(text string) (name, inner string, ok bool) {
	name, rest, found := strings.Cut(text, "(")
	inner, closed := strings.CutSuffix(rest, ")")
	return name, inner, found && closed
}

func taprootTarget(output *btcec.PublicKey, text string) ([]scanTarget, error) {
	script, err := txscript.PayToTaprootScript(output)
	if err != nil {
		return nil, err
	}
	return []scanTarget{{script, withChecksum(text)}}, nil
}

// keyTargets returns the scripts of a descriptor of one key in hex.
func keyTargets(name, text string, prefixes params.Address) ([]scanTarget, error) {
	key, err := publicKey(text, prefixes)
	if err != nil {
		return nil, err
	}
	hash := address.Hash160(key)
	segwit := append([]byte{op0, 20}, hash...)
	compressed := len(key) == 33
	if !compressed && (name == "wpkh" || name == "sh(wpkh") {
		return nil, errors.New("witness outputs need a compressed public key (66 hex digits)")
	}
	all := map[string][]byte{
		"pk":      append(append([]byte{byte(len(key))}, key...), opCheckSig),
		"pkh":     append(append([]byte{opDup, opHash160, 20}, hash...), opEqualVerify, opCheckSig),
		"wpkh":    segwit,
		"sh(wpkh": append(append([]byte{opHash160, 20}, address.Hash160(segwit)...), opEqual),
	}
	forms := []string{name}
	if name == "combo" {
		forms = []string{"pk", "pkh"}
		if compressed {
			forms = append(forms, "wpkh", "sh(wpkh")
		}
	}
	var targets []scanTarget
	for _, f := range forms {
		d := f + "(" + text + strings.Repeat(")", 1+strings.Count(f, "("))
		targets = append(targets, scanTarget{all[f], withChecksum(d)})
	}
	return targets, nil
}

func publicKey(text string, prefixes params.Address) ([]byte, error) {
	if err := refusePrivate(text, prefixes); err != nil {
		return nil, err
	}
	key, err := hex.DecodeString(text)
	if err != nil || !pubKeySize(key) || key[0] > 4 {
		return nil, errors.New("want a public key of 66 or 130 hex digits; extended keys and key origins are not supported")
	}
	if _, err := btcec.ParsePubKey(key); err != nil {
		return nil, errors.New("the public key is no point of the curve")
	}
	return key, nil
}

// xOnlyKey reads a key of 64 hex digits (BIP340), or a compressed one.
func xOnlyKey(text string, prefixes params.Address) (*btcec.PublicKey, error) {
	if err := refusePrivate(text, prefixes); err != nil {
		return nil, err
	}
	key, err := hex.DecodeString(text)
	if err == nil && len(key) == 33 && key[0] <= 3 {
		key = key[1:]
	}
	if err != nil || len(key) != 32 {
		return nil, errors.New("want a public key of 64 or 66 hex digits; extended keys and key origins are not supported")
	}
	pub, err := schnorr.ParsePubKey(key)
	if err != nil {
		return nil, errors.New("the public key is no point of the curve")
	}
	return pub, nil
}

// refusePrivate recognises private keys, so that the error says what is wrong.
func refusePrivate(text string, prefixes params.Address) error {
	if _, _, err := prefixes.DecodeWIF(text); err == nil || strings.HasPrefix(text, "xprv") || strings.HasPrefix(text, "tprv") {
		return errPrivateKey
	}
	return nil
}
