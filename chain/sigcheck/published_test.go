package sigcheck

import (
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/sigcheck/curve"
	"github.com/charterchain/charter/chain/sigcheck/fastpath"
)

// sigHolds is what package curve says of one signature.
func sigHolds(v *curve.Verifier, s *fastpath.Sig) bool {
	if s.Kind == fastpath.Schnorr {
		return v.Schnorr(s.Hash, [32]byte(s.KeyBytes()), s.Sig)
	}
	key, ok := curve.ParsePoint(s.KeyBytes())
	r, okR := curve.ParseScalar((*[32]byte)(s.Sig[:32]))
	n, okS := curve.ParseScalar((*[32]byte)(s.Sig[32:]))
	return ok && okR && okS && v.ECDSA(s.Hash, &key, r, n)
}

// fastSays asks the fast path and compares with the interpreter.
func fastSays(t *testing.T, v *curve.Verifier, fast *fastpath.Tx, tx *txScripts, input int) (ok bool, sigs []fastpath.Sig) {
	t.Helper()
	sigs, multi, ok := fast.Input(input, tx.flags, nil)
	if !ok {
		return false, nil
	}
	valid := multi == nil || multi.Check(v)
	valid = valid && !slices.ContainsFunc(sigs, func(s fastpath.Sig) bool { return !sigHolds(v, &s) })
	if err := tx.run(input); valid != (err == nil) {
		t.Errorf("input %d of %v with flags %#x: the fast path says %v, the interpreter %v", input, tx.tx.TxID, uint32(tx.flags), valid, err)
	}
	return true, sigs
}

// TestCoreFastPath takes the inputs of Bitcoin Core's transactions, among
// them the examples of BIP143, through the fast path with many sets of flags.
// Where it takes one, it must say what the interpreter says.
func TestCoreFastPath(t *testing.T) {
	v, taken := curve.New(), map[string]int{}
	var fast fastpath.Tx
	for _, name := range []string{"tx_valid.json", "tx_invalid.json"} {
		for _, row := range readTxRows(t, name) {
			if row.flags == "BADTX" || row.coins == nil {
				continue
			}
			of := parseFlags(t, row.flags)
			if name == "tx_valid.json" {
				of = allFlags() &^ of
			}
			sets := []txscript.ScriptFlags{of, 0, allConsensus, consensus.StandardScriptFlags()}
			for _, f := range coreFlags {
				sets = append(sets, trim(of&^f), fill(of|f))
			}
			slices.Sort(sets)
			fast.Reset(row.tx, row.coins)
			for _, flags := range slices.Compact(sets) {
				tx := newTxScripts(&Spend{Tx: row.tx, Coins: row.coins}, flags)
				for i := range row.coins {
					if ok, _ := fastSays(t, v, &fast, tx, i); ok && flags == of {
						taken[name]++
					}
				}
			}
		}
	}
	t.Logf("taken with the flags of their rows: %v", taken)
	if taken["tx_valid.json"] < 37 || taken["tx_invalid.json"] < 7 {
		t.Error("fewer than there were")
	}
}

// TestBIP341FastPath runs the transaction published with BIP341: nine inputs,
// of which seven are spent by output keys with all kinds of hash types.
func TestBIP341FastPath(t *testing.T) {
	var file struct {
		KeyPathSpending []struct {
			Given struct {
				UtxosSpent []struct {
					ScriptPubKey string
					AmountSats   int64
				}
			}
			InputSpending []struct {
				Given        struct{ TxinIndex int }
				Intermediary struct{ SigHash string }
				Expected     struct{ Witness []string }
			}
			Auxiliary struct{ FullySignedTx string }
		}
	}
	if err := json.Unmarshal(readVectors(t, "bip341_wallet_vectors.json"), &file); err != nil {
		t.Fatal(err)
	}
	var fast fastpath.Tx
	v := curve.New()
	for _, c := range file.KeyPathSpending {
		var msg wire.MsgTx
		if err := msg.Deserialize(hex.NewDecoder(strings.NewReader(c.Auxiliary.FullySignedTx))); err != nil {
			t.Fatal(err)
		}
		var coins []consensus.Coin
		for _, spent := range c.Given.UtxosSpent {
			coins = append(coins, consensus.Coin{Amount: spent.AmountSats, Script: unhex(t, spent.ScriptPubKey)})
		}
		spend := Spend{Tx: consensus.NewTx(&msg), Coins: coins}
		tx := newTxScripts(&spend, consensus.StandardScriptFlags())
		fast.Reset(spend.Tx, coins)
		sums := map[int]string{}
		for i := range coins {
			ok, sigs := fastSays(t, v, &fast, tx, i)
			if !ok || len(sigs) != 1 || !sigHolds(v, &sigs[0]) {
				t.Errorf("input %d: taken %v with %d signatures", i, ok, len(sigs))
				continue
			}
			sums[i] = hex.EncodeToString(sigs[0].Hash[:])
		}
		for _, in := range c.InputSpending {
			if got := sums[in.Given.TxinIndex]; got != in.Intermediary.SigHash {
				t.Errorf("input %d: hash %s, want %s", in.Given.TxinIndex, got, in.Intermediary.SigHash)
			}
		}
		if len(c.InputSpending) != 7 || len(sums) != 9 {
			t.Errorf("%d hashes compared, %d inputs taken", len(c.InputSpending), len(sums))
		}
	}
}
