package record

import (
	"bytes"
	"testing"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/charterchain/charter/chain/consensus"
)

func out(amount int64, script []byte) *wire.TxOut { return wire.NewTxOut(amount, script) }

func TestFromTx(t *testing.T) {
	grant := Grant{9, salt, acme, Send, Range{1, 2}}
	rename := RenameMember{9, salt, acme, "x"}
	plain := out(5, p2pkh)
	list, err := FromTx(txOf(plain, out(0, mustScript(t, grant)), plain, out(0, mustScript(t, rename))))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Located{{1, grant}, {3, rename}}, list); diff != "" {
		t.Error(diff)
	}
	list, err = FromTx(txOf(plain, out(0, []byte{txscript.OP_RETURN, 3, 'C', 'H', 'S'})))
	if list != nil || err != nil {
		t.Errorf("%v, %v", list, err)
	}
}

func TestTooMany(t *testing.T) {
	var outs []*wire.TxOut
	for i := range MaxPerTx {
		outs = append(outs, out(0, mustScript(t, Grant{uint32(i), salt, acme, Send, Range{1, 2}})))
	}
	list, err := FromTx(txOf(outs...))
	if err != nil || len(list) != MaxPerTx {
		t.Errorf("%d records, %v", len(list), err)
	}
	_, err = FromTx(txOf(append(outs, outs[0])...))
	wantRule(t, err, RuleTooMany, "output 8 ")
	_, err = FromTx(txOf(append(outs, out(0, []byte{txscript.OP_RETURN, 3, 'C', 'H', 'S'}))...))
	wantRule(t, err, "", "")
}

func TestOutputForms(t *testing.T) {
	good := mustScript(t, Grant{9, salt, acme, Send, Range{1, 2}})                     // below 76 bytes
	long := mustScript(t, CreateMember{9, salt, "a", p2tr(1), Connect, new([64]byte)}) // above
	data, longData := good[2:], long[3:]
	cat := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	pd1, pd2, pd4 := []byte{0x6a, 0x4c, byte(len(data))}, []byte{0x6a, 0x4d, byte(len(data)), 0}, []byte{0x6a, 0x4e, byte(len(data)), 0, 0, 0}
	const none = consensus.Rule("none") // no record, no error
	for _, tt := range []struct {
		name   string
		amount int64
		script []byte
		rule   consensus.Rule
		says   string
	}{
		{"good", 0, good, "", ""},
		{"good, long", 0, long, "", ""},
		{"amount 1", 1, good, RuleMalformed, "output 0: the record has the amount 1"},
		{"amount -1", -1, good, RuleMalformed, "amount -1"},
		{"PUSHDATA1 of a short one", 0, cat(pd1, data), RuleMalformed, "minimal push"},
		{"PUSHDATA2", 0, cat(pd2, data), RuleMalformed, "minimal push"},
		{"PUSHDATA4", 0, cat(pd4, data), RuleMalformed, "minimal push"},
		{"PUSHDATA2 of a long one", 0, cat([]byte{0x6a, 0x4d, byte(len(longData)), 0}, longData), RuleMalformed, "minimal push"},
		{"something behind", 0, cat(good, []byte{0}), RuleMalformed, "minimal push"},
		{"a second push behind", 0, cat(good, good[1:]), RuleMalformed, "minimal push"},
		{"cut off", 0, good[:len(good)-1], RuleMalformed, "bytes, 3 are left"},
		{"cut behind the magic", 0, good[:5], RuleMalformed, "ends before its operation"},
		{"cut within the magic", 0, good[:4], none, ""},
		{"huge length, cut off", 0, cat([]byte{0x6a, 0x4e, 0xff, 0xff, 0xff, 0xff}, data), RuleMalformed, "minimal push"},
		{"other version", 0, []byte{0x6a, 5, 'C', 'H', 'R', 2, 1}, RuleMalformed, "version 2"},
		{"magic only", 0, []byte{0x6a, 3, 'C', 'H', 'R'}, RuleMalformed, "ends before"},
		{"magic in capitals only", 0, []byte{0x6a, 3, 'c', 'h', 'r'}, none, ""},
		{"pushes of single letters", 0, []byte{0x6a, 1, 'C', 1, 'H', 1, 'R'}, none, ""},
		{"a push of two letters", 0, []byte{0x6a, 2, 'C', 'H', 'R'}, none, ""},
		{"later push", 0, cat([]byte{0x6a, 0}, good[1:]), none, ""},
		{"behind OP_1", 0, cat([]byte{0x6a, 0x51}, good[1:]), none, ""},
		{"opcode after the pushes", 0, cat([]byte{0x6a, 0x4f}, data), none, ""},
		{"bare magic", 0, cat([]byte{0x6a}, data), none, ""},
		{"seal", 0, []byte{0x6a, 4, 'C', 'H', 'S', 1}, none, ""},
		{"no OP_RETURN", 7, good[1:], none, ""},
		{"OP_RETURN later", 7, cat([]byte{0x51}, good), none, ""},
		{"OP_RETURN alone", 0, []byte{0x6a}, none, ""},
		{"PUSHDATA1 without length", 0, []byte{0x6a, 0x4c}, none, ""},
		{"PUSHDATA4 without length", 0, []byte{0x6a, 0x4e, 3, 0, 0}, none, ""},
		{"empty", 0, nil, none, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			list, err := FromTx(txOf(out(tt.amount, tt.script)))
			if tt.rule == none {
				if list != nil || err != nil || Claims(tt.script) {
					t.Fatalf("%v, %v", list, err)
				}
				return
			}
			wantRule(t, err, tt.rule, tt.says)
			if !Claims(tt.script) {
				t.Error("does not claim to be a record")
			}
		})
	}
}

