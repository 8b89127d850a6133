package node

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/charterchain/charter/chain"
)

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
	if _, err := listenHTTP("rpclisten", "127.0.0.1:0", "", http.NotFoundHandler(), unguarded, slog.New(slog.DiscardHandler)); err != nil {
		t.Errorf("on loopback no certificate is needed: %v", err)
	}
}

func TestTakenPortNamesTheFlag(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	l, err := listenHTTP("metrics", "127.0.0.1:0", "", http.NotFoundHandler(), unguarded, log)
	if err != nil {
		t.Fatal(err)
	}
	defer l.ln.Close()
	_, err = listenHTTP("metrics", l.ln.Addr().String(), "", http.NotFoundHandler(), unguarded, log)
	if err == nil || !strings.Contains(err.Error(), "--metrics HOST:PORT") {
		t.Errorf("error %v", err)
	}
}

// TestFolderOfAnotherChain: the folder is named, and what to do.
func TestFolderOfAnotherChain(t *testing.T) {
	dir := t.TempDir()
	n := newNode(t, dir)
	opts := n.opts
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	p := *opts.Params
	p.GenesisHash[5] ^= 1
	opts.Params = &p
	_, err := New(t.Context(), opts)
	if !errors.Is(err, chain.ErrOtherChain) || !strings.Contains(err.Error(), opts.Dir) || !strings.Contains(err.Error(), "--datadir") {
		t.Errorf("opened with another genesis block: %v", err)
	}
}

func unguarded(ln net.Listener) net.Listener { return ln }
