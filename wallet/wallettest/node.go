// Package wallettest stands in for a node where wallets are tested: a chain
// that a test scripts, a pool, and the RPC methods that wallets call. Only
// tests import it.
//
// It does not judge blocks, and of transactions only what a wallet can get
// wrong: that inputs exist and are not spent twice, that scripts verify, that
// no money is made, and what members permit (Govern). It is safe for concurrent use; a test must not
// change it from within OnCall but by the methods.
package wallettest

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/params"
)

// Start is the time of the genesis block; each block is a minute later.
const Start = 1_700_000_000

// Node is the scripted node.
type Node struct {
	// Refuse makes the error for a refusal with one of Bitcoin Core's
	// codes, in the type that the caller under test expects.
	Refuse func(code int, message string) error

	// OnCall, unless nil, is called before each method is carried out. An
	// error is what the caller gets, as if the node was not reached.
	OnCall func(method string) error

	// RelayFee and MinFee are what the fee methods say, in coins per kvB.
	RelayFee, MinFee string

	// Syncing is what getblockchaininfo says about initial sync.
	Syncing bool

	mu     sync.Mutex
	best   []*wire.MsgBlock
	blocks map[chainhash.Hash]*wire.MsgBlock // also those that left the best branch
	pool   []*wire.MsgTx
	calls  map[string]int
	salt   uint64 // makes coinbases differ between branches

	params *params.Params // of a chain with permissions, else nil
}

// New makes a node whose genesis block has the given outputs.
func New(refuse func(code int, message string) error, genesis ...*wire.TxOut) *Node {
	n := newNode(refuse)
	n.connect(genesis, nil)
	return n
}

// NewOn makes a node with the given genesis block.
func NewOn(refuse func(code int, message string) error, genesis *wire.MsgBlock) *Node {
	n := newNode(refuse)
	n.best = []*wire.MsgBlock{genesis}
	n.blocks[genesis.BlockHash()] = genesis
	return n
}

func newNode(refuse func(code int, message string) error) *Node {
	return &Node{
		Refuse: refuse, RelayFee: "0.00001000", MinFee: "0.00001000",
		blocks: make(map[chainhash.Hash]*wire.MsgBlock), calls: make(map[string]int),
	}
}

// Mine adds a block with the given transactions, and with coinbase outputs
// to the scripts of payouts. They leave the pool.
func (n *Node) Mine(payouts []*wire.TxOut, txs ...*wire.MsgTx) *wire.MsgBlock {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.connect(payouts, txs)
}

// MineEmpty adds blocks without transactions of interest.
func (n *Node) MineEmpty(count int) {
	for range count {
		n.Mine(nil)
	}
}

// MinePool adds a block with all that waits.
func (n *Node) MinePool() *wire.MsgBlock {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.connect(nil, n.pool)
}

func (n *Node) connect(payouts []*wire.TxOut, txs []*wire.MsgTx) *wire.MsgBlock {
	height := uint64(len(n.best))
	n.salt++
	script := binary.LittleEndian.AppendUint64([]byte{txscript.OP_DATA_16}, height)
	script = binary.LittleEndian.AppendUint64(script, n.salt)
	coinbase := wire.NewMsgTx(2)
	coinbase.AddTxIn(wire.NewTxIn(&wire.OutPoint{Index: wire.MaxPrevOutIndex}, script, nil))
	coinbase.TxOut = payouts
	if len(payouts) == 0 {
		coinbase.AddTxOut(wire.NewTxOut(0, []byte{txscript.OP_RETURN}))
	}
	b := &wire.MsgBlock{Header: wire.BlockHeader{
		Version: 4, Timestamp: time.Unix(Start+60*int64(height), 0), Bits: 0x207fffff, Nonce: uint32(n.salt),
	}}
	if height > 0 {
		b.Header.PrevBlock = n.best[height-1].BlockHash()
	}
	b.Transactions = append([]*wire.MsgTx{coinbase}, txs...)
	b.Header.MerkleRoot = merkleRoot(b.Transactions)
	n.best = append(n.best, b)
	n.blocks[b.BlockHash()] = b
	spent := make(map[wire.OutPoint]bool)
	for _, tx := range txs {
		for _, in := range tx.TxIn {
			spent[in.PreviousOutPoint] = true
		}
	}
	n.filterPool(func(tx *wire.MsgTx) bool { return !spent[tx.TxIn[0].PreviousOutPoint] })
	return b
}

