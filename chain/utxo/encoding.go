package utxo

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
)

const (
	// Prefix starts the key of every row of the committed set.
	Prefix = 'C'

	maxScript    = txscript.MaxScriptSize // a longer one can never be run
	maxCoinValue = 5 + 10 + 3 + maxScript
	minCoinValue = 1 + 1 + 1
)

// Unspendable says that no input can ever spend an output with this script:
// it starts with OP_RETURN or is longer than a script may be. Such outputs
// are not coins.
func Unspendable(script []byte) bool {
	return len(script) > maxScript || (len(script) > 0 && script[0] == txscript.OP_RETURN)
}

// template is a frequent form of script: a variable part between fixed ones.
type template struct {
	form           uint64
	prefix, suffix string
	size           int // bytes of the variable part
}

// templates lists the forms in the order of their numbers. A string of bytes
// matches one of them at most.
var templates = [...]template{
	{form: 0, prefix: "\x76\xa9\x14", size: 20, suffix: "\x88\xac"}, // P2PKH
	{form: 1, prefix: "\xa9\x14", size: 20, suffix: "\x87"},         // P2SH
	{form: 2, prefix: "\x21\x02", size: 32, suffix: "\xac"},         // P2PK
	{form: 3, prefix: "\x21\x03", size: 32, suffix: "\xac"},         // P2PK
	{form: 4, prefix: "\x00\x14", size: 20},                         // P2WPKH
	{form: 5, prefix: "\x00\x20", size: 32},                         // P2WSH
	{form: 6, prefix: "\x51\x20", size: 32},                         // P2TR
}

func (t *template) matches(script []byte) bool {
	p, n := len(t.prefix), len(script)-len(t.suffix)
	return n == p+t.size && string(script[:p]) == t.prefix && string(script[n:]) == t.suffix
}

func findTemplate(script []byte) *template {
	if len(script) < 22 || len(script) > 35 {
		return nil
	}
	for i := range templates {
		if templates[i].matches(script) {
			return &templates[i]
		}
	}
	return nil
}

// appendCoin adds the value of a row. The coin's amount and height are not
// negative and its script is not unspendable.
func appendCoin(dst []byte, c *consensus.Coin) []byte {
	if c.Amount < 0 || c.Height < 0 || len(c.Script) > maxScript {
		panic(fmt.Sprintf("utxo: no coin: amount %d, height %d, script of %d bytes", c.Amount, c.Height, len(c.Script)))
	}
	code := uint64(c.Height) << 1
	if c.Coinbase {
		code |= 1
	}
	dst = appendVarint(dst, code)
	dst = appendVarint(dst, compressAmount(uint64(c.Amount)))
	if t := findTemplate(c.Script); t != nil {
		dst = appendVarint(dst, t.form)
		return append(dst, c.Script[len(t.prefix):len(t.prefix)+t.size]...)
	}
	dst = appendVarint(dst, uint64(len(templates)+len(c.Script)))
	return append(dst, c.Script...)
}

// readCoin returns the coin at the start of b, which it does not keep, and
// what follows it. The script is made in scripts.
func readCoin(b []byte, scripts *byteSlab) (c consensus.Coin, rest []byte, err error) {
	code, b, err := readVarint(b)
	if err != nil {
		return c, nil, fmt.Errorf("height: %w", err)
	}
	if code>>1 > math.MaxInt32 {
		return c, nil, fmt.Errorf("height: %w", errNumber)
	}
	compressed, b, err := readVarint(b)
	if err != nil {
		return c, nil, fmt.Errorf("amount: %w", err)
	}
	amount, ok := expandAmount(compressed)
	if !ok {
		return c, nil, fmt.Errorf("amount: %w", errNumber)
	}
	script, b, err := readScript(b, scripts)
	if err != nil {
		return c, nil, fmt.Errorf("script: %w", err)
	}
	return consensus.Coin{
		Amount:   int64(amount),
		Script:   script,
		Height:   int32(code >> 1),
		Coinbase: code&1 == 1,
	}, b, nil
}

