package workload

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
	"math/rand/v2"
	"runtime"
	"slices"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"golang.org/x/sync/errgroup"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/params"
)

const (
	// headRoom is what header and coinbase weigh at most.
	headRoom = 1000
	// fanOut is the most coins that one funding block makes.
	fanOut = 20_000
	// leastAmount is what a coin must have to be spent.
	leastAmount = 20_000
	// chunk is how many payments a core makes at a time.
	chunk = 64
)

// coin is an output that can be spent, by the key of that number.
type coin struct {
	at     wire.OutPoint
	amount int64
	key    uint64
}

// maker makes one chain, block by block.
type maker struct {
	spec   Spec
	params *params.Params
	keys   *keyring
	rng    *rand.Rand

	tip     wire.BlockHeader
	height  int32
	next    uint64 // number of the next key
	coins   []coin // that can be spent
	fresh   []coin // made by the block that is under way
	funding wire.OutPoint
}

func newMaker(p *params.Params, spec Spec) *maker {
	return &maker{
		spec: spec, params: p, keys: newKeyring(spec.Seed),
		rng: rand.New(rand.NewPCG(spec.Seed, version)),
		tip: p.GenesisBlock.Header,
	}
}

// fund writes the funding blocks: the first has a coinbase only, and each
// later one fans out the coinbase before it.
func (m *maker) fund(ctx context.Context, w io.Writer) error {
	if err := m.finish(w, nil); err != nil {
		return err
	}
	amount := min(int64(subsidy/fanOut), subsidy/int64(m.spec.Coins))
	for left := m.spec.Coins; left > 0; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(left, fanOut, int((m.spec.Weight-headRoom-500)/(43*4)))
		tx := wire.NewMsgTx(2)
		tx.AddTxIn(&wire.TxIn{PreviousOutPoint: m.funding, Sequence: wire.MaxTxInSequenceNum, Witness: wire.TxWitness{openScript()}})
		first := m.next
		m.next += uint64(n)
		pubs := m.keys.from(first)
		for i := range n {
			key := first + uint64(i)
			tx.AddTxOut(wire.NewTxOut(amount, m.spec.Kind.outputOf(key).script(key, pubs.next())))
		}
		done := consensus.NewTx(tx)
		m.keep(done, first)
		if err := m.finish(w, []*consensus.Tx{done}); err != nil {
			return err
		}
		left -= n
	}
	return nil
}

// openScript is the witness script that coinbases pay to.
func openScript() []byte { return anyoneScript(1<<64 - 1) }

// full writes one full block and returns how many payments it has.
func (m *maker) full(ctx context.Context, w io.Writer) (payments int, err error) {
	var txs []*consensus.Tx
	room := m.spec.Weight - headRoom
	for room >= m.spec.Kind.leastWeight() {
		made, err := m.payments(ctx, int(room/m.spec.Kind.leastWeight()))
		if err != nil {
			return 0, err
		}
		fits := 0
		for fits < len(made) && made[fits].tx.Weight <= room {
			room -= made[fits].tx.Weight
			txs = append(txs, made[fits].tx)
			m.keep(made[fits].tx, made[fits].key)
			fits++
		}
		for _, left := range made[fits:] {
			m.coins = append(m.coins, left.spends...)
		}
		if fits < len(made) {
			break
		}
	}
	return len(txs), m.finish(w, txs)
}

// payment is a transaction with the coins it spends and the number of the
// key of its first output.
type payment struct {
	tx     *consensus.Tx
	spends []coin
	key    uint64
}

