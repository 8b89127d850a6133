package node

import (
	"errors"
	"fmt"
	"os"
)

// Names within a chain's folder. The store makes blocks/, index/ and
// chainstate/.
const (
	blocksName  = "blocks"
	storeLock   = "lock"        // made by the store too
	cookieName  = ".cookie"     // RPC login of this run
	keyName     = "node.key"    // identity of this node (package keyfile)
	minerName   = "miner.key"   // seals its blocks, unless the settings name another file
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
