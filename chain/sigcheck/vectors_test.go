package sigcheck

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
)

// readVectors returns the content of a published file of test vectors, from
// $CHARTER_VECTORS, from ../shared/vectors beside the repository, or from the
// module of the script engine, which ships several of them.
func readVectors(t *testing.T, name string) []byte {
	t.Helper()
	dir := os.Getenv("CHARTER_VECTORS")
	if dir == "" {
		dir = filepath.Join(repositoryRoot(t), "..", "shared", "vectors")
	}
	data, err := os.ReadFile(filepath.Join(dir, name))
	if os.IsNotExist(err) {
		return readEngineVectors(t, name)
	}
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// readEngineVectors reads a file of the engine's own test data.
func readEngineVectors(t *testing.T, name string) []byte {
	t.Helper()
	const module = "github.com/btcsuite/btcd/txscript/v2"
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		t.Skipf("published test vectors %s: the folder of %s is not known: %v", name, module, err)
	}
	data, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), "data", name))
	if os.IsNotExist(err) {
		t.Skipf("published test vectors %s are neither in ../shared/vectors nor in %s", name, module)
	}
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func repositoryRoot(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod above the working directory")
		}
		dir = parent
	}
}

// txRow is a row of Bitcoin Core's tx_valid.json or tx_invalid.json.
type txRow struct {
	line    int    // index in the file's list
	comment string // the text rows before it
	tx      *consensus.Tx
	coins   []consensus.Coin
	flags   string // as written
}

// readTxRows decodes every row of the file that holds a transaction.
func readTxRows(t *testing.T, name string) []txRow {
	t.Helper()
	var raw [][]json.RawMessage
	if err := json.Unmarshal(readVectors(t, name), &raw); err != nil {
		t.Fatal(err)
	}
	var rows []txRow
	var comment []string
	for i, fields := range raw {
		if len(fields) == 1 {
			var text string
			if json.Unmarshal(fields[0], &text) == nil {
				comment = append(comment, text)
				continue
			}
		}
		row, err := decodeTxRow(fields)
		if err != nil {
			t.Fatalf("%s, row %d: %v", name, i, err)
		}
		row.line, row.comment, comment = i, strings.Join(comment, " / "), nil
		rows = append(rows, row)
	}
	return rows
}

func decodeTxRow(fields []json.RawMessage) (txRow, error) {
	var row txRow
	if len(fields) != 3 {
		return row, fmt.Errorf("%d fields", len(fields))
	}
	var spent [][]any
	var encoded string
	for i, into := range []any{&spent, &encoded, &row.flags} {
		if err := json.Unmarshal(fields[i], into); err != nil {
			return row, err
		}
	}
	data, err := hex.DecodeString(encoded)
	if err != nil {
		return row, err
	}
	var msg wire.MsgTx
	if err := msg.Deserialize(bytes.NewReader(data)); err != nil {
		return row, err
	}
	row.tx = consensus.NewTx(&msg)
	row.coins, err = decodeSpent(&msg, spent)
	return row, err
}

// decodeSpent returns the coins of msg's inputs in order. Rows for
// transactions that break a rule by themselves may lack some; then the result
// is nil.
func decodeSpent(msg *wire.MsgTx, spent [][]any) ([]consensus.Coin, error) {
	byOutpoint := map[wire.OutPoint]consensus.Coin{}
	for _, out := range spent {
		hash, err := chainhash.NewHashFromStr(out[0].(string))
		if err != nil {
			return nil, err
		}
		script, err := parseScript(out[2].(string))
		if err != nil {
			return nil, err
		}
		coin := consensus.Coin{Script: script}
		if len(out) == 4 {
			coin.Amount = int64(out[3].(float64))
		}
		byOutpoint[wire.OutPoint{Hash: *hash, Index: uint32(int64(out[1].(float64)))}] = coin
	}
	var coins []consensus.Coin
	for _, in := range msg.TxIn {
		coin, ok := byOutpoint[in.PreviousOutPoint]
		if !ok {
			return nil, nil
		}
		coins = append(coins, coin)
	}
	return coins, nil
}

