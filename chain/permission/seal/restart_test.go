package seal

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/permission/record"
)

// certificate has members 1, 2, … as miners and as signers, unsigned.
func certificate(miners, signers int) *Certificate {
	c := &Certificate{Parent: chainhash.HashH([]byte("prev"))}
	for i := range miners {
		c.Miners = append(c.Miners, numbered(i))
	}
	for i := range signers {
		c.Signers = append(c.Signers, Signature{Member: numbered(i)})
	}
	return c
}

func numbered(i int) (id record.MemberID) {
	binary.BigEndian.PutUint16(id[:], uint16(i+1))
	return id
}

func TestCertificateBounds(t *testing.T) {
	tests := []struct {
		name            string
		miners, signers int
		ok              bool
	}{
		{"least", 1, 1, true},
		{"most", 256, 256, true},
		{"no miner", 0, 1, false},
		{"no signer", 1, 0, false},
		{"257 miners", 257, 1, false},
		{"257 signers", 1, 257, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := certificate(test.miners, test.signers)
			made, err := NewCertificate(c.Parent, c.Miners, c.Signers)
			if (err == nil) != test.ok {
				t.Errorf("NewCertificate: %v", err)
			}
			script := c.Script()
			found, err := findCertificate(script)
			if !test.ok {
				wantRule(t, err, RuleRestartMalformed)
				return
			}
			wantRule(t, err, "")
			if diff := cmp.Diff(made, found); diff != "" {
				t.Error(diff)
			}
			tokens := txscript.MakeScriptTokenizer(0, script[1:])
			if !tokens.Next() || tokens.Next() || tokens.Err() != nil {
				t.Errorf("%x is not one push", script)
			}
		})
	}
}

// TestPushForms walks the number of members over the boundary between the
// two forms of a push, whose data have a length of 156 and 20 a member.
func TestPushForms(t *testing.T) {
	for miners, op := range map[int]byte{1: txscript.OP_PUSHDATA1, 4: txscript.OP_PUSHDATA1, 5: txscript.OP_PUSHDATA2} {
		script := certificate(miners, 1).Script()
		if script[1] != op {
			t.Errorf("%d members: opcode %x, want %x", miners, script[1], op)
		}
		if _, err := findCertificate(script); err != nil {
			t.Errorf("%d members: %v", miners, err)
		}
	}
}

func TestNewCertificateSorts(t *testing.T) {
	signers := []Signature{{Member: member(9)}, {Member: member(3)}}
	miners := members(5, 2, 7)
	c, err := NewCertificate(chainhash.Hash{}, miners, signers)
	if err != nil {
		t.Fatal(err)
	}
	want := &Certificate{Miners: members(2, 5, 7), Signers: []Signature{signers[1], signers[0]}}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Error(diff)
	}
	if miners[0] != member(5) || signers[0].Member != member(9) {
		t.Error("the arguments were changed")
	}
	for n := range byte(10) {
		if listed := n == 2 || n == 5 || n == 7; c.Lists(member(n)) != listed {
			t.Errorf("member %d: listed %v", n, !listed)
		}
	}
	if _, err := NewCertificate(chainhash.Hash{}, members(1, 2, 1), signers); err == nil {
		t.Error("a member that mines is listed twice")
	}
	double := []Signature{{Member: member(3), Key: [32]byte{1}}, {Member: member(3), Key: [32]byte{2}}}
	if _, err := NewCertificate(chainhash.Hash{}, members(1), double); err == nil {
		t.Error("a member signs by two keys")
	}
}

func TestCertificateForm(t *testing.T) {
	swap := func(c *Certificate) {
		c.Miners[0], c.Miners[1] = c.Miners[1], c.Miners[0]
	}
	tests := []struct {
		name   string
		change func(*Certificate)
		script func([]byte) []byte
	}{
		{"members out of order", swap, nil},
		{"a member twice", func(c *Certificate) { c.Miners[1] = c.Miners[0] }, nil},
		{"signers out of order", func(c *Certificate) { slices.Reverse(c.Signers) }, nil},
		{"a signer twice", func(c *Certificate) { c.Signers[1].Member = c.Signers[0].Member; c.Signers[1].Key[0] = 1 }, nil},
		{"a byte short", nil, func(s []byte) []byte { return s[:len(s)-1] }},
		{"a byte after the push", nil, func(s []byte) []byte { return append(s, 0) }},
		{"a byte more in the push", nil, func(s []byte) []byte { s[2]++; return append(s, 0) }},
		{"longer push than needed", nil, func(s []byte) []byte {
			return returning(txscript.OP_PUSHDATA4, []byte{s[2], s[3], 0, 0}, s[4:])
		}},
		{"ends in the parent", nil, func(s []byte) []byte { return returning(txscript.OP_DATA_35, nil, s[4:39]) }},
		{"ends before the number of members", nil, func(s []byte) []byte { return returning(txscript.OP_DATA_37, nil, s[4:41]) }},
		{"ends in the members", nil, func(s []byte) []byte { return returning(txscript.OP_DATA_75, nil, s[4:79]) }},
		{"ends before the number of signers", nil, func(s []byte) []byte {
			return returning(txscript.OP_PUSHDATA1, []byte{38 + 40 + 1}, s[4:4+38+40+1])
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := certificate(2, 2)
			if test.change != nil {
				test.change(c)
			}
			script := c.Script()
			if test.script != nil {
				script = test.script(script)
			}
			_, err := findCertificate(script)
			wantRule(t, err, RuleRestartMalformed)
		})
	}
	good := certificate(2, 2).Script()
	placeholder := wire.NewTxOut(0, Script([32]byte{}, [64]byte{}))
	_, _, err := Find(&wire.MsgTx{TxOut: []*wire.TxOut{placeholder, wire.NewTxOut(1, good)}})
	wantRule(t, err, RuleRestartMalformed)
	_, _, err = Find(&wire.MsgTx{TxOut: []*wire.TxOut{wire.NewTxOut(0, good), placeholder, wire.NewTxOut(0, good)}})
	wantRule(t, err, RuleRestartMultiple)
	_, _, err = Find(&wire.MsgTx{TxOut: []*wire.TxOut{wire.NewTxOut(0, good)}})
	wantRule(t, err, RuleMissing)
}

