package consensus

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/params"
)

// boundary is a rule with the last input that keeps it and the first that
// breaks it. The two differ in nothing else.
type boundary struct {
	rule    Rule
	name    string
	mutated bool
	last    error
	first   error
}

// elsewhere are the rules that this package only names: what looks up coins
// or runs scripts enforces them. Each has its boundary in the named test.
var elsewhere = map[Rule]struct{ constant, folder, test string }{
	RuleTxMissingInputs: {"RuleTxMissingInputs", "..", "TestBranchWithInvalidBlockIsLeft"},
	RuleTxOverwrite:     {"RuleTxOverwrite", "..", "TestOverwriteOfUnspentTransaction"},
	RuleTxScript:        {"RuleTxScript", "../sigcheck", "TestScriptRules"},
	RuleBlockScript:     {"RuleBlockScript", "../sigcheck", "TestScriptRules"},
}

// TestEveryRuleHasABoundary fails for a rule that nobody breaks.
func TestEveryRuleHasABoundary(t *testing.T) {
	all := append(append(append(headerBoundaries(t), blockBoundaries()...), coinbaseBoundaries()...), txBoundaries()...)
	tested := make(map[Rule]bool)
	for _, b := range all {
		tested[b.rule] = true
		t.Run(string(b.rule)+"/"+b.name, func(t *testing.T) {
			wantRule(t, b.last, "", false)
			wantRule(t, b.first, b.rule, b.mutated)
		})
	}
	for rule, at := range elsewhere {
		tested[rule] = true
		if !testUses(t, at.folder, at.test, at.constant) {
			t.Errorf("%s: there is no test %s in %s that uses %s", rule, at.test, at.folder, at.constant)
		}
	}
	for _, rule := range Rules() {
		if !tested[rule] {
			t.Errorf("%s: no test breaks it at its boundary", rule)
		}
	}
}

// testUses reports whether a test function of a folder uses a rule.
func testUses(t *testing.T, folder, test, constant string) (uses bool) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Name.Name == test {
				ast.Inspect(fn, func(n ast.Node) bool {
					id, ok := n.(*ast.Ident)
					uses = uses || ok && id.Name == constant
					return true
				})
			}
		}
	}
	return uses
}

func headerBoundaries(t *testing.T) []boundary {
	easy := regtest()
	parent := spaced(12, 1000, 10, 0x207fffff) // times to 1110, median 1060
	in := func(p *params.Params, parent Ancestry, version int32, bits uint32, unix int64) error {
		return CheckHeaderContext(&wire.BlockHeader{Version: version, Bits: bits, Timestamp: time.Unix(unix, 0)}, parent, p)
	}
	spacedOut := regtest()
	spacedOut.PoW.MinSpacing = 15 * time.Second
	clean := cleanFrom(0)
	clean.PoW.Timespan = 12 * clean.PoW.Spacing
	mains, far := spaced(12, 1000, 10, 0x1d00ffff), spaced(24, 1000, 10, 0x1d00ffff)
	far[11].Time, far[12].Time = 100_000, 50_000
	work := NextBits(far[:12], 0, clean)
	hash := func(nonce uint32) error {
		h := decodeHeader(t, strings.Repeat("00", 80))
		h.Bits, h.Nonce = 0x207fffff, nonce
		return CheckHeader(h, easy)
	}
	meeting := uint32(0)
	for hash(meeting) != nil || hash(meeting+1) == nil {
		meeting++
	}
	limit := func(bits uint32) error {
		p := regtest()
		p.PoW.Limit, p.PoW.LimitTarget = 0x207ffffe, target(0x207ffffe)
		h := decodeHeader(t, strings.Repeat("00", 80))
		for h.Bits, h.Nonce = bits, meeting; ; h.Nonce++ {
			if h.BlockHash()[31] < 0x7f {
				return CheckHeader(h, p)
			}
		}
	}
	return []boundary{
		{rule: RuleHighHash, name: "a nonce later", last: hash(meeting), first: hash(meeting + 1)},
		{rule: RuleHighHash, name: "limit", last: limit(0x207ffffe), first: limit(0x207fffff)},
		{rule: RuleBits, name: "harder by the least step", last: in(easy, parent, 4, 0x207fffff, 2000), first: in(easy, parent, 4, 0x207ffffe, 2000)},
		{rule: RuleTimeTooOld, name: "at the median", last: in(easy, parent, 4, 0x207fffff, 1061), first: in(easy, parent, 4, 0x207fffff, 1060)},
		{rule: RuleTimeTooEarly, name: "a second early", last: in(spacedOut, parent, 4, 0x207fffff, 1125), first: in(spacedOut, parent, 4, 0x207fffff, 1124)},
		{rule: RuleTimewarp, name: "a second more than two hours", last: in(clean, far[:12], 4, work, 92_800), first: in(clean, far[:12], 4, work, 92_799)},
		{rule: RuleTimeNegative, name: "a second before the first", last: in(clean, far[:23], 4, 0x1d00ffff, 50_000), first: in(clean, far[:23], 4, 0x1d00ffff, 49_999)},
		{rule: RuleVersion, name: "BIP65", last: in(mainnet(), mains, 4, 0x1d00ffff, 2000), first: in(mainnet(), mains, 3, 0x1d00ffff, 2000)},
	}
}

