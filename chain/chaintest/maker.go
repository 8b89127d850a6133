package chaintest

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/big"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/params"
)

// ChainFile is the chain that tests run on unless they bring their own:
// trivial proof of work, every deployment that Bitcoin has from genesis,
// and coinbase outputs that mature at once.
const ChainFile = `
format = 1
name = "test"

[address]
bech32_hrp = "ct"

[genesis]
time = 1700000000
bits = 0x207fffff
message = "chaintest"

[pow]
limit = 0x207fffff
algorithm = "fixed"
spacing = 60
on_demand = true

[subsidy]
initial = 5000000000
halving_interval = 0
maturity = 1
`

// Params loads a chain file and panics on any fault in it.
func Params(file string) *params.Params {
	p, err := params.Load([]byte(file), "chaintest")
	if err != nil {
		panic(err)
	}
	return p
}

// AnyoneScript is the witness script OP_TRUE; AnyoneCanSpend pays to it.
var anyoneScript = []byte{txscript.OP_TRUE}

// AnyoneCanSpend returns the P2WSH output script of OP_TRUE: a standard
// output that every witness of one item spends without a signature.
func AnyoneCanSpend() []byte {
	hash := sha256.Sum256(anyoneScript)
	return append([]byte{txscript.OP_0, txscript.OP_DATA_32}, hash[:]...)
}

// Output is a transaction output that a test spends.
type Output struct {
	wire.OutPoint
	Amount int64
}

// Maker builds blocks. The same calls give the same blocks.
type Maker struct {
	Params *params.Params
	blocks map[chainhash.Hash]*made
	salt   uint64

	consortium *Consortium // nil: an open chain
}

// made is a block with its place.
type made struct {
	block  *consensus.Block
	parent *made
	height int32
	sealer *Member // nil where there is none
}

// NewMaker returns a maker that knows the genesis block.
func NewMaker(p *params.Params) *Maker {
	genesis := consensus.NewBlock(p.GenesisBlock)
	return &Maker{
		Params: p,
		blocks: map[chainhash.Hash]*made{genesis.Hash: {block: genesis}},
	}
}

// Height implements consensus.Ancestry.
func (m *made) Height() int32 { return m.height }

// At implements consensus.Ancestry.
func (m *made) At(height int32) consensus.HeaderFields {
	for m.height > height {
		m = m.parent
	}
	h := m.block.Header
	return consensus.HeaderFields{Time: uint32(h.Timestamp.Unix()), Bits: h.Bits}
}

// An Option changes a block before its proof of work is made.
type Option func(*Draft)

// Draft is a block under construction.
type Draft struct {
	Block  *wire.MsgBlock // the coinbase is Transactions[0]
	Height int32
	Fees   int64 // added to what the coinbase pays

	// Final runs after merkle root and witness commitment are set, and
	// before the nonce is searched.
	Final []func(*wire.MsgBlock)

	// NoSolve leaves the nonce alone.
	NoSolve bool

	// On permissioned chains: who makes the block, and whether without a seal.
	Sealer    *Member
	Unsealed  bool
	Unchecked bool // what speaks against sealing it is passed over; it has a bad seal then

	claimed bool // the coinbase pays to whom it should
	maker   *Maker
	on      *made
}

// Coinbase returns the coinbase transaction.
func (d *Draft) Coinbase() *wire.MsgTx { return d.Block.Transactions[0] }

// Time sets the header time.
func Time(t time.Time) Option {
	return func(d *Draft) { d.Block.Header.Timestamp = t }
}

// Version sets the header version.
func Version(v int32) Option {
	return func(d *Draft) { d.Block.Header.Version = v }
}

// Tx adds a transaction that pays fee.
func Tx(tx *wire.MsgTx, fee int64) Option {
	return func(d *Draft) {
		d.Block.Transactions = append(d.Block.Transactions, tx)
		d.Fees += fee
	}
}

// Change runs fn before merkle root and witness commitment are computed.
func Change(fn func(*Draft)) Option { return fn }

// Final runs fn on the finished block, before the nonce is searched.
func Final(fn func(*wire.MsgBlock)) Option {
	return func(d *Draft) { d.Final = append(d.Final, fn) }
}

// Make builds a block on the block with hash parent, which the maker must
// have built, and gives it proof of work.
func (m *Maker) Make(parent chainhash.Hash, opts ...Option) *consensus.Block {
	on := m.blocks[parent]
	if on == nil {
		panic(fmt.Sprintf("chaintest: unknown parent %v", parent))
	}
	d := m.draft(on)
	d.maker, d.on = m, on
	for _, opt := range opts {
		opt(d)
	}
	d.sealDraft()
	m.finish(d, on)
	d.sealBlock()
	for _, fn := range d.Final {
		fn(d.Block)
	}
	if !d.NoSolve {
		Solve(&d.Block.Header)
	}
	b := consensus.NewBlock(d.Block)
	m.blocks[b.Hash] = &made{block: b, parent: on, height: d.Height, sealer: d.Sealer}
	return b
}

