package rpc

import (
	"bytes"
	"encoding/hex"
	"io"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/params"
)

// shaper writes transactions and blocks in Bitcoin Core's shapes. It is
// immutable.
type shaper struct {
	address params.Address
	chain   Chain
}

// The fields stand in Bitcoin Core's order.

type txJSON struct {
	InActiveChain *bool    `json:"in_active_chain,omitempty"`
	TxID          string   `json:"txid"`
	Hash          string   `json:"hash"` // the wtxid
	Version       uint32   `json:"version"`
	Size          int      `json:"size"`
	VSize         int64    `json:"vsize"`
	Weight        int64    `json:"weight"`
	LockTime      uint32   `json:"locktime"`
	Vin           []vinTx  `json:"vin"`
	Vout          []voutTx `json:"vout"`
	Fee           *Amount  `json:"fee,omitempty"`
	Hex           string   `json:"hex,omitempty"`
	BlockHash     string   `json:"blockhash,omitempty"`
	Confirmations *int32   `json:"confirmations,omitempty"`
	Time          *int64   `json:"time,omitempty"`
	BlockTime     *int64   `json:"blocktime,omitempty"`
}

type vinTx struct {
	Coinbase  string       `json:"coinbase,omitempty"`
	TxID      string       `json:"txid,omitempty"`
	Vout      *uint32      `json:"vout,omitempty"`
	ScriptSig *scriptSig   `json:"scriptSig,omitempty"`
	Witness   []string     `json:"txinwitness,omitempty"`
	Prevout   *prevoutJSON `json:"prevout,omitempty"`
	Sequence  uint32       `json:"sequence"`
}

type scriptSig struct {
	Asm string `json:"asm"`
	Hex string `json:"hex"`
}

type prevoutJSON struct {
	Generated    bool             `json:"generated"`
	Height       int32            `json:"height"`
	Value        Amount           `json:"value"`
	ScriptPubKey scriptPubKeyJSON `json:"scriptPubKey"`
}

type voutTx struct {
	Value        Amount           `json:"value"`
	N            int              `json:"n"`
	ScriptPubKey scriptPubKeyJSON `json:"scriptPubKey"`
}

type scriptPubKeyJSON struct {
	Asm     string     `json:"asm"`
	Desc    string     `json:"desc,omitempty"`
	Hex     *string    `json:"hex,omitempty"`
	Address string     `json:"address,omitempty"`
	Type    scriptType `json:"type"`

	Record *recordJSON `json:"record,omitempty"` // where the chain has members and the script claims to be one
}

// scriptPubKey describes an output script. An empty script has an empty hex.
func (s *shaper) scriptPubKey(script []byte) scriptPubKeyJSON {
	text := hex.EncodeToString(script)
	f := recognize(script)
	out := scriptPubKeyJSON{
		Asm:  asm(script, false),
		Desc: describe(script, s.address),
		Hex:  &text,
		Type: f.kind,
	}
	if addr, ok := s.address.Encode(script); ok && f.kind != typeNonStandard {
		out.Address = addr
	}
	if out.Record = s.record(script); out.Record != nil && out.Record.Error == "" {
		out.Type = typeRecord
	}
	return out
}

// txOptions say what is shown of a transaction besides itself.
type txOptions struct {
	hex bool

	// spent holds the coins of the inputs, in order: they give the fee. nil
	// where they are not known. prevouts shows them as well.
	spent    []consensus.Coin
	prevouts bool
}

func (s *shaper) tx(tx *consensus.Tx, opt txOptions) *txJSON {
	msg := tx.Msg
	out := &txJSON{
		TxID:     tx.TxID.String(),
		Hash:     tx.WTxID.String(),
		Version:  uint32(msg.Version),
		Size:     tx.Size,
		VSize:    tx.VSize(),
		Weight:   tx.Weight,
		LockTime: msg.LockTime,
		Vin:      make([]vinTx, len(msg.TxIn)),
		Vout:     make([]voutTx, len(msg.TxOut)),
	}
	coinbase := tx.IsCoinbase()
	for i, in := range msg.TxIn {
		out.Vin[i] = s.vin(in, coinbase)
		if opt.prevouts && opt.spent != nil {
			out.Vin[i].Prevout = s.prevout(&opt.spent[i])
		}
	}
	for i, txOut := range msg.TxOut {
		out.Vout[i] = voutTx{Amount(txOut.Value), i, s.scriptPubKey(txOut.PkScript)}
	}
	if opt.spent != nil && !coinbase {
		fee := feeOf(msg, opt.spent)
		out.Fee = &fee
	}
	if opt.hex {
		out.Hex = hex.EncodeToString(encodeTx(msg))
	}
	return out
}

func (s *shaper) vin(in *wire.TxIn, coinbase bool) vinTx {
	v := vinTx{Sequence: in.Sequence}
	for _, item := range in.Witness {
		v.Witness = append(v.Witness, hex.EncodeToString(item))
	}
	if coinbase {
		v.Coinbase = hex.EncodeToString(in.SignatureScript)
		return v
	}
	v.TxID = in.PreviousOutPoint.Hash.String()
	v.Vout = &in.PreviousOutPoint.Index
	v.ScriptSig = &scriptSig{asm(in.SignatureScript, true), hex.EncodeToString(in.SignatureScript)}
	return v
}

func (s *shaper) prevout(coin *consensus.Coin) *prevoutJSON {
	return &prevoutJSON{coin.Coinbase, coin.Height, Amount(coin.Amount), s.scriptPubKey(coin.Script)}
}

func feeOf(msg *wire.MsgTx, spent []consensus.Coin) Amount {
	var fee int64
	for i := range spent {
		fee += spent[i].Amount
	}
	for _, out := range msg.TxOut {
		fee -= out.Value
	}
	return Amount(fee)
}

// encodeWith returns what a Serialize method writes.
func encodeWith(size int, serialize func(io.Writer) error) []byte {
	b := bytes.NewBuffer(make([]byte, 0, size))
	_ = serialize(b) // a buffer takes everything
	return b.Bytes()
}

func encodeTx(msg *wire.MsgTx) []byte {
	return encodeWith(msg.SerializeSize(), msg.Serialize)
}

// confirmed adds where a transaction is.
func (s *shaper) confirmed(out *txJSON, hash chainhash.Hash) {
	out.BlockHash = hash.String()
	confirmations := int32(0)
	out.Confirmations = &confirmations
	info, ok := s.chain.Lookup(hash)
	if !ok || !info.OnBest {
		return
	}
	confirmations = s.chain.Best().Height - info.Height + 1
	t := info.Header.Timestamp.Unix()
	out.Time, out.BlockTime = &t, &t
}
