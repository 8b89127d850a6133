// Package policy says which transactions a node takes into its pool and
// passes on, beyond what the consensus rules demand.
//
// A transaction that policy refuses may be perfectly legal in a block, so a
// refusal is an *[Error], never a consensus.RuleError, and must not be held
// against the peer that sent it. Where Bitcoin Core has the check, the code
// is Core's reject reason, since wallets and tools match on it.
//
// Everything here is a pure function of its arguments: no state, no locks,
// no clock. Fees and amounts are in the chain's smallest unit, fee rates in
// smallest units per 1,000 virtual bytes; required fees are rounded up.
package policy
