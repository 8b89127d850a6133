package rpc

import (
	"encoding/base64"
	"encoding/binary"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/permission/record"
)

// Parts of a PSBT (BIP174).
const (
	psbtMagic       = "psbt\xff"
	psbtGlobalTx    = 0x00
	psbtWitnessUTXO = 0x01
)

// recordSequence leaves locktime off, as wallets do.
const recordSequence = wire.MaxTxInSequenceNum - 2

// unsigned is the PSBT, in base64, of a transaction that spends coins for
// records. It pays no fee. Its outputs are the records, what the coins are
// worth, and an authority output for each key that spoke or that a record
// lets govern.
func unsigned(records []record.Record, coins []speakingCoin) (string, error) {
	tx := wire.NewMsgTx(2)
	for _, r := range records {
		script, err := record.Script(r)
		if err != nil {
			return "", err
		}
		tx.AddTxOut(wire.NewTxOut(0, script))
	}
	renewed := map[string]bool{}
	renew := func(script []byte) {
		if !renewed[string(script)] {
			renewed[string(script)] = true
			tx.AddTxOut(wire.NewTxOut(0, script))
		}
	}
	for i := range coins {
		c := &coins[i]
		in := wire.NewTxIn(&c.op, nil, nil)
		in.Sequence = recordSequence
		tx.AddTxIn(in)
		if c.amount > 0 {
			tx.AddTxOut(wire.NewTxOut(c.amount, c.script))
		}
	}
	for i := range coins {
		renew(coins[i].script)
	}
	for _, r := range records {
		if k, _, ok := record.Key(r); ok && k.Roles.Any(record.Governing) {
			renew(k.Identity)
		}
	}
	return base64.StdEncoding.EncodeToString(psbtOf(tx, coins)), nil
}

// psbtOf writes a PSBT of version 0 without signatures.
func psbtOf(tx *wire.MsgTx, coins []speakingCoin) []byte {
	pair := func(out []byte, key byte, value []byte) []byte {
		out = append(out, 1, key)
		out = appendSize(out, len(value))
		return append(out, value...)
	}
	out := pair([]byte(psbtMagic), psbtGlobalTx, encodeWith(tx.SerializeSizeStripped(), tx.SerializeNoWitness))
	out = append(out, 0)
	for i := range coins {
		utxo := binary.LittleEndian.AppendUint64(nil, uint64(coins[i].amount))
		utxo = append(appendSize(utxo, len(coins[i].script)), coins[i].script...)
		out = append(pair(out, psbtWitnessUTXO, utxo), 0)
	}
	return append(out, make([]byte, len(tx.TxOut))...) // nothing about outputs
}

// appendSize writes a length as transactions have it. Nothing here comes near
// the longest forms.
func appendSize(out []byte, n int) []byte {
	if n < 0xfd {
		return append(out, byte(n))
	}
	if n <= 0xffff {
		return binary.LittleEndian.AppendUint16(append(out, 0xfd), uint16(n))
	}
	return binary.LittleEndian.AppendUint32(append(out, 0xfe), uint32(n))
}
