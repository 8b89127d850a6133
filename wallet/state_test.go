package wallet

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/wallet/keystore"
)

// stateOf makes a state file with some of everything in it.
func stateOf(t *testing.T) (*world, []byte) {
	t.Helper()
	x := newWorld(t, 5*coin)
	x.node.MineEmpty(3)
	x.node.Mine(nil, from(1, x.pay(1*coin, 2)))
	x.node.Add(from(2, x.pay(2*coin, 3)))
	x.sync()
	file, err := x.disk.ReadFile("w/"+stateName, maxStateSize)
	if err != nil {
		t.Fatal(err)
	}
	return x, file
}

// TestStateGolden fixes the format: later versions must read this file.
func TestStateGolden(t *testing.T) {
	_, got := stateOf(t)
	want, err := os.ReadFile(filepath.Join("testdata", "state.golden"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("state changed; got\n%s", got)
	}
}

// withSum gives a changed document a fitting first line.
func withSum(body []byte) []byte {
	sum := sha256.Sum256(body)
	return append([]byte(stateMagic+hex.EncodeToString(sum[:])+"\n"), body...)
}

func TestStateFaults(t *testing.T) {
	x, file := stateOf(t)
	_, body, _ := bytes.Cut(file, []byte("\n"))
	edit := func(old, new string) []byte {
		if !bytes.Contains(body, []byte(old)) {
			t.Fatalf("the state has no %s", old)
		}
		return withSum(bytes.Replace(body, []byte(old), []byte(new), 1))
	}
	genesis := x.node.Genesis().String()
	tests := map[string][]byte{
		"empty":               nil,
		"no first line":       body,
		"bit flipped":         append(bytes.Clone(file[:len(file)-9]), append([]byte{file[len(file)-9] ^ 1}, file[len(file)-8:]...)...),
		"cut":                 file[:len(file)/2],
		"not JSON":            withSum([]byte("{")),
		"unknown field":       edit(`"genesis"`, `"genesys"`),
		"second document":     withSum(append(bytes.Clone(body), "{}"...)),
		"short hash":          edit(`"genesis": "`+genesis, `"genesis": "`+genesis[1:]),
		"other genesis":       edit(`"genesis": "`+genesis, `"genesis": "`+strings.Repeat("0", 64)),
		"private account key": edit(`"account": "xpub`, `"account": "xprv`),
		"key lost":            edit(`"used": 4`, `"used": 3`),
		"shown too far":       edit(`"shown": 0`, `"shown": 24`),
		"key not hex":         edit(`a60869f0`, `z60869f0`),
		"heights fall":        edit(`"height": 2`, `"height": 0`),
		"no genesis mark":     edit(`"height": 0`, `"height": -5`),
		"above the tip":       edit(`"height": 4,`+"\n   \"block\"", `"height": 5,`+"\n   \"block\""),
		"broken transaction":  edit(`"raw": "02`, `"raw": "`),
	}
	for name, bad := range tests {
		t.Run(name, func(t *testing.T) {
			x.reopen()
			x.disk.names["w/"+stateName] = &memFile{data: bad}
			if err := x.w.Close(); err != nil {
				t.Fatal(err)
			}
			var fault *StateError
			if w, err := Open(x.cfg); !errors.As(err, &fault) || !strings.Contains(err.Error(), "rescan") {
				t.Errorf("opened %v, %v; want a state error that names rescan", w, err)
			}
			w, err := Rebuild(x.cfg, passphrase)
			if err != nil {
				t.Fatal(err)
			}
			if x.w = w; x.sync().Height != 4 {
				t.Error("not rebuilt")
			}
			x.wantBalance("rebuilt", Balance{Confirmed: 6 * coin, Incoming: 2 * coin})
		})
	}
}

func FuzzState(f *testing.F) {
	golden, err := os.ReadFile(filepath.Join("testdata", "state.golden"))
	if err != nil {
		f.Fatal(err)
	}
	_, body, _ := bytes.Cut(golden, []byte("\n"))
	f.Add(body)
	f.Add([]byte(`{"receive":{"used":4294967295,"keys":[]}}`))
	f.Add([]byte(`{"blocks":[{"height":2147483647}]}`))
	x := newWorld(&testing.T{})
	f.Fuzz(func(t *testing.T, body []byte) {
		doc, err := decodeState(withSum(body))
		if err != nil {
			return
		}
		w := &Wallet{cfg: x.cfg}
		if w.load(doc) != nil {
			return
		}
		// What was taken can be saved, and is the same when read again.
		w.cfg.FS = newMemDisk()
		if err := w.save(); err != nil {
			t.Fatal(err)
		}
		first, err := w.cfg.FS.ReadFile("w/"+stateName, maxStateSize)
		if err != nil {
			t.Fatal(err)
		}
		again := &Wallet{cfg: w.cfg}
		if doc, err = decodeState(first); err == nil {
			err = again.load(doc)
		}
		if err == nil {
			err = again.save()
		}
		second, readErr := w.cfg.FS.ReadFile("w/"+stateName, maxStateSize)
		if err != nil || readErr != nil || !bytes.Equal(first, second) {
			t.Errorf("not the same when read again: %v %v", err, readErr)
		}
	})
}

// TestCrash lets the disk fail at each operation in turn of making a
// wallet, following the chain and paying. After each crash the wallet is
// not there or works, and a payment that the node has is not forgotten.
func TestCrash(t *testing.T) {
	clean := false
	for failAt := 1; !clean; failAt++ {
		x := newWorld(t, 10*coin)
		x.node.MineEmpty(2)
		disk := newMemDisk()
		disk.failAt = failAt
		cfg := x.cfg
		cfg.FS = disk
		err := func() error {
			w, err := Restore(cfg, words, passphrase)
			if err != nil {
				return err
			}
			if _, err := w.Sync(context.Background(), x.node, nil); err != nil {
				return err
			}
			d, err := w.Prepare(context.Background(), x.node, SendRequest{To: x.foreignAddress(), Amount: coin})
			if err != nil {
				return err
			}
			keys, err := w.Unlock(passphrase)
			if err != nil {
				return err
			}
			if err := w.Sign(d, keys); err != nil {
				return err
			}
			return w.Send(context.Background(), x.node, d)
		}()
		clean = disk.ops < failAt
		if clean != (err == nil) || !clean && !errors.Is(err, errCrash) {
			t.Fatalf("operation %d: %v", failAt, err)
		}
		cfg.FS = disk.crash()
		w, err := Open(cfg)
		if err != nil {
			if _, there := disk.durable["w/"+keysName]; there {
				t.Fatalf("operation %d: %v", failAt, err)
			}
			if w, err = Restore(cfg, words, passphrase); err != nil {
				t.Fatalf("operation %d: cannot be made again: %v", failAt, err)
			}
		}
		if _, err := w.Sync(context.Background(), x.node, nil); err != nil {
			t.Fatalf("operation %d: %v", failAt, err)
		}
		sent := len(x.node.Pool()) == 1
		if sent { // also where the node forgets it
			x.node.Drop()
			if _, err := w.Sync(context.Background(), x.node, nil); err != nil {
				t.Fatalf("operation %d: %v", failAt, err)
			}
			if len(x.node.Pool()) != 1 {
				t.Errorf("operation %d: the payment was not offered again", failAt)
			}
		}
		if got := len(w.History()); got != 1 && !sent || got != 2 && sent {
			t.Errorf("operation %d: %d transactions, sent: %v", failAt, got, sent)
		}
	}
}

func TestCreateRefuses(t *testing.T) {
	x := newWorld(t)
	if _, err := Create(x.cfg, passphrase); err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("over an existing wallet: %v", err)
	}
	if _, err := Open(x.cfg); !errors.Is(err, ErrInUse) {
		t.Errorf("while it is open: %v", err)
	}
	cfg := x.cfg
	cfg.Dir = "nothing"
	before := x.disk.ops
	if _, err := Open(cfg); err == nil || !strings.Contains(err.Error(), "wallet create") {
		t.Errorf("where there is none: %v", err)
	}
	if _, err := Create(cfg, nil); err == nil {
		t.Error("empty passphrase accepted")
	}
	if _, err := Restore(cfg, "abandon", passphrase); err == nil {
		t.Error("one word accepted")
	}
	cfg.Rand = bytes.NewReader(nil)
	if _, err := Create(cfg, passphrase); err == nil {
		t.Error("made without randomness")
	}
	if x.disk.ops != before {
		t.Error("a refusal changed the disk")
	}
}

