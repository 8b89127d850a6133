package consensus

import (
	"math"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/params"
)

// TestTxidsUnique: which rules from when on, and which genesis coinbases,
// leave no room for a second transaction of one id.
func TestTxidsUnique(t *testing.T) {
	const final = wire.MaxTxInSequenceNum
	plain := []byte{0, 3, 'a', 'b', 'c'}
	tests := []struct {
		name         string
		bip34, bip54 int32
		script       []byte // of the genesis coinbase
		lock         uint32
		sequence     uint32
		upTo         int32 // last height at which it holds; 0: nowhere
	}{
		{"neither", params.Never, params.Never, plain, 0, final, 0},
		{"BIP34 from the start", 0, params.Never, plain, 0, final, math.MaxInt32},
		{"BIP34 from the first block", 1, params.Never, plain, 0, final, math.MaxInt32},
		{"BIP34 from the second block", 2, params.Never, plain, 0, final, 0},
		{"BIP54 from the first block", params.Never, 1, plain, 0, final, math.MaxInt32},
		{"BIP54 from the second block", params.Never, 2, plain, 0, final, 0},
		{"genesis script empty", 0, params.Never, nil, 0, final, math.MaxInt32},
		{"genesis names 7", 0, params.Never, []byte{0x57, 1}, 0, final, 6},
		{"genesis names 1", 0, params.Never, []byte{0x51}, 0, final, 0},
		{"genesis names 16", 0, params.Never, []byte{0x60}, 0, final, 15},
		{"genesis names 17", 0, params.Never, []byte{1, 17, 9, 9}, 0, final, 16},
		{"genesis names 128", 0, params.Never, []byte{2, 0x80, 0, 9}, 0, final, 127},
		{"genesis pushes a negative number", 0, params.Never, []byte{1, 0x80, 9}, 0, final, math.MaxInt32},
		{"genesis pushes 5 the long way", 0, params.Never, []byte{1, 5, 9}, 0, final, math.MaxInt32},
		{"genesis push is cut short", 0, params.Never, []byte{4, 1, 1}, 0, final, math.MaxInt32},
		{"genesis names the last height", 0, params.Never, []byte{4, 0xff, 0xff, 0xff, 0x7f}, 0, final, math.MaxInt32 - 1},
		{"genesis as Bitcoin's", 0, params.Never, []byte{4, 0xff, 0xff, 0, 0x1d, 1, 4}, 0, final, 0x1d00ffff - 1},
		{"genesis locked until 8", params.Never, 0, plain, 8, final - 1, 8},
		{"genesis not locked", params.Never, 0, plain, 8, final, math.MaxInt32},
		{"genesis locked until never", params.Never, 0, plain, math.MaxUint32, 0, math.MaxInt32},
		{"genesis names 7, locked until 8", 0, 0, []byte{0x57}, 8, 0, 8},
		{"genesis names 7 and is not locked", 0, 0, []byte{0x57}, 8, final, math.MaxInt32},
	}
	for _, tt := range tests {
		tx := wire.NewMsgTx(1)
		tx.AddTxIn(&wire.TxIn{SignatureScript: tt.script, Sequence: tt.sequence})
		tx.LockTime = tt.lock
		p := &params.Params{
			Deployments:  params.Deployments{BIP34: tt.bip34, BIP54: tt.bip54},
			GenesisBlock: &wire.MsgBlock{Transactions: []*wire.MsgTx{tx}},
		}
		if tt.upTo > 0 && !TxidsUnique(tt.upTo, p) {
			t.Errorf("%s: not at height %d", tt.name, tt.upTo)
		}
		if tt.upTo < math.MaxInt32 && TxidsUnique(tt.upTo+1, p) {
			t.Errorf("%s: at height %d too", tt.name, tt.upTo+1)
		}
	}
	for _, height := range []int32{1, 16, 17, 127, 128, 255, 256, 32767, 32768, 1 << 23, 1<<23 - 1, math.MaxInt32} {
		if got := scriptHeight(append(CoinbaseHeightScript(height), 1, 2)); got != height {
			t.Errorf("script of height %d names %d", height, got)
		}
	}
}
