package sigcheck

import (
	"testing"

	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/btcsuite/btcd/txscript/v2"

	"github.com/charterchain/charter/chain/consensus"
)

// TestSignaturesLeftIn pins down where the interpreter hashes another script
// than Bitcoin Core, as the package documentation says: with pushes of empty
// signatures and of those of one byte up to 16. Should it fail, the interpreter
// does as Core, and the documentation has to go.
func TestSignaturesLeftIn(t *testing.T) {
	key := func(n int) []byte { return numbered(n).PubKey().SerializeCompressed() }
	for name, c := range map[string]struct {
		push []byte // of the first signature, which the script has too
		cut  bool   // by the interpreter as by Core
	}{
		"empty":   {push: []byte{txscript.OP_0}},
		"one, 5":  {push: []byte{1, 5}},
		"one, 17": {push: []byte{1, 17}, cut: true},
	} {
		rest, err := txscript.NewScriptBuilder().AddOp(txscript.OP_DROP).
			AddOp(txscript.OP_3).AddData(key(1)).AddData(key(2)).AddData(key(3)).AddOp(txscript.OP_3).
			AddOp(txscript.OP_CHECKMULTISIG).AddOp(txscript.OP_NOT).Script()
		if err != nil {
			t.Fatal(err)
		}
		script := append(append([]byte(nil), c.push...), rest...)
		// The last signature is over what Core hashes. If it holds, the one
		// before is looked at, which is malformed and fails the script.
		s := scripted(1, script)
		hash, err := txscript.CalcSignatureHash(rest, txscript.SigHashAll, s.Tx.Msg, 0)
		if err != nil {
			t.Fatal(err)
		}
		sig := append(ecdsa.Sign(numbered(3), hash).Serialize(), byte(txscript.SigHashAll))
		in := append(append([]byte{txscript.OP_0}, c.push...), 1, 0xff, byte(len(sig)))
		s.Tx.Msg.TxIn[0].SignatureScript = append(in, sig...)
		s.Tx = consensus.NewTx(s.Tx.Msg)
		err = New(Config{}).CheckTx(t.Context(), s.Tx, s.Coins, allConsensus)
		if (err != nil) != c.cut {
			t.Errorf("%s: %v", name, err)
		}
	}
}
