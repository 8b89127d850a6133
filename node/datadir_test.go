package node

import (
	"bytes"
	"crypto/rand"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/charterchain/charter/p2p"
)

func TestProblems(t *testing.T) {
	const ample = 10 * lowDisk
	tests := []struct {
		name         string
		best, header int32
		peers        p2p.SyncStatus
		initial      bool
		wantPeer     bool
		free         uint64
		want         []string
	}{
		{"ready", 9, 9, p2p.SyncStatus{BestHeight: -1}, false, false, ample, nil},
		{"a little behind", 9, 9 + lagging, p2p.SyncStatus{Syncing: true}, false, false, ample, nil},
		{"behind", 9, 10 + lagging, p2p.SyncStatus{}, false, false, ample, []string{"lagging 3 blocks"}},
		{"behind a peer", 9, 9, p2p.SyncStatus{Peers: 1, BestHeight: 10 + lagging}, false, true, ample, []string{"lagging 3 blocks"}},
		{"syncing", 9, 10 + lagging, p2p.SyncStatus{Syncing: true}, false, false, ample, []string{"syncing: at height 9 of 12"}},
		{"first sync", 9, 9, p2p.SyncStatus{}, true, false, ample, []string{"syncing: at height 9 of 9"}},
		{"alone", 9, 9, p2p.SyncStatus{}, false, true, ample, []string{"no peers"}},
		{"room just enough", 9, 9, p2p.SyncStatus{}, false, false, lowDisk, nil},
		{"disk low", 9, 9, p2p.SyncStatus{}, false, false, lowDisk - 1, []string{"disk low: 1023 MiB"}},
		{"all at once", 9, 30, p2p.SyncStatus{}, false, true, 0, []string{"lagging 21", "no peers", "disk low"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := &health{
				sync:    func() p2p.SyncStatus { return tt.peers },
				heights: func() (int32, int32) { return tt.best, tt.header },
				initial: func() bool { return tt.initial }, wantPeer: tt.wantPeer,
				free: func() (uint64, error) { return tt.free, nil },
			}
			got := h.problems()
			if len(got) != len(tt.want) {
				t.Fatalf("%q, want %q", got, tt.want)
			}
			for i := range got {
				if !strings.HasPrefix(got[i], tt.want[i]) {
					t.Errorf("%q, want %q", got[i], tt.want[i])
				}
			}
		})
	}
}

func TestNodeKey(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, keyName)
	made, err := loadKey(dir, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	read, err := loadKey(dir, rand.Reader)
	if err != nil || !read.Key.Equals(&made.Key) {
		t.Fatalf("another key is read than was made, %v", err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	order := "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"
	for name, text := range map[string]string{
		"empty": "", "cut": string(good[:63]), "long": string(good[:64]) + "00", "no digits": strings.Repeat("x", 64),
		"zero": strings.Repeat("0", 64), "group order": order,
	} {
		write(t, path, text)
		if _, err := loadKey(dir, rand.Reader); err == nil || !strings.Contains(err.Error(), "is damaged") {
			t.Errorf("%s: %v", name, err)
		}
		if now, err := os.ReadFile(path); err != nil || string(now) != text {
			t.Errorf("%s: the file was changed", name)
		}
	}
	write(t, path, string(good))
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := loadKey(dir, rand.Reader); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("readable by others: %v", err)
	}
	if _, err := loadKey(t.TempDir(), bytes.NewReader(nil)); err == nil {
		t.Error("a key was made of no randomness")
	}
}

func TestLoadChain(t *testing.T) {
	dir := t.TempDir()
	shipped, err := LoadChain("open", dir)
	if err != nil || shipped.Name != "open" {
		t.Fatalf("%v", err)
	}
	// What ran in the folder before goes before what ships.
	dev, err := cheapDev(filepath.Join(dir, "dev"), false)
	if err != nil {
		t.Fatal(err)
	}
	for _, ref := range []string{"dev", filepath.Join(dir, "dev", chainFileName)} {
		if p, err := LoadChain(ref, dir); err != nil || p.GenesisHash != dev.Params.GenesisHash {
			t.Errorf("%s: another chain than the folder's, %v", ref, err)
		}
	}
	for _, ref := range []string{"nowhere", "./open", "open.toml", "../open", "Open"} {
		if _, err := LoadChain(ref, dir); err == nil || !strings.Contains(err.Error(), filepath.Base(ref)) {
			t.Errorf("%s: %v", ref, err)
		}
	}
	write(t, filepath.Join(dir, "dev", chainFileName), "nmae = 1\n")
	if _, err := LoadChain("dev", dir); err == nil || !strings.Contains(err.Error(), "nmae") {
		t.Errorf("a damaged chain file: %v", err)
	}
}

func TestCertificate(t *testing.T) {
	dir := t.TempDir()
	first, err := loadCert(dir, "0.0.0.0:1")
	if err != nil {
		t.Fatal(err)
	}
	again, err := loadCert(dir, "0.0.0.0:2")
	if err != nil || !bytes.Equal(first.Certificate[0], again.Certificate[0]) {
		t.Errorf("the second run has another certificate, %v", err)
	}
	if info, err := os.Stat(filepath.Join(dir, tlsKeyName)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's file: %v, %v", info.Mode(), err)
	}
	write(t, filepath.Join(dir, tlsCertName), "damaged")
	if _, err := loadCert(dir, "0.0.0.0:1"); err == nil || !strings.Contains(err.Error(), "move both away") {
		t.Errorf("damaged: %v", err)
	}
	if _, err := listenHTTP("rpclisten", "127.0.0.1:0", "", http.NotFoundHandler(), slog.New(slog.DiscardHandler)); err != nil {
		t.Errorf("on loopback no certificate is needed: %v", err)
	}
}

func TestTakenPortNamesTheFlag(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	l, err := listenHTTP("metrics", "127.0.0.1:0", "", http.NotFoundHandler(), log)
	if err != nil {
		t.Fatal(err)
	}
	defer l.ln.Close()
	_, err = listenHTTP("metrics", l.ln.Addr().String(), "", http.NotFoundHandler(), log)
	if err == nil || !strings.Contains(err.Error(), "--metrics HOST:PORT") {
		t.Errorf("error %v", err)
	}
}
