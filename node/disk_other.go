//go:build !unix

package node

import "math"

// freeSpace is not known on this system: nothing is reported as low.
func freeSpace(string) (uint64, error) { return math.MaxUint64, nil }

// openFiles is not known on this system.
func openFiles() (open, limit uint64, known bool) { return 0, 0, false }

// memoryNow is not known on this system.
func memoryNow() (Memory, bool) { return Memory{}, false }