// TestDisk checks the real disk: modes, lock, replacement.
func TestDisk(t *testing.T) {
	x := newWorld(t, 3*coin)
	cfg := x.cfg
	cfg.FS, cfg.Dir = OS(), filepath.Join(t.TempDir(), "a", "b")
	w, err := Restore(cfg, words, passphrase)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(cfg); !errors.Is(err, ErrInUse) {
		t.Errorf("opened twice: %v", err)
	}
	if _, err := w.Sync(context.Background(), x.node, nil); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(cfg.Dir)
	if err != nil || len(entries) != 3 {
		t.Errorf("folder holds %v, %v", entries, err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: mode %v, %v", e.Name(), info.Mode(), err)
		}
	}
	if w, err = Open(cfg); err != nil {
		t.Fatal(err)
	}
	if got := w.Balance(); got.Confirmed != 3*coin {
		t.Errorf("balance %+v", got)
	}
	if _, err := w.Unlock([]byte("no")); !errors.Is(err, keystore.ErrPassphrase) {
		t.Errorf("wrong passphrase: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := OS().ReadFile(filepath.Join(cfg.Dir, stateName), 10); err == nil {
		t.Error("a longer file than allowed was read")
	}
}

func BenchmarkScanBlock(b *testing.B) {
	t := &testing.T{}
	x := newWorld(t)
	txs := make([]*wire.MsgTx, 1000)
	for i := range txs {
		txs[i] = from(uint64(i), x.pay(coin, 1000), wire.NewTxOut(1, foreign))
	}
	block := x.node.Mine(nil, txs...)
	for b.Loop() {
		if err := x.w.applyBlock(block, 1, block.BlockHash()); err != nil {
			b.Fatal(err)
		}
	}
}
