package wallet

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/btcsuite/btcd/btcutil/v2/hdkeychain"
	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/wallet/keystore"
)

// The files in a wallet's folder.
const (
	keysName  = "wallet.keys"
	stateName = "wallet.state"
	lockName  = "wallet.lock"
)

// Chain is what a wallet knows about its chain beforehand.
type Chain struct {
	// Genesis is the hash of the block at height 0. Zero: not known yet; a
	// wallet may be made before its chain. The first Sync then decides.
	Genesis chainhash.Hash

	Address      params.Address
	Limits       params.Limits
	Maturity     int32 // confirmations before a coinbase output may be spent
	DustRelayFee int64 // smallest unit per 1,000 virtual bytes

	// Whether only members may spend coins, or be paid.
	RestrictsSend, RestrictsReceive bool
}

// ChainOf takes what a wallet needs out of a chain file.
func ChainOf(p *params.Params) Chain {
	return Chain{
		Genesis:      p.GenesisHash,
		Address:      p.Address,
		Limits:       p.Limits,
		Maturity:     p.Subsidy.Maturity,
		DustRelayFee: p.Policy.DustRelayFee,

		RestrictsSend:    p.Permissions.Restricts(params.PermSend),
		RestrictsReceive: p.Permissions.Restricts(params.PermReceive),
	}
}

// Config is what a wallet works with. All but KDF must be set.
type Config struct {
	Dir   string // the wallet's own folder
	FS    FS
	Chain Chain // Create needs no more of it than Address
	Rand  io.Reader
	Now   func() time.Time
	KDF   keystore.Params // for new key files; zero: keystore.DefaultParams
}

// Wallet is an open wallet. It is used by one goroutine at a time; a lock
// file keeps other processes out until Close.
type Wallet struct {
	cfg      Config
	lock     io.Closer
	genesis  chainhash.Hash // zero until the first sync
	birthday int64          // Unix time: no payment is older, but for genesis; 0: not known
	account  *hdkeychain.ExtendedKey
	book     *addressBook
	ledger   *ledger
	marks    []blockMark       // empty until the first sync
	waiting  []record.Record   // in the pool, as of the last sync
	saved    [sha256.Size]byte // of the state file as last written
}

// Created is a new wallet with what its owner must know.
type Created struct {
	*Wallet
	Mnemonic string // 24 words; shown once, then forgotten
	Address  string // the first address to receive at
}

// Create makes a wallet with a fresh seed in cfg.Dir and opens it. It does
// not need a node, nor the chain's genesis block, so that a genesis
// allocation can pay to Created.Address:
//
//	w, err := wallet.Create(wallet.Config{
//		Dir: dir, FS: wallet.OS(), Rand: rand.Reader, Now: time.Now,
//		Chain: wallet.Chain{Address: prefixes},
//	}, passphrase)
//	allocation := w.Address
//	err = w.Close()
func Create(cfg Config, passphrase []byte) (*Created, error) {
	entropy, err := newEntropy(cfg.Rand)
	if err != nil {
		return nil, err
	}
	defer clear(entropy)
	mnemonic, err := mnemonicOf(entropy)
	if err != nil {
		return nil, err
	}
	w, err := found(cfg, entropy, passphrase, cfg.Now().Unix())
	if err != nil {
		return nil, err
	}
	addr, err := w.ReceiveAddress()
	if err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return &Created{w, mnemonic, addr}, nil
}

// Restore makes a wallet in cfg.Dir from the words of an earlier one. Its
// first Sync reads the chain from genesis.
func Restore(cfg Config, mnemonic string, passphrase []byte) (*Wallet, error) {
	entropy, err := parseMnemonic(mnemonic)
	if err != nil {
		return nil, err
	}
	defer clear(entropy)
	return found(cfg, entropy, passphrase, 0)
}

