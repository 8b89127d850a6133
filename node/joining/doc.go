// Package joining is how a node comes to a chain that it knows nothing of yet:
// by one line of text, an [Invitation], that says who serves the chain at
// which address, what the chain's first block is, and a block that is settled.
//
// From the line everything else follows safely. The chain file comes from the
// peer, which proves that it is the one named; it is refused unless it builds
// the first block named. The settled block keeps the new node from a history
// that members who have left made since. Who may connect the peer alone
// decides: [Door.Knock] asks.
//
// # The line
//
//	charter://<identity>@<host>:<port>/<genesis hash>[#<height>:<hash>]
//
// The identity is the taproot address of the peer's key, with the chain's
// prefix; hashes are 64 hexadecimal digits as people write them. An IPv6
// address stands in brackets.
//
// The package touches the network by the dialler that it is given, and no
// disk. It takes no locks.
package joining
