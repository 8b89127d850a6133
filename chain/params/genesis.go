package params

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/big"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/params/internal/form"
)

// GenesisMagic starts the data output of a genesis coinbase that commits to
// the rules hash.
const GenesisMagic = "CHG1"

// searchLimit is the most hashes that a search for the genesis nonce may be
// expected to take: a few seconds.
const searchLimit = 1 << 22

// GenesisCoin is an output of the genesis block that enters the UTXO set.
// It is no coinbase coin: it may be spent in the first block.
type GenesisCoin struct {
	Index  uint32 // of the output in the genesis coinbase
	Amount int64  // smallest unit
	Script []byte
}

// GenesisCoins returns the outputs of the genesis coinbase that may be
// spent: the allocations and authority outputs of a block built from the
// file. With genesis.raw there are none, as on Bitcoin, where the first
// coinbase never entered the UTXO set.
func (p *Params) GenesisCoins() []GenesisCoin {
	if p.Genesis.Raw != nil {
		return nil
	}
	var coins []GenesisCoin
	for i, out := range p.GenesisBlock.Transactions[0].TxOut {
		if i > 0 { // the first commits to the rules hash
			coins = append(coins, GenesisCoin{Index: uint32(i), Amount: out.Value, Script: out.PkScript})
		}
	}
	return coins
}

// genesis sets the genesis block and its hash; the fields are checked, and
// those of a raw block decoded.
func (l *loader) genesis() {
	p := l.p
	if p.Genesis.Raw == nil {
		block := p.buildGenesis()
		if weight := 3*block.SerializeSizeStripped() + block.SerializeSize(); int64(weight) > p.Limits.TxWeight {
			l.faultf("genesis", "the first block weighs %s, at most %s are allowed: use fewer allocations or members",
				plain(int64(weight)), plain(p.Limits.TxWeight))
			return
		}
		p.GenesisBlock = block
	}
	l.prove()
	p.GenesisHash = p.GenesisBlock.BlockHash()
}

// buildGenesis makes the block that the file describes (doc.go has the
// bytes), without its nonce.
func (p *Params) buildGenesis() *wire.MsgBlock {
	g := &p.Genesis
	tx := wire.NewMsgTx(1)
	tx.AddTxIn(&wire.TxIn{
		PreviousOutPoint: wire.OutPoint{Index: math.MaxUint32},
		SignatureScript:  append([]byte{op0}, push([]byte(g.Message))...),
		Sequence:         math.MaxUint32,
	})
	commitment := append([]byte(GenesisMagic), p.RulesHash[:]...)
	tx.AddTxOut(wire.NewTxOut(0, append([]byte{opReturn}, push(commitment)...)))
	for _, a := range g.Allocations {
		tx.AddTxOut(wire.NewTxOut(a.Amount, a.Script))
	}
	for _, m := range g.Members {
		for _, k := range m.Keys {
			if k.Governs() {
				tx.AddTxOut(wire.NewTxOut(0, k.Script))
			}
		}
	}
	block := wire.NewMsgBlock(&wire.BlockHeader{
		Version:    g.Version,
		MerkleRoot: tx.TxHash(),
		Timestamp:  time.Unix(int64(g.Time), 0),
		Bits:       g.Bits,
		Nonce:      g.Nonce,
	})
	block.Transactions = []*wire.MsgTx{tx}
	return block
}

// push returns the script that pushes up to 255 bytes.
func push(b []byte) []byte {
	if len(b) < opPushData1 {
		return append([]byte{byte(len(b))}, b...)
	}
	return append([]byte{opPushData1, byte(len(b))}, b...)
}

