package sigcheck

import (
	"encoding/hex"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
)

// scriptRow is a row of Bitcoin Core's script_tests.json.
type scriptRow struct {
	witness          wire.TxWitness
	amount           int64
	sigScript, coin  []byte
	flags            txscript.ScriptFlags
	want             string // Core's name of the result
	comment, written string
}

func decodeScriptRow(t *testing.T, fields []any) (scriptRow, error) {
	var row scriptRow
	var taproot []byte // x-only key for #TAPROOTOUTPUT#
	if list, ok := fields[0].([]any); ok {
		var err error
		if row.witness, taproot, err = decodeWitness(list[:len(list)-1]); err != nil {
			return row, err
		}
		row.amount = int64(math.Round(list[len(list)-1].(float64) * 1e8))
		fields = fields[1:]
	}
	text := make([]string, len(fields))
	for i, f := range fields {
		text[i] = f.(string)
	}
	row.written = strings.Join(text[:3], " | ")
	var err error
	if row.sigScript, err = parseScript(text[0]); err != nil {
		return row, err
	}
	output := strings.ReplaceAll(text[1], "#TAPROOTOUTPUT#", "0x"+hex.EncodeToString(taproot))
	if row.coin, err = parseScript(output); err != nil {
		return row, err
	}
	if text[2] != "" {
		row.flags = fill(parseFlags(t, text[2]))
	}
	row.want = text[3]
	if len(text) > 4 {
		row.comment = text[4]
	}
	return row, nil
}

// decodeWitness reads hex items. An item "#SCRIPT# <script>" stands for a
// leaf of a taproot output with no other leaf and a key that nobody knows,
// "#CONTROLBLOCK#" for the proof of that leaf.
func decodeWitness(list []any) (items wire.TxWitness, taproot []byte, err error) {
	nobody, err := hex.DecodeString("50929b74c1a04954b78b4b6035e97a5e078a5a0f28ec96d547bfee9ace803ac0")
	if err != nil {
		return nil, nil, err
	}
	key, err := schnorr.ParsePubKey(nobody)
	if err != nil {
		return nil, nil, err
	}
	var control []byte
	for _, field := range list {
		text := field.(string)
		var item []byte
		switch {
		case text == "#CONTROLBLOCK#":
			item = control
		case strings.HasPrefix(text, "#SCRIPT#"):
			if item, err = parseScript(strings.TrimPrefix(text, "#SCRIPT#")); err != nil {
				return nil, nil, err
			}
			tree := txscript.AssembleTaprootScriptTree(txscript.NewBaseTapLeaf(item))
			root := tree.RootNode.TapHash()
			taproot = schnorr.SerializePubKey(txscript.ComputeTaprootOutputKey(key, root[:]))
			block := tree.LeafMerkleProofs[0].ToControlBlock(key)
			if control, err = block.ToBytes(); err != nil {
				return nil, nil, err
			}
		default:
			if item, err = hex.DecodeString(text); err != nil {
				return nil, nil, err
			}
		}
		items = append(items, item)
	}
	return items, taproot, nil
}

// spend builds the pair of transactions that Core's file is about: one pays
// to the script, the other spends that.
func (r *scriptRow) spend() Spend {
	from := &wire.MsgTx{
		Version: 1,
		TxIn: []*wire.TxIn{{
			PreviousOutPoint: wire.OutPoint{Index: math.MaxUint32},
			SignatureScript:  []byte{txscript.OP_0, txscript.OP_0},
			Sequence:         wire.MaxTxInSequenceNum,
		}},
		TxOut: []*wire.TxOut{{Value: r.amount, PkScript: r.coin}},
	}
	to := &wire.MsgTx{
		Version: 1,
		TxIn: []*wire.TxIn{{
			PreviousOutPoint: wire.OutPoint{Hash: from.TxHash()},
			SignatureScript:  r.sigScript,
			Witness:          r.witness,
			Sequence:         wire.MaxTxInSequenceNum,
		}},
		TxOut: []*wire.TxOut{{Value: r.amount}},
	}
	return Spend{Tx: consensus.NewTx(to), Coins: []consensus.Coin{{Amount: r.amount, Script: r.coin}}}
}

