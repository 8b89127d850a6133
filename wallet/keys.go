package wallet

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/btcutil/v2/hdkeychain"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/txscript/v2"

	"github.com/charterchain/charter/chain/params"
)

// branch is the part of an account that a key belongs to (BIP44).
type branch uint8

// The branches.
const (
	external branch = 0 // addresses that are given to others
	internal branch = 1 // change
)

func (b branch) String() string {
	if b == internal {
		return "change"
	}
	return "receive"
}

// keyPath is the end of m/86'/coin_type'/0'/branch/index (BIP86).
type keyPath struct {
	branch branch
	index  uint32
}

// purpose is BIP86's: single-key P2TR outputs.
const purpose = 86

// deriveAccount returns the private key m/86'/coinType'/0'.
//
// The library's parent-to-public step looks versions up in a table of the
// process, so nothing here uses it: see publicAccount.
func deriveAccount(seed []byte, a params.Address) (*hdkeychain.ExtendedKey, error) {
	var net chaincfg.Params
	binary.BigEndian.PutUint32(net.HDPrivateKeyID[:], a.HDPrivate)
	key, err := hdkeychain.NewMaster(seed, &net)
	if err != nil {
		return nil, fmt.Errorf("derive the master key: %w", err)
	}
	for _, step := range []uint32{purpose, a.CoinType, 0} {
		child, err := key.Derive(hdkeychain.HardenedKeyStart + step)
		key.Zero()
		if err != nil {
			return nil, fmt.Errorf("derive the account key: %w", err)
		}
		key = child
	}
	return key, nil
}

// publicAccount returns the public half of an account key, under the
// chain's version bytes. It shares no memory with the private half.
func publicAccount(account *hdkeychain.ExtendedKey, a params.Address) (*hdkeychain.ExtendedKey, error) {
	pub, err := account.ECPubKey()
	if err != nil {
		return nil, fmt.Errorf("account key: %w", err)
	}
	version := binary.BigEndian.AppendUint32(nil, a.HDPublic)
	parent := binary.BigEndian.AppendUint32(nil, account.ParentFingerprint())
	return hdkeychain.NewExtendedKey(version, pub.SerializeCompressed(), account.ChainCode(),
		parent, account.Depth(), account.ChildIndex(), false), nil
}

// errOtherChain reports a wallet that was made for a chain with other
// prefixes.
var errOtherChain = errors.New("the wallet belongs to another chain")

// parseAccount reads a public account key and checks that it is one of a
// chain with these prefixes.
func parseAccount(text string, a params.Address) (*hdkeychain.ExtendedKey, error) {
	key, err := hdkeychain.NewKeyFromString(text)
	if err != nil {
		return nil, fmt.Errorf("account key: %w", err)
	}
	switch {
	case key.IsPrivate():
		key.Zero()
		return nil, errors.New("account key: it is a private key, which has no place here")
	case key.Depth() != 3:
		return nil, fmt.Errorf("account key: depth %d, an account has 3", key.Depth())
	}
	if v := binary.BigEndian.Uint32(key.Version()); v != a.HDPublic {
		return nil, fmt.Errorf("%w: its keys have version bytes %08x, this chain's are %08x", errOtherChain, v, a.HDPublic)
	}
	return key, nil
}

// outputKey returns the x-only key of the P2TR output at index below a
// public branch key (BIP86: tweaked without a script tree).
func outputKey(branchKey *hdkeychain.ExtendedKey, index uint32) ([32]byte, error) {
	var out [32]byte
	key, err := deriveChild(branchKey, index)
	if err != nil {
		return out, err
	}
	pub, err := key.ECPubKey()
	if err != nil {
		return out, fmt.Errorf("key %d: %w", index, err)
	}
	copy(out[:], schnorr.SerializePubKey(txscript.ComputeTaprootKeyNoScript(pub)))
	return out, nil
}

// privateKey returns the untweaked private key at path below a private
// account key. The caller should zero it after use.
func privateKey(account *hdkeychain.ExtendedKey, path keyPath) (*btcec.PrivateKey, error) {
	branchKey, err := deriveChild(account, uint32(path.branch))
	if err != nil {
		return nil, err
	}
	defer branchKey.Zero()
	key, err := deriveChild(branchKey, path.index)
	if err != nil {
		return nil, err
	}
	defer key.Zero()
	return key.ECPrivKey()
}

// deriveChild names the index in an error. One in 2^127 indexes has no key;
// it is not skipped, because no wallet will meet it.
func deriveChild(key *hdkeychain.ExtendedKey, index uint32) (*hdkeychain.ExtendedKey, error) {
	child, err := key.Derive(index)
	if err != nil {
		return nil, fmt.Errorf("derive key %d: %w", index, err)
	}
	return child, nil
}

// payToTaproot is the output script for an x-only output key (BIP341).
func payToTaproot(key [32]byte) []byte {
	return append([]byte{txscript.OP_1, txscript.OP_DATA_32}, key[:]...)
}

// taprootKey returns the x-only output key that a script pays to.
func taprootKey(script []byte) (key [32]byte, ok bool) {
	if len(script) != 34 || script[0] != txscript.OP_1 || script[1] != txscript.OP_DATA_32 {
		return key, false
	}
	return [32]byte(script[2:]), true
}