// prove checks the proof of work, or searches the nonce where the file has
// none.
func (l *loader) prove() {
	p := l.p
	target, _ := ExpandBits(p.Genesis.Bits) // checked
	header := &p.GenesisBlock.Header
	if p.Genesis.Raw != nil || l.given["genesis.nonce"] {
		hash := header.BlockHash()
		if meets(hash, target) {
			return
		}
		reason := "leave it out to have it searched"
		if p.Genesis.Raw != nil {
			reason = "it is no block of this difficulty"
		}
		key := "genesis.nonce"
		if p.Genesis.Raw != nil {
			key = "genesis.raw"
		}
		l.faultf(key, "the block hash %v does not meet bits %08x; %s", hash, header.Bits, reason)
		return
	}
	if hashes := expectedHashes(target); hashes.Cmp(big.NewInt(searchLimit)) > 0 {
		l.faultf("genesis.bits", "%08x takes about %v hashes, too many to search genesis.nonce: choose easier bits or give the nonce",
			header.Bits, hashes)
		return
	}
	nonce, ok := searchNonce(header, target)
	if !ok {
		l.faultf("genesis.bits", "no nonce of 32 bits meets %08x: choose easier bits or another time", header.Bits)
		return
	}
	header.Nonce, p.Genesis.Nonce = nonce, nonce
}

// expectedHashes is 2^256 / (target + 1).
func expectedHashes(target *big.Int) *big.Int {
	all := new(big.Int).Lsh(big.NewInt(1), 256)
	return all.Quo(all, new(big.Int).Add(target, big.NewInt(1)))
}

// searchNonce returns the first nonce from 0 with which the header meets
// the target.
func searchNonce(header *wire.BlockHeader, target *big.Int) (uint32, bool) {
	var buf bytes.Buffer
	if err := header.Serialize(&buf); err != nil {
		return 0, false // cannot happen: memory only
	}
	b := buf.Bytes()
	limit := bigEndian(target)
	for nonce := uint64(0); nonce <= math.MaxUint32; nonce++ {
		binary.LittleEndian.PutUint32(b[76:], uint32(nonce))
		if below(chainhash.DoubleHashH(b), &limit) {
			return uint32(nonce), true
		}
	}
	return 0, false
}

// meets compares a block hash, as a little-endian number, with a target.
func meets(hash chainhash.Hash, target *big.Int) bool {
	limit := bigEndian(target)
	return below(hash, &limit)
}

func bigEndian(target *big.Int) (b [32]byte) {
	target.FillBytes(b[:])
	return b
}

// below reports hash <= limit; limit is big-endian.
func below(hash chainhash.Hash, limit *[32]byte) bool {
	for i, digit := range limit {
		if h := hash[31-i]; h != digit {
			return h < digit
		}
	}
	return true
}

// rawGenesis decodes genesis.raw; its header fills the other fields.
func (l *loader) rawGenesis() {
	g := &l.p.Genesis
	const key = "genesis.raw"
	for _, other := range []string{"time", "bits", "nonce", "version", "message"} {
		if l.given["genesis."+other] {
			l.faultf("genesis."+other, "cannot go with genesis.raw, which holds the whole block")
		}
	}
	if len(g.Allocations) > 0 {
		l.faultf("genesis.allocation[0]", "cannot go with genesis.raw, which holds the whole block")
	}
	if _, err := form.Block(g.Raw, maxRawBytes); err != nil {
		l.faultf(key, "is no block: %v", err)
		return
	}
	block := new(wire.MsgBlock)
	if err := block.Deserialize(bytes.NewReader(g.Raw)); err != nil {
		l.faultf(key, "is no block: %v", err)
		return
	}
	header := &block.Header
	switch {
	case len(block.Transactions) != 1:
		l.faultf(key, "has %d transactions, a first block has its coinbase only", len(block.Transactions))
	case header.PrevBlock != chainhash.Hash{}:
		l.faultf(key, "has a parent, %v", header.PrevBlock)
	case header.MerkleRoot != block.Transactions[0].TxHash():
		l.faultf(key, "has a merkle root that is not its transaction's")
	default:
		l.p.GenesisBlock = block
		g.Time, g.Bits, g.Nonce, g.Version = uint32(header.Timestamp.Unix()), header.Bits, header.Nonce, header.Version
	}
}
