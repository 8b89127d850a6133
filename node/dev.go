package node

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/store"
	"github.com/charterchain/charter/configs"
	"github.com/charterchain/charter/wallet"
	"github.com/charterchain/charter/wallet/keystore"
)

// Dev is the folder of a one-node development chain.
type Dev struct {
	Dir     string
	Params  *params.Params
	Miner   string // address that blocks pay to, of the wallet "miner"
	Created bool   // the chain was made by this call
}

// Names in the folder of a development chain; the command line knows them.
const (
	devWalletDir  = "wallet"        // the wallet "default", funded in the genesis block
	devMinerDir   = "wallets/miner" // the wallet "miner"
	devMinerFile  = "mine-address"
	devPassphrase = "wallet.pass" // of both
	devMark       = "charter-dev" // says that the folder is ours to reset
)

// beforeChain reports whether a first run makes name before the chain file:
// a folder that holds nothing else is one where it was interrupted.
func beforeChain(name string) bool {
	switch strings.TrimSuffix(name, replaceExt) {
	case devMark, devPassphrase, devMinerFile, devWalletDir, filepath.Dir(devMinerDir), chainFileName, storeLock:
		return true
	}
	return false
}

// DevFunds is what the wallet of a development chain owns in its genesis
// block, in smallest units.
const DevFunds = 1_000_000 * 100_000_000

// OpenDev prepares dir for `charterd dev`: on the first run, and after
// reset, it makes a wallet with a key of its own and a chain whose genesis
// block pays to it.
func OpenDev(dir string, reset bool, now func() time.Time, random io.Reader) (*Dev, error) {
	return openDev(dir, reset, now, random, keystore.DefaultParams())
}

// openDev is OpenDev with the costs of the wallets' key files.
func openDev(dir string, reset bool, now func() time.Time, random io.Reader, kdf keystore.Params) (*Dev, error) {
	if reset {
		if err := removeDev(dir); err != nil {
			return nil, err
		}
	}
	file := filepath.Join(dir, chainFileName)
	data, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return createDev(dir, now, random, kdf)
	case err != nil:
		return nil, fmt.Errorf("read the development chain: %w", err)
	}
	p, err := params.Load(data, file)
	if err != nil {
		return nil, err
	}
	miner, err := os.ReadFile(filepath.Join(dir, devMinerFile))
	if err != nil {
		return nil, fmt.Errorf("read the address to mine to; was this folder made by `charterd dev`? %w", err)
	}
	address := strings.TrimSpace(string(miner))
	if _, err := p.Address.Decode(address); err != nil {
		return nil, fmt.Errorf("%s: %w; put it back, or start over with --reset", filepath.Join(dir, devMinerFile), err)
	}
	return &Dev{Dir: dir, Params: p, Miner: address}, nil
}

// createDev makes wallets and chain file; the latter last, as one step, so
// that an interrupted first run is begun again.
func createDev(dir string, now func() time.Time, random io.Reader, kdf keystore.Params) (*Dev, error) {
	lock, err := claimDev(dir)
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	template, ok := configs.Chain("dev")
	if !ok {
		return nil, errors.New("the development chain file is not in this program")
	}
	base, err := params.Load(template, "dev.toml")
	if err != nil {
		return nil, err
	}
	funded, miner, err := createDevWallets(dir, base, now, random, kdf)
	if err != nil {
		return nil, err
	}
	spec := *base
	spec.Genesis.Time = uint32(now().Unix())
	spec.Genesis.Allocations = []params.Allocation{{Address: funded, Amount: DevFunds}}
	p, err := params.Build(spec)
	if err != nil {
		return nil, fmt.Errorf("make the development chain: %w", err)
	}
	if err := replaceFile(filepath.Join(dir, chainFileName), params.Render(p)); err != nil {
		return nil, fmt.Errorf("write the development chain: %w", err)
	}
	return &Dev{Dir: dir, Params: p, Miner: miner, Created: true}, nil
}

// createDevWallets makes a wallet to pay from and one that blocks pay to, so
// that what is mined does not fill the history of the first.
func createDevWallets(dir string, p *params.Params, now func() time.Time, random io.Reader, kdf keystore.Params) (funded, miner string, err error) {
	var secret [16]byte
	if _, err := io.ReadFull(random, secret[:]); err != nil {
		return "", "", fmt.Errorf("draw a passphrase: %w", err)
	}
	passphrase := []byte(hex.EncodeToString(secret[:]))
	if err := replaceFile(filepath.Join(dir, devPassphrase), append(bytes.Clone(passphrase), '\n')); err != nil {
		return "", "", fmt.Errorf("write the wallets' passphrase: %w", err)
	}
	addresses := make(map[string]string)
	for _, name := range []string{devWalletDir, devMinerDir} {
		walletDir := filepath.Join(dir, name)
		if err := os.RemoveAll(walletDir); err != nil { // of an interrupted first run
			return "", "", err
		}
		w, err := wallet.Create(wallet.Config{
			Dir: walletDir, FS: wallet.OS(), Rand: random, Now: now,
			Chain: wallet.Chain{Address: p.Address}, KDF: kdf,
		}, passphrase)
		if err != nil {
			return "", "", fmt.Errorf("make a wallet: %w", err)
		}
		addresses[name] = w.Address
		if err := w.Close(); err != nil {
			return "", "", err
		}
	}
	funded, miner = addresses[devWalletDir], addresses[devMinerDir]
	if err := replaceFile(filepath.Join(dir, devMinerFile), []byte(miner+"\n")); err != nil {
		return "", "", fmt.Errorf("write the address to mine to: %w", err)
	}
	return funded, miner, nil
}

// claimDev marks dir as ours, and locks it. A folder that holds anything but
// what an interrupted first run leaves is refused: reset would delete it, and
// wallets with coins of a chain whose file was lost are not made anew.
func claimDev(dir string) (io.Closer, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("look into the data folder: %w", err)
	}
	_, err = os.Stat(filepath.Join(dir, devMark))
	ours := err == nil || len(entries) == 1 && entries[0].Name() == devMark+replaceExt
	if !ours && len(entries) > 0 {
		return nil, fmt.Errorf("%s is not empty and was not made by `charterd dev`; choose another --datadir", dir)
	}
	for _, e := range entries {
		if !beforeChain(e.Name()) {
			return nil, fmt.Errorf("%s is missing, but %s is there: put it back, or start over with --reset", filepath.Join(dir, chainFileName), e.Name())
		}
	}
	if err := makeDir(dir); err != nil {
		return nil, err
	}
	mark := []byte("This folder belongs to `charterd dev`; `charterd dev --reset` deletes what is in it.\n")
	if err := replaceFile(filepath.Join(dir, devMark), mark); err != nil {
		return nil, fmt.Errorf("mark the data folder: %w", err)
	}
	return store.Lock(store.OS(), dir)
}

// removeDev deletes a development chain with its wallet.
func removeDev(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look into the data folder: %w", err)
	}
	if _, err := os.Stat(filepath.Join(dir, devMark)); err != nil {
		return fmt.Errorf("%s was not made by `charterd dev`: --reset deletes nothing there", dir)
	}
	// Not while a node runs on it: its lock would be deleted with it.
	lock, err := store.Lock(store.OS(), dir)
	if err != nil {
		return err
	}
	defer lock.Close()
	// The chain file first and the mark never, so that an interrupted reset is
	// known as such and can be repeated.
	if err := os.Remove(filepath.Join(dir, chainFileName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reset: %w", err)
	}
	for _, e := range entries {
		if e.Name() == devMark {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return fmt.Errorf("reset: %w", err)
		}
	}
	return nil
}
