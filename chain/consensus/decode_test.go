package consensus

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/params/scan"
)

func fourMillion() *params.Limits { return &params.Limits{BlockSerialized: 4_000_000} }

// rawTx and rawBlock are what wire writes.
func rawTx(t testing.TB, msg *wire.MsgTx) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := msg.Serialize(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func rawBlock(t testing.TB, msg *wire.MsgBlock) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := msg.Serialize(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// checkDecodeTx compares DecodeTx with what wire makes of the same bytes: the
// same verdict, and the same transaction down to which slices are nil.
func checkDecodeTx(t testing.TB, raw []byte) {
	t.Helper()
	before := bytes.Clone(raw)
	got, err := DecodeTx(raw)
	if !sameRefusal(t, err, scan.Tx(raw)) {
		return
	}
	var msg wire.MsgTx
	if err := msg.Deserialize(bytes.NewReader(raw)); err != nil {
		t.Fatalf("%x: wire says %v", raw, err)
	}
	if want := NewTx(&msg); !reflect.DeepEqual(got, want) { // faster than cmp
		t.Fatalf("%x: -wire +ours:\n%s", raw, cmp.Diff(want, got))
	}
	checkSlices(t, got.Msg)
	if again := rawTx(t, got.Msg); !bytes.Equal(again, before) {
		t.Fatalf("%x comes back as %x", before, again)
	}
	clone := got.Clone()
	clear(raw) // which the clone does not share
	if clone.TxID != clone.Msg.TxHash() || clone.WTxID != clone.Msg.WitnessHash() || !bytes.Equal(rawTx(t, clone.Msg), before) {
		t.Fatalf("%x: its clone is %x", before, rawTx(t, clone.Msg))
	}
}

// checkDecodeBlock does the same for a block.
func checkDecodeBlock(t testing.TB, raw []byte) {
	t.Helper()
	got, err := DecodeBlock(raw, fourMillion())
	if !sameRefusal(t, err, scan.Block(raw, fourMillion())) {
		return
	}
	var msg wire.MsgBlock
	if err := msg.Deserialize(bytes.NewReader(raw)); err != nil {
		t.Fatalf("%x: wire says %v", raw, err)
	}
	want := NewBlock(&msg)
	if !reflect.DeepEqual(got.Txs, want.Txs) {
		t.Fatalf("%x: -wire +ours:\n%s", raw, cmp.Diff(want.Txs, got.Txs))
	}
	if got.Header != want.Header || got.Hash != want.Hash || got.Size() != len(raw) {
		t.Fatalf("%x: %v, %v, %d bytes", raw, got.Header, got.Hash, got.Size())
	}
	for _, tx := range got.Txs {
		checkSlices(t, tx.Msg)
	}
	if again := rawBlock(t, got.Msg()); !bytes.Equal(again, raw) || &got.Raw()[0] != &raw[0] || len(got.Raw()) != len(raw) {
		t.Fatalf("%x comes back as %x", raw, again)
	}
}

// sameRefusal compares the error of a decoder with that of the scan, and
// reports whether there was none.
func sameRefusal(t testing.TB, err, scanned error) bool {
	t.Helper()
	var got, want *scan.Error
	errors.As(err, &got)
	errors.As(scanned, &want)
	if diff := cmp.Diff(want, got); diff != "" || (err == nil) != (scanned == nil) {
		t.Fatalf("%v, the scan says %v", err, scanned)
	}
	return err == nil
}

// checkSlices checks that appending to any part of a transaction leaves all
// others as they are.
func checkSlices(t testing.TB, tx *wire.MsgTx) {
	t.Helper()
	full := func(length, capacity int) {
		if length != capacity {
			t.Fatalf("%v: a slice of %d has room for %d", tx.TxHash(), length, capacity)
		}
	}
	full(len(tx.TxIn), cap(tx.TxIn))
	full(len(tx.TxOut), cap(tx.TxOut))
	for _, in := range tx.TxIn {
		full(len(in.SignatureScript), cap(in.SignatureScript))
		full(len(in.Witness), cap(in.Witness))
		for _, item := range in.Witness {
			full(len(item), cap(item))
		}
	}
	for _, out := range tx.TxOut {
		full(len(out.PkScript), cap(out.PkScript))
	}
}

func TestDecodeAgainstWire(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 22))
	for _, n := range []int{0, 1, 2, 0xfc, 0xfd, 300} {
		msg := &wire.MsgBlock{Header: wire.BlockHeader{Version: -4, Timestamp: time.Unix(1<<32-1, 0), Bits: rng.Uint32(), Nonce: rng.Uint32()}}
		for range n {
			msg.Transactions = append(msg.Transactions, randomTx(rng))
		}
		checkDecodeBlock(t, rawBlock(t, msg))
		for _, tx := range msg.Transactions {
			checkDecodeTx(t, rawTx(t, tx))
		}
	}
}

