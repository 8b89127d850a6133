package consensus

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/params"
)

// readVectors decodes a file of published vectors. They lie in
// $CHARTER_VECTORS, else beside the repository.
func readVectors(t *testing.T, name string, into any) {
	t.Helper()
	folder := os.Getenv("CHARTER_VECTORS")
	if folder == "" {
		folder = filepath.Join("..", "..", "..", "shared", "vectors")
	}
	data, err := os.ReadFile(filepath.Join(folder, name))
	if os.IsNotExist(err) {
		t.Skipf("published vectors are missing: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// history has the main chain's activation heights, and BIP54 from bip54 on.
func history(bip54 int32) *params.Params {
	p := mainnet()
	p.Deployments = params.Deployments{
		BIP34: 227_931, BIP66: 363_725, BIP65: 388_381, CSV: 419_328, Segwit: 481_824, Taproot: 709_632, BIP54: bip54,
	}
	return p
}

// headerTree is a list of headers and the lists that go on from its last.
type headerTree struct {
	Headers    []string     `json:"block_headers"`
	Extensions []headerTree `json:"extensions"`
	Valid      *bool        `json:"valid"`
	Comment    string       `json:"comment"`
}

// TestBIP54Timestamps checks the published chains of headers, with all rules
// of headers, with BIP54 and without.
func TestBIP54Timestamps(t *testing.T) {
	var root headerTree
	readVectors(t, "bip54/timestamps.json", &root)
	var leaves int
	var walk func(tree headerTree, parent branch)
	walk = func(tree headerTree, parent branch) {
		parent = slices.Clip(parent)
		var broken error
		for _, text := range tree.Headers {
			h := decodeHeader(t, text)
			if len(parent) > 0 {
				for _, err := range []error{CheckHeader(h, history(0)), CheckHeaderContext(h, parent, history(params.Never))} {
					if err != nil {
						t.Fatalf("%q: invalid without BIP54: height %d: %v", tree.Comment, len(parent), err)
					}
				}
				if broken != nil {
					t.Fatalf("%q: more headers after the one that breaks a rule", tree.Comment)
				}
				broken = CheckHeaderContext(h, parent, history(0))
				wantMinTime(t, h, parent, broken)
			}
			parent = append(parent, HeaderFields{Time: headerTime(h), Bits: h.Bits})
		}
		if tree.Valid != nil {
			leaves++
			rule := Rule("")
			if !*tree.Valid {
				rule = map[int32]Rule{2016: RuleTimewarp, 4031: RuleTimeNegative}[parent.Height()]
			}
			t.Run(tree.Comment, func(t *testing.T) { wantRule(t, broken, rule, false) })
		} else if broken != nil {
			t.Errorf("a list that others go on from: %v", broken)
		}
		for _, next := range tree.Extensions {
			walk(next, parent)
		}
	}
	walk(root, nil)
	if leaves != 9 {
		t.Errorf("%d cases, the file has 9", leaves)
	}
}

func decodeHeader(t *testing.T, text string) *wire.BlockHeader {
	t.Helper()
	raw, err := hex.DecodeString(text)
	h := &wire.BlockHeader{}
	if err == nil {
		err = h.Deserialize(bytes.NewReader(raw))
	}
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return h
}

// wantMinTime compares MinTime with whether a time was taken.
func wantMinTime(t *testing.T, h *wire.BlockHeader, parent branch, err error) {
	t.Helper()
	if least := MinTime(parent, history(0)); headerTime(h) >= least != (err == nil) {
		t.Errorf("height %d: time %d and least time %d, got %v", len(parent), headerTime(h), least, err)
	}
}

func TestBIP54Coinbases(t *testing.T) {
	var cases []struct {
		Chain   []string `json:"block_chain"`
		Valid   bool     `json:"valid"`
		Comment string   `json:"comment"`
	}
	readVectors(t, "bip54/coinbases.json", &cases)
	if len(cases) != 7 {
		t.Errorf("%d cases, the file has 7", len(cases))
	}
	rules := map[int]Rule{0: RuleNonFinal, 1: RuleNonFinal, 2: RuleCoinbaseLockTime, 5: RuleCoinbaseSequence, 6: RuleCoinbaseLockTime}
	for i, c := range cases {
		t.Run(c.Comment, func(t *testing.T) {
			var parent branch
			for height, text := range c.Chain {
				b := decodeBlock(t, text)
				if height > 0 {
					p := history(4) // the blocks below are from before BIP54
					for _, err := range []error{CheckHeader(&b.Header, p), CheckHeaderContext(&b.Header, parent, p), CheckBlock(b, p)} {
						wantRule(t, err, "", false)
					}
					rule := rules[i]
					if height < len(c.Chain)-1 {
						rule = ""
					} else if (rule == "") != c.Valid {
						t.Errorf("valid %v, want rule %q", c.Valid, rule)
					}
					wantRule(t, CheckBlockContext(b, parent, p), rule, false)
					if rule != RuleNonFinal {
						wantRule(t, CheckBlockContext(b, parent, history(params.Never)), "", false)
					}
				}
				parent = append(parent, HeaderFields{Time: headerTime(&b.Header), Bits: b.Header.Bits})
			}
		})
	}
}

func decodeBlock(t *testing.T, text string) *Block {
	t.Helper()
	raw, err := hex.DecodeString(text)
	msg := &wire.MsgBlock{}
	if err == nil {
		err = msg.Deserialize(bytes.NewReader(raw))
	}
	if err != nil {
		t.Fatalf("%.160s: %v", text, err)
	}
	return NewBlock(msg)
}

func TestBIP54TxSize(t *testing.T) {
	var cases []struct {
		Tx      string `json:"tx"`
		Valid   bool   `json:"valid"`
		Comment string `json:"comment"`
	}
	readVectors(t, "bip54/txsize.json", &cases)
	if len(cases) != 13 {
		t.Errorf("%d cases, the file has 13", len(cases))
	}
	for _, c := range cases {
		t.Run(c.Comment, func(t *testing.T) {
			raw, err := hex.DecodeString(c.Tx)
			msg := &wire.MsgTx{}
			if err == nil {
				err = msg.Deserialize(bytes.NewReader(raw))
			}
			if err != nil {
				t.Fatal(err)
			}
			rule := RuleTxSize
			if c.Valid {
				rule = ""
			}
			tx := NewTx(msg)
			wantRule(t, CheckTx(tx, mainnet()), "", false)
			wantRule(t, CheckTxSize(tx), rule, false)

			// The same as part of a block, around the activation.
			coinbase := lockedCoinbase(2)
			coinbase.TxIn[0].Witness = wire.TxWitness{make([]byte, 32)}
			coinbase.TxOut = append(coinbase.TxOut, WitnessCommitmentOutput([]*Tx{nil, tx}, [32]byte{}))
			b, parent := block(coinbase, msg), spaced(2, 0, 1, 0x207fffff)
			wantRule(t, CheckBlockContext(b, parent, cleanFrom(2)), rule, false)
			wantRule(t, CheckBlockContext(b, parent, cleanFrom(3)), "", false)
			wantRule(t, CheckBlockContext(b, parent, cleanFrom(params.Never)), "", false)
		})
	}
}

// lockedCoinbase is a coinbase as BIP54 asks for.
func lockedCoinbase(height int32) *wire.MsgTx {
	msg := coinbaseAt(height, 1)
	msg.LockTime, msg.TxIn[0].Sequence = uint32(height)-1, 0
	msg.TxIn[0].SignatureScript = append(msg.TxIn[0].SignatureScript, 0, 0, 0) // not 64 bytes
	return msg
}

// cleanFrom is mainnet with BIP54 from height on.
func cleanFrom(height int32) *params.Params {
	p := mainnet()
	p.Deployments.BIP54 = height
	return p
}

func TestCoinbaseLock(t *testing.T) {
	for _, c := range []struct {
		name     string
		height   int32
		lock     uint32
		sequence uint32
		rule     Rule
	}{
		{"height 1", 1, 0, 0, ""},
		{"height 1, the highest sequence that is not final", 1, 0, 0xfffffffe, ""},
		{"height 1, final", 1, 0, 0xffffffff, RuleCoinbaseSequence},
		{"height 1, its own", 1, 1, 0, RuleCoinbaseLockTime},
		{"height 500", 500, 499, 0, ""},
		{"the one before", 500, 498, 0, RuleCoinbaseLockTime},
		{"its own", 500, 500, 0, RuleCoinbaseLockTime},
		{"none", 500, 0, 0, RuleCoinbaseLockTime},
		{"both wrong", 500, 0, 0xffffffff, RuleCoinbaseLockTime},
		{"the last height", 1<<31 - 1, 1<<31 - 2, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			msg := coinbaseAt(c.height, 1)
			msg.LockTime, msg.TxIn[0].Sequence = c.lock, c.sequence
			wantRule(t, checkCoinbaseLock(msg, c.height), c.rule, false)
		})
	}
	unlocked := lockedCoinbase(1)
	unlocked.TxIn[0].Sequence = wire.MaxTxInSequenceNum
	final, parent := block(unlocked), spaced(1, 0, 1, 0x207fffff)
	wantRule(t, CheckBlockContext(final, parent, cleanFrom(2)), "", false)
	wantRule(t, CheckBlockContext(final, parent, cleanFrom(1)), RuleCoinbaseSequence, false)
	wantRule(t, CheckBlockContext(block(lockedCoinbase(1)), parent, cleanFrom(1)), "", false)
}

// TestSmallCoinbase: a coinbase of 64 bytes is no exception.
func TestSmallCoinbase(t *testing.T) {
	msg := lockedCoinbase(1)
	msg.TxIn[0].SignatureScript, msg.TxOut[0].PkScript = msg.TxIn[0].SignatureScript[:2], []byte{0x51, 0x51}
	if got := NewTx(msg).Size; got != merkleNodeSize {
		t.Fatalf("the coinbase has %d bytes", got)
	}
	wantRule(t, CheckBlockContext(block(msg), spaced(1, 0, 1, 0x207fffff), cleanFrom(0)), RuleTxSize, false)
}

func TestInputSigOps(t *testing.T) {
	const sig, multi = txscript.OP_CHECKSIG, txscript.OP_CHECKMULTISIG
	twoOfThree := []byte{txscript.OP_2, txscript.OP_3, multi}
	for _, c := range []struct {
		name      string
		coin      []byte
		sigScript []byte
		witness   wire.TxWitness
		want      int64
	}{
		{"nothing", []byte{txscript.OP_1}, nil, nil, 0},
		{"the spent script", []byte{sig, txscript.OP_CHECKSIGVERIFY}, nil, nil, 2},
		{"the input script", nil, []byte{sig}, nil, 1},
		{"keys are read in the spent script", twoOfThree, nil, nil, 3},
		{"keys are read in the input script", nil, twoOfThree, nil, 3},
		{"16 keys", []byte{txscript.OP_16, txscript.OP_CHECKMULTISIGVERIFY}, nil, nil, 16},
		{"17 keys count as 20", []byte{1, 17, multi}, nil, nil, 20},
		{"no number before", []byte{multi}, nil, nil, 20},
		{"scripts are not joined", []byte{multi}, []byte{txscript.OP_2}, nil, 20},
		{"what cannot run", []byte{txscript.OP_RETURN, sig}, nil, nil, 1},
		{"up to what does not parse", []byte{sig, txscript.OP_PUSHDATA1}, []byte{sig, sig, 2, 1}, nil, 3},
		{"redeem script", p2sh(), push(t, twoOfThree), nil, 3},
		{"redeem script and more", p2sh(), push(t, []byte{sig, sig}, []byte{sig}), nil, 1},
		{"redeem script behind an operation", p2sh(), append([]byte{sig}, push(t, []byte{sig})...), nil, 1},
		{"witnesses do not count", p2wsh(), nil, wire.TxWitness{{sig, sig}}, 0},
		{"nor do programs in redeem scripts", p2sh(), push(t, p2wpkh()), nil, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			msg := payment(0)
			msg.TxIn[0].SignatureScript, msg.TxIn[0].Witness = c.sigScript, c.witness
			msg.TxOut[0].PkScript = []byte{sig} // never counts
			if got := InputSigOps(NewTx(msg), []Coin{{Script: c.coin}}); got != c.want {
				t.Errorf("got %d, want %d", got, c.want)
			}
			want := txscript.GetPreciseSigOpCount(nil, c.sigScript, true) + txscript.GetPreciseSigOpCount(c.sigScript, c.coin, true)
			if int64(want) != c.want {
				t.Errorf("txscript counts %d", want)
			}
		})
	}
}

// TestInputSigOpLimit has 2,500 operations and one more, over all inputs.
func TestInputSigOpLimit(t *testing.T) {
	sigs := func(n int) []byte { return bytes.Repeat([]byte{txscript.OP_CHECKSIG}, n) }
	spend := func(scripts ...[]byte) (*Tx, []Coin) {
		msg, coins := payment(0), make([]Coin, len(scripts))
		msg.TxIn = nil
		for i, script := range scripts {
			msg.TxIn = append(msg.TxIn, payment(uint32(i)).TxIn...)
			coins[i] = Coin{Amount: 1, Script: script}
		}
		return NewTx(msg), coins
	}
	for _, c := range []struct {
		name    string
		scripts [][]byte
		rule    Rule
	}{
		{"one input at the limit", [][]byte{sigs(2500)}, ""},
		{"one input above", [][]byte{sigs(2501)}, RuleTxSigOps},
		{"three inputs at the limit", [][]byte{sigs(1000), sigs(1000), sigs(500)}, ""},
		{"three inputs above", [][]byte{sigs(1000), sigs(1000), sigs(501)}, RuleTxSigOps},
	} {
		t.Run(c.name, func(t *testing.T) {
			tx, coins := spend(c.scripts...)
			for height, rule := range map[int32]Rule{99: "", 100: c.rule, 101: c.rule} {
				_, err := CheckTxInputs(tx, coins, height, cleanFrom(100))
				wantRule(t, err, rule, false)
			}
			_, err := CheckTxInputs(tx, coins, 100, mainnet())
			wantRule(t, err, "", false)
			wantRule(t, CheckTxInputSigOps(tx, coins), c.rule, false)
		})
	}
}

func TestWindowTimes(t *testing.T) {
	const from = 100_000
	rule54 := func(change func(*params.Params)) *params.Params {
		p := cleanFrom(0)
		p.PoW.Timespan = 20 * p.PoW.Spacing // windows of 20 blocks
		if change != nil {
			change(p)
		}
		return p
	}
	// Blocks of one second; the parent is far ahead where a case says so, so
	// that the median does not decide.
	at := func(height int32, parentTime, firstTime uint32) branch {
		b := spaced(int(height), from, 1, 0x1d00ffff)
		if first := height - height%20; firstTime != 0 {
			b[first].Time = firstTime
		}
		if parentTime != 0 {
			b[height-1].Time = parentTime
		}
		return b
	}
	const ahead = from + 20_000
	for _, c := range []struct {
		name   string
		p      *params.Params
		parent branch
		least  uint32
		rule   Rule // of a second earlier
	}{
		{"opens a window", rule54(nil), at(40, ahead, 0), ahead - 7200, RuleTimewarp},
		{"second of a window", rule54(nil), at(41, ahead, 0), from + 36, RuleTimeTooOld},
		{"last but one of a window", rule54(nil), at(38, ahead, ahead), from + 33, RuleTimeTooOld},
		{"closes a window", rule54(nil), at(39, 0, ahead), ahead, RuleTimeNegative},
		{"closes the first window", rule54(nil), at(19, 0, ahead), ahead, RuleTimeNegative},
		{"closes a window that opened long ago", rule54(nil), at(39, ahead, 0), from + 34, RuleTimeTooOld},
		{"before BIP54", rule54(func(p *params.Params) { p.Deployments.BIP54 = 41 }), at(40, ahead, 0), from + 35, RuleTimeTooOld},
		{"the first block under BIP54", rule54(func(p *params.Params) { p.Deployments.BIP54 = 40 }), at(40, ahead, 0), ahead - 7200, RuleTimewarp},
		{"BIP54 never", rule54(func(p *params.Params) { p.Deployments.BIP54 = params.Never }), at(39, 0, ahead), from + 34, RuleTimeTooOld},
		{"asert has no windows", rule54(func(p *params.Params) { p.PoW.Algorithm, p.PoW.HalfLife = params.AlgorithmASERT, time.Hour }),
			at(40, ahead, 0), from + 35, RuleTimeTooOld},
		{"fixed has no windows", rule54(func(p *params.Params) { p.PoW.Algorithm = params.AlgorithmFixed }), at(39, 0, ahead), from + 34, RuleTimeTooOld},
		{"least spacing asks for more", rule54(func(p *params.Params) { p.PoW.MinSpacing = time.Second }), at(40, ahead, 0), ahead + 1, RuleTimeTooEarly},
		{"windows of two", rule54(func(p *params.Params) { p.PoW.Timespan = 2 * p.PoW.Spacing }), at(40, ahead, 0), ahead - 7200, RuleTimewarp},
	} {
		t.Run(c.name, func(t *testing.T) {
			for unix, rule := range map[uint32]Rule{c.least: "", c.least - 1: c.rule} {
				h := &wire.BlockHeader{Version: 4, Timestamp: time.Unix(int64(unix), 0), Bits: NextBits(c.parent, unix, c.p)}
				wantRule(t, CheckHeaderContext(h, c.parent, c.p), rule, false)
			}
			if got := MinTime(c.parent, c.p); got != c.least {
				t.Errorf("least time %d, want %d", got, c.least)
			}
		})
	}
}
