package main

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/hints"
	"github.com/charterchain/charter/chain/sigcheck"
	"github.com/charterchain/charter/wallet/wallettest"
)

func TestExport(t *testing.T) {
	x := newWorld(t)
	x.node.MineEmpty(20)
	file := filepath.Join(x.home, "blocks.dat")
	out := x.must("--dev", "export", file)
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out, "Wrote 21 blocks, heights 0 to 20") {
		t.Errorf("printed %q", out)
	}
	e := x.env()
	e.flags.dev = true
	p, err := e.params()
	if err != nil {
		t.Fatal(err)
	}
	for height := range 21 {
		if len(data) < 8 || !bytes.Equal(data[:4], p.Network.Magic[:]) {
			t.Fatalf("frame %d begins with %x", height, data[:min(8, len(data))])
		}
		var b wire.MsgBlock
		size := binary.LittleEndian.Uint32(data[4:])
		if err := b.Deserialize(bytes.NewReader(data[8 : 8+size])); err != nil {
			t.Fatal(err)
		}
		if height == 0 && b.BlockHash() != p.GenesisHash {
			t.Errorf("the first block is %v", b.BlockHash())
		}
		data = data[8+size:]
	}
	if len(data) != 0 {
		t.Errorf("%d bytes behind the last block", len(data))
	}
	part := filepath.Join(x.home, "part.dat")
	if out := x.must("--dev", "--json", "export", "--from", "5", "--to", "7", part); !strings.Contains(out, `"blocks": 3`) {
		t.Errorf("a part: %s", out)
	}
}

// TestExportHints: a frame of hints stands before each block that has any.
func TestExportHints(t *testing.T) {
	x := newWorld(t)
	x.node.MineEmpty(2)
	tx := wire.NewMsgTx(2)
	for i := range uint32(11) {
		tx.AddTxIn(wire.NewTxIn(wire.NewOutPoint(&chainhash.Hash{7}, i), nil, nil))
	}
	tx.AddTxOut(wire.NewTxOut(1, []byte{txscript.OP_TRUE}))
	hinted := x.node.Mine(nil, tx).BlockHash()
	silent := tx.Copy()
	silent.LockTime = wallettest.NoHints
	x.node.Mine(nil, silent)
	x.node.MineEmpty(1)
	plain, file := filepath.Join(x.home, "plain.dat"), filepath.Join(x.home, "hinted.dat")
	x.must("--dev", "export", plain)
	if out := x.must("--dev", "export", "--hints", file); !strings.Contains(out, "; 1 have hints, of 1 the node could not tell them)") {
		t.Errorf("printed %q", out)
	}
	if out := x.must("--dev", "--json", "export", "--hints", "--from", "5", filepath.Join(x.home, "part.dat")); !strings.Contains(out, `"hinted": 0`) || !strings.Contains(out, `"unhinted": 0`) {
		t.Errorf("printed %q", out)
	}
	without, err := os.ReadFile(plain)
	if err != nil {
		t.Fatal(err)
	}
	with, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	e := x.env()
	e.flags.dev = true
	p, err := e.params()
	if err != nil {
		t.Fatal(err)
	}
	frame := hints.Frame{Block: hinted, Inputs: 11, Hints: sigcheck.Hints{0xff, 0x07}}
	want := frame.Append(nil, hints.Magic(p.Network.Magic))
	before, after, found := bytes.Cut(with, want)
	if !found || !bytes.Equal(append(bytes.Clone(before), after...), without) {
		t.Fatal("the file is not the one without hints and one frame")
	}
	if !bytes.HasPrefix(after, p.Network.Magic[:]) || chainhash.DoubleHashH(after[8:88]) != hinted {
		t.Error("the frame does not stand before its block")
	}
}

// TestExportRefuses: whatever goes wrong leaves no file, and no other.
func TestExportRefuses(t *testing.T) {
	for _, tt := range []struct {
		name  string
		args  []string
		setUp func(x *world)
		want  string
	}{
		{"file exists", nil, func(x *world) { x.write("out/blocks.dat", "x", 0o600) }, "exists already"},
		{"range", []string{"--from", "3", "--to", "2"}, nil, "heights 3 to 2"},
		{"beyond", []string{"--to", "21"}, nil, "the node has blocks 0 to 20"},
		{"older node", []string{"--hints"}, func(x *world) {
			x.node.OnCall = func(method string) error {
				if method == "getblockhints" {
					return x.node.Refuse(-32601, "Method not found")
				}
				return nil
			}
		}, "Method not found"},
		{"reorganisation", nil, func(x *world) {
			var asked atomic.Int32
			x.node.OnCall = func(method string) error {
				if method != "getblockhash" {
					return nil
				}
				if asked.Add(1) == 12 {
					x.node.Rewind(2)
					x.node.MineEmpty(30)
				}
				return nil
			}
		}, "best branch changed"},
		{"block gone", nil, func(x *world) {
			var asked atomic.Int32
			x.node.OnCall = func(method string) error {
				if method != "getblock" {
					return nil
				}
				if asked.Add(1) == 12 {
					return x.node.Refuse(-1, "Block not available (pruned data)")
				}
				return nil
			}
		}, "pruned data"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x := newWorld(t)
			x.node.MineEmpty(20)
			dir := filepath.Join(x.home, "out")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if tt.setUp != nil {
				tt.setUp(x)
			}
			before, _ := os.ReadDir(dir)
			args := append(append([]string{"--dev", "export"}, tt.args...), filepath.Join(dir, "blocks.dat"))
			code, _, stderr := x.run(args...)
			if code == 0 || !strings.Contains(stderr, tt.want) {
				t.Errorf("exit %d: %s, want %q", code, stderr, tt.want)
			}
			if after, _ := os.ReadDir(dir); len(after) != len(before) {
				t.Errorf("left behind: %v", after)
			}
		})
	}
}
