package scan

import (
	"bytes"
	"compress/bzip2"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/params"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Parts of transactions in hexadecimal.
var (
	input   = strings.Repeat("11", 32) + "00000000" + "01aa" + "ffffffff"
	output  = "0500000000000000" + "02bbcc"
	legacy  = "01000000" + "01" + input + "01" + output + "00000000"
	segwit  = "02000000" + "0001" + "01" + input + "01" + output + "02" + "00" + "01dd" + "00000000"
	header  = strings.Repeat("77", 80)
	tooMany = "01000000" + "fe80969800" // 10,000,000 inputs
)

func TestTx(t *testing.T) {
	tests := []struct{ name, hex, says string }{
		{"legacy", legacy, ""},
		{"with witness", segwit, ""},
		{"no outputs", "01000000" + "01" + input + "00" + "00000000", ""},
		{"empty", "", "transaction version at byte 0: needs 4 bytes, 0 are left"},
		{"no inputs", "01000000" + "00" + "00" + "00000000", "input count at byte 4: is 0"},
		{"no inputs, with marker", "01000000" + "0001" + "00" + "00" + "00000000", "input count at byte 6: is 0"},
		{"flag 2", strings.Replace(segwit, "0001", "0002", 1), "input count at byte 4"},
		{"marker alone", "0100000000", "input count at byte 4"},
		{"superfluous witness", "02000000" + "0001" + "01" + input + "01" + output + "00" + "00000000", "announced but all empty"},
		{"trailing byte", legacy + "00", "end at byte 63: 1 bytes too many"},
		{"ten million inputs", tooMany, "input count at byte 4: announces 10000000, the 0 bytes left hold at most 0"},
		{"one input too many", "01000000" + "03" + input + input + strings.Repeat("00", 36), "announces 3, the 120 bytes left hold at most 2"},
		{"count of 64 bits", "01000000" + "ffffffffffffffffff", "announces 18446744073709551615"},
		{"outputs", "01000000" + "01" + input + "fd0010" + output, "output count at byte 47: announces 4096"},
		{"witness items", strings.Replace(segwit, "020001dd", "fd0010", 1), "witness item count"},
		{"script longer than the rest", strings.Replace(legacy, "01aa", "7faa", 1), "input script at byte 41: announces 127"},
		{"long form of a short count", "01000000" + "fd0100" + input + "01" + output + "00000000", "1 is written with more bytes than it needs"},
		{"cut varint", "01000000" + "fd01", "needs 3 bytes, 2 are left"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := unhex(t, tt.hex)
			err := Tx(b)
			if tt.says == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var bad *Error
			if !errors.As(err, &bad) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v; want it to say %q", err, tt.says)
			}
			if tx, err := DecodeTx(b); err == nil {
				t.Errorf("decoded as %v", tx)
			}
		})
	}
}

// Whatever byte is cut or changed, nothing panics, and what passes decodes.
func TestEveryCutAndEveryByte(t *testing.T) {
	for _, text := range []string{legacy, segwit} {
		whole := unhex(t, text)
		for n := range whole {
			if Tx(whole[:n]) == nil {
				t.Errorf("the first %d bytes of %s pass", n, text)
			}
			for v := range 256 {
				b := bytes.Clone(whole)
				b[n] = byte(v)
				checkTx(t, b)
			}
		}
	}
}

// checkTx compares the scan with wire: whatever passes, wire decodes, and
// encodes to the same bytes; and wire decodes nothing else, but for bytes
// that follow and transactions without inputs.
func checkTx(t testing.TB, b []byte) {
	t.Helper()
	tx, err := DecodeTx(b)
	var bad *Error
	if err != nil {
		if !errors.As(err, &bad) {
			t.Fatalf("%x passes the scan and does not decode: %v", b, err)
		}
		checkRefused(t, b, bad)
		return
	}
	var again bytes.Buffer
	if err := tx.Serialize(&again); err != nil || !bytes.Equal(again.Bytes(), b) {
		t.Fatalf("%x comes back as %x (%v)", b, again.Bytes(), err)
	}
}

// checkRefused lets wire decode what the scan refuses, but for counts that
// would cost it much memory to find wrong.
func checkRefused(t testing.TB, b []byte, bad *Error) {
	t.Helper()
	if strings.Contains(bad.Reason, "announces") || len(b) > MaxTxSize {
		return
	}
	var tx wire.MsgTx
	r := bytes.NewReader(b)
	if err := tx.Deserialize(r); err == nil && r.Len() == 0 && len(tx.TxIn) > 0 {
		t.Fatalf("%x is refused (%v), wire decodes it", b, bad)
	}
}

