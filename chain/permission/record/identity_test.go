package record

import (
	"slices"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
)

func TestIdentity(t *testing.T) {
	for _, tt := range []struct {
		script []byte
		kind   Kind
		text   string
	}{
		{p2pkh, P2PKH, "P2PKH"}, {p2sh, P2SH, "P2SH"}, {p2wpkh, P2WPKH, "P2WPKH"}, {p2wsh, P2WSH, "P2WSH"},
		{p2tr(1), P2TR, "P2TR"}, {noPoint, P2TR, "P2TR"},
		{nil, 0, "unknown"},
		{[]byte{0x51, 0x02, 0x4e, 0x73}, 0, "unknown"}, // pay to anchor
		{slices.Concat([]byte{0x52, 0x20}, count(32)), 0, "unknown"},
		{slices.Concat([]byte{0x51, 0x21}, count(33)), 0, "unknown"},
		{slices.Concat([]byte{0x51, 0x1f}, count(31)), 0, "unknown"},
		{slices.Concat([]byte{0x00, 0x15}, count(21)), 0, "unknown"},
		{slices.Concat([]byte{0x51, 0x4c, 0x20}, count(32)), 0, "unknown"},
		{slices.Concat(p2tr(1), []byte{0}), 0, "unknown"},
		{p2pkh[:24], 0, "unknown"},
		{slices.Concat(p2sh, []byte{0}), 0, "unknown"},
		{slices.Concat([]byte{33, 2}, count(32), []byte{0xac}), 0, "unknown"}, // pay to public key
		{[]byte{0x6a}, 0, "unknown"},
	} {
		kind, ok := Identity(tt.script)
		if kind != tt.kind || ok != (tt.kind != 0) || kind.String() != tt.text {
			t.Errorf("%x: %s, %v", tt.script, kind, ok)
		}
		key, ok := ScriptKey(tt.script)
		if ok != (tt.kind == P2TR) || ok && string(KeyScript(key)) != string(tt.script) {
			t.Errorf("%x: key %x, %v", tt.script, key, ok)
		}
	}
}

func TestSpeaks(t *testing.T) {
	sig := func(n int, last byte) []byte {
		b := make([]byte, n)
		b[n-1] = last
		return b
	}
	annex := sig(3, 0)
	annex[0] = 0x50
	control := sig(33, 0)
	control[0] = 0xc0
	type witness = wire.TxWitness
	for _, tt := range []struct {
		name      string
		script    []byte
		scriptSig []byte
		witness   witness
		want      bool
	}{
		{"default", p2tr(1), nil, witness{sig(64, 0)}, true},
		{"default that ends in 83", p2tr(1), nil, witness{sig(64, 0x83)}, true},
		{"all", p2tr(1), nil, witness{sig(65, 1)}, true},
		{"65 bytes, default", p2tr(1), nil, witness{sig(65, 0)}, false},
		{"none", p2tr(1), nil, witness{sig(65, 2)}, false},
		{"single", p2tr(1), nil, witness{sig(65, 3)}, false},
		{"anyone can pay", p2tr(1), nil, witness{sig(65, 0x80)}, false},
		{"all, anyone can pay", p2tr(1), nil, witness{sig(65, 0x81)}, false},
		{"none, anyone can pay", p2tr(1), nil, witness{sig(65, 0x82)}, false},
		{"single, anyone can pay", p2tr(1), nil, witness{sig(65, 0x83)}, false},
		{"63 bytes", p2tr(1), nil, witness{sig(63, 1)}, false},
		{"66 bytes", p2tr(1), nil, witness{sig(66, 1)}, false},
		{"empty signature", p2tr(1), nil, witness{{}}, false},
		{"no witness", p2tr(1), nil, nil, false},
		{"empty witness", p2tr(1), nil, witness{}, false},
		{"annex", p2tr(1), nil, witness{sig(64, 0), annex}, false},
		{"empty item behind", p2tr(1), nil, witness{sig(64, 0), {}}, false},
		{"script path", p2tr(1), nil, witness{{0x51}, control}, false},
		{"script path with an argument of 64 bytes", p2tr(1), nil, witness{sig(64, 0), {0x51}, control}, false},
		{"script path with an annex", p2tr(1), nil, witness{{0x51}, control, annex}, false},
		{"scriptSig", p2tr(1), []byte{0}, witness{sig(64, 0)}, false},
		{"P2WPKH", p2wpkh, nil, witness{sig(64, 1), sig(33, 2)}, false},
		{"P2WPKH, one item", p2wpkh, nil, witness{sig(64, 1)}, false},
		{"P2WSH", p2wsh, nil, witness{sig(64, 1)}, false},
		{"P2PKH", p2pkh, nil, witness{sig(64, 1)}, false},
		{"P2SH", p2sh, nil, witness{sig(64, 1)}, false},
		{"witness version 2", append([]byte{0x52, 0x20}, count(32)...), nil, witness{sig(64, 1)}, false},
		{"witness version 1, 31 bytes", append([]byte{0x51, 0x1f}, count(31)...), nil, witness{sig(64, 1)}, false},
		{"anyone's", []byte{0x51}, nil, witness{sig(64, 1)}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := &wire.TxIn{SignatureScript: tt.scriptSig, Witness: tt.witness}
			if got := Speaks(in, &consensus.Coin{Script: tt.script}); got != tt.want {
				t.Errorf("speaks: %v", got)
			}
		})
	}
}

func BenchmarkSpeaksPlain(b *testing.B) {
	in := &wire.TxIn{Witness: wire.TxWitness{make([]byte, 71), make([]byte, 33)}}
	coin := &consensus.Coin{Script: p2wpkh}
	for b.Loop() {
		if Speaks(in, coin) {
			b.Fatal("speaks")
		}
	}
}
