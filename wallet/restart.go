package wallet

import (
	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/chain/permission/seal"
)

// SignRestart makes a member's consent to a restart of the chain with a genesis
// block, on parent, by one of the wallet's own identities.
func (w *Wallet) SignRestart(keys *Keys, genesis, parent chainhash.Hash, miners []record.MemberID, member record.MemberID, identity []byte) (seal.Signature, error) {
	key, err := w.identity(identity, keys)
	if err != nil {
		return seal.Signature{}, err
	}
	defer key.Zero()
	var aux [32]byte
	return seal.SignRestart(genesis, parent, miners, member, key, aux)
}