func merkleRoot(txs []*wire.MsgTx) chainhash.Hash {
	level := make([]chainhash.Hash, len(txs))
	for i, tx := range txs {
		level[i] = tx.TxHash()
	}
	for len(level) > 1 {
		var up []chainhash.Hash
		for i := 0; i < len(level); i += 2 {
			right := level[min(i+1, len(level)-1)]
			up = append(up, chainhash.DoubleHashH(append(level[i][:], right[:]...)))
		}
		level = up
	}
	return level[0]
}

// Rewind takes blocks off until the best one has the given height. Their
// transactions go back to the pool.
func (n *Node) Rewind(height int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var back []*wire.MsgTx
	for _, b := range n.best[height+1:] {
		back = append(back, b.Transactions[1:]...)
	}
	n.best = n.best[:height+1]
	n.pool = append(back, n.pool...)
}

// Add puts a transaction into the pool, whatever it is.
func (n *Node) Add(tx *wire.MsgTx) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.pool = append(n.pool, tx)
}

// Drop takes transactions out of the pool; without ids all of them.
func (n *Node) Drop(ids ...chainhash.Hash) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.filterPool(func(tx *wire.MsgTx) bool {
		for _, id := range ids {
			if tx.TxHash() == id {
				return false
			}
		}
		return len(ids) > 0
	})
}

func (n *Node) filterPool(keep func(*wire.MsgTx) bool) {
	var kept []*wire.MsgTx
	for _, tx := range n.pool {
		if keep(tx) {
			kept = append(kept, tx)
		}
	}
	n.pool = kept
}

// Pool lists what waits.
func (n *Node) Pool() []*wire.MsgTx {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]*wire.MsgTx(nil), n.pool...)
}

// Genesis is the hash of the block at height 0.
func (n *Node) Genesis() chainhash.Hash {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.best[0].BlockHash()
}

// Calls is how often a method was called since it was last asked for.
func (n *Node) Calls(method string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := n.calls[method]
	delete(n.calls, method)
	return c
}

// Call carries out a method. params and result go through JSON, as they
// would on the way to a node.
func (n *Node) Call(ctx context.Context, method string, params []any, result any) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if n.OnCall != nil {
		if err := n.OnCall(method); err != nil {
			return err
		}
	}
	raw, err := json.Marshal(params)
	if err != nil {
		return err
	}
	var args []json.RawMessage
	if err := json.Unmarshal(raw, &args); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.calls[method]++
	out, err := n.method(method, args)
	if err != nil || result == nil {
		return err
	}
	if raw, err = json.Marshal(out); err != nil {
		return err
	}
	return json.Unmarshal(raw, result)
}

func (n *Node) method(name string, args []json.RawMessage) (any, error) {
	switch name {
	case "getblockchaininfo":
		tip := len(n.best) - 1
		return map[string]any{"blocks": tip, "headers": tip, "bestblockhash": n.best[tip].BlockHash().String(),
			"initialblockdownload": n.Syncing}, nil
	case "getblockhash":
		var height int
		if err := n.arg(args, 0, &height); err != nil {
			return nil, err
		}
		if height < 0 || height >= len(n.best) {
			return nil, n.Refuse(-8, "Block height out of range")
		}
		return n.best[height].BlockHash().String(), nil
	case "getblock", "getblockheader":
		b, err := n.blockArg(args)
		if err != nil {
			return nil, err
		}
		if name == "getblockheader" {
			return map[string]any{"mediantime": b.Header.Timestamp.Unix()}, nil
		}
		var raw bytes.Buffer
		err = b.Serialize(&raw)
		return hex.EncodeToString(raw.Bytes()), err
	case "getblockhints":
		b, err := n.blockArg(args)
		if err != nil {
			return nil, err
		}
		return hintsOf(b), nil
	case "getrawmempool":
		ids := []string{}
		for _, tx := range n.pool {
			ids = append(ids, tx.TxHash().String())
		}
		return ids, nil
	case "getrawtransaction":
		return n.poolTx(args)
	case "getmempoolinfo":
		return map[string]any{"mempoolminfee": json.RawMessage(n.MinFee)}, nil
	case "getnetworkinfo":
		return map[string]any{"relayfee": json.RawMessage(n.RelayFee)}, nil
	case "sendrawtransaction":
		return n.send(args)
	}
	if result, ok, err := n.governed(name, args); ok {
		return result, err
	}
	return nil, n.Refuse(-32601, "Method not found: "+name)
}

func (n *Node) arg(args []json.RawMessage, at int, into any) error {
	if at >= len(args) {
		return n.Refuse(-1, "missing parameter")
	}
	if err := json.Unmarshal(args[at], into); err != nil {
		return n.Refuse(-3, err.Error())
	}
	return nil
}

