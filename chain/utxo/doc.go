// Package utxo keeps the set of unspent transaction outputs.
package utxo
