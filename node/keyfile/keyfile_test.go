package keyfile

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestKeyFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "node.key")
	made, err := LoadOrCreate(path, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	read, err := LoadOrCreate(path, rand.Reader)
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
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadOrCreate(path, rand.Reader); err == nil || !strings.Contains(err.Error(), "is damaged") {
			t.Errorf("%s: %v", name, err)
		}
		if now, err := os.ReadFile(path); err != nil || string(now) != text {
			t.Errorf("%s: the file was changed", name)
		}
	}
	if err := os.WriteFile(path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(path, rand.Reader); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a key was made in the place of another: %v", err)
	}
	if script := Script(made); len(script) != 34 || script[0] != 0x51 || [32]byte(script[2:]) != XOnly(made) {
		t.Errorf("identity %x", script)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadOrCreate(path, rand.Reader); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("readable by others: %v", err)
	}
	if _, err := LoadOrCreate(filepath.Join(t.TempDir(), "node.key"), bytes.NewReader(nil)); err == nil {
		t.Error("a key was made of no randomness")
	}
}