func blockBoundaries() []boundary {
	const op = txscript.OP_CHECKSIG
	parent := spaced(1, 0, 1, 0x207fffff)
	paying := func(script []byte) *wire.MsgTx {
		m := payment(1)
		m.TxOut[0].PkScript = script
		return m
	}
	ops := func(n int) *Block { return block(coinbaseAt(1, 1), paying(bytes.Repeat([]byte{op}, n))) }
	// filled is a block whose size without witnesses is n.
	filled := func(n int) *Block {
		b := block(coinbaseAt(1, 1), paying(opaque(n)))
		return block(coinbaseAt(1, 1), paying(opaque(n+n-int(b.strippedSize()))))
	}
	wrongRoot := filled(1000)
	wrongRoot.Header.MerkleRoot[31] ^= 0x80
	repeated := block(coinbaseAt(1, 1), payment(1), payment(2))
	same := &Block{Header: repeated.Header, Hash: repeated.Hash, Txs: append(append([]*Tx(nil), repeated.Txs...), repeated.Txs[2])}
	few := mainnet()
	few.Limits.BlockTxs = 3
	locked := func(lock uint32) *Block {
		m := payment(1)
		m.LockTime, m.TxIn[0].Sequence = lock, 0
		return block(coinbaseAt(1, 1), m)
	}
	reserved := func(n int) *Block {
		return witnessed(func(cb *wire.MsgTx) { cb.TxIn[0].Witness[0] = make([]byte, n) })
	}
	commitment := func(flip byte) *Block {
		return witnessed(func(cb *wire.MsgTx) { cb.TxOut[1].PkScript[37] ^= flip })
	}
	prefix := func(flip byte) *Block {
		return witnessed(func(cb *wire.MsgTx) { cb.TxOut[1].PkScript[5] ^= flip })
	}
	alone := func(b *Block, p *params.Params) error { return CheckBlock(b, p) }
	placed := func(b *Block) error { return CheckBlockContext(b, parent, mainnet()) }
	return []boundary{
		{rule: RuleMerkleRoot, name: "a bit", mutated: true, last: alone(filled(1000), mainnet()), first: alone(wrongRoot, mainnet())},
		{rule: RuleDuplicateTxs, name: "the last one twice", mutated: true, last: alone(repeated, mainnet()), first: alone(same, mainnet())},
		{rule: RuleBlockLength, name: "1,000,000 bytes", last: alone(filled(1_000_000), mainnet()), first: alone(filled(1_000_001), mainnet())},
		{rule: RuleBlockTxs, name: "as many as the chain allows", last: alone(block(coinbaseAt(1, 1), payment(1), payment(2)), few),
			first: alone(block(coinbaseAt(1, 1), payment(1), payment(2), payment(3)), few)},
		{rule: RuleBlockWeight, name: "4,000,000", last: placed(weighing(4_000_000)), first: placed(weighing(4_000_001))},
		{rule: RuleBlockSigOps, name: "80,000", last: alone(ops(20_000), mainnet()), first: alone(ops(20_001), mainnet())},
		{rule: RuleNonFinal, name: "height", last: placed(locked(0)), first: placed(locked(1))},
		{rule: RuleWitnessNonce, name: "32 bytes", mutated: true, last: placed(reserved(32)), first: placed(reserved(33))},
		{rule: RuleWitnessMerkle, name: "a bit", mutated: true, last: placed(commitment(0)), first: placed(commitment(1))},
		{rule: RuleWitnessUnasked, name: "a bit of the tag", mutated: true, last: placed(prefix(0)), first: placed(prefix(1))},
	}
}

