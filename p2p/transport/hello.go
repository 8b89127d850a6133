package transport

import (
	"crypto/sha256"
	"fmt"
	"io"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/p2p/message"
)

const helloTag = "charter/hello/v1"

// The role byte of the signed message.
const (
	roleDialler  byte = 0
	roleListener byte = 1
)

// binding is what a Hello's signature covers besides the Hello itself.
type binding struct {
	role     byte
	exporter [32]byte
	expected [32]byte // key expected of the receiver; zeros: any
	dialler  [32]byte // listener only: hash of the dialler's Hello
}

// digest returns what is signed: TaggedHash("charter/hello/v1", role ‖
// genesis hash ‖ rules hash ‖ exporter ‖ own key ‖ expected key ‖ rest ‖
// (listener:) dialler's Hello hash), where rest is the SHA-256 of the Hello
// without its signature.
func (b *binding) digest(h *message.Hello, rest [32]byte) []byte {
	parts := [][]byte{
		{b.role}, h.GenesisHash[:], h.RulesHash[:], b.exporter[:], h.Key[:], b.expected[:], rest[:],
	}
	if b.role == roleListener {
		parts = append(parts, b.dialler[:])
	}
	return chainhash.TaggedHash([]byte(helloTag), parts...)[:]
}

// signHello completes h by its signature.
func signHello(h *message.Hello, key *btcec.PrivateKey, b *binding, random io.Reader) error {
	rest, err := h.Digest()
	if err != nil {
		return err
	}
	h.Signature, err = sign(key, b.digest(h, rest), random)
	return err
}

// verifyHello checks the signature of a Hello that arrived as payload.
func verifyHello(h *message.Hello, payload []byte, b *binding) bool {
	rest := sha256.Sum256(payload[:len(payload)-len(h.Signature)])
	return verify(h.Key, b.digest(h, rest), h.Signature)
}

func sign(key *btcec.PrivateKey, digest []byte, random io.Reader) (out [64]byte, err error) {
	var aux [32]byte
	if _, err := io.ReadFull(random, aux[:]); err != nil {
		return out, fmt.Errorf("transport: randomness for a signature: %w", err)
	}
	sig, err := schnorr.Sign(key, digest, schnorr.CustomNonce(aux))
	if err != nil {
		return out, fmt.Errorf("transport: sign: %w", err)
	}
	copy(out[:], sig.Serialize())
	return out, nil
}

func verify(key [32]byte, digest []byte, signature [64]byte) bool {
	pub, err := schnorr.ParsePubKey(key[:])
	if err != nil {
		return false
	}
	sig, err := schnorr.ParseSignature(signature[:])
	return err == nil && sig.Verify(digest, pub)
}

// xOnly returns the x-only public key of key.
func xOnly(key *btcec.PrivateKey) (x [32]byte) {
	copy(x[:], schnorr.SerializePubKey(key.PubKey()))
	return x
}