// TestCoreScripts runs Bitcoin Core's script_tests.json: each row passes or
// fails as there, and for the reason that Core gives.
func TestCoreScripts(t *testing.T) {
	var rows [][]any
	if err := json.Unmarshal(readEngineVectors(t, "script_tests.json"), &rows); err != nil {
		t.Fatal(err)
	}
	c, run := New(Config{Workers: 1}), 0
	for i, fields := range rows {
		if len(fields) == 1 {
			continue // a comment
		}
		row, err := decodeScriptRow(t, fields)
		if err != nil {
			t.Fatalf("row %d: %v", i, err)
		}
		run++
		spend := row.spend()
		got := ""
		if err := c.CheckTx(t.Context(), spend.Tx, spend.Coins, row.flags); err != nil {
			rule := consensus.AsRule(err)
			if rule == nil {
				t.Fatalf("row %d: %v", i, err)
			}
			got = rule.Note
		}
		want, known := coreReasons[row.want]
		if !known {
			t.Fatalf("row %d: unknown result %s", i, row.want)
		}
		if want != "" {
			want = " (" + want + ")"
		}
		if got != want && !(got != "" && got == " ("+mistaken[row.want]+")") {
			t.Errorf("row %d: got%s, want %s: %s (%s)", i, got, row.want, row.written, row.comment)
		}
	}
	if run < 1000 {
		t.Errorf("only %d rows", run)
	}
}

// mistaken are the reasons that the engine does not tell from those that Core
// gives: it has one kind of error for both stacks and one for everything that
// is not in its shortest form, and looks at the type of a signature's hash
// before its form.
var mistaken = map[string]string{
	"INVALID_ALTSTACK_OPERATION": "Operation not valid with the current stack size",
	"SCRIPTNUM":                  "Data push larger than necessary",
	"SIG_DER":                    "Signature hash type missing or not understood",
}

// coreReasons are Core's texts for the names in its test files.
var coreReasons = map[string]string{
	"OK":                                    "",
	"BAD_OPCODE":                            "Opcode missing or not understood",
	"CLEANSTACK":                            "Stack size must be exactly one after execution",
	"DISABLED_OPCODE":                       "Attempted to use a disabled opcode",
	"DISCOURAGE_UPGRADABLE_NOPS":            "NOPx reserved for soft-fork upgrades",
	"DISCOURAGE_UPGRADABLE_WITNESS_PROGRAM": "Witness version reserved for soft-fork upgrades",
	"EQUALVERIFY":                           "Script failed an OP_EQUALVERIFY operation",
	"EVAL_FALSE":                            "Script evaluated without error but finished with a false/empty top stack element",
	"INVALID_ALTSTACK_OPERATION":            "Operation not valid with the current altstack size",
	"INVALID_STACK_OPERATION":               "Operation not valid with the current stack size",
	"MINIMALDATA":                           "Data push larger than necessary",
	"MINIMALIF":                             "OP_IF/NOTIF argument must be minimal",
	"NEGATIVE_LOCKTIME":                     "Negative locktime",
	"NULLFAIL":                              "Signature must be zero for failed CHECK(MULTI)SIG operation",
	"NUMEQUALVERIFY":                        "Script failed an OP_NUMEQUALVERIFY operation",
	"OP_COUNT":                              "Operation limit exceeded",
	"OP_RETURN":                             "OP_RETURN was encountered",
	"PUBKEYTYPE":                            "Public key is neither compressed or uncompressed",
	"PUBKEY_COUNT":                          "Pubkey count negative or limit exceeded",
	"PUSH_SIZE":                             "Push value size limit exceeded",
	"SCRIPTNUM":                             "Script number overflowed or is non-minimally encoded",
	"SCRIPT_SIZE":                           "Script is too big",
	"SIG_COUNT":                             "Signature count negative or greater than pubkey count",
	"SIG_DER":                               "Non-canonical DER signature",
	"SIG_HASHTYPE":                          "Signature hash type missing or not understood",
	"SIG_HIGH_S":                            "Non-canonical signature: S value is unnecessarily high",
	"SIG_NULLDUMMY":                         "Dummy CHECKMULTISIG argument must be zero",
	"SIG_PUSHONLY":                          "Only push operators allowed in signatures",
	"STACK_SIZE":                            "Stack size limit exceeded",
	"TAPSCRIPT_EMPTY_PUBKEY":                "Empty public key in tapscript",
	"UNBALANCED_CONDITIONAL":                "Invalid OP_IF construction",
	"UNSATISFIED_LOCKTIME":                  "Locktime requirement not satisfied",
	"VERIFY":                                "Script failed an OP_VERIFY operation",
	"WITNESS_MALLEATED":                     "Witness requires empty scriptSig",
	"WITNESS_MALLEATED_P2SH":                "Witness requires only-redeemscript scriptSig",
	"WITNESS_PROGRAM_MISMATCH":              "Witness program hash mismatch",
	"WITNESS_PROGRAM_WITNESS_EMPTY":         "Witness program was passed an empty witness",
	"WITNESS_PROGRAM_WRONG_LENGTH":          "Witness program has incorrect length",
	"WITNESS_PUBKEYTYPE":                    "Using non-compressed keys in segwit",
	"WITNESS_UNEXPECTED":                    "Witness provided for non-witness script",
}
