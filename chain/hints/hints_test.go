package hints_test

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/hints"
	"github.com/charterchain/charter/chain/sigcheck"
)

const maxBlock = 4_000_000

func sample() hints.Frame {
	f := hints.Frame{Inputs: 19, Hints: sigcheck.Hints{0xa5, 0, 0x05}}
	for i := range f.Block {
		f.Block[i] = byte(i)
	}
	return f
}

// TestGolden fixes the bytes: files and data folders rely on them.
func TestGolden(t *testing.T) {
	magic := hints.Magic([4]byte{0xf9, 0xbe, 0xb4, 0xd9})
	f := sample()
	for _, tc := range []struct {
		name string
		got  []byte
		want string
	}{
		{"magic", magic[:], "99777b65"},
		{"frame", f.Append(nil, magic), "99777b652c00000001000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f13000000a50005155561d6"},
		{"row", hints.AppendRow(nil, f.Hints, f.Inputs), "0113000000a50005"},
		{"row with zeros at the end", hints.AppendRow(nil, sigcheck.Hints{0x80, 0, 0}, 24), "011800000080"},
		{"row of zeros", hints.AppendRow(nil, make(sigcheck.Hints, 3), 19), "0113000000"},
		{"row of no input", hints.AppendRow(nil, nil, 0), "0100000000"},
	} {
		if got := hex.EncodeToString(tc.got); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
}

func TestFrame(t *testing.T) {
	magic := hints.Magic([4]byte{1, 2, 3, 4})
	for _, f := range []hints.Frame{sample(), {}, {Inputs: 8, Hints: sigcheck.Hints{0xff}}, {Inputs: 1, Hints: sigcheck.Hints{1}}} {
		b := f.Append([]byte{9}, magic)[1:]
		if size, err := hints.FrameSize([8]byte(b), maxBlock); err != nil || size != len(b) {
			t.Errorf("size %d, %v, want %d", size, err, len(b))
		}
		back, err := hints.ParseFrame(b, maxBlock)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(f.Inputs, back.Inputs) + cmp.Diff(f.Block, back.Block); d != "" || !bytes.Equal(f.Hints, back.Hints) {
			t.Errorf("%+v became %+v", f, back)
		}
		for i := range b[4:] {
			for bit := range 8 {
				broken := bytes.Clone(b)
				broken[4+i] ^= 1 << bit
				if _, err := hints.ParseFrame(broken, maxBlock); err == nil {
					t.Fatalf("bit %d of byte %d flipped: accepted", bit, 4+i)
				}
			}
		}
		for cut := range b {
			if _, err := hints.ParseFrame(b[:cut], maxBlock); err == nil {
				t.Fatalf("cut to %d of %d bytes: accepted", cut, len(b))
			}
		}
		if _, err := hints.ParseFrame(append(bytes.Clone(b), 0), maxBlock); err == nil {
			t.Error("a trailing byte was accepted")
		}
	}
}

// TestLimits: as many inputs as a block has room for, and one more.
func TestLimits(t *testing.T) {
	const most = maxBlock / 41
	for _, inputs := range []int{most, most + 1} {
		f := hints.Frame{Inputs: inputs, Hints: make(sigcheck.Hints, hints.Size(inputs))}
		b := f.Append(nil, [4]byte{})
		if _, err := hints.ParseFrame(b, maxBlock); (err == nil) != (inputs == most) {
			t.Errorf("frame of %d inputs: %v", inputs, err)
		}
		if _, _, err := hints.ParseRow(hints.AppendRow(nil, f.Hints, inputs), maxBlock); (err == nil) != (inputs == most) {
			t.Errorf("row of %d inputs: %v", inputs, err)
		}
		if inputs == most && len(b) != hints.MaxFrame(maxBlock) {
			t.Errorf("the largest frame has %d bytes, want %d", len(b), hints.MaxFrame(maxBlock))
		}
	}
	var head [8]byte
	for size, ok := range map[int]bool{40: false, 41: true, 41 + (most+7)/8: true, 42 + (most+7)/8: false} {
		head[4], head[5], head[6] = byte(size), byte(size>>8), byte(size>>16)
		if _, err := hints.FrameSize(head, maxBlock); (err == nil) != ok {
			t.Errorf("frame of length %d: %v", size, err)
		}
	}
}

func TestRowRefuses(t *testing.T) {
	for name, row := range map[string]string{
		"empty":                  "",
		"version 0":              "0001000000",
		"version 2":              "0201000000",
		"cut":                    "01010000",
		"too long":               "01080000000101",
		"zero at its end":        "01100000000100",
		"bit of the ninth input": "0108000000" + "00" + "01",
		"bit behind the last":    "010300000008",
		"bits of no input":       "010000000001",
	} {
		b, err := hex.DecodeString(row)
		if err != nil {
			t.Fatal(err)
		}
		if h, n, err := hints.ParseRow(b, maxBlock); err == nil {
			t.Errorf("%s: read as %x of %d inputs", name, h, n)
		}
	}
}

func TestInputsAndSay(t *testing.T) {
	msg := &wire.MsgBlock{}
	if n := hints.Inputs(consensus.NewBlock(msg)); n != 0 {
		t.Errorf("%d inputs in no transaction", n)
	}
	for i := range 3 {
		tx := wire.NewMsgTx(2)
		for range i + 2 {
			tx.AddTxIn(wire.NewTxIn(wire.NewOutPoint(&chainhash.Hash{1}, 0), nil, nil))
		}
		msg.Transactions = append(msg.Transactions, tx)
	}
	if n := hints.Inputs(consensus.NewBlock(msg)); n != 3+4 {
		t.Errorf("%d inputs, want 7", n)
	}
	if hints.Say(nil) || hints.Say(make(sigcheck.Hints, 5)) || !hints.Say(sigcheck.Hints{0, 1, 0}) {
		t.Error("zeros say nothing, all else does")
	}
}

func FuzzFrame(f *testing.F) {
	s := sample()
	f.Add(s.Append(nil, [4]byte{1, 2, 3, 4}))
	f.Add((&hints.Frame{}).Append(nil, [4]byte{}))
	f.Add([]byte{1, 2, 3, 4, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		frame, err := hints.ParseFrame(b, maxBlock)
		if err != nil {
			return
		}
		if again := frame.Append(nil, [4]byte(b)); !bytes.Equal(again, b) {
			t.Errorf("%x was read and written as %x", b, again)
		}
	})
}

func FuzzRow(f *testing.F) {
	f.Add(hints.AppendRow(nil, sample().Hints, 19))
	f.Add([]byte{1, 0, 0, 0, 0})
	f.Add([]byte{1, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, row []byte) {
		h, inputs, err := hints.ParseRow(row, maxBlock)
		if err != nil {
			return
		}
		if again := hints.AppendRow(nil, h, inputs); !bytes.Equal(again, row) {
			t.Errorf("%x was read and written as %x", row, again)
		}
	})
}
