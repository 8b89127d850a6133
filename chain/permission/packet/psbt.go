package packet

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/btcsuite/btcd/btcec/v2/schnorr"

	"github.com/charterchain/charter/chain/params/scan"
)

// PSBTs of version 0 (BIP174, BIP371); doc.go has the format.
const (
	psbtMagic = "psbt\xff"

	psbtTx      = 0x00
	psbtVersion = 0xfb

	psbtWitnessUTXO = 0x01
	psbtSigHash     = 0x03
	psbtWitness     = 0x08
	psbtTapKeySig   = 0x13

	// maxPSBT bounds the bytes of a packet: many times what a transaction
	// with the most records takes.
	maxPSBT = 1 << 20
)

// psbtPair is a key and its value.
type psbtPair struct{ key, value []byte }

// psbtMap is the pairs of one map in order.
type psbtMap []psbtPair

// Encode writes the packet as a PSBT in base64.
func (p *Packet) Encode() (string, error) {
	var tx bytes.Buffer
	if err := p.Tx.SerializeNoWitness(&tx); err != nil {
		return "", fmt.Errorf("encode the transaction: %w", err)
	}
	out := []byte(psbtMagic)
	out = psbtMap{{[]byte{psbtTx}, tx.Bytes()}}.with(p.extraOf(0)).append(out)
	for i, c := range p.Coins {
		utxo := binary.LittleEndian.AppendUint64(nil, uint64(c.Amount))
		utxo = append(appendSize(utxo, len(c.Script)), c.Script...)
		m := psbtMap{{[]byte{psbtWitnessUTXO}, utxo}}
		if p.Sigs[i] != nil {
			m = append(m, psbtPair{[]byte{psbtTapKeySig}, p.Sigs[i]})
		}
		out = m.with(p.extraOf(1 + i)).append(out)
	}
	for i := range p.Tx.TxOut {
		out = p.extraOf(1 + len(p.Coins) + i).append(out)
	}
	return base64.StdEncoding.EncodeToString(out), nil
}

// extraOf is what a map holds besides what the packet understands.
func (p *Packet) extraOf(i int) psbtMap {
	if i >= len(p.extra) {
		return nil
	}
	return p.extra[i]
}

// with adds pairs whose keys m does not have.
func (m psbtMap) with(more psbtMap) psbtMap {
	for _, pair := range more {
		if _, ok := m.get(pair.key...); !ok {
			m = append(m, pair)
		}
	}
	return m
}

func (m psbtMap) get(key ...byte) ([]byte, bool) {
	at := slices.IndexFunc(m, func(p psbtPair) bool { return bytes.Equal(p.key, key) })
	if at < 0 {
		return nil, false
	}
	return m[at].value, true
}

func (m psbtMap) append(out []byte) []byte {
	for _, pair := range m {
		out = append(appendSize(out, len(pair.key)), pair.key...)
		out = append(appendSize(out, len(pair.value)), pair.value...)
	}
	return append(out, 0)
}

func appendSize(out []byte, n int) []byte {
	switch {
	case n < 0xfd:
		return append(out, byte(n))
	case n <= 0xffff:
		return binary.LittleEndian.AppendUint16(append(out, 0xfd), uint16(n))
	}
	return binary.LittleEndian.AppendUint32(append(out, 0xfe), uint32(n))
}

// Parse reads a PSBT in base64. Signatures in it are checked.
func Parse(text string) (*Packet, error) {
	p, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("PSBT: %w", err)
	}
	return p, nil
}

