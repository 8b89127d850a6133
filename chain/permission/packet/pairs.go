package packet

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/params/scan"
)

// What package psbt does not look at is looked at here before it reads a
// PSBT: it sets aside as many bytes as a length announces, takes a key of the
// global map twice, keeps one byte only of a key's type, skips the length of a
// coin's script and wants the transaction to come first. It has no way to put
// two copies together either, which is done here pair by pair.

const (
	// maxPSBT bounds the bytes of a packet: many times what a transaction
	// with the most records takes.
	maxPSBT = 1 << 20

	// maxPairs bounds the pairs of a map: each is compared with the others.
	maxPairs = 1000

	// lastType is the highest type of a key that is one byte long.
	lastType = 0xfc
)

// pair is a key and its value.
type pair struct{ key, value []byte }

// pairs is one map, in order.
type pairs []pair

func (m pairs) get(key ...byte) ([]byte, bool) {
	at := slices.IndexFunc(m, func(p pair) bool { return bytes.Equal(p.key, key) })
	if at < 0 {
		return nil, false
	}
	return m[at].value, true
}

// with adds pairs whose keys m does not have.
func (m pairs) with(more pairs) pairs {
	for _, p := range more {
		if _, ok := m.get(p.key...); !ok {
			m = append(m, p)
		}
	}
	return m
}

// readMaps splits what stands behind the magic into maps. They are slices of b.
func readMaps(b []byte) ([]pairs, error) {
	var list []pairs
	for len(b) > 0 {
		m, rest, err := readMap(b)
		if err != nil {
			return nil, fmt.Errorf("map %d: %w", len(list), err)
		}
		list, b = append(list, m), rest
	}
	if len(list) == 0 {
		return nil, errors.New("it ends behind its magic")
	}
	return list, nil
}

// readMap reads a map and returns what is behind it.
func readMap(b []byte) (m pairs, rest []byte, err error) {
	for {
		var p pair
		if p.key, b, err = readBytes(b); err != nil {
			return nil, nil, err
		}
		if len(p.key) == 0 {
			return m, b, nil
		}
		if p.key[0] > lastType {
			return nil, nil, fmt.Errorf("the key %.20x has a type above %x: it is not understood", p.key, lastType)
		}
		if p.value, b, err = readBytes(b); err != nil {
			return nil, nil, err
		}
		if _, twice := m.get(p.key...); twice {
			return nil, nil, fmt.Errorf("the key %.20x is there twice", p.key)
		}
		if len(m) == maxPairs {
			return nil, nil, fmt.Errorf("it has more than %d pairs", maxPairs)
		}
		m = append(m, p)
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

// checkMaps makes sure that package psbt reads the maps as they are meant,
// and moves the transaction to the front.
func checkMaps(maps []pairs) error {
	global := maps[0]
	if v, ok := global.get(psbtVersion); ok && !bytes.Equal(v, make([]byte, 4)) {
		return errors.New("its version is not 0, which is the only one that is understood")
	}
	raw, ok := global.get(psbtTx)
	if !ok {
		return errors.New("it holds no transaction")
	}
	tx, err := scan.DecodeTx(raw)
	if err != nil {
		return err
	}
	if tx.SerializeSizeStripped() != len(raw) {
		return errors.New("transaction: it is signed within it")
	}
	if want := 1 + len(tx.TxIn) + len(tx.TxOut); len(maps) != want {
		return fmt.Errorf("it has %d maps, and its transaction asks for %d", len(maps), want)
	}
	for i := range tx.TxIn {
		if err := checkInput(maps[1+i]); err != nil {
			return fmt.Errorf("input %d: %w", i, err)
		}
	}
	maps[0] = pairs{{[]byte{psbtTx}, raw}}.with(global)
	return nil
}

func checkInput(m pairs) error {
	if prev, ok := m.get(psbtPrevTx); ok {
		if err := scan.Tx(prev); err != nil {
			return fmt.Errorf("the transaction of its coin: %w", err)
		}
	}
	utxo, ok := m.get(psbtWitnessUTXO)
	if !ok {
		return errors.New("it does not say which coin it spends (witness UTXO)")
	}
	const amount = 8
	if len(utxo) < amount {
		return errors.New("its coin is cut off")
	}
	n, size, err := scan.VarInt(utxo[amount:])
	if err != nil || n != uint64(len(utxo)-amount-size) {
		return errors.New("the script of its coin is cut off or too long")
	}
	return nil
}

// writeMaps is the PSBT of maps.
func writeMaps(maps []pairs) []byte {
	out := bytes.NewBufferString(psbtMagic)
	for _, m := range maps {
		for _, p := range m {
			// A bytes.Buffer takes everything.
			_ = wire.WriteVarBytes(out, 0, p.key)
			_ = wire.WriteVarBytes(out, 0, p.value)
		}
		out.WriteByte(0)
	}
	return out.Bytes()
}