// payments makes n payments on all cores. The keys of some may stay unused.
func (m *maker) payments(ctx context.Context, n int) ([]payment, error) {
	inputs := m.spec.Kind.inputs()
	if len(m.coins) < n*inputs {
		return nil, fmt.Errorf("%d coins are left and the block spends %d: make the chain with more coins", len(m.coins), n*inputs)
	}
	list := make([]payment, n)
	fees := make([]int64, n)
	for i := range list {
		for range inputs {
			list[i].spends = append(list[i].spends, m.pick())
		}
		list[i].key = m.next
		m.next += outputs
		fees[i] = 500 + m.rng.Int64N(2000)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for from := 0; from < n; from += chunk {
		g.Go(func() error {
			pubs := m.keys.from(list[from].key)
			for i := from; i < min(from+chunk, n); i++ {
				if err := ctx.Err(); err != nil {
					return err
				}
				tx, err := m.pay(list[i].spends, list[i].key, fees[i], pubs)
				if err != nil {
					return err
				}
				list[i].tx = tx
			}
			return nil
		})
	}
	return list, g.Wait()
}

// pick takes a coin at random.
func (m *maker) pick() coin {
	i, last := m.rng.IntN(len(m.coins)), len(m.coins)-1
	c := m.coins[i]
	m.coins[i] = m.coins[last]
	m.coins = m.coins[:last]
	return c
}

// pay makes one payment, to keys from number key on.
func (m *maker) pay(coins []coin, key uint64, fee int64, pubs *publicKeys) (*consensus.Tx, error) {
	tx := wire.NewMsgTx(2)
	left := -fee
	for _, c := range coins {
		tx.AddTxIn(&wire.TxIn{PreviousOutPoint: c.at, Sequence: wire.MaxTxInSequenceNum})
		left += c.amount
	}
	for i := range uint64(outputs) {
		script := m.spec.Kind.outputOf(key+i).script(key+i, pubs.next())
		tx.AddTxOut(wire.NewTxOut(left/outputs, script))
	}
	if err := m.sign(tx, coins); err != nil {
		return nil, err
	}
	return consensus.NewTx(tx), nil
}

// keep notes the outputs of tx, which are paid to keys from number key on.
func (m *maker) keep(tx *consensus.Tx, key uint64) {
	for i, out := range tx.Msg.TxOut {
		if out.Value >= leastAmount {
			at := wire.OutPoint{Hash: tx.TxID, Index: uint32(i)}
			m.fresh = append(m.fresh, coin{at: at, amount: out.Value, key: key + uint64(i)})
		}
	}
}

// finish makes a block of txs on the tip, writes it and makes it the tip.
func (m *maker) finish(w io.Writer, txs []*consensus.Tx) error {
	m.height++
	coinbase := m.coinbase()
	if len(txs) > 0 {
		coinbase.TxIn[0].Witness = wire.TxWitness{make([]byte, 32)}
		all := append([]*consensus.Tx{consensus.NewTx(coinbase)}, txs...)
		coinbase.AddTxOut(consensus.WitnessCommitmentOutput(all, [32]byte{}))
	}
	all := append([]*consensus.Tx{consensus.NewTx(coinbase)}, txs...)
	header := wire.BlockHeader{
		Version:    0x20000000,
		PrevBlock:  m.tip.BlockHash(),
		MerkleRoot: consensus.MerkleRoot(consensus.TxIDs(all)),
		Timestamp:  m.tip.Timestamp.Add(time.Minute),
		Bits:       m.tip.Bits,
	}
	if err := solve(&header); err != nil {
		return err
	}
	m.tip, m.funding = header, wire.OutPoint{Hash: all[0].TxID}
	if !m.spec.Wide || len(txs) <= 1 {
		m.coins = append(m.coins, m.fresh...)
	}
	m.fresh = m.fresh[:0]
	return m.write(w, &header, all)
}

func (m *maker) coinbase() *wire.MsgTx {
	tx := wire.NewMsgTx(2)
	script := append(consensus.CoinbaseHeightScript(m.height), 8)
	script = binary.LittleEndian.AppendUint64(script, m.spec.Seed)
	tx.AddTxIn(&wire.TxIn{
		PreviousOutPoint: wire.OutPoint{Index: wire.MaxPrevOutIndex},
		SignatureScript:  script,
		Sequence:         wire.MaxTxInSequenceNum,
	})
	tx.AddTxOut(wire.NewTxOut(consensus.Subsidy(m.height, m.params), toAnyone.script(1<<64-1, nil)))
	return tx
}

// write frames a block.
func (m *maker) write(w io.Writer, header *wire.BlockHeader, txs []*consensus.Tx) error {
	size := 80 + wire.VarIntSerializeSize(uint64(len(txs)))
	for _, tx := range txs {
		size += tx.Size
	}
	buf := bytes.NewBuffer(make([]byte, 0, 8+size))
	buf.Write(m.params.Network.Magic[:])
	buf.Write(binary.LittleEndian.AppendUint32(nil, uint32(size)))
	msg := wire.MsgBlock{Header: *header}
	for _, tx := range txs {
		msg.Transactions = append(msg.Transactions, tx.Msg)
	}
	if err := msg.Serialize(buf); err != nil {
		return err
	}
	_, err := w.Write(buf.Bytes())
	return err
}

// solve searches a nonce, which a trivial target has among the first few.
func solve(h *wire.BlockHeader) error {
	target, _, _ := consensus.CompactToTarget(h.Bits)
	for range 1000 {
		hash := h.BlockHash()
		if number(hash).Cmp(target) <= 0 {
			return nil
		}
		h.Nonce++
	}
	return errors.New("the target of the chain is not trivial")
}

func number(hash chainhash.Hash) *big.Int {
	slices.Reverse(hash[:])
	return new(big.Int).SetBytes(hash[:])
}
