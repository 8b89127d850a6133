package wallet

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/btcsuite/btcd/btcutil/v2/hdkeychain"

	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/wallet/keystore"
)

// Keys is the unsealed private account key. Zero it as soon as it is not
// needed any more.
type Keys struct{ account *hdkeychain.ExtendedKey }

// Zero overwrites the key.
func (k *Keys) Zero() { k.account.Zero() }

// String and GoString keep the key out of logs and messages.
func (k *Keys) String() string   { return "wallet keys" }
func (k *Keys) GoString() string { return "wallet keys" }

// newKeys derives the account key from entropy.
func newKeys(entropy []byte, a params.Address) (*Keys, error) {
	seed, err := seedOf(entropy)
	if err != nil {
		return nil, err
	}
	defer clear(seed)
	account, err := deriveAccount(seed, a)
	if err != nil {
		return nil, err
	}
	return &Keys{account}, nil
}

// Unlock opens the key file. A wrong passphrase is keystore.ErrPassphrase.
func (w *Wallet) Unlock(passphrase []byte) (*Keys, error) {
	keys, err := w.openKeys(passphrase)
	if err != nil {
		return nil, err
	}
	pub, err := publicAccount(keys.account, w.cfg.Chain.Address)
	if err == nil && pub.String() != w.account.String() {
		err = errors.New("the key file and the state file do not belong together; `charter wallet rescan` rebuilds the state from the keys")
	}
	if err != nil {
		keys.Zero()
		return nil, err
	}
	return keys, nil
}

func (w *Wallet) openKeys(passphrase []byte) (*Keys, error) {
	path := filepath.Join(w.cfg.Dir, keysName)
	file, err := w.cfg.FS.ReadFile(path, keystore.MaxSize)
	if err != nil {
		return nil, fmt.Errorf("read the key file: %w", err)
	}
	entropy, err := keystore.Open(file, passphrase)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	defer clear(entropy)
	return newKeys(entropy, w.cfg.Chain.Address)
}
