package seal

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

const messageTag = "charter/seal/v1"

// VariantID is the message that a block's seal signs. Blocks with the same
// VariantID are variants of one block: they differ in nonce and signature
// alone.
type VariantID = [32]byte

// Message returns what the seal of a block signs. zeroRoot is the block's
// merkle root with the 64 bytes of the signature zero, see ZeroRoot; the
// header's own root and its nonce play no part. The package documentation
// has the fields.
func Message(genesis chainhash.Hash, h *wire.BlockHeader, zeroRoot chainhash.Hash, height int32) VariantID {
	b := make([]byte, 0, 2*chainhash.HashSize+chainhash.HashSize+4*4)
	b = append(b, genesis[:]...)
	b = binary.LittleEndian.AppendUint32(b, uint32(h.Version))
	b = append(b, h.PrevBlock[:]...)
	b = append(b, zeroRoot[:]...)
	b = binary.LittleEndian.AppendUint32(b, uint32(h.Timestamp.Unix()))
	b = binary.LittleEndian.AppendUint32(b, h.Bits)
	b = binary.LittleEndian.AppendUint32(b, uint32(height))
	return *chainhash.TaggedHash([]byte(messageTag), b)
}

// ZeroRoot returns the merkle root that the coinbase, as the first leaf, and
// branch give once the signature bytes of its seal s are zero. s is what
// Find returned for this coinbase.
func ZeroRoot(coinbase *wire.MsgTx, s *Seal, branch []chainhash.Hash) chainhash.Hash {
	zeroed := withSeal(coinbase, s.Output, Script(s.Key, [64]byte{}))
	return climb(zeroed.TxHash(), branch)
}

// withSeal returns the coinbase with another script in one output. All else
// is shared.
func withSeal(coinbase *wire.MsgTx, output int, script []byte) *wire.MsgTx {
	tx := *coinbase
	tx.TxOut = slices.Clone(coinbase.TxOut)
	tx.TxOut[output] = &wire.TxOut{Value: tx.TxOut[output].Value, PkScript: script}
	return &tx
}

// climb returns the merkle root above the first leaf.
func climb(leaf chainhash.Hash, branch []chainhash.Hash) chainhash.Hash {
	for i := range branch {
		leaf = hashPair(leaf, branch[i])
	}
	return leaf
}

func hashPair(left, right chainhash.Hash) chainhash.Hash {
	var both [2 * chainhash.HashSize]byte
	copy(both[:], left[:])
	copy(both[chainhash.HashSize:], right[:])
	return chainhash.DoubleHashH(both[:])
}

// Sign makes a BIP340 signature over msg. aux is the auxiliary randomness of
// BIP340; zeros are allowed and make the signature deterministic.
func Sign(key *btcec.PrivateKey, aux, msg [32]byte) ([64]byte, error) {
	sig, err := schnorr.Sign(key, msg[:], schnorr.CustomNonce(aux))
	if err != nil {
		return [64]byte{}, fmt.Errorf("sign a seal: %w", err)
	}
	return [64]byte(sig.Serialize()), nil
}

// KeyOf returns the x-only public key that a seal by key carries.
func KeyOf(key *btcec.PrivateKey) [32]byte {
	return [32]byte(schnorr.SerializePubKey(key.PubKey()))
}

// Verify reports whether s signs msg.
func (s *Seal) Verify(msg VariantID) bool { return verify(s.Key, s.Sig, msg) }

func verify(key [32]byte, sig [64]byte, msg [32]byte) bool {
	pub, err := schnorr.ParsePubKey(key[:])
	if err != nil {
		return false
	}
	parsed, err := schnorr.ParseSignature(sig[:])
	return err == nil && parsed.Verify(msg[:], pub)
}
