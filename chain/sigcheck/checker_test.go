package sigcheck

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
)

const allConsensus = txscript.ScriptBip16 | txscript.ScriptVerifyDERSignatures | txscript.ScriptStrictMultiSig |
	txscript.ScriptVerifyCheckLockTimeVerify | txscript.ScriptVerifyCheckSequenceVerify |
	txscript.ScriptVerifyWitness | txscript.ScriptVerifyTaproot

// scripted is a transaction that spends one coin per given script, with
// empty input scripts. n makes it differ from others.
func scripted(n int, scripts ...[]byte) Spend {
	msg := &wire.MsgTx{Version: 2, TxOut: []*wire.TxOut{{Value: 1, PkScript: []byte{txscript.OP_1}}}}
	coins := make([]consensus.Coin, len(scripts))
	for i, script := range scripts {
		op := wire.OutPoint{Hash: chainhash.Hash{byte(n), byte(n >> 8), 1}, Index: uint32(i)}
		msg.TxIn = append(msg.TxIn, &wire.TxIn{PreviousOutPoint: op})
		coins[i] = consensus.Coin{Amount: 1000, Script: script}
	}
	return Spend{Tx: consensus.NewTx(msg), Coins: coins}
}

func pass() []byte { return []byte{txscript.OP_1} }
func fail() []byte { return []byte{txscript.OP_0} }

// testKey is the same key in every run.
func testKey() *btcec.PrivateKey {
	key, _ := btcec.PrivKeyFromBytes(bytesOf(32, 7))
	return key
}

func bytesOf(n int, b byte) []byte {
	s := make([]byte, n)
	for i := range s {
		s[i] = b
	}
	return s
}

// signedP2TR and signedP2WPKH spend n coins of the test key.
func signedP2TR(tb testing.TB, n int) Spend {
	output := txscript.ComputeTaprootKeyNoScript(testKey().PubKey())
	script, err := txscript.PayToTaprootScript(output)
	return signed(tb, n, script, err, func(msg *wire.MsgTx, i int, coin consensus.Coin, hashes *txscript.TxSigHashes) (wire.TxWitness, error) {
		return txscript.TaprootWitnessSignature(msg, hashes, i, coin.Amount, coin.Script, txscript.SigHashDefault, testKey())
	})
}

func signedP2WPKH(tb testing.TB, n int) Spend {
	hash := address.Hash160(testKey().PubKey().SerializeCompressed())
	script, err := txscript.NewScriptBuilder().AddOp(txscript.OP_0).AddData(hash).Script()
	return signed(tb, n, script, err, func(msg *wire.MsgTx, i int, coin consensus.Coin, hashes *txscript.TxSigHashes) (wire.TxWitness, error) {
		return txscript.WitnessSignature(msg, hashes, i, coin.Amount, coin.Script, txscript.SigHashAll, testKey(), true)
	})
}

func signed(tb testing.TB, n int, script []byte, err error, sign func(*wire.MsgTx, int, consensus.Coin, *txscript.TxSigHashes) (wire.TxWitness, error)) Spend {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
	scripts := make([][]byte, n)
	for i := range scripts {
		scripts[i] = script
	}
	s := scripted(0, scripts...)
	common := prepare(&s)
	for i := range n {
		witness, err := sign(s.Tx.Msg, i, s.Coins[i], common.hashes)
		if err != nil {
			tb.Fatal(err)
		}
		s.Tx.Msg.TxIn[i].Witness = witness
	}
	s.Tx = consensus.NewTx(s.Tx.Msg)
	return s
}

func TestSignatures(t *testing.T) {
	for name, spend := range map[string]Spend{"p2tr": signedP2TR(t, 2), "p2wpkh": signedP2WPKH(t, 2)} {
		t.Run(name, func(t *testing.T) {
			c := New(Config{Workers: 2})
			if err := c.CheckBlock(t.Context(), []Spend{spend}, allConsensus); err != nil {
				t.Fatal(err)
			}
			other := append([]consensus.Coin(nil), spend.Coins...)
			other[1].Amount++ // signatures of both kinds commit to it
			err := c.CheckTx(t.Context(), spend.Tx, other, allConsensus)
			if !errors.Is(err, consensus.RuleTxScript) {
				t.Errorf("a coin of another amount: got %v", err)
			}
			if got := c.Checked(); got < 3 || got > 4 {
				t.Errorf("counted %d inputs", got)
			}
		})
	}
}

