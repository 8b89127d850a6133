// Package node puts the parts of a full node together.
package node
