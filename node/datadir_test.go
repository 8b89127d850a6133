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
)

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
