package keyfile

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
)

// unfinished ends the name of a file that is being written.
const unfinished = ".new"

// Load reads a key. Where there is no file the error is fs.ErrNotExist.
func Load(path string) (*btcec.PrivateKey, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the key: %w", err)
	}
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s can be read by others (mode %04o); run: chmod 600 %s", path, info.Mode().Perm(), path)
	}
	raw, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(raw) != btcec.PrivKeyBytesLen {
		return nil, fmt.Errorf("%s is damaged: it has to hold %d hexadecimal digits; restore it, or move it away for a new key", path, 2*btcec.PrivKeyBytesLen)
	}
	var scalar btcec.ModNScalar
	if overflow := scalar.SetByteSlice(raw); overflow || scalar.IsZero() {
		return nil, fmt.Errorf("%s is damaged: not a secp256k1 key; restore it, or move it away for a new key", path)
	}
	return btcec.PrivKeyFromScalar(&scalar), nil
}

// LoadOrCreate reads a key, or makes one where there is no file.
func LoadOrCreate(path string, random io.Reader) (*btcec.PrivateKey, error) {
	key, err := Load(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Create(path, random)
	}
	return key, err
}

// Create makes a key and its file. Where there is a file already the error is
// fs.ErrExist, and that file stays as it is.
func Create(path string, random io.Reader) (*btcec.PrivateKey, error) {
	if _, err := os.Lstat(path); err == nil {
		return nil, fmt.Errorf("make a key: %s: %w", path, fs.ErrExist)
	}
	var scalar btcec.ModNScalar
	for scalar.IsZero() {
		var raw [btcec.PrivKeyBytesLen]byte
		if _, err := io.ReadFull(random, raw[:]); err != nil {
			return nil, fmt.Errorf("make a key: %w", err)
		}
		if scalar.SetBytes(&raw) != 0 { // not below the group order: draw again
			scalar.Zero()
		}
	}
	key := btcec.PrivKeyFromScalar(&scalar)
	if err := write(path, []byte(hex.EncodeToString(key.Serialize())+"\n")); err != nil {
		return nil, fmt.Errorf("write the key: %w", err)
	}
	return key, nil
}

func write(path string, data []byte) error {
	name := path + unfinished
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	return os.Rename(name, path)
}

// XOnly is the public half of a key, as BIP340 writes it.
func XOnly(key *btcec.PrivateKey) [32]byte {
	return [32]byte(schnorr.SerializePubKey(key.PubKey()))
}

// Script is the identity of a key: the P2TR output script of XOnly.
func Script(key *btcec.PrivateKey) []byte {
	xonly := XOnly(key)
	return append([]byte{0x51, 0x20}, xonly[:]...) // OP_1, push of 32 bytes
}
