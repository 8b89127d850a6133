//go:build !unix

package node

import "math"

// freeSpace is not known on this system: nothing is reported as low.
func freeSpace(string) (uint64, error) { return math.MaxUint64, nil }

// fileLimit is not known on this system.
func fileLimit() (limit uint64, known bool) { return 0, false }

// memoryLimit is not known on this system.
func memoryLimit() (bytes uint64, known bool) { return 0, false }