func TestAuthorityOutputs(t *testing.T) {
	sig := new([64]byte)
	adders := map[string]func(roles Set, sig *[64]byte) Record{
		"create": func(roles Set, sig *[64]byte) Record { return CreateMember{9, salt, "a", p2tr(1), roles, sig} },
		"add": func(roles Set, sig *[64]byte) Record {
			return AddKey{9, salt, acme, p2tr(1), roles, Range{1, 2}, sig}
		},
		"change": func(roles Set, sig *[64]byte) Record {
			return ChangeKey{9, salt, acme, p2tr(1), roles, Range{1, 2}, sig}
		},
	}
	for name, add := range adders {
		for role := range Roles.Each() {
			s := sig
			if !role.Any(NeedsKey) {
				s = nil
			}
			record := out(0, mustScript(t, add(role, s)))
			governs := role == Admin || role == Activate || role == Manage
			var rule consensus.Rule
			if governs {
				rule = RuleNoAuthorityOutput
			}
			for _, tt := range []struct {
				name string
				more *wire.TxOut
				rule consensus.Rule
			}{
				{"without", out(0, p2pkh), rule},
				{"with", out(0, p2tr(1)), ""},
				{"to another key", out(0, p2tr(2)), rule},
				{"with an amount", out(1, p2tr(1)), rule},
			} {
				t.Run(name+" "+role.String()+" "+tt.name, func(t *testing.T) {
					_, err := FromTx(txOf(record, tt.more))
					wantRule(t, err, tt.rule, "")
				})
			}
		}
	}
	both := []*wire.TxOut{
		out(0, mustScript(t, adders["create"](Admin, sig))), out(0, p2tr(1)), out(0, mustScript(t, adders["change"](Manage, sig))),
	}
	if list, err := FromTx(txOf(both...)); err != nil || len(list) != 2 {
		t.Errorf("two records for one key: %v", err)
	}
	if _, err := FromTx(txOf(out(0, mustScript(t, RemoveKey{9, salt, acme, p2tr(1)})))); err != nil {
		t.Errorf("removing needs none: %v", err)
	}
}

// FuzzFromTx: an output is a record with the only encoding it has, or a
// claimed one that is refused, or none.
func FuzzFromTx(f *testing.F) {
	names, data := golden(f)
	for _, name := range names {
		f.Add(script(data[name]), int64(0))
	}
	f.Add([]byte{0x6a, 0x4e, 0xff, 0xff, 0xff, 0xff, 'C', 'H', 'R'}, int64(0))
	f.Add(append([]byte{0x6a, 0x4c, 53}, data["revoke"]...), int64(1))
	f.Fuzz(func(t *testing.T, s []byte, amount int64) {
		outs := []*wire.TxOut{out(amount, s), out(0, p2tr(1)), out(0, p2tr(2))}
		list, err := FromTx(txOf(outs...))
		switch {
		case !Claims(s):
			if list != nil || err != nil {
				t.Fatalf("%x: %v, %v", s, list, err)
			}
		case err != nil:
			if consensus.AsRule(err) == nil {
				t.Fatalf("%x: %v", s, err)
			}
		case len(list) != 1 || amount != 0 || !bytes.Equal(mustScript(t, list[0].Record), s):
			t.Fatalf("%x: %v", s, list)
		}
	})
}

// BenchmarkFromTxPlain is what a payment pays for records.
func BenchmarkFromTxPlain(b *testing.B) {
	tx := txOf(out(5, p2tr(1)), out(6, p2wpkh))
	b.ReportAllocs()
	for b.Loop() {
		if list, err := FromTx(tx); list != nil || err != nil {
			b.Fatal(err)
		}
	}
}

// TestRuleNames: replies and metrics use these texts.
func TestRuleNames(t *testing.T) {
	want := []consensus.Rule{"bad-record", "too-many-records", "missing-authority-output", "bad-record-signature"}
	if diff := cmp.Diff(want, []consensus.Rule{RuleMalformed, RuleTooMany, RuleNoAuthorityOutput, RuleSignature}); diff != "" {
		t.Error(diff)
	}
}