// found makes the folder and its files. The key file comes last: a wallet
// is there exactly if its key file is.
func found(cfg Config, entropy, passphrase []byte, birthday int64) (w *Wallet, err error) {
	if cfg.KDF == (keystore.Params{}) {
		cfg.KDF = keystore.DefaultParams()
	}
	if err := checkNone(cfg); err != nil {
		return nil, err
	}
	sealed, err := keystore.Seal(entropy, passphrase, cfg.KDF, cfg.Rand)
	if err != nil {
		return nil, err
	}
	keys, err := newKeys(entropy, cfg.Chain.Address)
	if err != nil {
		return nil, err
	}
	defer keys.Zero()
	if err := cfg.FS.MkdirAll(cfg.Dir); err != nil {
		return nil, fmt.Errorf("make the wallet's folder: %w", err)
	}
	lock, err := cfg.FS.Lock(filepath.Join(cfg.Dir, lockName))
	if err != nil {
		return nil, fmt.Errorf("wallet %s: %w", cfg.Dir, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, lock.Close())
		}
	}()
	if err := checkNone(cfg); err != nil { // another process was quicker
		return nil, err
	}
	w = &Wallet{cfg: cfg, lock: lock, birthday: birthday}
	if err := w.reset(keys); err != nil {
		return nil, err
	}
	if err := w.save(); err != nil {
		return nil, err
	}
	return w, replaceFile(cfg.FS, filepath.Join(cfg.Dir, keysName), sealed)
}

// checkNone refuses a folder with a wallet in it.
func checkNone(cfg Config) error {
	_, err := cfg.FS.ReadFile(filepath.Join(cfg.Dir, keysName), keystore.MaxSize)
	if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is a wallet in %s already; choose another name with --wallet", cfg.Dir)
	}
	return nil
}

// reset gives the wallet an empty ledger under the account of keys.
func (w *Wallet) reset(keys *Keys) (err error) {
	if w.account, err = publicAccount(keys.account, w.cfg.Chain.Address); err != nil {
		return err
	}
	if w.book, err = newAddressBook(w.account, [2]line{}); err != nil {
		return err
	}
	w.ledger, w.marks = newLedger(w.book), nil
	return nil
}

// Open opens the wallet in cfg.Dir. It needs no passphrase: the seed stays
// sealed until Unlock. A state file that cannot be used is a *StateError.
func Open(cfg Config) (w *Wallet, err error) {
	lock, err := openLock(cfg)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, lock.Close())
		}
	}()
	path := filepath.Join(cfg.Dir, stateName)
	file, err := cfg.FS.ReadFile(path, maxStateSize)
	if err != nil {
		return nil, &StateError{path, err}
	}
	doc, err := decodeState(file)
	if err != nil {
		return nil, &StateError{path, err}
	}
	w = &Wallet{cfg: cfg, lock: lock, saved: sha256.Sum256(file)}
	if err := w.load(doc); errors.Is(err, errOtherChain) {
		return nil, fmt.Errorf("%s: %w", cfg.Dir, err)
	} else if err != nil {
		return nil, &StateError{path, err}
	}
	if err := w.checkGenesis(cfg.Chain.Genesis, "the chain file"); err != nil {
		return nil, err
	}
	return w, nil
}

// ErrNone is within the error for a folder that holds no wallet.
var ErrNone = errors.New("there is no wallet")

// openLock locks an existing wallet.
func openLock(cfg Config) (io.Closer, error) {
	if _, err := cfg.FS.ReadFile(filepath.Join(cfg.Dir, keysName), keystore.MaxSize); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%w in %s: make one with `charter wallet create`, or name another with --wallet", ErrNone, cfg.Dir)
		}
		return nil, fmt.Errorf("read the key file: %w", err)
	}
	lock, err := cfg.FS.Lock(filepath.Join(cfg.Dir, lockName))
	if err != nil {
		return nil, fmt.Errorf("wallet %s: %w", cfg.Dir, err)
	}
	return lock, nil
}