func TestVarInt(t *testing.T) {
	tests := []struct {
		hex  string
		v    uint64
		n    int
		good bool
	}{
		{"00", 0, 1, true},
		{"fc", 0xfc, 1, true},
		{"fcff", 0xfc, 1, true},
		{"fdfd00", 0xfd, 3, true},
		{"fdfc00", 0, 0, false},
		{"fdffff", 0xffff, 3, true},
		{"fe00000100", 0x10000, 5, true},
		{"feffff0000", 0, 0, false},
		{"feffffffff", 0xffffffff, 5, true},
		{"ff0000000001000000", 0x100000000, 9, true},
		{"ffffffffff00000000", 0, 0, false},
		{"ffffffffffffffffff", 0xffffffffffffffff, 9, true},
		{"", 0, 0, false},
		{"fd00", 0, 0, false},
		{"fe000000", 0, 0, false},
		{"ff00000000000000", 0, 0, false},
	}
	for _, tt := range tests {
		v, n, err := VarInt(unhex(t, tt.hex))
		if v != tt.v || n != tt.n || (err == nil) != tt.good {
			t.Errorf("%s: %d in %d bytes, %v; want %d in %d", tt.hex, v, n, err, tt.v, tt.n)
		}
		if tt.good && n != wire.VarIntSerializeSize(v) {
			t.Errorf("%s: wire would write %d bytes", tt.hex, wire.VarIntSerializeSize(v))
		}
	}
}

// txOfSize returns a transaction whose output script fills it up to size.
func txOfSize(size int) []byte {
	tx := wire.NewMsgTx(1)
	tx.AddTxIn(wire.NewTxIn(&wire.OutPoint{Hash: chainhash.Hash{1}}, nil, nil))
	tx.AddTxOut(wire.NewTxOut(1, make([]byte, size-60-4))) // a length of five bytes
	var b bytes.Buffer
	if err := tx.Serialize(&b); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func TestLargestTx(t *testing.T) {
	if b := txOfSize(MaxTxSize); len(b) != MaxTxSize {
		t.Fatalf("%d bytes", len(b))
	} else if _, err := DecodeTx(b); err != nil {
		t.Error(err)
	}
	if err := Tx(txOfSize(MaxTxSize + 1)); err == nil || !strings.Contains(err.Error(), "at most 4000000") {
		t.Errorf("%v", err)
	}
}

func TestBlock(t *testing.T) {
	limits := &params.Limits{BlockSerialized: 4_000_000}
	tests := []struct{ name, hex, says string }{
		{"two transactions", header + "02" + legacy + segwit, ""},
		{"no transaction", header + "00", ""},
		{"header cut", header[:158], "header at byte 0: needs 80 bytes, 79 are left"},
		{"no count", header, "transaction count at byte 80"},
		{"trailing byte", header + "01" + legacy + "00", "1 bytes too many"},
		{"many transactions", header + "fe80969800" + legacy, "announces 10000000, the 63 bytes left hold at most 1"},
		{"bad transaction", header + "02" + legacy + legacy[:118], "lock time"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := unhex(t, tt.hex)
			err := Block(b, limits)
			if tt.says == "" {
				checkBlock(t, b, limits)
			}
			if tt.says == "" && err != nil || tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says)) {
				t.Errorf("%v; want %q", err, tt.says)
			}
		})
	}
}

func TestBlockSizeFollowsTheChain(t *testing.T) {
	b := append(unhex(t, header+"01"), txOfSize(3_000_000)...)
	size := int64(len(b))
	for limit, want := range map[int64]bool{size - 1: false, size: true, size + 1: true} {
		if err := Block(b, &params.Limits{BlockSerialized: limit}); (err == nil) != want {
			t.Errorf("limit %d for %d bytes: %v", limit, size, err)
		}
	}
	if err := Block(b, nil); err != nil {
		t.Errorf("without limits: %v", err)
	}
	if err := Block(make([]byte, params.MaxBlockWeight+1), nil); err == nil {
		t.Error("no chain has such a block")
	}
}

func TestMostTransactions(t *testing.T) {
	tx := unhex(t, "01000000"+"01"+strings.Repeat("11", 36)+"00"+"ffffffff"+"00"+"00000000")
	block := func(n int) []byte {
		b := binary.LittleEndian.AppendUint32(append(unhex(t, header), 0xfe), uint32(n))
		return append(b, bytes.Repeat(tx, n)...)
	}
	if err := Block(block(MaxBlockTxs), nil); err != nil {
		t.Error(err)
	}
	if err := Block(block(MaxBlockTxs+1), nil); err == nil || !strings.Contains(err.Error(), "at most 400000") {
		t.Errorf("%v", err)
	}
}

