// Package coins chooses which coins a payment spends.
//
// Select is a pure function of its request: it knows amounts and weights,
// not keys, scripts or the chain. It looks for a set that needs no change
// first (branch and bound over effective values), then for the least sum
// that leaves a change output worth having (the smallest coin that suffices
// alone, against a random knapsack search). Where that would be too heavy
// for one transaction it takes the largest coins first.
//
// Confirmed coins are tried alone before unconfirmed ones are added.
//
// All amounts are in the chain's smallest unit, weights in the units of
// BIP141, rates in smallest units per 1,000 virtual bytes.
package coins
