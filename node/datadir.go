package node

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/btcsuite/btcd/btcec/v2"
)

// Names within a chain's folder. The store makes blocks/, index/ and
// chainstate/.
const (
	blocksName  = "blocks"
	storeLock   = "lock"        // made by the store too
	cookieName  = ".cookie"     // RPC login of this run
	keyName     = "node.key"    // identity of this node, 64 hexadecimal digits
	peersName   = "peers"       // known addresses
	poolName    = "mempool.dat" // transactions that waited at the last stop
	tlsCertName = "rpc.cert"    // made where RPC or metrics are not on loopback
	tlsKeyName  = "rpc.key"     //
)

// makeDir creates the chain's folder, for this user only.
func makeDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	return nil
}

// loadKey reads the node's identity, or makes one on the first run.
func loadKey(dir string, random io.Reader) (*btcec.PrivateKey, error) {
	path := filepath.Join(dir, keyName)
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return makeKey(path, random)
	}
	if err != nil {
		return nil, fmt.Errorf("read the node's key: %w", err)
	}
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s can be read by others (mode %04o); run: chmod 600 %s", path, info.Mode().Perm(), path)
	}
	raw, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(raw) != btcec.PrivKeyBytesLen {
		return nil, fmt.Errorf("%s is damaged: it has to hold %d hexadecimal digits; restore it, or move it away for a new identity", path, 2*btcec.PrivKeyBytesLen)
	}
	var scalar btcec.ModNScalar
	if overflow := scalar.SetByteSlice(raw); overflow || scalar.IsZero() {
		return nil, fmt.Errorf("%s is damaged: not a secp256k1 key; restore it, or move it away for a new identity", path)
	}
	return btcec.PrivKeyFromScalar(&scalar), nil
}

func makeKey(path string, random io.Reader) (*btcec.PrivateKey, error) {
	var scalar btcec.ModNScalar
	for scalar.IsZero() {
		var raw [btcec.PrivKeyBytesLen]byte
		if _, err := io.ReadFull(random, raw[:]); err != nil {
			return nil, fmt.Errorf("make the node's key: %w", err)
		}
		if scalar.SetBytes(&raw) != 0 { // not below the group order: draw again
			scalar.Zero()
		}
	}
	key := btcec.PrivKeyFromScalar(&scalar)
	if err := replaceFile(path, []byte(hex.EncodeToString(key.Serialize())+"\n")); err != nil {
		return nil, fmt.Errorf("write the node's key: %w", err)
	}
	return key, nil
}

// replaceExt ends the name of a file that is being written.
const replaceExt = ".new"

// replaceFile writes a file of mode 0600 as one step: a crash leaves the old
// one or the new one, and at most one file beside it that the next call takes.
func replaceFile(path string, data []byte) error {
	name := path + replaceExt
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
