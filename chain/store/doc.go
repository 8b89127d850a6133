// Package store keeps blocks, the block index and the chain state on disk.
package store
