// Package chain holds the block index and the best branch.
package chain
