package wallet

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/params/scan"
)

// RPC calls a node. Methods, parameters and results are Bitcoin Core's;
// result is decoded into as JSON, or ignored where it is nil. An error that
// the node replied with is an *RPCError, any other means that the node was
// not reached or not understood, and says in which call.
type RPC interface {
	Call(ctx context.Context, method string, params []any, result any) error
}

// RPCError is a node's refusal.
type RPCError struct {
	Code    int // as Bitcoin Core's
	Message string
}

func (e *RPCError) Error() string { return e.Message }

// The codes that the wallet tells apart.
const (
	codeBadHeight   = -8  // block height out of range
	codeNotFound    = -5  // no such transaction or block
	codeVerify      = -25 // missing or spent inputs
	codeRejected    = -26 // refused by a rule of the pool
	codeInChain     = -27 // already in a block
	rejectConflict  = "txn-mempool-conflict"
	rejectInPool    = "txn-already-in-mempool"
	rejectKnown     = "txn-already-known"
	rejectNoInputs  = "missing-inputs"
	rejectBadInputs = "bad-txns-inputs-missingorspent"
)

// isCode reports whether err is a node's refusal with the given code.
func isCode(err error, code int) bool {
	var refusal *RPCError
	return errors.As(err, &refusal) && refusal.Code == code
}

// node is typed access to RPC.
type node struct {
	rpc    RPC
	limits *params.Limits
}

func (n node) call(ctx context.Context, result any, method string, params ...any) error {
	if params == nil {
		params = []any{}
	}
	err := n.rpc.Call(ctx, method, params, result)
	var refusal *RPCError
	if errors.As(err, &refusal) {
		return fmt.Errorf("%s: %w", method, err)
	}
	return err
}

// chainInfo is the part of getblockchaininfo that matters here.
type chainInfo struct {
	Blocks  int32  `json:"blocks"`
	Headers int32  `json:"headers"`
	Best    string `json:"bestblockhash"`
	Syncing bool   `json:"initialblockdownload"`
}

func (n node) chainInfo(ctx context.Context) (info chainInfo, err error) {
	err = n.call(ctx, &info, "getblockchaininfo")
	if err == nil && (info.Blocks < 0 || len(info.Best) != 64) {
		err = fmt.Errorf("getblockchaininfo: the node says it has %d blocks, the last %q", info.Blocks, info.Best)
	}
	return info, err
}

// blockHash returns the hash at a height of the best branch, found false
// where that has fewer blocks.
func (n node) blockHash(ctx context.Context, height int32) (hash chainhash.Hash, found bool, err error) {
	var text string
	err = n.call(ctx, &text, "getblockhash", height)
	if isCode(err, codeBadHeight) {
		return hash, false, nil
	}
	if err == nil {
		hash, err = parseHash(text)
	}
	return hash, err == nil, err
}

// block fetches a whole block and checks that it is the one asked for.
func (n node) block(ctx context.Context, hash chainhash.Hash) (*wire.MsgBlock, error) {
	var text string
	err := n.call(ctx, &text, "getblock", hash.String(), 0)
	var refusal *RPCError
	if errors.As(err, &refusal) && strings.Contains(refusal.Message, "pruned") {
		return nil, fmt.Errorf("the node has pruned block %v, which the wallet has to read: point the wallet to a node that keeps old blocks (--rpc): %w", hash, err)
	}
	if err != nil {
		return nil, err
	}
	raw, err := hex.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("getblock %v: %w", hash, err)
	}
	b, err := scan.DecodeBlock(raw, n.limits)
	if err != nil {
		return nil, fmt.Errorf("getblock %v: %w", hash, err)
	}
	if got := b.Header.BlockHash(); got != hash {
		return nil, fmt.Errorf("getblock %v: the node sent block %v", hash, got)
	}
	return b, nil
}

// medianTime is the median time past of a block: it never falls from a
// block to its child.
func (n node) medianTime(ctx context.Context, hash chainhash.Hash) (int64, error) {
	var header struct {
		MedianTime int64 `json:"mediantime"`
	}
	err := n.call(ctx, &header, "getblockheader", hash.String(), true)
	return header.MedianTime, err
}

// pool lists the transactions that wait for a block.
func (n node) pool(ctx context.Context) ([]chainhash.Hash, error) {
	var texts []string
	if err := n.call(ctx, &texts, "getrawmempool", false); err != nil {
		return nil, err
	}
	ids := make([]chainhash.Hash, len(texts))
	for i, text := range texts {
		var err error
		if ids[i], err = parseHash(text); err != nil {
			return nil, fmt.Errorf("getrawmempool: %w", err)
		}
	}
	return ids, nil
}

// poolTx fetches a waiting transaction, or nil where it is gone.
func (n node) poolTx(ctx context.Context, id chainhash.Hash) (*wire.MsgTx, error) {
	var text string
	err := n.call(ctx, &text, "getrawtransaction", id.String(), 0)
	if isCode(err, codeNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	tx, err := decodeTxHex(text)
	if err != nil {
		return nil, fmt.Errorf("getrawtransaction %v: %w", id, err)
	}
	if tx.TxHash() != id {
		return nil, fmt.Errorf("getrawtransaction %v: the node sent transaction %v", id, tx.TxHash())
	}
	return tx, nil
}
