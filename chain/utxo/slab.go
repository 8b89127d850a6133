package utxo

import "github.com/charterchain/charter/chain/consensus"

// byteSlab hands out pieces of larger pieces of memory. It asks for more as
// it goes, so that one piece costs one allocation and many cost few. The
// first are as long as asked for: nothing is wasted on a single coin.
type byteSlab struct {
	free []byte
	next int // bytes to ask for when free is used up
}

const (
	slabGrowth  = 8 // what is asked for next, in pieces like the one asked for
	maxByteSlab = 64 << 10
	maxCoinSlab = 1024
)

// reserve makes the next allocation hold at least n bytes, within bounds.
func (s *byteSlab) reserve(n int) { s.next = max(s.next, min(n, maxByteSlab)) }

// take returns n bytes of no special value that nobody else uses.
func (s *byteSlab) take(n int) []byte {
	if n > len(s.free) {
		s.free = make([]byte, max(n, s.next))
		s.next = min(max(2*len(s.free), slabGrowth*n), maxByteSlab)
	}
	b := s.free[:n:n]
	s.free = s.free[n:]
	return b
}

// coinSlab is a byteSlab of coins.
type coinSlab struct {
	free []consensus.Coin
	next int // coins to ask for
}

func (s *coinSlab) reserve(n int) { s.next = max(s.next, min(n, 64*maxCoinSlab)) }

func (s *coinSlab) take(n int) []consensus.Coin {
	if n > len(s.free) {
		s.free = make([]consensus.Coin, max(n, s.next))
		s.next = min(max(2*len(s.free), slabGrowth*n), maxCoinSlab)
	}
	c := s.free[:n:n]
	s.free = s.free[n:]
	return c
}
