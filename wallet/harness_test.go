package wallet

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/configs"
	"github.com/charterchain/charter/wallet/keystore"
	"github.com/charterchain/charter/wallet/wallettest"
)

// words are the mnemonic of the tests' main wallet: BIP86's.
const words = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about"

var passphrase = []byte("correct horse")

// foreign is a script of somebody else's.
var foreign = append([]byte{txscript.OP_0, txscript.OP_DATA_20}, make([]byte, 20)...)

// errCrash is what a disk says after it failed.
var errCrash = errors.New("disk failed")

// memDisk is a disk in memory. It keeps what was synced apart from what was
// only written, and can fail for good at a given operation.
type memDisk struct {
	names   map[string]*memFile // as seen by the process
	durable map[string]*memFile // as found after a crash
	locked  map[string]bool
	ops     int
	failAt  int // the operation that fails first; 0: never
}

type memFile struct{ data, synced []byte }

func newMemDisk() *memDisk {
	return &memDisk{names: map[string]*memFile{}, durable: map[string]*memFile{}, locked: map[string]bool{}}
}

// step counts a changing operation.
func (d *memDisk) step() error {
	d.ops++
	if d.failAt != 0 && d.ops >= d.failAt {
		return errCrash
	}
	return nil
}

// crash is the disk after the process died.
func (d *memDisk) crash() *memDisk {
	after := newMemDisk()
	for name, f := range d.durable {
		f := &memFile{data: bytes.Clone(f.synced), synced: bytes.Clone(f.synced)}
		after.names[name], after.durable[name] = f, f
	}
	return after
}

func (d *memDisk) ReadFile(path string, limit int64) ([]byte, error) {
	f, ok := d.names[path]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	if int64(len(f.data)) > limit {
		return nil, errors.New("too long")
	}
	return bytes.Clone(f.data), nil
}

func (d *memDisk) Create(path string) (File, error) {
	if err := d.step(); err != nil {
		return nil, err
	}
	f := &memFile{}
	d.names[path] = f
	return &memHandle{d, f}, nil
}

func (d *memDisk) MkdirAll(string) error { return d.step() }

func (d *memDisk) Rename(from, to string) error {
	if err := d.step(); err != nil {
		return err
	}
	d.names[to] = d.names[from]
	delete(d.names, from)
	// The worst that a journal allows: the new name is durable at once,
	// whether the content is or not.
	d.durable[to] = d.names[to]
	return nil
}

func (d *memDisk) SyncDir(string) error { return d.step() }

func (d *memDisk) Lock(path string) (io.Closer, error) {
	if d.locked[path] {
		return nil, ErrInUse
	}
	d.locked[path] = true
	return unlocker(func() { d.locked[path] = false }), nil
}

type unlocker func()

func (u unlocker) Close() error { u(); return nil }

type memHandle struct {
	d *memDisk
	f *memFile
}

func (h *memHandle) Write(b []byte) (int, error) {
	if err := h.d.step(); err != nil {
		h.f.data = append(h.f.data, b[:len(b)/2]...)
		return len(b) / 2, err
	}
	h.f.data = append(h.f.data, b...)
	return len(b), nil
}

func (h *memHandle) Sync() error {
	if err := h.d.step(); err != nil {
		return err
	}
	h.f.synced = bytes.Clone(h.f.data)
	return nil
}

func (h *memHandle) Close() error { return h.d.step() }

// world is a node and a wallet that follows it.
type world struct {
	t    *testing.T
	node *wallettest.Node
	disk *memDisk
	cfg  Config
	w    *Wallet
}

// restored is the files of the wallet of words, freshly restored. Deriving
// its keys for every test would make up most of their time.
var restored = sync.OnceValues(func() (map[string][]byte, error) {
	disk := newMemDisk()
	w, err := Restore(Config{
		Dir: "w", FS: disk, Rand: rand.NewChaCha8([32]byte{7}), Now: time.Now,
		KDF:   keystore.Params{Passes: 1, MemoryKiB: 8, Lanes: 1},
		Chain: Chain{Address: params.Address{Bech32HRP: "bc", HDPrivate: 0x0488ade4, HDPublic: 0x0488b21e}},
	}, words, passphrase)
	if err != nil {
		return nil, err
	}
	files := make(map[string][]byte)
	for name, f := range disk.names {
		files[name] = f.data
	}
	return files, w.Close()
})