// opaque is a script of n bytes that ends, for whoever reads operations, at
// the first: a push of more than there is.
func opaque(n int) []byte {
	return append([]byte{txscript.OP_PUSHDATA4}, bytes.Repeat([]byte{0xff}, n-1)...)
}

// weighing is a block of the given weight, at height 1 and with a witness.
func weighing(weight int64) *Block {
	with := func(n int) *Block {
		pay, coinbase := payment(1), coinbaseAt(1, 1)
		pay.TxIn[0].Witness = wire.TxWitness{make([]byte, n)}
		coinbase.TxIn[0].Witness = wire.TxWitness{make([]byte, 32)}
		coinbase.TxOut = append(coinbase.TxOut, WitnessCommitmentOutput([]*Tx{nil, NewTx(pay)}, [32]byte{}))
		return block(coinbase, pay)
	}
	const some = 100_000
	return with(some + int(weight-with(some).Weight()))
}

func coinbaseBoundaries() []boundary {
	parent := spaced(1, 0, 1, 0x207fffff)
	script := func(n int) error {
		m := coinbaseAt(1, 1)
		m.TxIn[0].SignatureScript = make([]byte, n)
		return CheckTx(NewTx(m), mainnet())
	}
	height := func(h int32) error {
		return CheckBlockContext(block(coinbaseAt(h, 1)), spaced(200, 0, 1, 0x207fffff), mainnet())
	}
	clean := func(lock, sequence uint32) error {
		m := lockedCoinbase(1)
		m.LockTime, m.TxIn[0].Sequence = lock, sequence
		b := block(m)
		b.Header.Timestamp = time.Unix(1<<32-1, 0)
		p := cleanFrom(0)
		p.Deployments.CSV = params.Never // so that a locktime of long ago is final
		return CheckBlockContext(b, parent, p)
	}
	pays := func(amount int64) error {
		return CheckCoinbaseAmount(NewTx(coinbaseAt(1, amount)), 1, 7, mainnet())
	}
	null := coinbaseAt(20, 1) // of 65 bytes: one of 64 could be a node of the merkle tree
	null.TxIn[0].PreviousOutPoint.Index--
	return []boundary{
		{rule: RuleCoinbaseMissing, name: "an index below that of none", last: CheckBlock(block(coinbaseAt(20, 1)), mainnet()), first: CheckBlock(block(null), mainnet())},
		{rule: RuleCoinbaseMultiple, name: "a second one", last: CheckBlock(block(coinbaseAt(1, 1), null), mainnet()),
			first: CheckBlock(block(coinbaseAt(1, 1), coinbaseAt(2, 1)), mainnet())},
		{rule: RuleCoinbaseLength, name: "short", last: script(2), first: script(1)},
		{rule: RuleCoinbaseLength, name: "long", last: script(100), first: script(101)},
		{rule: RuleCoinbaseHeight, name: "one lower", last: height(200), first: height(199)},
		{rule: RuleCoinbaseLockTime, name: "a time of long ago", last: clean(0, 0), first: clean(lockTimeThreshold, 0)},
		{rule: RuleCoinbaseSequence, name: "the last", last: clean(0, 0xfffffffe), first: clean(0, 0xffffffff)},
		{rule: RuleCoinbaseAmount, name: "one more", last: pays(50_0000_0007), first: pays(50_0000_0008)},
	}
}

