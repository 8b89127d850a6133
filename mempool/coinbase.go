package mempool

import (
	"encoding/binary"
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/permission"
	"github.com/charterchain/charter/chain/permission/seal"
)

// coinbaseParts is what a coinbase is made of.
type coinbaseParts struct {
	height     int32
	text       []byte
	pays       bool // to script: it may receive
	script     []byte
	value      int64
	commitment *wire.TxOut       // BIP141; nil: none
	seal       bool              // with room for the seal
	restart    *seal.Certificate // nil: none

	state *permission.State // judges the block
}

// coinbaseParts says what goes into the coinbase of the next block but for
// value and commitment.
func (p *Pool) coinbaseParts(next chain.NextBlock, opts TemplateOptions) (coinbaseParts, error) {
	parts := coinbaseParts{
		height: next.Height, text: opts.Text, pays: true, script: opts.CoinbaseScript,
		restart: opts.Restart, state: next.Permissions,
	}
	if opts.Restart != nil {
		if !p.sealed() {
			return parts, fmt.Errorf("%w: a restart certificate on a chain where mining is not restricted", errTemplate)
		}
		var err error
		if parts.state, _, err = next.Permissions.Restart(next.Height, opts.Restart); err != nil {
			return parts, fmt.Errorf("restart certificate: %w", err)
		}
	}
	parts.seal = p.sealed()
	if parts.state != nil {
		parts.pays = len(opts.CoinbaseScript) > 0 && mayClaim(parts.state, opts.CoinbaseScript, next.Height)
	}
	return parts, nil
}

// mayClaim reports whether a coinbase may pay to a script.
func mayClaim(state *permission.State, script []byte, height int32) bool {
	coinbase := &wire.MsgTx{TxOut: []*wire.TxOut{wire.NewTxOut(1, script)}}
	return state.CheckCoinbase(&consensus.Tx{Msg: coinbase}, height) == nil
}

// mostExpensive returns the parts of the largest coinbase that opts can lead
// to; the commitment is counted elsewhere.
func (p *Pool) mostExpensive(opts TemplateOptions) coinbaseParts {
	return coinbaseParts{text: opts.Text, pays: true, script: opts.CoinbaseScript, seal: p.sealed(), restart: opts.Restart}
}

// sealed reports whether blocks of this chain carry seals.
func (p *Pool) sealed() bool { return p.params.Permissions.Restricts(params.PermMine) }

// coinbase makes the first transaction of a block.
//
// Its locktime is the height before and its input is not final, as BIP54
// asks: no coinbase can then equal one from before BIP34.
func (p *Pool) coinbase(parts coinbaseParts) *consensus.Tx {
	script := consensus.CoinbaseHeightScript(parts.height)
	script = append(script, extraNonceSize)
	script = append(script, make([]byte, extraNonceSize)...)
	script = append(script, parts.text...)
	msg := wire.NewMsgTx(2)
	msg.LockTime = uint32(max(parts.height-1, 0))
	msg.AddTxIn(&wire.TxIn{
		PreviousOutPoint: wire.OutPoint{Index: wire.MaxPrevOutIndex},
		SignatureScript:  script,
		Sequence:         wire.MaxTxInSequenceNum - 1,
	})
	if parts.pays {
		msg.AddTxOut(wire.NewTxOut(parts.value, parts.script))
	}
	if parts.commitment != nil {
		reserved := witnessReserved()
		msg.TxIn[0].Witness = wire.TxWitness{reserved[:]}
		msg.AddTxOut(parts.commitment)
	}
	if parts.restart != nil {
		msg.AddTxOut(wire.NewTxOut(0, parts.restart.Script()))
	}
	if parts.seal {
		seal.AppendPlaceholder(msg)
	}
	if len(msg.TxOut) == 0 {
		msg.AddTxOut(wire.NewTxOut(0, []byte{txscript.OP_RETURN})) // a transaction has outputs
	}
	return consensus.NewTx(msg)
}

// WithExtraNonce returns the block with n in its coinbase, and the merkle
// root that follows. Transactions other than the coinbase are shared with t.
func (t *Template) WithExtraNonce(n uint64) *wire.MsgBlock {
	coinbase := t.Block.Transactions[0].Copy()
	binary.LittleEndian.PutUint64(coinbase.TxIn[0].SignatureScript[t.ExtraNonceAt:], n)
	b := t.with(coinbase)
	b.Header.MerkleRoot = climb(coinbase.TxHash(), t.branch)
	return b
}

// Seal returns the block with the time given, in seconds since 1970, sealed by
// key: only the nonce is left to find. aux makes another merkle root of the
// same block, and so a new range of nonces; see seal.SealHeader. Transactions
// other than the coinbase are shared with t.
func (t *Template) Seal(key *btcec.PrivateKey, at uint32, aux [32]byte) (*wire.MsgBlock, error) {
	b := t.with(nil)
	b.Header.Timestamp, b.Header.Bits = unixTime(at), t.BitsAt(at)
	coinbase, err := seal.SealHeader(t.genesis, &b.Header, t.Block.Transactions[0], t.branch, t.Height, key, aux)
	if err != nil {
		return nil, err
	}
	b.Transactions[0] = coinbase
	return b, nil
}

// with returns the block with another coinbase.
func (t *Template) with(coinbase *wire.MsgTx) *wire.MsgBlock {
	b := &wire.MsgBlock{Header: t.Block.Header, Transactions: make([]*wire.MsgTx, len(t.Block.Transactions))}
	copy(b.Transactions, t.Block.Transactions)
	b.Transactions[0] = coinbase
	return b
}

// climb returns the merkle root above a first leaf.
func climb(leaf chainhash.Hash, branch []chainhash.Hash) chainhash.Hash {
	for _, sibling := range branch {
		leaf = hashPair(leaf, sibling)
	}
	return leaf
}
