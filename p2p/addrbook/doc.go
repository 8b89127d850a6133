// Package addrbook remembers addresses of nodes: those that peers told and
// those that answered, with what became of each attempt to dial them.
//
// # Trust
//
// What peers tell is hearsay. An entry is kept under its address; the
// identity that came with it is a hint until a handshake at that address
// has confirmed it. Nothing here is consensus, and nothing here may stop a
// node: a damaged file is reported and the book starts empty.
//
// # Bounds
//
// The book holds at most Config.MaxEntries addresses, at most
// Config.MaxPerSource from any one peer and at most Config.MaxPerGroup from
// one network group (IPv4 /16, IPv6 /32), unless they have answered. A full
// book drops the worst entry that never answered; if all did, it takes no more.
//
// # File
//
// Save replaces the file as a whole: written beside it, synced, renamed over
// it, folder synced. A crash leaves the old file or the new one. All integers are
// little-endian; times are seconds since 1970, 0 for never.
//
//	offset  size  field
//	0       4     magic "CHAB"
//	4       4     version, 1
//	8       4     number of entries n, at most 65,536
//	12      110n  entries
//	...     4     CRC-32C of everything before
//
// One entry:
//
//	offset  size  field
//	0       16    IP address; IPv4 as ::ffff:a.b.c.d
//	16      2     port, not 0
//	18      32    x-only key of the node there, zeros: not known
//	50      32    x-only key of the peer that told it, zeros: not from a peer
//	82      8     last time somebody saw the node
//	90      8     last attempt to dial it
//	98      8     last successful handshake
//	106     4     attempts that failed since
//
// A Book is safe for concurrent use; one mutex guards it, which is not held
// while the file is written.
package addrbook
