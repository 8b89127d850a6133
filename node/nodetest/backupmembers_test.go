package nodetest

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestBackupOfMember: from the backup of a member's node, with its keys, the
// member goes on: the others let it in, and it seals blocks.
func TestBackupOfMember(t *testing.T) {
	t.Parallel()
	c := newConsortium(t, 3, time.Minute)
	c.start()
	m := c.orgs[0]
	dir := filepath.Join(c.Dir, "backup")
	m.Charter("backup", "--with-key", dir)
	height, _ := m.Best()
	m.Kill()
	for _, name := range []string{"node.key", "miner.key"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s in the backup: %v, %v", name, info, err)
		}
	}
	if err := os.RemoveAll(m.DataDir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(m.DataDir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir, m.Dir()); err != nil {
		t.Fatal(err)
	}
	m.Start()
	c.allMine(c.orgs...)
	c.oneChain(height+1, c.orgs...)
}