func checkBlock(t testing.TB, b []byte, limits *params.Limits) {
	t.Helper()
	block, err := DecodeBlock(b, limits)
	var bad *Error
	if err != nil {
		if !errors.As(err, &bad) {
			t.Fatalf("%x passes the scan and does not decode: %v", b, err)
		}
		return
	}
	var again bytes.Buffer
	if err := block.Serialize(&again); err != nil || !bytes.Equal(again.Bytes(), b) {
		t.Fatalf("%x comes back as %x (%v)", b, again.Bytes(), err)
	}
}

func TestDecodeHeader(t *testing.T) {
	b := unhex(t, header)
	h, err := DecodeHeader(b)
	if err != nil {
		t.Fatal(err)
	}
	var again bytes.Buffer
	if err := h.Serialize(&again); err != nil || !bytes.Equal(again.Bytes(), b) {
		t.Errorf("%x", again.Bytes())
	}
	for _, n := range []int{0, 79, 81} {
		if _, err := DecodeHeader(make([]byte, n)); err == nil {
			t.Errorf("%d bytes are a header", n)
		}
	}
}

func TestNoAllocations(t *testing.T) {
	tx, block := unhex(t, segwit), unhex(t, header+"02"+legacy+segwit)
	limits := &params.Limits{BlockSerialized: 4_000_000}
	if n := testing.AllocsPerRun(100, func() {
		if Tx(tx) != nil || Block(block, limits) != nil {
			panic("refused")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func vectorFile(t testing.TB, name string) string {
	t.Helper()
	dir := os.Getenv("CHARTER_VECTORS")
	if dir == "" {
		root, err := os.Getwd()
		if err != nil {
			t.Fatal(err)
		}
		for {
			if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
				break
			}
			root = filepath.Dir(root)
		}
		dir = filepath.Join(root, "..", "shared", "vectors")
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("published vectors %s are not there (set CHARTER_VECTORS)", path)
	}
	return path
}

// Bitcoin's first 256 blocks pass and come back as they are.
func TestPublishedBlocks(t *testing.T) {
	file, err := os.Open(vectorFile(t, "mainnet-blocks-1-256.bz2"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var data bytes.Buffer
	if _, err := data.ReadFrom(bzip2.NewReader(file)); err != nil {
		t.Fatal(err)
	}
	n, limits := 0, &params.Limits{BlockSerialized: 4_000_000}
	for b := data.Bytes(); len(b) >= 8; n++ {
		size := int(binary.LittleEndian.Uint32(b[4:]))
		if err := Block(b[8:8+size], limits); err != nil {
			t.Fatalf("block %d: %v", n, err)
		}
		checkBlock(t, b[8:8+size], limits)
		b = b[8+size:]
	}
	if n < 255 {
		t.Errorf("%d blocks", n)
	}
}

// The published transactions, valid or not, are well formed, but for those
// without inputs.
func TestPublishedTransactions(t *testing.T) {
	for _, name := range []string{"tx_valid.json", "tx_invalid.json"} {
		data, err := os.ReadFile(vectorFile(t, name))
		if err != nil {
			t.Fatal(err)
		}
		var rows [][]any
		if err := json.Unmarshal(data, &rows); err != nil {
			t.Fatal(err)
		}
		seen := 0
		for _, row := range rows {
			if len(row) != 3 {
				continue // a comment
			}
			seen++
			b := unhex(t, row[1].(string))
			checkTx(t, b)
			if err := Tx(b); err != nil && !strings.Contains(err.Error(), "input count") {
				t.Errorf("%s: %x: %v", name, b, err)
			}
		}
		if seen == 0 {
			t.Errorf("%s: no transactions", name)
		}
	}
}

func FuzzTx(f *testing.F) {
	for _, s := range []string{legacy, segwit, tooMany, "", "01000000" + "0001" + "00" + "00" + "00000000"} {
		f.Add(unhex(f, s))
	}
	f.Fuzz(func(t *testing.T, b []byte) { checkTx(t, b) })
}

func FuzzBlock(f *testing.F) {
	for _, s := range []string{header + "02" + legacy + segwit, header + "00", header + "fe80969800", ""} {
		f.Add(unhex(f, s))
	}
	limits := &params.Limits{BlockSerialized: 4_000_000}
	f.Fuzz(func(t *testing.T, b []byte) { checkBlock(t, b, limits) })
}

func BenchmarkBlock(b *testing.B) {
	block := unhex(b, header+"fd0010"+strings.Repeat(segwit, 4096))
	limits := &params.Limits{BlockSerialized: 4_000_000}
	b.SetBytes(int64(len(block)))
	b.ReportAllocs()
	for b.Loop() {
		if err := Block(block, limits); err != nil {
			b.Fatal(err)
		}
	}
}
