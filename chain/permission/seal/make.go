package seal

import (
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
)

// OutputSize is the number of bytes that the output of a seal adds to a
// coinbase.
const OutputSize = 8 + 1 + scriptSize

// AppendPlaceholder adds an output to a coinbase that SealBlock and
// SealHeader turn into the seal. Key and signature in it are zero.
func AppendPlaceholder(coinbase *wire.MsgTx) {
	coinbase.AddTxOut(wire.NewTxOut(0, Script([32]byte{}, [64]byte{})))
}

// SealBlock seals a block by key: it fills in the seal of the coinbase,
// which has a placeholder or an older seal, and sets the merkle root that
// follows. All else must be final but the nonce; whatever changes later,
// version, time and bits included, needs a new seal. The signature is
// deterministic.
//
// The coinbase is replaced, not changed: who else holds it keeps the old
// one. On errors the block is as it was.
func SealBlock(genesis chainhash.Hash, block *wire.MsgBlock, height int32, key *btcec.PrivateKey) error {
	if len(block.Transactions) == 0 {
		return errors.New("seal a block: it has no coinbase")
	}
	ids := make([]chainhash.Hash, len(block.Transactions))
	for i, tx := range block.Transactions[1:] {
		ids[i+1] = tx.TxHash()
	}
	coinbase, err := SealHeader(genesis, &block.Header, block.Transactions[0], consensus.FirstBranch(ids), height, key, [32]byte{})
	if err != nil {
		return err
	}
	block.Transactions[0] = coinbase
	return nil
}

// SealHeader is SealBlock for those that know the branch of the coinbase
// already. It sets the merkle root of h and returns the sealed coinbase,
// which shares all but the output of the seal with the given one. aux is as
// for Sign: another one gives another merkle root, and so a new range of
// nonces, without making another block of it.
func SealHeader(genesis chainhash.Hash, h *wire.BlockHeader, coinbase *wire.MsgTx, branch []chainhash.Hash, height int32, key *btcec.PrivateKey, aux [32]byte) (*wire.MsgTx, error) {
	s, cert, err := Find(coinbase)
	if err != nil {
		return nil, fmt.Errorf("seal a block: %w", err)
	}
	if size := coinbase.SerializeSizeStripped(); size > MaxCoinbaseSize {
		return nil, fmt.Errorf("seal a block: %w", broke(RuleCoinbaseSize, "coinbase of %d bytes without witness, at most %d", size, MaxCoinbaseSize))
	}
	if cert != nil {
		if err := cert.checkPlace(h, branch); err != nil {
			return nil, fmt.Errorf("seal a block: %w", err)
		}
	}
	s.Key = KeyOf(key)
	s.Sig, err = Sign(key, aux, Message(genesis, h, ZeroRoot(coinbase, s, branch), height))
	if err != nil {
		return nil, err
	}
	sealed := withSeal(coinbase, s.Output, Script(s.Key, s.Sig))
	h.MerkleRoot = climb(sealed.TxHash(), branch)
	return sealed, nil
}