func txBoundaries() []boundary {
	const most = 21_000_000_0000_0000
	form := func(change func(*wire.MsgTx)) error {
		m := payment(1)
		change(m)
		return CheckTx(NewTx(m), mainnet())
	}
	amounts := func(list ...int64) error {
		return form(func(m *wire.MsgTx) {
			m.TxOut = nil
			for _, a := range list {
				m.TxOut = append(m.TxOut, &wire.TxOut{Value: a})
			}
		})
	}
	outputs := func(n int) error { return form(func(m *wire.MsgTx) { m.TxOut = m.TxOut[:n] }) }
	inputs := func(n int) error { return form(func(m *wire.MsgTx) { m.TxIn = m.TxIn[:n] }) }
	second := func(hash byte, index uint32) error {
		return form(func(m *wire.MsgTx) {
			m.TxIn = append(m.TxIn, &wire.TxIn{PreviousOutPoint: wire.OutPoint{Hash: [32]byte{hash}, Index: index}})
		})
	}
	script := func(n int) *Tx {
		m := payment(1)
		m.TxOut[0].PkScript = make([]byte, n)
		return NewTx(m)
	}
	weight := func(n int) error {
		m := payment(1)
		m.TxIn[0].Witness = wire.TxWitness{make([]byte, n)}
		return CheckTxWeight(NewTx(m), mainnet())
	}
	room := 4_000_000 - 61*4 - 2 - 1 - 5 // marker and flag, count, length
	coins := func(coin Coin, out int64, p *params.Params) error {
		m := payment(1)
		m.TxOut[0].Value = out
		_, err := CheckTxInputs(NewTx(m), []Coin{coin}, 200, p)
		return err
	}
	pair := func(a, b int64) error {
		m := payment(1)
		m.TxIn = append(m.TxIn, payment(2).TxIn...)
		_, err := CheckTxInputs(NewTx(m), []Coin{{Amount: a}, {Amount: b}}, 200, mainnet())
		return err
	}
	ops := func(n int) error {
		return coins(Coin{Amount: 1, Script: bytes.Repeat([]byte{txscript.OP_CHECKSIG}, n)}, 1, cleanFrom(0))
	}
	_, fits := AddFees(most-5, 5, mainnet())
	_, over := AddFees(most-5, 6, mainnet())
	// A fee is out of range only where outputs are, which CheckTx finds.
	negative := NewTx(payment(1))
	negative.Msg.TxOut[0].Value = -1
	_, fee := CheckTxInputs(negative, []Coin{{Amount: most}}, 200, mainnet())
	return []boundary{
		{rule: RuleTxNoInputs, name: "none", last: inputs(1), first: inputs(0)},
		{rule: RuleTxNoOutputs, name: "none", last: outputs(1), first: outputs(0)},
		{rule: RuleTxOversize, name: "1,000,000 bytes", last: CheckTx(script(1_000_000-64), mainnet()), first: CheckTx(script(1_000_000-63), mainnet())},
		{rule: RuleTxWeight, name: "4,000,000", last: weight(room), first: weight(room + 1)},
		{rule: RuleTxSize, name: "above", last: CheckTxSize(script(5)), first: CheckTxSize(script(4))},
		{rule: RuleTxSize, name: "below", last: CheckTxSize(script(3)), first: CheckTxSize(script(4))},
		{rule: RuleTxOutputNegative, name: "-1", last: amounts(0), first: amounts(-1)},
		{rule: RuleTxOutputTooLarge, name: "all money", last: amounts(most), first: amounts(most + 1)},
		{rule: RuleTxOutputsTooLarge, name: "all money", last: amounts(most, 0), first: amounts(most, 1)},
		{rule: RuleTxDuplicateInputs, name: "another output", last: second(1, 2), first: second(1, 1)},
		{rule: RuleTxNullInput, name: "an index below that of none", last: second(0, math.MaxUint32-1), first: second(0, math.MaxUint32)},

		{rule: RuleTxImmature, name: "a block early", last: coins(Coin{Amount: 1, Height: 100, Coinbase: true}, 1, mainnet()),
			first: coins(Coin{Amount: 1, Height: 101, Coinbase: true}, 1, mainnet())},
		{rule: RuleTxInputValues, name: "all money", last: pair(most, 0), first: pair(most, 1)},
		{rule: RuleTxInputsBelowOut, name: "one more", last: coins(Coin{Amount: 9}, 9, mainnet()), first: coins(Coin{Amount: 9}, 10, mainnet())},
		{rule: RuleTxSigOps, name: "2,500", last: ops(2500), first: ops(2501)},
		{rule: RuleTxFee, name: "more than all money", last: coins(Coin{Amount: most}, 0, mainnet()), first: fee},
		{rule: RuleBlockFees, name: "all money", last: fits, first: over},
	}
}