func parse(text string) (*Packet, error) {
	text = strings.TrimSpace(text)
	if len(text) > base64.StdEncoding.EncodedLen(maxPSBT) {
		return nil, fmt.Errorf("it is longer than %d bytes", maxPSBT)
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("it is not base64: %w", err)
	}
	rest, ok := bytes.CutPrefix(raw, []byte(psbtMagic))
	if !ok {
		return nil, errors.New("it does not begin as one")
	}
	global, rest, err := readMap(rest)
	if err != nil {
		return nil, fmt.Errorf("global map: %w", err)
	}
	p := new(Packet)
	if err := p.readGlobal(global); err != nil {
		return nil, err
	}
	for i := range p.Tx.TxIn {
		var m psbtMap
		if m, rest, err = readMap(rest); err == nil {
			err = p.readInput(i, m)
		}
		if err != nil {
			return nil, fmt.Errorf("input %d: %w", i, err)
		}
	}
	for i := range p.Tx.TxOut {
		var m psbtMap
		if m, rest, err = readMap(rest); err != nil {
			return nil, fmt.Errorf("output %d: %w", i, err)
		}
		p.extra = append(p.extra, m)
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("%d bytes are left over behind it", len(rest))
	}
	if err := p.Check(); err != nil {
		return nil, err
	}
	for i, sig := range p.Sigs {
		if sig == nil {
			continue
		}
		if err := p.CheckSig(i, sig); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *Packet) readGlobal(m psbtMap) error {
	if v, ok := m.get(psbtVersion); ok && !bytes.Equal(v, make([]byte, 4)) {
		return errors.New("its version is not 0, which is the only one that is understood")
	}
	raw, ok := m.get(psbtTx)
	if !ok {
		return errors.New("it holds no transaction")
	}
	tx, err := scan.DecodeTx(raw)
	if err != nil {
		return fmt.Errorf("transaction: %w", err)
	}
	for i, in := range tx.TxIn {
		if len(in.SignatureScript) > 0 || len(in.Witness) > 0 {
			return fmt.Errorf("transaction: input %d is signed within it", i)
		}
	}
	p.Tx = tx
	p.extra = append(p.extra, m.without(psbtTx))
	return nil
}

func (p *Packet) readInput(i int, m psbtMap) error {
	utxo, ok := m.get(psbtWitnessUTXO)
	if !ok {
		return errors.New("it does not say which coin it spends (witness UTXO)")
	}
	if v, ok := m.get(psbtSigHash); ok && !bytes.Equal(v, make([]byte, 4)) {
		return errors.New("it asks for another signature hash than the default one")
	}
	const amount = 8
	if len(utxo) < amount {
		return errors.New("its coin is cut off")
	}
	n, size, err := scan.VarInt(utxo[amount:])
	if err != nil || n != uint64(len(utxo)-amount-size) {
		return errors.New("the script of its coin is cut off or too long")
	}
	p.Coins = append(p.Coins, Coin{
		OutPoint: p.Tx.TxIn[i].PreviousOutPoint,
		Amount:   int64(binary.LittleEndian.Uint64(utxo)),
		Script:   utxo[amount+size:],
	})
	sig, err := inputSig(m)
	if err != nil {
		return err
	}
	p.Sigs = append(p.Sigs, sig)
	p.extra = append(p.extra, m.without(psbtWitnessUTXO, psbtTapKeySig, psbtWitness))
	return nil
}

// inputSig is the signature of an input, nil for none.
func inputSig(m psbtMap) ([]byte, error) {
	sig, ok := m.get(psbtTapKeySig)
	if final, is := m.get(psbtWitness); is {
		const head = 2 // one item, of 64 bytes
		if len(final) != head+schnorr.SignatureSize || final[0] != 1 || final[1] != schnorr.SignatureSize {
			return nil, errors.New("its witness is not one signature of a key")
		}
		sig, ok = final[head:], true
	}
	if ok && len(sig) != schnorr.SignatureSize {
		return nil, fmt.Errorf("its signature has %d bytes instead of %d: only the default signature hash is understood", len(sig), schnorr.SignatureSize)
	}
	return sig, nil
}

// without drops pairs whose key is one of the types alone.
func (m psbtMap) without(types ...byte) psbtMap {
	return slices.DeleteFunc(slices.Clone(m), func(p psbtPair) bool {
		return len(p.key) == 1 && slices.Contains(types, p.key[0])
	})
}

// readMap reads a map and returns what is behind it.
func readMap(b []byte) (m psbtMap, rest []byte, err error) {
	for {
		var pair psbtPair
		if pair.key, b, err = readBytes(b); err != nil {
			return nil, nil, err
		}
		if len(pair.key) == 0 {
			return m, b, nil
		}
		if pair.value, b, err = readBytes(b); err != nil {
			return nil, nil, err
		}
		if _, twice := m.get(pair.key...); twice {
			return nil, nil, fmt.Errorf("the key %x is there twice", pair.key)
		}
		m = append(m, pair)
	}
}

func readBytes(b []byte) (v, rest []byte, err error) {
	n, size, err := scan.VarInt(b)
	if err != nil {
		return nil, nil, fmt.Errorf("a length: %w", err)
	}
	if n > uint64(len(b)-size) {
		return nil, nil, fmt.Errorf("%d bytes are announced, %d are left", n, len(b)-size)
	}
	return b[size : size+int(n)], b[size+int(n):], nil
}

// mergeExtra takes over pairs of another copy that this one does not have.
func (p *Packet) mergeExtra(other *Packet) {
	for i := range max(len(p.extra), len(other.extra)) {
		if i == len(p.extra) {
			p.extra = append(p.extra, nil)
		}
		p.extra[i] = slices.Clone(p.extra[i]).with(other.extraOf(i))
	}
}