// TestDecodeShapes: what is rare, or at the edge of how the pieces are
// hashed, counted and cut.
func TestDecodeShapes(t *testing.T) {
	tx := func(change func(*wire.MsgTx)) []byte {
		msg := payment(1)
		change(msg)
		return rawTx(t, msg)
	}
	tests := map[string][]byte{
		"no outputs":                tx(func(m *wire.MsgTx) { m.TxOut = nil }),
		"no outputs, with witness":  tx(func(m *wire.MsgTx) { m.TxOut = nil; m.TxIn[0].Witness = [][]byte{{}} }),
		"one empty item":            tx(func(m *wire.MsgTx) { m.TxIn[0].Witness = [][]byte{{}} }),
		"coinbase":                  rawTx(t, coinbaseAt(1, 1)),
		"300 witness items":         tx(func(m *wire.MsgTx) { m.TxIn[0].Witness = make([][]byte, 300) }),
		"a witness of 70,000 bytes": tx(func(m *wire.MsgTx) { m.TxIn[0].Witness = [][]byte{make([]byte, 70_000)} }),
		"the second input's only": tx(func(m *wire.MsgTx) {
			m.TxIn = append(m.TxIn, &wire.TxIn{Witness: [][]byte{{1}, {}}})
		}),
		"300 inputs": tx(func(m *wire.MsgTx) {
			for range 299 {
				m.TxIn = append(m.TxIn, &wire.TxIn{})
			}
		}),
	}
	for name, raw := range tests {
		t.Run(name, func(t *testing.T) { checkDecodeTx(t, raw) })
	}
	for _, n := range []int{438, 439, 440, 441, 442, 443, 0xffff, 0x10000, 0x10001} { // around 512 bytes in all
		checkDecodeTx(t, tx(func(m *wire.MsgTx) {
			m.TxOut[0].PkScript = make([]byte, n)
			m.TxIn[0].Witness = [][]byte{{1}}
		}))
	}
	for _, err := range []error{second(DecodeTx(nil)), second(DecodeBlock(nil, nil)), second(DecodeBlock(make([]byte, 4_000_001), fourMillion()))} {
		var bad *scan.Error
		if !errors.As(err, &bad) {
			t.Errorf("got %v", err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// TestRawOfBuiltBlock: only a block that was decoded has bytes.
func TestRawOfBuiltBlock(t *testing.T) {
	if raw := block(coinbaseAt(1, 1)).Raw(); raw != nil {
		t.Errorf("%x", raw)
	}
}

// TestDecodeAllocations: their number does not grow with the block.
func TestDecodeAllocations(t *testing.T) {
	allocations := func(txs int) float64 {
		msg := &wire.MsgBlock{Transactions: []*wire.MsgTx{coinbaseAt(1, 1)}}
		for i := range txs {
			tx := payment(uint32(i))
			tx.TxIn[0].Witness = [][]byte{make([]byte, 64)}
			msg.Transactions = append(msg.Transactions, tx)
		}
		raw := rawBlock(t, msg)
		return testing.AllocsPerRun(5, func() {
			if _, err := DecodeBlock(raw, fourMillion()); err != nil {
				panic(err)
			}
		})
	}
	small, large := allocations(1), allocations(1000)
	if small != large || large > 10 {
		t.Errorf("%v allocations for 2 transactions, %v for 1001", small, large)
	}
	raw := rawTx(t, payment(1))
	if n := testing.AllocsPerRun(5, func() {
		if _, err := DecodeTx(raw); err != nil {
			panic(err)
		}
	}); n > 6 {
		t.Errorf("%v allocations for a transaction", n)
	}
}

func FuzzDecodeTx(f *testing.F) {
	rng := rand.New(rand.NewPCG(23, 24))
	for range 8 {
		f.Add(rawTx(f, randomTx(rng)))
	}
	f.Add(rawTx(f, coinbaseAt(1, 1)))
	f.Add([]byte{1, 0, 0, 0, 0, 1, 0})
	f.Fuzz(func(t *testing.T, raw []byte) { checkDecodeTx(t, raw) })
}

func FuzzDecodeBlock(f *testing.F) {
	rng := rand.New(rand.NewPCG(25, 26))
	for n := range 3 {
		msg := &wire.MsgBlock{Header: wire.BlockHeader{MerkleRoot: chainhash.Hash{byte(n)}}}
		for range n {
			msg.Transactions = append(msg.Transactions, randomTx(rng))
		}
		f.Add(rawBlock(f, msg))
	}
	f.Add(binary.LittleEndian.AppendUint32(make([]byte, 80), 0xfe))
	f.Fuzz(func(t *testing.T, raw []byte) { checkDecodeBlock(t, raw) })
}
