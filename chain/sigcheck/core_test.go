package sigcheck

import (
	"bytes"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/params"
)

// bitcoinLimits are the limits that Bitcoin Core's test files assume.
func bitcoinLimits() *params.Params {
	return &params.Params{
		Limits: params.Limits{BlockWeight: 4_000_000, BlockSigOpCost: 80_000, MaxMoney: 21_000_000 * 100_000_000, TxWeight: 4_000_000},
	}
}

// goesWith names the one point where the engine differs from Bitcoin Core in
// these files. It is policy only: without the rule of BIP65 or BIP112 Core
// lets the operation pass as a NOP under any flags, while the engine then
// counts it as one of those that DISCOURAGE_UPGRADABLE_NOPS refuses. So that
// flag is left out together with these; no row is left out.
var goesWith = map[string]txscript.ScriptFlags{
	"CHECKLOCKTIMEVERIFY": txscript.ScriptDiscourageUpgradableNops,
	"CHECKSEQUENCEVERIFY": txscript.ScriptDiscourageUpgradableNops,
}

// consensusFlags are the flags that blocks are judged by.
func consensusFlags() []string {
	return []string{"P2SH", "DERSIG", "NULLDUMMY", "CHECKLOCKTIMEVERIFY", "CHECKSEQUENCEVERIFY", "WITNESS", "TAPROOT"}
}

// TestCoreValidTxs runs Bitcoin Core's tx_valid.json. The flags of a row are
// those that must be left out; with all others the transaction is valid, and
// it stays valid when more flags are left out, on which passedCache relies.
func TestCoreValidTxs(t *testing.T) {
	p, c := bitcoinLimits(), New(Config{})
	for _, row := range readTxRows(t, "tx_valid.json") {
		if err := consensus.CheckTx(row.tx, p); err != nil {
			t.Errorf("row %d (%s): %v", row.line, row.comment, err)
			continue
		}
		flags := allFlags() &^ parseFlags(t, row.flags)
		if fill(flags) != flags {
			t.Fatalf("row %d: flags without those they need", row.line)
		}
		if err := c.CheckTx(t.Context(), row.tx, row.coins, flags); err != nil {
			t.Errorf("row %d (%s), all flags but %s: %v", row.line, row.comment, row.flags, err)
		}
		var consensusOnly txscript.ScriptFlags
		for _, name := range consensusFlags() {
			f := coreFlags[name]
			consensusOnly |= flags & f
			if err := c.CheckTx(t.Context(), row.tx, row.coins, trim(flags&^(f|goesWith[name]))); err != nil {
				t.Errorf("row %d (%s), all flags but %s and %s: %v", row.line, row.comment, row.flags, name, err)
			}
		}
		if err := c.CheckTx(t.Context(), row.tx, row.coins, consensusOnly); err != nil {
			t.Errorf("row %d (%s), consensus flags but %s: %v", row.line, row.comment, row.flags, err)
		}
	}
}

// TestCoreInvalidTxs runs Bitcoin Core's tx_invalid.json. With the flags of
// a row the transaction is invalid, and no more flags make it valid.
func TestCoreInvalidTxs(t *testing.T) {
	p, c := bitcoinLimits(), New(Config{})
	for _, row := range readTxRows(t, "tx_invalid.json") {
		err := consensus.CheckTx(row.tx, p)
		if row.flags == "BADTX" {
			if consensus.AsRule(err) == nil {
				t.Errorf("row %d (%s): breaks no rule by itself (%v)", row.line, row.comment, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("row %d (%s): %v", row.line, row.comment, err)
			continue
		}
		flags := parseFlags(t, row.flags)
		if err := c.CheckTx(t.Context(), row.tx, row.coins, flags); !errors.Is(err, consensus.RuleTxScript) {
			t.Errorf("row %d (%s), flags %s: got %v, want a failed script", row.line, row.comment, row.flags, err)
		}
		for name, f := range coreFlags {
			if err := c.CheckTx(t.Context(), row.tx, row.coins, fill(flags|f)); !errors.Is(err, consensus.RuleTxScript) {
				t.Errorf("row %d (%s), flags %s and %s: got %v, want a failed script", row.line, row.comment, row.flags, name, err)
			}
		}
	}
}

// TestCoreSignatureHashes runs Bitcoin Core's sighash.json: hashes of legacy
// inputs with any 32 bits as hash type.
func TestCoreSignatureHashes(t *testing.T) {
	var rows [][]any
	if err := json.Unmarshal(readVectors(t, "sighash.json"), &rows); err != nil {
		t.Fatal(err)
	}
	for i, row := range rows {
		if len(row) == 1 {
			continue // a comment
		}
		var msg wire.MsgTx
		if err := msg.Deserialize(hex.NewDecoder(strings.NewReader(row[0].(string)))); err != nil {
			t.Fatalf("row %d: %v", i, err)
		}
		script, err := hex.DecodeString(row[1].(string))
		if err != nil {
			t.Fatalf("row %d: %v", i, err)
		}
		hashType := txscript.SigHashType(uint32(int32(row[3].(float64))))
		got, err := txscript.CalcSignatureHash(script, hashType, &msg, int(row[2].(float64)))
		if err != nil {
			t.Fatalf("row %d: %v", i, err)
		}
		if hash := chainhash.Hash(got); hash.String() != row[4].(string) {
			t.Errorf("row %d: got %v, want %v", i, hash, row[4])
		}
	}
}

// TestBIP340 runs the signatures published with BIP340 through the verifier
// that the engine uses.
func TestBIP340(t *testing.T) {
	rows, err := csv.NewReader(bytes.NewReader(readVectors(t, "bip340.csv"))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows[1:] {
		key, message, signature := unhex(t, row[2]), unhex(t, row[4]), unhex(t, row[5])
		if len(message) != 32 {
			continue // scripts only ever sign 32 bytes, and the verifier takes no others
		}
		valid := false
		if pub, err := schnorr.ParsePubKey(key); err == nil {
			if sig, err := schnorr.ParseSignature(signature); err == nil {
				valid = sig.Verify(message, pub)
			}
		}
		if want := row[6] == "TRUE"; valid != want {
			t.Errorf("row %s (%s): got %v, want %v", row[0], row[7], valid, want)
		}
	}
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	data, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