// newWorld opens the wallet of words on a chain whose genesis pays it
// the given amounts.
func newWorld(t *testing.T, genesis ...Amount) *world {
	t.Helper()
	data, ok := configs.Chain("bitcoin-mainnet") // its prefixes are those of the published vectors
	if !ok {
		t.Fatal("no chain file")
	}
	p, err := params.Load(data, "bitcoin-mainnet.toml")
	if err != nil {
		t.Fatal(err)
	}
	x := &world{t: t, disk: newMemDisk()}
	x.cfg = Config{
		Dir: "w", FS: x.disk, Chain: ChainOf(p),
		Rand: rand.NewChaCha8([32]byte{7}),
		Now:  func() time.Time { return time.Unix(wallettest.Start+1_000_000, 0) },
		KDF:  keystore.Params{Passes: 1, MemoryKiB: 8, Lanes: 1},
	}
	x.cfg.Chain.Maturity = 10
	x.cfg.Chain.Genesis = chainhash.Hash{}
	files, err := restored()
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range files {
		f := &memFile{data, data}
		x.disk.names[name], x.disk.durable[name] = f, f
	}
	if x.w, err = Open(x.cfg); err != nil {
		t.Fatal(err)
	}
	var outs []*wire.TxOut
	for _, a := range genesis {
		outs = append(outs, x.pay(a, 0))
	}
	x.node = wallettest.New(refuse, outs...)
	x.cfg.Chain.Genesis = x.node.Genesis()
	x.w.cfg.Chain.Genesis = x.node.Genesis()
	return x
}

func refuse(code int, message string) error { return &RPCError{code, message} }

// pay is an output to the wallet's receive address at index.
func (x *world) pay(a Amount, index uint32) *wire.TxOut {
	x.t.Helper()
	key, err := outputKey(x.w.book.branches[external], index)
	if err != nil {
		x.t.Fatal(err)
	}
	return wire.NewTxOut(int64(a), payToTaproot(key))
}

// from makes a transaction of others' with the given outputs; transactions
// with the same source spend the same coin.
func from(source uint64, outs ...*wire.TxOut) *wire.MsgTx {
	tx := wire.NewMsgTx(2)
	var h chainhash.Hash
	binary.LittleEndian.PutUint64(h[:], source)
	tx.AddTxIn(wire.NewTxIn(&wire.OutPoint{Hash: h}, nil, nil))
	tx.TxOut = outs
	return tx
}

func (x *world) sync() *SyncResult {
	x.t.Helper()
	res, err := x.w.Sync(context.Background(), x.node, nil)
	if err != nil {
		x.t.Fatal(err)
	}
	return res
}

// reopen closes and opens the wallet: what it shows must come from disk.
func (x *world) reopen() {
	x.t.Helper()
	if err := x.w.Close(); err != nil {
		x.t.Fatal(err)
	}
	w, err := Open(x.cfg)
	if err != nil {
		x.t.Fatal(err)
	}
	x.w = w
}

// wantBalance compares the balance, before and after a reopening.
func (x *world) wantBalance(step string, want Balance) {
	x.t.Helper()
	if got := x.w.Balance(); got != want {
		x.t.Errorf("%s: balance %+v, want %+v", step, got, want)
	}
	x.reopen()
	if got := x.w.Balance(); got != want {
		x.t.Errorf("%s: balance from disk %+v, want %+v", step, got, want)
	}
}

// prepare drafts and signs a payment.
func (x *world) prepare(to string, a Amount) *Draft {
	x.t.Helper()
	d, err := x.w.Prepare(context.Background(), x.node, SendRequest{To: to, Amount: a})
	if err != nil {
		x.t.Fatal(err)
	}
	keys, err := x.w.Unlock(passphrase)
	if err != nil {
		x.t.Fatal(err)
	}
	defer keys.Zero()
	if err := x.w.Sign(d, keys); err != nil {
		x.t.Fatal(err)
	}
	return d
}

// send pays, and returns the payment.
func (x *world) send(to string, a Amount) *Draft {
	x.t.Helper()
	d := x.prepare(to, a)
	if err := x.w.Send(context.Background(), x.node, d); err != nil {
		x.t.Fatal(err)
	}
	return d
}

// foreignAddress is an address of somebody else's.
func (x *world) foreignAddress() string { return addressOf(x.cfg.Chain.Address, foreign) }
