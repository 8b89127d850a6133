package sigcheck

// Hints are the parities of R's y of the ECDSA signatures of a block's
// inputs: bit i, the least significant of a byte first, belongs to input i,
// all inputs of all transactions after the coinbase counted in order. It is 0
// for an input that has not exactly one ECDSA signature. nil: not known.
type Hints []byte