func readScript(b []byte, scripts *byteSlab) (script, rest []byte, err error) {
	form, b, err := readVarint(b)
	if err != nil {
		return nil, nil, err
	}
	if form < uint64(len(templates)) {
		t := &templates[form]
		if len(b) < t.size {
			return nil, nil, errShort
		}
		script = scripts.take(len(t.prefix) + t.size + len(t.suffix))[:0]
		script = append(script, t.prefix...)
		script = append(script, b[:t.size]...)
		return append(script, t.suffix...), b[t.size:], nil
	}
	n := form - uint64(len(templates))
	if n > maxScript {
		return nil, nil, errNumber
	}
	if uint64(len(b)) < n {
		return nil, nil, errShort
	}
	if findTemplate(b[:n]) != nil {
		return nil, nil, errors.New("has a shorter form")
	}
	if n == 0 {
		return []byte{}, b, nil
	}
	script = scripts.take(int(n))
	copy(script, b)
	return script, b[n:], nil
}

// decodeCoin is the inverse of appendCoin. The script is made in scripts.
func decodeCoin(b []byte, scripts *byteSlab) (consensus.Coin, error) {
	c, rest, err := readCoin(b, scripts)
	if err == nil && len(rest) > 0 {
		err = errTrailing
	}
	return c, err
}

const maxKey = 1 + chainhash.HashSize + 5

// appendKey adds the key of a row.
func appendKey(dst []byte, op *wire.OutPoint) []byte {
	dst = append(dst, Prefix)
	dst = append(dst, op.Hash[:]...)
	switch {
	case op.Index < 0xfd:
		return append(dst, byte(op.Index))
	case op.Index <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, 0xfd), uint16(op.Index))
	}
	return binary.BigEndian.AppendUint32(append(dst, 0xfe), op.Index)
}

// decodeKey is the inverse of appendKey.
func decodeKey(key []byte) (op wire.OutPoint, err error) {
	bad := keyError(key)
	if len(key) < 1+chainhash.HashSize+1 || key[0] != Prefix {
		return op, bad
	}
	copy(op.Hash[:], key[1:])
	index := key[1+chainhash.HashSize:]
	switch {
	case len(index) == 1 && index[0] < 0xfd:
		op.Index = uint32(index[0])
	case len(index) == 3 && index[0] == 0xfd:
		op.Index = uint32(binary.BigEndian.Uint16(index[1:]))
	case len(index) == 5 && index[0] == 0xfe:
		op.Index = binary.BigEndian.Uint32(index[1:])
	default:
		return op, bad
	}
	if len(index) == 3 && op.Index < 0xfd || len(index) == 5 && op.Index <= math.MaxUint16 {
		return op, bad // has a shorter form
	}
	return op, nil
}

type keyError []byte

func (e keyError) Error() string { return fmt.Sprintf("%x is no key of a coin", []byte(e)) }

// Snapshot is the committed state at one moment: store.ReadSnapshot.
type Snapshot interface {
	// Each calls fn for the rows whose keys start with prefix, in key
	// order. The slices are valid during the call only.
	Each(prefix []byte, fn func(key, value []byte) error) error
}

// EachCoin calls fn for every coin of a snapshot, in the order of txid
// (internal byte order) and index, until fn returns an error. A row that
// does not decode ends it with an error that wraps ErrDamaged.
func EachCoin(snap Snapshot, fn func(op wire.OutPoint, coin consensus.Coin) error) error {
	return snap.Each([]byte{Prefix}, func(key, value []byte) error {
		op, err := decodeKey(key)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		coin, err := decodeCoin(value, new(byteSlab))
		if err != nil {
			return damagedCoin(op, err)
		}
		return fn(op, coin)
	})
}

// ErrDamaged is wrapped by errors about rows of the committed set that do
// not decode. The coin set must be built anew.
var ErrDamaged = errors.New("coin set is damaged")

func damagedCoin(op wire.OutPoint, err error) error {
	return fmt.Errorf("%w: coin %v: %w", ErrDamaged, op, err)
}
