package utxo

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"sync"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/utxo/muhash"
)

// SetHashes says which hashes over a coin set to compute: bits, joined by |.
type SetHashes uint8

// The hashes over a coin set, both of the elements of AppendElement.
const (
	// WithMuHash asks for the MuHash3072, which does not depend on order.
	WithMuHash SetHashes = 1 << iota
	// WithSerialized asks for the double SHA-256 of the elements in order of
	// transaction id (internal byte order) and index.
	WithSerialized
)

// Summary describes a coin set as Bitcoin Core's gettxoutsetinfo does.
type Summary struct {
	Txs      int64 // transactions with coins
	Coins    int64
	BogoSize int64 // a measure of size that no database changes
	Total    int64 // sum of the amounts, smallest unit

	// Zeros where not asked for. Shown in reverse byte order.
	MuHash     chainhash.Hash
	Serialized chainhash.Hash // hash_serialized_3
}

// bogoSize is what an output counts besides its script: transaction id,
// index, height and coinbase flag, amount, and two bytes for the length.
const bogoSize = 32 + 4 + 4 + 8 + 2

// AppendElement adds a coin in the form in which sets are hashed:
//
//	txid    bytes   32   internal byte order
//	index   u32 le  4
//	code    u32 le  4    height·2 + 1 for a coinbase output
//	amount  i64 le  8
//	script  bytes   1-n  length as CompactSize, then the script
//
// Source: Bitcoin Core, kernel/coinstats.
func AppendElement(dst []byte, op *wire.OutPoint, coin *consensus.Coin) []byte {
	code := uint32(coin.Height) << 1
	if coin.Coinbase {
		code |= 1
	}
	le := binary.LittleEndian
	dst = append(dst, op.Hash[:]...)
	dst = le.AppendUint32(dst, op.Index)
	dst = le.AppendUint32(dst, code)
	dst = le.AppendUint64(dst, uint64(coin.Amount))
	if n := len(coin.Script); n < 0xfd {
		dst = append(dst, byte(n))
	} else { // no coin has a script of 64 KiB
		dst = le.AppendUint16(append(dst, 0xfd), uint16(n))
	}
	return append(dst, coin.Script...)
}

// Summarise reads a whole set from each, which calls its argument for every
// coin in order of transaction id and index, and stops at its first error. A
// MuHash is computed by that many workers beside the reading.
func Summarise(hashes SetHashes, workers int, each func(func(wire.OutPoint, consensus.Coin) error) error) (Summary, error) {
	s := summer{}
	if hashes&WithSerialized != 0 {
		s.serialized = sha256.New()
	}
	if hashes&WithMuHash != 0 {
		s.product = startProduct(max(workers, 1))
	}
	err := each(func(op wire.OutPoint, coin consensus.Coin) error {
		s.add(&op, &coin)
		return nil
	})
	sum := s.finish() // ends the workers
	if err != nil {
		return Summary{}, err
	}
	return sum, nil
}

// summer adds up a set.
type summer struct {
	sum        Summary
	last       chainhash.Hash // transaction of the coin before
	serialized hash.Hash      // nil: not asked for
	product    *product       // nil: not asked for
	element    []byte
}

func (s *summer) add(op *wire.OutPoint, coin *consensus.Coin) {
	if s.sum.Coins == 0 || op.Hash != s.last {
		s.sum.Txs++
		s.last = op.Hash
	}
	s.sum.Coins++
	s.sum.BogoSize += bogoSize + int64(len(coin.Script))
	s.sum.Total += coin.Amount
	if s.serialized == nil && s.product == nil {
		return
	}
	s.element = AppendElement(s.element[:0], op, coin)
	if s.serialized != nil {
		s.serialized.Write(s.element) // a hash never fails
	}
	if s.product != nil {
		s.product.add(s.element)
	}
}

func (s *summer) finish() Summary {
	if s.serialized != nil {
		s.sum.Serialized = sha256.Sum256(s.serialized.Sum(nil))
	}
	if s.product != nil {
		s.sum.MuHash = s.product.finish().Sum()
	}
	return s.sum
}

// batchBytes is how much is handed to a worker at once. Twice as many
// batches as workers are under way at most.
const batchBytes = 64 << 10

// product computes a MuHash on several cores.
type product struct {
	batch   []byte // length (u32 le) and bytes of each element
	todo    chan []byte
	free    chan []byte
	running sync.WaitGroup
	parts   []*muhash.Hash // one per worker
}

func startProduct(workers int) *product {
	p := &product{
		todo:  make(chan []byte, workers),
		free:  make(chan []byte, 2*workers+1),
		parts: make([]*muhash.Hash, workers),
	}
	for i := range p.parts {
		part := muhash.New()
		p.parts[i] = part
		p.running.Go(func() { p.work(part) })
	}
	return p
}

func (p *product) work(part *muhash.Hash) {
	for batch := range p.todo {
		for rest := batch; len(rest) > 0; {
			n := 4 + binary.LittleEndian.Uint32(rest)
			part.Insert(rest[4:n])
			rest = rest[n:]
		}
		p.free <- batch
	}
}

func (p *product) add(element []byte) {
	if len(p.batch)+4+len(element) > batchBytes {
		p.send()
	}
	p.batch = binary.LittleEndian.AppendUint32(p.batch, uint32(len(element)))
	p.batch = append(p.batch, element...)
}

func (p *product) send() {
	p.todo <- p.batch
	select {
	case p.batch = <-p.free:
		p.batch = p.batch[:0]
	default:
		p.batch = make([]byte, 0, batchBytes)
	}
}

// finish waits for the workers and multiplies what they have.
func (p *product) finish() *muhash.Hash {
	p.todo <- p.batch
	close(p.todo)
	p.running.Wait()
	whole := p.parts[0]
	for _, part := range p.parts[1:] {
		whole.Combine(part)
	}
	return whole
}