func (n *Node) blockArg(args []json.RawMessage) (*wire.MsgBlock, error) {
	var text string
	if err := n.arg(args, 0, &text); err != nil {
		return nil, err
	}
	hash, err := chainhash.NewHashFromStr(text)
	if err != nil || n.blocks[*hash] == nil {
		return nil, n.Refuse(-5, "Block not found")
	}
	return n.blocks[*hash], nil
}

// NoHints is the lock time of a transaction that makes the hints of its block
// one of those that the node cannot tell.
const NoHints = 499_999_999

// hintsOf makes hints with all bits set.
func hintsOf(b *wire.MsgBlock) any {
	inputs := 0
	for _, tx := range b.Transactions[1:] {
		if tx.LockTime == NoHints {
			return nil
		}
		inputs += len(tx.TxIn)
	}
	bits := make([]byte, (inputs+7)/8)
	for i := range inputs {
		bits[i/8] |= 1 << (i % 8)
	}
	return map[string]any{"inputs": inputs, "hints": hex.EncodeToString(bits)}
}

func (n *Node) poolTx(args []json.RawMessage) (any, error) {
	var text string
	if err := n.arg(args, 0, &text); err != nil {
		return nil, err
	}
	for _, tx := range n.pool {
		if tx.TxHash().String() == text {
			var raw bytes.Buffer
			err := tx.Serialize(&raw)
			return hex.EncodeToString(raw.Bytes()), err
		}
	}
	return nil, n.Refuse(-5, "No such mempool transaction")
}

func (n *Node) send(args []json.RawMessage) (any, error) {
	var text string
	if err := n.arg(args, 0, &text); err != nil {
		return nil, err
	}
	raw, err := hex.DecodeString(text)
	tx := new(wire.MsgTx)
	if err == nil {
		err = tx.Deserialize(bytes.NewReader(raw))
	}
	if err != nil {
		return nil, n.Refuse(-22, "TX decode failed")
	}
	if code, reason := n.judge(tx); code != 0 {
		return nil, n.Refuse(code, reason)
	}
	n.pool = append(n.pool, tx)
	return tx.TxHash().String(), nil
}

// judge returns 0, or the code and reason with which tx is refused.
func (n *Node) judge(tx *wire.MsgTx) (code int, reason string) {
	coins, spent, id := make(map[wire.OutPoint]*wire.TxOut), make(map[wire.OutPoint]bool), tx.TxHash()
	add := func(t *wire.MsgTx) {
		for i, out := range t.TxOut {
			coins[wire.OutPoint{Hash: t.TxHash(), Index: uint32(i)}] = out
		}
	}
	for _, b := range n.best {
		for _, t := range b.Transactions {
			if t.TxHash() == id {
				return -27, "Transaction outputs already in utxo set"
			}
			for _, in := range t.TxIn {
				delete(coins, in.PreviousOutPoint)
			}
			add(t)
		}
	}
	for _, t := range n.pool {
		if t.TxHash() == id {
			return -26, "txn-already-in-mempool"
		}
		for _, in := range t.TxIn {
			spent[in.PreviousOutPoint] = true
		}
		add(t)
	}
	sum := int64(0)
	for _, in := range tx.TxIn {
		out := coins[in.PreviousOutPoint]
		if out == nil {
			return -25, "bad-txns-inputs-missingorspent"
		}
		if spent[in.PreviousOutPoint] {
			return -26, "txn-mempool-conflict"
		}
		sum += out.Value
	}
	for _, out := range tx.TxOut {
		sum -= out.Value
	}
	if sum < 0 {
		return -26, "bad-txns-in-belowout"
	}
	if err := verify(tx, coins); err != nil {
		return -26, fmt.Sprintf("mempool-script-verify-flag-failed (%v)", err)
	}
	if n.params != nil {
		if err := n.permitted(tx); err != nil {
			return -26, err.Error()
		}
	}
	return 0, ""
}

func verify(tx *wire.MsgTx, coins map[wire.OutPoint]*wire.TxOut) error {
	fetcher := txscript.NewMultiPrevOutFetcher(coins)
	hashes := txscript.NewTxSigHashes(tx, fetcher)
	for i, in := range tx.TxIn {
		out := coins[in.PreviousOutPoint]
		vm, err := txscript.NewEngine(out.PkScript, tx, i, txscript.StandardVerifyFlags, nil, hashes, out.Value, fetcher)
		if err != nil {
			return err
		}
		if err := vm.Execute(); err != nil {
			return err
		}
	}
	return nil
}