// signedCertificate is of members 1 and 2, who let 2 and 3 mine.
func signedCertificate(t *testing.T, parent chainhash.Hash) *Certificate {
	t.Helper()
	miners := members(3, 2)
	var signers []Signature
	for n := byte(1); n <= 2; n++ {
		s, err := SignRestart(testGenesis(), parent, miners, member(n), testKey(n), [32]byte{n})
		if err != nil {
			t.Fatal(err)
		}
		signers = append(signers, s)
	}
	c, err := NewCertificate(parent, miners, signers)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCheckSigs(t *testing.T) {
	genesis, parent := testGenesis(), chainhash.HashH([]byte("prev"))
	c := signedCertificate(t, parent)
	wantRule(t, c.CheckSigs(genesis), "")
	changes := map[string]func(c *Certificate){
		"parent":            func(c *Certificate) { c.Parent[0] ^= 1 },
		"one member less":   func(c *Certificate) { c.Miners = c.Miners[:1] },
		"one member more":   func(c *Certificate) { c.Miners = append(slices.Clone(c.Miners), member(9)) },
		"another member":    func(c *Certificate) { c.Miners = members(2, 4) },
		"signature":         func(c *Certificate) { c.Signers[1].Sig[63] ^= 1 },
		"key":               func(c *Certificate) { c.Signers[1].Key = c.Signers[0].Key },
		"key off the curve": func(c *Certificate) { c.Signers[0].Key = [32]byte{0xff} },
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			other := *c
			other.Signers = slices.Clone(c.Signers)
			change(&other)
			wantRule(t, other.CheckSigs(genesis), RuleRestartSignature)
		})
	}
	wantRule(t, c.CheckSigs(chainhash.Hash{}), RuleRestartSignature)
}

func TestRestartBlock(t *testing.T) {
	with := func(n int, parent chainhash.Hash) *wire.MsgBlock {
		block := draft(n)
		c := signedCertificate(t, parent)
		block.Transactions[0].AddTxOut(wire.NewTxOut(0, c.Script()))
		return block
	}
	block := with(1, draft(1).Header.PrevBlock)
	if err := SealBlock(testGenesis(), block, testHeight, testKey(1)); err != nil {
		t.Fatal(err)
	}
	_, c, _, err := proofOf(block).Check(testGenesis(), &block.Header, testHeight)
	if err != nil || c == nil {
		t.Fatalf("certificate %v, %v", c, err)
	}
	wantRule(t, c.CheckSigs(testGenesis()), "")

	full := with(2, draft(1).Header.PrevBlock)
	wantRule(t, SealBlock(testGenesis(), full, testHeight, testKey(1)), RuleRestartBody)
	commit(full)
	_, err = check(full)
	wantRule(t, err, RuleRestartBody)

	moved := with(1, chainhash.HashH([]byte("elsewhere")))
	wantRule(t, SealBlock(testGenesis(), moved, testHeight, testKey(1)), RuleRestartParent)
	commit(moved)
	_, err = check(moved)
	wantRule(t, err, RuleRestartParent)
}

// TestRestartRoom checks what the documentation says about how much fits
// into a coinbase beside a payout and the seal.
func TestRestartRoom(t *testing.T) {
	fits := func(miners, signers int) bool {
		block := draft(1)
		block.Transactions[0].AddTxOut(wire.NewTxOut(0, certificate(miners, signers).Script()))
		return SealBlock(testGenesis(), block, testHeight, testKey(1)) == nil
	}
	for _, test := range []struct {
		miners, signers int
		want            bool
	}{{55, 129, true}, {65, 129, false}, {1, 138, true}, {1, 140, false}, {256, 90, true}} {
		if got := fits(test.miners, test.signers); got != test.want {
			t.Errorf("%d members, %d signers: fits %v, want %v", test.miners, test.signers, got, test.want)
		}
	}
}

func TestRestartTime(t *testing.T) {
	at := func(s int64) *wire.BlockHeader { return &wire.BlockHeader{Timestamp: time.Unix(s, 0)} }
	for _, test := range []struct {
		time int64
		rule consensus.Rule
	}{{1000, RuleRestartTime}, {4599, RuleRestartTime}, {4600, ""}, {4601, ""}} {
		t.Run(time.Unix(test.time, 0).String(), func(t *testing.T) {
			wantRule(t, CheckRestartTime(at(test.time), at(1000), time.Hour), test.rule)
		})
	}
}

func TestParseCertificate(t *testing.T) {
	c := certificate(2, 1)
	got, err := ParseCertificate(c.Script())
	if diff := cmp.Diff(c, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	script := c.Script()
	for name, bad := range map[string][]byte{
		"nothing":      nil,
		"no data":      {txscript.OP_RETURN},
		"a seal":       Script([32]byte{}, [64]byte{}),
		"cut":          script[:len(script)-1],
		"more":         append(slices.Clone(script), 0),
		"another push": append([]byte{txscript.OP_RETURN, txscript.OP_PUSHDATA4}, script[2:]...),
	} {
		if got, err := ParseCertificate(bad); err == nil {
			t.Errorf("%s: read as %+v", name, got)
		}
	}
}