func TestFirstFailureInBlockOrder(t *testing.T) {
	// 40 transactions of 20 inputs; those after the first that fails fail too.
	var spends []Spend
	for n := range 40 {
		scripts := make([][]byte, 20)
		for i := range scripts {
			scripts[i] = pass()
		}
		if n >= 13 {
			scripts[17], scripts[19] = fail(), []byte{txscript.OP_RETURN}
		}
		spends = append(spends, scripted(n, scripts...))
	}
	want := fmt.Sprintf("input 17 of transaction %v", spends[13].Tx.TxID)
	for workers := 1; workers <= 8; workers++ {
		c := New(Config{Workers: workers, CacheEntries: 100})
		for range 20 {
			err := c.CheckBlock(t.Context(), spends, allConsensus)
			rule := consensus.AsRule(err)
			if rule == nil || rule.Rule != consensus.RuleBlockScript || rule.Mutated || !strings.Contains(rule.Detail, want) {
				t.Fatalf("%d workers: got %v, want %s", workers, err, want)
			}
			if want := "block-script-verify-flag-failed (Script evaluated without error but finished with a false/empty top stack element)"; rule.Reason() != want {
				t.Fatalf("got reason %q, want %q", rule.Reason(), want)
			}
			if !txscript.IsErrorCode(rule.Err, txscript.ErrEvalFalse) {
				t.Fatalf("cause is %v", rule.Err)
			}
		}
		if err := c.CheckBlock(t.Context(), spends[:13], allConsensus); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLateEarlierFailure plays a schedule in which a later slice fails first:
// the earlier one is still checked, what comes behind is not.
func TestLateEarlierFailure(t *testing.T) {
	var spends []Spend
	for n := range 3 {
		scripts := make([][]byte, 20)
		for i := range scripts {
			scripts[i] = pass()
		}
		scripts[7+n] = fail()
		spends = append(spends, scripted(n, scripts...))
	}
	c := New(Config{Workers: 3})
	c.running = 3 // nobody else takes any
	p := c.Begin(spends, allConsensus, nil)
	one, two := c.worker(), c.worker()
	early, share := c.take()
	late, _ := c.take()
	if early.n != 20 || late.n != 20 || share != 20 {
		t.Fatalf("slices of %d and %d inputs, share %d", early.n, late.n, share)
	}
	two.collect(late)
	if got := c.Checked(); got != 9 {
		t.Errorf("%d inputs checked of the later transaction, want 9", got)
	}
	if p.isDone() || p.waiting != 0 || len(c.queue) != 0 || c.queued != 0 {
		t.Errorf("what comes behind a failure is still queued")
	}
	one.collect(early)
	if got := c.Checked(); got != 9+8 {
		t.Errorf("%d inputs checked, want 17", got)
	}
	err := p.Wait(t.Context())
	if want := fmt.Sprintf("input 7 of transaction %v", spends[0].Tx.TxID); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestUndecided(t *testing.T) {
	good, bad := scripted(1, pass()), scripted(2, fail())
	broken := scripted(3, pass())
	broken.Tx = &consensus.Tx{Msg: broken.Tx.Msg.Copy(), TxID: broken.Tx.TxID, WTxID: broken.Tx.WTxID}
	broken.Tx.Msg.TxOut = append(broken.Tx.Msg.TxOut, nil) // makes txscript panic

	t.Run("the context ended", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := New(Config{}).CheckBlock(ctx, []Spend{bad}, allConsensus)
		if !errors.Is(err, context.Canceled) || consensus.AsRule(err) != nil {
			t.Errorf("got %v", err)
		}
	})
	t.Run("the engine panicked", func(t *testing.T) {
		c := New(Config{CacheEntries: 10})
		err := c.CheckTx(t.Context(), broken.Tx, broken.Coins, allConsensus)
		var panicked *PanicError
		if !errors.As(err, &panicked) || consensus.AsRule(err) != nil {
			t.Fatalf("got %v", err)
		}
		if panicked.TxID != broken.Tx.TxID || panicked.Input != 0 || len(panicked.Stack) == 0 {
			t.Errorf("got %+v", panicked)
		}
		if c.passed.has(broken.Tx.WTxID, 0, makeParities(1), 0, 1) {
			t.Error("remembered as a success")
		}
	})
	t.Run("a failure elsewhere decides", func(t *testing.T) {
		err := New(Config{Workers: 1}).CheckBlock(t.Context(), []Spend{broken, good, bad}, allConsensus)
		if !errors.Is(err, consensus.RuleBlockScript) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("flags that make no sense", func(t *testing.T) {
		err := New(Config{}).CheckTx(t.Context(), good.Tx, good.Coins, txscript.ScriptVerifyWitness)
		if err == nil || consensus.AsRule(err) != nil {
			t.Errorf("got %v", err)
		}
	})
	t.Run("coins missing", func(t *testing.T) {
		err := New(Config{}).CheckTx(t.Context(), good.Tx, nil, allConsensus)
		if err == nil || consensus.AsRule(err) != nil {
			t.Errorf("got %v", err)
		}
	})
}

func TestNothingToCheck(t *testing.T) {
	if err := New(Config{}).CheckBlock(t.Context(), nil, allConsensus); err != nil {
		t.Error(err)
	}
}

func TestRemembersSuccess(t *testing.T) {
	c := New(Config{CacheEntries: 4})
	spend, standard := scripted(1, pass(), pass()), consensus.StandardScriptFlags()
	if err := c.CheckTx(t.Context(), spend.Tx, spend.Coins, standard); err != nil {
		t.Fatal(err)
	}
	for _, flags := range []txscript.ScriptFlags{standard, allConsensus, 0} {
		before := c.Checked()
		if err := c.CheckBlock(t.Context(), []Spend{spend}, flags); err != nil || c.Checked() != before {
			t.Errorf("flags %b: err %v, %d inputs run again", flags, err, c.Checked()-before)
		}
	}
	if got := c.Skipped(); got != 6 {
		t.Errorf("skipped %d inputs, want 6", got)
	}
	// More flags than it succeeded with: run again.
	before := c.Checked()
	if err := c.CheckBlock(t.Context(), []Spend{spend}, standard|txscript.ScriptVerifySigPushOnly); err != nil || c.Checked() != before+2 {
		t.Errorf("err %v, %d inputs run again", err, c.Checked()-before)
	}
	failing := scripted(2, fail())
	for range 2 {
		if err := c.CheckTx(t.Context(), failing.Tx, failing.Coins, allConsensus); !errors.Is(err, consensus.RuleTxScript) {
			t.Errorf("got %v", err)
		}
	}
}

func TestCovers(t *testing.T) {
	const nops, cltv, der = txscript.ScriptDiscourageUpgradableNops, txscript.ScriptVerifyCheckLockTimeVerify, txscript.ScriptVerifyDERSignatures
	for _, c := range []struct {
		name        string
		with, flags txscript.ScriptFlags
		want        bool
	}{
		{"the same", cltv | der, cltv | der, true},
		{"fewer", cltv | der, der, true},
		{"none", cltv | der, 0, true},
		{"more", der, cltv | der, false},
		{"fewer consensus flags than policy had", nops | cltv | der, der, true},
		{"the same with the policy of NOPs", nops | cltv, nops | cltv, true},
		{"the policy of NOPs without CLTV", nops | cltv, nops, false},
	} {
		if got := covers(c.with, c.flags); got != c.want {
			t.Errorf("%s: got %v", c.name, got)
		}
	}
}

func TestPassedCacheIsBounded(t *testing.T) {
	c := newPassedCache(10)
	has := func(c *passedCache, id chainhash.Hash) bool { return c.has(id, 1, makeParities(1), 0, 1) }
	id := func(i int) chainhash.Hash { return chainhash.Hash{byte(i), byte(i >> 8)} }
	for i := range 1000 {
		c.add(id(i), 1, makeParities(1))
		has(c, id(0)) // asked for all the time: stays
		if n := len(c.young.all) + len(c.old.all); n > 10 {
			t.Fatalf("%d entries after %d", n, i+1)
		}
	}
	if !has(c, id(0)) || !has(c, id(999)) || has(c, id(500)) {
		t.Error("not the entries used last")
	}
	none := newPassedCache(0)
	none.add(id(1), 1, makeParities(1))
	if has(none, id(1)) {
		t.Error("a cache without entries remembers")
	}
}

// TestLongFormDER shows the difference to Bitcoin Core that the package's
// documentation names: Core would accept this signature before BIP66.
func TestLongFormDER(t *testing.T) {
	key := testKey()
	script, err := txscript.NewScriptBuilder().AddData(key.PubKey().SerializeCompressed()).AddOp(txscript.OP_CHECKSIG).Script()
	if err != nil {
		t.Fatal(err)
	}
	s := scripted(1, script)
	hash, err := txscript.CalcSignatureHash(script, txscript.SigHashAll, s.Tx.Msg, 0)
	if err != nil {
		t.Fatal(err)
	}
	der := ecdsa.Sign(key, hash).Serialize()
	for _, c := range []struct {
		name string
		sig  []byte
		ok   bool
	}{
		{"strict", der, true},
		{"bytes behind", append(append([]byte(nil), der...), 0, 0), true},
		{"long form of the length", append([]byte{der[0], 0x81}, der[1:]...), false},
	} {
		push, err := txscript.NewScriptBuilder().AddData(append(append([]byte(nil), c.sig...), byte(txscript.SigHashAll))).Script()
		if err != nil {
			t.Fatal(err)
		}
		msg := s.Tx.Msg.Copy()
		msg.TxIn[0].SignatureScript = push
		err = New(Config{}).CheckTx(t.Context(), consensus.NewTx(msg), s.Coins, 0)
		if (err == nil) != c.ok {
			t.Errorf("%s, before BIP66: got %v", c.name, err)
		}
		err = New(Config{}).CheckTx(t.Context(), consensus.NewTx(msg), s.Coins, txscript.ScriptVerifyDERSignatures)
		if (err == nil) != (c.name == "strict") {
			t.Errorf("%s, with BIP66: got %v", c.name, err)
		}
	}
}
