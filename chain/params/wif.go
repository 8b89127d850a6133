package params

import (
	"fmt"

	"github.com/btcsuite/btcd/address/v2/base58"
	"github.com/btcsuite/btcd/btcec/v2"
)

// EncodeWIF writes a private key in wallet import format: the prefix, 32
// bytes big-endian, and a byte 1 where the public key is compressed.
func (a Address) EncodeWIF(key *btcec.PrivateKey, compressed bool) string {
	b := key.Serialize()
	if compressed {
		b = append(b, 1)
	}
	return base58.CheckEncode(b, a.WIF)
}

// DecodeWIF reads a private key of this chain in wallet import format. The
// error is an *AddressError that does not repeat the text.
func (a Address) DecodeWIF(text string) (key *btcec.PrivateKey, compressed bool, err error) {
	const longest = 60 // 38 bytes take at most 52 characters
	if len(text) > longest || outside(text, base58Alphabet) != nil {
		return nil, false, &AddressError{Reason: "the private key is not base58 of 51 or 52 characters"}
	}
	b, version, err := base58.CheckDecode(text)
	switch {
	case err != nil:
		return nil, false, &AddressError{Reason: "the private key's checksum does not match: a character is wrong or missing"}
	case len(b) != 32 && (len(b) != 33 || b[32] != 1):
		return nil, false, &AddressError{Reason: "this is not a private key: its length or its last byte is wrong"}
	case version != a.WIF:
		return nil, false, &AddressError{Reason: fmt.Sprintf(
			"the private key belongs to another chain: its prefix byte is %d, this chain's is %d", version, a.WIF)}
	}
	var scalar btcec.ModNScalar
	if overflow := scalar.SetByteSlice(b[:32]); overflow || scalar.IsZero() {
		return nil, false, &AddressError{Reason: "the private key is zero or above the group order"}
	}
	return btcec.PrivKeyFromScalar(&scalar), len(b) == 33, nil
}