// Rebuild opens the wallet in cfg.Dir with a new, empty state, made from
// the seed; the next Sync reads the chain from genesis. Payments that are
// in no block and not in the node's pool are forgotten.
func Rebuild(cfg Config, passphrase []byte) (w *Wallet, err error) {
	lock, err := openLock(cfg)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, lock.Close())
		}
	}()
	w = &Wallet{cfg: cfg, lock: lock}
	keys, err := w.openKeys(passphrase)
	if err != nil {
		return nil, err
	}
	defer keys.Zero()
	if err := w.reset(keys); err != nil {
		return nil, err
	}
	return w, w.save()
}

// Close releases the wallet for other processes. Nothing is left to save.
func (w *Wallet) Close() error { return w.lock.Close() }

// checkGenesis refuses to work on another chain than the wallet's.
func (w *Wallet) checkGenesis(genesis chainhash.Hash, source string) error {
	var unknown chainhash.Hash
	if w.genesis == unknown || genesis == unknown || w.genesis == genesis {
		return nil
	}
	return fmt.Errorf("the wallet in %s belongs to another chain: its genesis block is %v, that of %s is %v",
		w.cfg.Dir, w.genesis, source, genesis)
}

// load takes a state file's content over.
func (w *Wallet) load(doc *stateFile) (err error) {
	if doc.Genesis != "" {
		if w.genesis, err = parseHash(doc.Genesis); err != nil {
			return fmt.Errorf("genesis: %w", err)
		}
	}
	w.birthday = doc.Birthday
	if w.account, err = parseAccount(doc.Account, w.cfg.Chain.Address); err != nil {
		return err
	}
	var lines [2]line
	if lines[external], err = doc.Receive.line(); err != nil {
		return fmt.Errorf("receive addresses: %w", err)
	}
	if lines[internal], err = doc.Change.line(); err != nil {
		return fmt.Errorf("change addresses: %w", err)
	}
	if w.book, err = newAddressBook(w.account, lines); err != nil {
		return err
	}
	if w.marks, err = doc.marks(); err != nil {
		return err
	}
	if len(w.marks) > 0 && w.marks[0].hash != w.genesis {
		return fmt.Errorf("the list of blocks does not start at genesis")
	}
	w.ledger = newLedger(w.book)
	for i := range doc.Txs {
		r, err := doc.Txs[i].record()
		if err != nil {
			return err
		}
		if r.height > w.height() || w.ledger.records[r.id] != nil {
			return fmt.Errorf("transaction %v twice, or above the last block", r.id)
		}
		if _, err := w.ledger.insert(r); err != nil {
			return err
		}
	}
	return nil
}

// save writes the state file, unless nothing changed.
func (w *Wallet) save() error {
	doc := stateFile{
		Account:  w.account.String(),
		Birthday: w.birthday,
		Receive:  w.book.lines[external].file(),
		Change:   w.book.lines[internal].file(),
		Blocks:   make([]stateMark, len(w.marks)),
		Txs:      make([]stateTx, 0, len(w.ledger.records)),
	}
	if w.genesis != (chainhash.Hash{}) {
		doc.Genesis = w.genesis.String()
	}
	for i, m := range w.marks {
		doc.Blocks[i] = stateMark{m.height, m.hash.String()}
	}
	for _, r := range w.ledger.sorted() {
		t, err := r.file()
		if err != nil {
			return err
		}
		doc.Txs = append(doc.Txs, t)
	}
	file, err := encodeState(&doc)
	if err != nil {
		return fmt.Errorf("encode the wallet's state: %w", err)
	}
	sum := sha256.Sum256(file)
	if sum == w.saved {
		return nil
	}
	if err := replaceFile(w.cfg.FS, filepath.Join(w.cfg.Dir, stateName), file); err != nil {
		return err
	}
	w.saved = sum
	return nil
}

// height is that of the last block scanned, -1 before the first.
func (w *Wallet) height() int32 {
	if len(w.marks) == 0 {
		return -1
	}
	return w.marks[len(w.marks)-1].height
}
