package seal

import (
	"math"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/params/scan"
)

const (
	// MaxCoinbaseSize is the most bytes, without witness, of the coinbase of
	// a sealed block.
	MaxCoinbaseSize = 16 << 10

	// MaxBranch is the most hashes of a proof's branch. A block of 400,000
	// transactions needs 19.
	MaxBranch = 24

	// innerNodeSize is the size of a transaction that can be read as an
	// inner node of the merkle tree, or the other way round.
	innerNodeSize = 2 * chainhash.HashSize
)

// Proof shows which coinbase a header commits to, and with it who sealed the
// block, without the rest of the block.
type Proof struct {
	Coinbase *wire.MsgTx      // without witness
	Branch   []chainhash.Hash // siblings on the way from the coinbase to the merkle root, lowest first
}

// ProofOf returns the proof of a block. The block must have a transaction; the
// first one is shared but for its witness.
func ProofOf(b *consensus.Block) Proof {
	return Proof{Coinbase: stripped(b.Txs[0].Msg), Branch: b.CoinbaseBranch()}
}

// ParseProof makes a proof of an encoded coinbase, which must be in the form
// without witness, and its branch, which it keeps. The size is checked
// before anything is decoded. Errors are *consensus.RuleError of RuleProof:
// a proof that cannot be read says nothing about the header it came with.
func ParseProof(coinbase []byte, branch []chainhash.Hash) (*Proof, error) {
	if len(coinbase) > MaxCoinbaseSize {
		return nil, badProof("coinbase of %d bytes, at most %d", len(coinbase), MaxCoinbaseSize)
	}
	tx, err := scan.DecodeTx(coinbase)
	if err != nil {
		return nil, badProof("coinbase: %v", err)
	}
	if tx.HasWitness() {
		return nil, badProof("coinbase carries a witness")
	}
	return &Proof{Coinbase: tx, Branch: branch}, nil
}

// Encode returns the coinbase as ParseProof takes it.
func (p *Proof) Encode() []byte {
	w := make(appender, 0, p.Coinbase.SerializeSizeStripped())
	_ = p.Coinbase.SerializeNoWitness(&w) // an appender takes everything
	return w
}

type appender []byte

func (a *appender) Write(b []byte) (int, error) {
	*a = append(*a, b...)
	return len(b), nil
}

// Read checks all of the proof but the signatures, and returns the seal, the
// restart certificate if there is one, and what the seal has to sign. Who
// has many proofs can then check their signatures together.
//
// Errors are *consensus.RuleError. Those marked Mutated speak of the proof:
// another one may fit the same header. All others condemn the header, since
// it commits to one coinbase.
func (p *Proof) Read(genesis chainhash.Hash, h *wire.BlockHeader, height int32) (*Seal, *Certificate, VariantID, error) {
	fail := func(err error) (*Seal, *Certificate, VariantID, error) { return nil, nil, VariantID{}, err }
	if err := p.checkPlace(h); err != nil {
		return fail(err)
	}
	if size := p.Coinbase.SerializeSizeStripped(); size > MaxCoinbaseSize {
		return fail(broke(RuleCoinbaseSize, "coinbase of %d bytes without witness, at most %d", size, MaxCoinbaseSize))
	}
	s, cert, err := Find(p.Coinbase)
	if err != nil {
		return fail(err)
	}
	if cert != nil {
		if err := cert.checkPlace(h, p.Branch); err != nil {
			return fail(err)
		}
	}
	return s, cert, Message(genesis, h, ZeroRoot(p.Coinbase, s, p.Branch), height), nil
}

// Check is Read and the check of the seal's signature. The signatures of a
// certificate are not checked, see Certificate.CheckSigs.
func (p *Proof) Check(genesis chainhash.Hash, h *wire.BlockHeader, height int32) (*Seal, *Certificate, VariantID, error) {
	s, cert, id, err := p.Read(genesis, h, height)
	if err != nil {
		return nil, nil, VariantID{}, err
	}
	if !s.Verify(id) {
		return nil, nil, VariantID{}, SignatureError(s, height)
	}
	return s, cert, id, nil
}

// SignatureError is the error for a seal whose signature does not fit the
// block at height, for callers of Read that check signatures themselves.
func SignatureError(s *Seal, height int32) error {
	return broke(RuleSignature, "key %x did not sign this block at height %d", s.Key, height)
}

// checkPlace checks that the header commits to the proof's coinbase, and
// that it is one.
func (p *Proof) checkPlace(h *wire.BlockHeader) error {
	if len(p.Branch) > MaxBranch {
		return badProof("branch of %d hashes, at most %d", len(p.Branch), MaxBranch)
	}
	if p.Coinbase.SerializeSizeStripped() == innerNodeSize {
		return badProof("coinbase has %d bytes, it may be an inner node of the merkle tree", innerNodeSize)
	}
	if root := climb(p.Coinbase.TxHash(), p.Branch); root != h.MerkleRoot {
		return badProof("proof leads to merkle root %v, the header has %v", root, h.MerkleRoot)
	}
	if in := p.Coinbase.TxIn; len(in) != 1 || in[0].PreviousOutPoint != (wire.OutPoint{Index: math.MaxUint32}) {
		return broke(consensus.RuleCoinbaseMissing, "the first transaction is no coinbase")
	}
	return nil
}

// stripped returns tx without witnesses. Outputs are shared.
func stripped(tx *wire.MsgTx) *wire.MsgTx {
	if !tx.HasWitness() {
		return tx
	}
	out := *tx
	out.TxIn = make([]*wire.TxIn, len(tx.TxIn))
	for i, in := range tx.TxIn {
		bare := *in
		bare.Witness = nil
		out.TxIn[i] = &bare
	}
	return &out
}
