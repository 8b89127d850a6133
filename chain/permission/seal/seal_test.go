package seal

import (
	"bytes"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/charterchain/charter/chain/consensus"
)

func returning(op byte, length []byte, data []byte) []byte {
	return slices.Concat([]byte{txscript.OP_RETURN, op}, length, data)
}

func TestFind(t *testing.T) {
	key, sig := [32]byte{1, 2}, [64]byte{3, 4}
	good := Script(key, sig)
	data := good[3:]
	changed := func(at int, to byte) []byte {
		s := slices.Clone(good)
		s[at] = to
		return s
	}
	out := func(script []byte) *wire.TxOut { return wire.NewTxOut(0, script) }
	pay := wire.NewTxOut(50, []byte{txscript.OP_TRUE})

	tests := []struct {
		name string
		outs []*wire.TxOut
		at   int
		rule consensus.Rule
	}{
		{"alone", []*wire.TxOut{out(good)}, 0, ""},
		{"behind the payout", []*wire.TxOut{pay, out(good)}, 1, ""},
		{"zero key and signature", []*wire.TxOut{out(Script([32]byte{}, [64]byte{}))}, 0, ""},
		{"none", []*wire.TxOut{pay}, 0, RuleMissing},
		{"no output", nil, 0, RuleMissing},
		{"twice", []*wire.TxOut{out(good), pay, out(good)}, 0, RuleMultiple},
		{"twice, other keys", []*wire.TxOut{out(good), out(changed(10, 9))}, 0, RuleMultiple},
		{"amount 1", []*wire.TxOut{wire.NewTxOut(1, good)}, 0, RuleMalformed},
		{"amount -1", []*wire.TxOut{wire.NewTxOut(-1, good)}, 0, RuleMalformed},
		{"type 0", []*wire.TxOut{out(changed(6, 0))}, 0, RuleMalformed},
		{"type 3", []*wire.TxOut{out(changed(6, 3))}, 0, RuleMalformed},
		{"type 3 beside a seal", []*wire.TxOut{out(good), out(returning(5, nil, []byte("CHS\x03x")))}, 0, RuleMalformed},
		{"no type", []*wire.TxOut{out(returning(3, nil, []byte("CHS")))}, 0, RuleMalformed},
		{"type behind the push", []*wire.TxOut{out(returning(3, nil, []byte("CHS\x02")))}, 0, RuleMalformed},
		{"seal of the type of certificates", []*wire.TxOut{out(changed(6, 2))}, 0, RuleRestartMalformed},
		{"a byte short", []*wire.TxOut{out(good[:len(good)-1])}, 0, RuleMalformed},
		{"a byte after the push", []*wire.TxOut{out(append(slices.Clone(good), 0))}, 0, RuleMalformed},
		{"99 bytes", []*wire.TxOut{out(returning(txscript.OP_PUSHDATA1, []byte{99}, data[:99]))}, 0, RuleMalformed},
		{"101 bytes", []*wire.TxOut{out(returning(txscript.OP_PUSHDATA1, []byte{101}, append(slices.Clone(data), 0)))}, 0, RuleMalformed},
		{"OP_PUSHDATA2", []*wire.TxOut{out(returning(txscript.OP_PUSHDATA2, []byte{100, 0}, data))}, 0, RuleMalformed},
		{"OP_PUSHDATA4", []*wire.TxOut{out(returning(txscript.OP_PUSHDATA4, []byte{100, 0, 0, 0}, data))}, 0, RuleMalformed},
		{"the script ends in the push", []*wire.TxOut{out(good), out(returning(75, nil, []byte("CHS")))}, 0, RuleMalformed},
		{"a good one after a bad one", []*wire.TxOut{out(changed(6, 3)), out(good)}, 0, RuleMalformed},

		// These claim nothing.
		{"other magic", []*wire.TxOut{out(changed(5, 'T'))}, 0, RuleMissing},
		{"magic without OP_RETURN", []*wire.TxOut{out(good[1:])}, 0, RuleMissing},
		{"OP_RETURN alone", []*wire.TxOut{out([]byte{txscript.OP_RETURN}), out(good)}, 1, ""},
		{"empty script", []*wire.TxOut{out(nil), out(good)}, 1, ""},
		{"two bytes of magic pushed", []*wire.TxOut{out(returning(2, nil, []byte("CHS"))), out(good)}, 1, ""},
		{"length cut off", []*wire.TxOut{out(returning(txscript.OP_PUSHDATA2, []byte{100}, nil)), out(good)}, 1, ""},
		{"magic not pushed first", []*wire.TxOut{out(slices.Concat([]byte{txscript.OP_RETURN, 1, 0}, good[1:])), out(good)}, 1, ""},
		{"magic behind another opcode", []*wire.TxOut{out(returning(txscript.OP_1, nil, data)), out(good)}, 1, ""},
		{"magic later in the data", []*wire.TxOut{out(returning(5, nil, []byte("xCHS\x01"))), out(good)}, 1, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, cert, err := Find(&wire.MsgTx{TxOut: test.outs})
			wantRule(t, err, test.rule)
			if err != nil {
				if s != nil || cert != nil {
					t.Error("error with a result")
				}
				return
			}
			if s.Output != test.at || cert != nil {
				t.Errorf("output %d, certificate %v", s.Output, cert)
			}
			if script := test.outs[test.at].PkScript; !bytes.Equal(Script(s.Key, s.Sig), script) {
				t.Errorf("seal %x, output %x", Script(s.Key, s.Sig), script)
			}
		})
	}
}