// Forget drops the transactions of a block that nothing spends from any more;
// its header stays.
func (m *Maker) Forget(hash chainhash.Hash) { m.blocks[hash].block.Txs = nil }

// draft returns an empty block, one spacing after its parent.
func (m *Maker) draft(on *made) *Draft {
	m.salt++
	height := on.height + 1
	spacing := max(m.Params.PoW.Spacing, time.Second)
	sig := append(consensus.CoinbaseHeightScript(height), 8)
	sig = binary.LittleEndian.AppendUint64(sig, m.salt)
	coinbase := wire.NewMsgTx(2)
	coinbase.AddTxIn(&wire.TxIn{
		PreviousOutPoint: wire.OutPoint{Index: wire.MaxPrevOutIndex},
		SignatureScript:  sig,
		Sequence:         wire.MaxTxInSequenceNum,
	})
	if params.Active(m.Params.Deployments.BIP54, height) {
		coinbase.LockTime, coinbase.TxIn[0].Sequence = uint32(height)-1, wire.MaxTxInSequenceNum-1
	}
	coinbase.AddTxOut(wire.NewTxOut(consensus.Subsidy(height, m.Params), AnyoneCanSpend()))
	return &Draft{Height: height, Block: &wire.MsgBlock{
		Header: wire.BlockHeader{
			Version:   0x20000000,
			PrevBlock: on.block.Hash,
			Timestamp: on.block.Header.Timestamp.Add(spacing),
		},
		Transactions: []*wire.MsgTx{coinbase},
	}}
}

// finish sets what follows from the transactions and the time.
func (m *Maker) finish(d *Draft, on *made) {
	coinbase := d.Coinbase()
	if len(coinbase.TxOut) > 0 {
		coinbase.TxOut[0].Value += d.Fees
	}
	d.Block.Header.Bits = consensus.NextBits(on, uint32(d.Block.Header.Timestamp.Unix()), m.Params)
	b := consensus.NewBlock(d.Block)
	if params.Active(m.Params.Deployments.Segwit, d.Height) && hasWitness(d.Block) {
		coinbase.TxIn[0].Witness = wire.TxWitness{make([]byte, 32)}
		coinbase.AddTxOut(consensus.WitnessCommitmentOutput(b.Txs, [32]byte{}))
		b = consensus.NewBlock(d.Block)
	}
	d.Block.Header.MerkleRoot = consensus.MerkleRoot(consensus.TxIDs(b.Txs))
}

func hasWitness(b *wire.MsgBlock) bool {
	for _, tx := range b.Transactions[1:] {
		if tx.HasWitness() {
			return true
		}
	}
	return false
}

// Solve searches a nonce. It panics when there is none, which with a
// trivial target does not happen.
func Solve(h *wire.BlockHeader) {
	target, _, _ := consensus.CompactToTarget(h.Bits)
	for {
		hash := h.BlockHash()
		if hashToBig(hash).Cmp(target) <= 0 {
			return
		}
		h.Nonce++
		if h.Nonce == 0 {
			panic("chaintest: no nonce solves the block")
		}
	}
}

func hashToBig(hash chainhash.Hash) *big.Int {
	for i, j := 0, len(hash)-1; i < j; i, j = i+1, j-1 {
		hash[i], hash[j] = hash[j], hash[i]
	}
	return new(big.Int).SetBytes(hash[:])
}

// CoinbaseOutput returns the output that b's coinbase pays.
func CoinbaseOutput(b *consensus.Block) Output {
	return Output{
		OutPoint: wire.OutPoint{Hash: b.Txs[0].TxID},
		Amount:   b.Txs[0].Msg.TxOut[0].Value,
	}
}

// SpendTx returns a transaction that spends anyone-can-spend outputs into n
// equal anyone-can-spend outputs, less fee.
func SpendTx(fee int64, n int, from ...Output) *wire.MsgTx {
	tx := wire.NewMsgTx(2)
	total := -fee
	for _, o := range from {
		tx.AddTxIn(&wire.TxIn{
			PreviousOutPoint: o.OutPoint,
			Sequence:         wire.MaxTxInSequenceNum,
			Witness:          wire.TxWitness{anyoneScript},
		})
		total += o.Amount
	}
	for range n {
		tx.AddTxOut(wire.NewTxOut(total/int64(n), AnyoneCanSpend()))
	}
	return tx
}

// Outputs returns the outputs of tx that SpendTx can spend.
func Outputs(tx *wire.MsgTx) []Output {
	id := tx.TxHash()
	outs := make([]Output, len(tx.TxOut))
	for i, out := range tx.TxOut {
		outs[i] = Output{OutPoint: wire.OutPoint{Hash: id, Index: uint32(i)}, Amount: out.Value}
	}
	return outs
}