// parseScript reads the notation of Bitcoin Core's test files: names of
// operations with or without OP_, decimal numbers, 'text' to push, and 0x
// followed by bytes that are part of the script as they are.
func parseScript(text string) ([]byte, error) {
	var script []byte
	for _, word := range strings.Fields(text) {
		if n, err := strconv.ParseInt(word, 10, 64); err == nil {
			piece, err := txscript.NewScriptBuilder().AddInt64(n).Script()
			if err != nil {
				return nil, err
			}
			script = append(script, piece...)
			continue
		}
		switch {
		case strings.HasPrefix(word, "0x"):
			piece, err := hex.DecodeString(word[2:])
			if err != nil {
				return nil, err
			}
			script = append(script, piece...)
		case strings.HasPrefix(word, "'"):
			piece, err := txscript.NewScriptBuilder().AddFullData([]byte(strings.Trim(word, "'"))).Script()
			if err != nil {
				return nil, err
			}
			script = append(script, piece...)
		default:
			op, ok := txscript.OpcodeByName["OP_"+strings.TrimPrefix(word, "OP_")]
			if !ok {
				return nil, fmt.Errorf("unknown operation %q", word)
			}
			script = append(script, op)
		}
	}
	return script, nil
}

// coreFlags maps Bitcoin Core's names of script flags to the engine's. All
// of them exist there.
var coreFlags = map[string]txscript.ScriptFlags{
	"P2SH":                                  txscript.ScriptBip16,
	"STRICTENC":                             txscript.ScriptVerifyStrictEncoding,
	"DERSIG":                                txscript.ScriptVerifyDERSignatures,
	"LOW_S":                                 txscript.ScriptVerifyLowS,
	"NULLDUMMY":                             txscript.ScriptStrictMultiSig,
	"SIGPUSHONLY":                           txscript.ScriptVerifySigPushOnly,
	"MINIMALDATA":                           txscript.ScriptVerifyMinimalData,
	"DISCOURAGE_UPGRADABLE_NOPS":            txscript.ScriptDiscourageUpgradableNops,
	"CLEANSTACK":                            txscript.ScriptVerifyCleanStack,
	"MINIMALIF":                             txscript.ScriptVerifyMinimalIf,
	"NULLFAIL":                              txscript.ScriptVerifyNullFail,
	"CHECKLOCKTIMEVERIFY":                   txscript.ScriptVerifyCheckLockTimeVerify,
	"CHECKSEQUENCEVERIFY":                   txscript.ScriptVerifyCheckSequenceVerify,
	"WITNESS":                               txscript.ScriptVerifyWitness,
	"DISCOURAGE_UPGRADABLE_WITNESS_PROGRAM": txscript.ScriptVerifyDiscourageUpgradeableWitnessProgram,
	"WITNESS_PUBKEYTYPE":                    txscript.ScriptVerifyWitnessPubKeyType,
	"CONST_SCRIPTCODE":                      txscript.ScriptVerifyConstScriptCode,
	"TAPROOT":                               txscript.ScriptVerifyTaproot,
	"DISCOURAGE_UPGRADABLE_TAPROOT_VERSION": txscript.ScriptVerifyDiscourageUpgradeableTaprootVersion,
	"DISCOURAGE_OP_SUCCESS":                 txscript.ScriptVerifyDiscourageOpSuccess,
	"DISCOURAGE_UPGRADABLE_PUBKEYTYPE":      txscript.ScriptVerifyDiscourageUpgradeablePubkeyType,
}

func allFlags() txscript.ScriptFlags {
	var all txscript.ScriptFlags
	for _, f := range coreFlags {
		all |= f
	}
	return all
}

func parseFlags(t *testing.T, text string) txscript.ScriptFlags {
	t.Helper()
	var flags txscript.ScriptFlags
	for _, name := range strings.Split(text, ",") {
		f, ok := coreFlags[name]
		if !ok && name != "NONE" {
			t.Fatalf("unknown flag %q", name)
		}
		flags |= f
	}
	return flags
}

// fill adds the flags that others need, and trim removes the flags whose
// needs are not met: CLEANSTACK needs WITNESS, which needs P2SH.
func fill(flags txscript.ScriptFlags) txscript.ScriptFlags {
	if flags&txscript.ScriptVerifyCleanStack != 0 {
		flags |= txscript.ScriptVerifyWitness
	}
	if flags&txscript.ScriptVerifyWitness != 0 {
		flags |= txscript.ScriptBip16
	}
	return flags
}

func trim(flags txscript.ScriptFlags) txscript.ScriptFlags {
	if flags&txscript.ScriptBip16 == 0 {
		flags &^= txscript.ScriptVerifyWitness
	}
	if flags&txscript.ScriptVerifyWitness == 0 {
		flags &^= txscript.ScriptVerifyCleanStack
	}
	return flags
}
