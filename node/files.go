package node

import (
	"bytes"
	"fmt"
	"os"
	"time"
)

// progressEvery is how often a long task says how far it is.
const progressEvery = 10 * time.Second

// savePool writes the waiting transactions for the next run.
func (n *Node) savePool() error {
	if !n.poolLoaded.Load() {
		return nil // else those of the last run would be lost
	}
	var buf bytes.Buffer
	if err := n.pool.Save(&buf); err != nil {
		return fmt.Errorf("save waiting transactions: %w", err)
	}
	if err := replaceFile(n.path(poolName), buf.Bytes()); err != nil {
		return fmt.Errorf("save waiting transactions: %w", err)
	}
	return nil
}

// sizeOf is how many bytes the files in dir have. What cannot be looked at
// counts nothing.
func sizeOf(dir string) int64 {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0
	}
	var total int64
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			total += info.Size()
		}
	}
	return total
}
