package mempool

import (
	"bytes"
	"errors"
	"testing"

	"github.com/btcsuite/btcd/txscript/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/mempool/policy"
)

// What BIP54 forbids never waits for a block in which it would be forbidden.
func TestCleanUp(t *testing.T) {
	from := func(height int32) setUp {
		return func(p *params.Params, _ *Config) {
			p.Policy.AcceptNonStd, p.Deployments.BIP54 = true, height
		}
	}
	ofSize := func(script int) func(w *world) *consensus.Tx {
		return func(w *world) *consensus.Tx {
			msg := spendMsg(1000, 1, w.coin(1e8))
			msg.TxOut[0].PkScript = bytes.Repeat([]byte{txscript.OP_TRUE}, script)
			return withWitness(msg, []byte{txscript.OP_TRUE})
		}
	}
	// sigOps spends a script that holds n operations and runs none: 20 for
	// each multisignature check, and single ones.
	sigOps := func(n int) func(w *world) *consensus.Tx {
		return func(w *world) *consensus.Tx {
			script := append([]byte{txscript.OP_0, txscript.OP_IF}, bytes.Repeat([]byte{txscript.OP_CHECKMULTISIG}, n/20)...)
			script = append(script, bytes.Repeat([]byte{txscript.OP_CHECKSIG}, n%20)...)
			script = append(script, txscript.OP_ENDIF, txscript.OP_TRUE)
			msg := spendMsg(1000, 1, w.coinWith(consensus.Coin{Amount: 1e8, Script: script}))
			msg.TxIn[0].Witness = nil
			return consensus.NewTx(msg)
		}
	}
	for _, c := range []struct {
		name string
		at   int32
		tx   func(w *world) *consensus.Tx
		want error
	}{
		{"64 bytes", 1, ofSize(4), consensus.RuleTxSize},
		{"64 bytes, later", 2, ofSize(4), policy.CodeCleanUp},
		{"64 bytes, never", params.Never, ofSize(4), nil},
		{"63 bytes", 1, ofSize(3), nil},
		{"65 bytes", 1, ofSize(5), nil},
		{"signature operations", 1, sigOps(2501), consensus.RuleTxSigOps},
		{"signature operations, later", 2, sigOps(2501), policy.CodeCleanUp},
		{"signature operations, never", params.Never, sigOps(2501), nil},
		{"as many as allowed", 1, sigOps(2500), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, from(c.at))
			tx := c.tx(w)
			if c.want == nil {
				w.accept(tx)
				return
			}
			w.refuse(tx, c.want)
			if _, legal := errors.AsType[*policy.Error](w.pool.Accept(t.Context(), tx)); legal != (c.at == 2) {
				t.Errorf("from height %d a matter of policy: %v", c.at, legal)
			}
		})
	}
}
