// Package params reads the chain file, which decides everything that all
// nodes of a chain must agree on, and builds the genesis block from it.
package params