// TestLargeBlocks has the limits of a chain with the largest blocks: those
// of a block grow, those of a transaction do not. The 400,000 transactions
// that a block may have do not fit into 16,000,000 bytes.
func TestLargeBlocks(t *testing.T) {
	p, err := params.Load([]byte("format = 1\nname = \"large\"\nlimits.block_weight = 64_000_000\ndeployments.bip54 = 0\n"), "large")
	if err != nil {
		t.Fatal(err)
	}
	// full is a block of the given size without witnesses, in transactions of
	// 990,000 bytes and one more.
	full := func(size int64) *Block {
		var msgs []*wire.MsgTx
		data := func(n int64) *wire.MsgTx {
			m := payment(uint32(len(msgs)))
			m.TxOut[0].PkScript = opaque(int(n))
			return m
		}
		msgs = append(msgs, lockedCoinbase(1))
		for range 16 {
			msgs = append(msgs, data(990_000))
		}
		b := block(append(msgs, data(100_000))...)
		return block(append(msgs, data(100_000+size-b.strippedSize()))...)
	}
	ops := func(n int) *Block {
		m := payment(1)
		m.TxOut[0].PkScript = bytes.Repeat([]byte{txscript.OP_CHECKSIG}, n)
		second := payment(2)
		second.TxOut[0].PkScript = bytes.Repeat([]byte{txscript.OP_CHECKSIG}, 100_000)
		return block(lockedCoinbase(1), m, second, withOutputs(payment(3), second.TxOut[0]), withOutputs(payment(4), second.TxOut[0]))
	}
	tx := func(size int) *Block {
		m := payment(1)
		m.TxOut[0].PkScript = opaque(size - 64)
		return block(lockedCoinbase(1), m)
	}
	parent, atLimit, above := spaced(1, 0, 1, 0x207fffff), full(16_000_000), full(16_000_001)
	for _, c := range []boundary{
		{rule: RuleBlockLength, name: "16,000,000 bytes", last: CheckBlock(atLimit, p), first: CheckBlock(above, p)},
		{rule: RuleBlockSigOps, name: "320,000 signature operations", last: CheckBlock(ops(20_000), p), first: CheckBlock(ops(20_001), p)},
		{rule: RuleTxOversize, name: "a transaction of 1,000,000 bytes", last: CheckBlock(tx(1_000_000), p), first: CheckBlock(tx(1_000_001), p)},
		{rule: RuleBlockWeight, name: "weight 64,000,000", last: CheckBlockContext(atLimit, parent, p), first: CheckBlockContext(above, parent, p)},
		{rule: RuleTxWeight, name: "a transaction of weight 4,000,000", last: CheckBlockContext(witnessTx(t, 4_000_000), parent, p),
			first: CheckBlockContext(witnessTx(t, 4_000_001), parent, p)},
	} {
		t.Run(c.name, func(t *testing.T) {
			wantRule(t, c.last, "", false)
			wantRule(t, c.first, c.rule, false)
		})
	}
}

func withOutputs(m *wire.MsgTx, out *wire.TxOut) *wire.MsgTx {
	m.TxOut = []*wire.TxOut{out}
	return m
}

// witnessTx is a block at height 1 with a transaction of the given weight,
// most of it witness.
func witnessTx(t *testing.T, weight int64) *Block {
	t.Helper()
	with := func(n int64) *Block {
		pay, coinbase := payment(1), lockedCoinbase(1)
		pay.TxIn[0].Witness = wire.TxWitness{make([]byte, n)}
		coinbase.TxIn[0].Witness = wire.TxWitness{make([]byte, 32)}
		coinbase.TxOut = append(coinbase.TxOut, WitnessCommitmentOutput([]*Tx{nil, NewTx(pay)}, [32]byte{}))
		return block(coinbase, pay)
	}
	const some = 100_000
	b := with(some + weight - with(some).Txs[1].Weight)
	if b.Txs[1].Weight != weight {
		t.Fatalf("the transaction weighs %d, want %d", b.Txs[1].Weight, weight)
	}
	return b
}
