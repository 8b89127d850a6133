package node

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/charterchain/charter/chain/store"
)

// TestBackupRoom: the room is that of the disk the backup comes to.
func TestBackupRoom(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "backup")
	var asked string
	n := &Node{log: slog.New(slog.DiscardHandler)}
	n.opts.FreeSpace = func(dir string) (uint64, error) {
		asked = dir
		return mineReserve + 1000, nil
	}
	if err := n.backupRoom(dir, 1000); err != nil {
		t.Errorf("just enough: %v", err)
	}
	if asked != parent {
		t.Errorf("asked for the room in %s", asked)
	}
	var target *store.TargetError
	if err := n.backupRoom(dir, 1001); !errors.As(err, &target) {
		t.Errorf("a byte too much: %v", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	n.opts.FreeSpace = func(dir string) (uint64, error) {
		asked = dir
		return 0, errors.New("not known")
	}
	if err := n.backupRoom(dir, 1001); err != nil || asked != dir {
		t.Errorf("not known: %v, asked for %s", err, asked)
	}
}