func TestScriptIsOnePush(t *testing.T) {
	script := Script([32]byte{1}, [64]byte{2})
	if len(script)+9 != OutputSize {
		t.Errorf("an output of %d bytes, OutputSize is %d", len(script)+9, OutputSize)
	}
	tokens := txscript.MakeScriptTokenizer(0, script[1:])
	if !tokens.Next() || len(tokens.Data()) != 100 || tokens.Next() || tokens.Err() != nil {
		t.Errorf("%x is not one push of 100 bytes", script)
	}
}

// FuzzFind gives one script as an output: no input may panic, and what is
// found has to encode to the very script.
func FuzzFind(f *testing.F) {
	f.Add(Script([32]byte{1}, [64]byte{2}), int64(0))
	f.Add(Script([32]byte{1}, [64]byte{2}), int64(1))
	f.Add(returning(3, nil, []byte("CHS")), int64(0))
	f.Add(returning(txscript.OP_PUSHDATA4, []byte{0xff, 0xff, 0xff, 0xff}, []byte("CHS\x02")), int64(0))
	f.Add(returning(txscript.OP_PUSHDATA2, []byte{4}, nil), int64(0))
	f.Fuzz(func(t *testing.T, script []byte, amount int64) {
		s, cert, err := Find(&wire.MsgTx{TxOut: []*wire.TxOut{wire.NewTxOut(amount, script)}})
		if err != nil {
			if consensus.AsRule(err) == nil {
				t.Fatalf("%v is no RuleError", err)
			}
			return
		}
		if again := Script(s.Key, s.Sig); !bytes.Equal(again, script) || amount != 0 || cert != nil {
			t.Fatalf("%x with amount %d read as %x", script, amount, again)
		}
	})
}

// FuzzFindCertificate is FuzzFind for the output beside a seal.
func FuzzFindCertificate(f *testing.F) {
	for _, c := range []*Certificate{certificate(1, 1), certificate(2, 3)} {
		f.Add(c.Script())
	}
	f.Add(returning(4, nil, []byte("CHS\x02")))
	f.Add(returning(txscript.OP_PUSHDATA1, []byte{200}, append([]byte("CHS\x02"), make([]byte, 34)...)))
	f.Fuzz(func(t *testing.T, script []byte) {
		c, err := findCertificate(script)
		if err != nil || c == nil {
			return
		}
		if again := c.Script(); !bytes.Equal(again, script) {
			t.Fatalf("%x read as %x", script, again)
		}
		sorted, err := NewCertificate(c.Parent, c.Miners, c.Signers)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c, sorted); diff != "" {
			t.Fatal(diff)
		}
	})
}

// findCertificate is Find for the script of a second output beside a seal.
func findCertificate(script []byte) (*Certificate, error) {
	_, c, err := Find(&wire.MsgTx{TxOut: []*wire.TxOut{
		wire.NewTxOut(0, Script([32]byte{}, [64]byte{})),
		wire.NewTxOut(0, script),
	}})
	return c, err
}
