package consensus

import (
	"sync"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// TestCheckBlockRemembers: a pass is remembered, for the same rules and the
// same header only, and an error never.
func TestCheckBlockRemembers(t *testing.T) {
	p := mainnet()
	b := block(coinbaseAt(1, 1), payment(1))
	wantRule(t, CheckBlock(b, p), "", false)

	hidden := b.Txs[1].Msg.TxOut // breaks a rule that only a second look would find
	b.Txs[1].Msg.TxOut = nil
	wantRule(t, CheckBlock(b, p), "", false)

	wantRule(t, CheckBlock(b, mainnet()), RuleTxNoOutputs, false) // other params, if equal
	wantRule(t, CheckBlock(b, p), "", false)
	p.Limits.BlockSigOpCost--
	wantRule(t, CheckBlock(b, p), RuleTxNoOutputs, false)
	p.Limits.BlockSigOpCost++
	root := b.Header.MerkleRoot
	b.Header.MerkleRoot = chainhash.Hash{}
	wantRule(t, CheckBlock(b, p), RuleMerkleRoot, true)
	b.Header.MerkleRoot = root
	wantRule(t, CheckBlock(b, p), "", false)

	bad := block(coinbaseAt(1, 1), payment(1))
	bad.Txs[1].Msg.TxOut = nil
	for range 2 {
		wantRule(t, CheckBlock(bad, p), RuleTxNoOutputs, false)
	}
	bad.Txs[1].Msg.TxOut = hidden
	wantRule(t, CheckBlock(bad, p), "", false)
}

// TestPrepare: whatever is prepared, the verdict is the one without.
func TestPrepare(t *testing.T) {
	p, parent := mainnet(), spaced(1, 1_200_000_000, 1, 0x207fffff)
	segwit := payment(1)
	segwit.TxIn[0].Witness = wire.TxWitness{{7}}
	for name, c := range map[string]struct {
		make    func() *Block
		alone   Rule
		context Rule
		mutated bool
	}{
		"good":             {make: func() *Block { return block(coinbaseAt(1, 1), payment(1)) }},
		"good witness":     {make: func() *Block { return witnessed(nil) }},
		"unasked witness":  {make: func() *Block { return block(coinbaseAt(1, 1), segwit) }, context: RuleWitnessUnasked, mutated: true},
		"no transactions":  {make: func() *Block { return block() }, alone: RuleBlockLength},
		"no coinbase":      {make: func() *Block { return block(payment(1)) }, alone: RuleCoinbaseMissing},
		"wrong commitment": {make: func() *Block { return witnessed(func(coinbase *wire.MsgTx) { coinbase.TxOut[1].PkScript[9]++ }) }, context: RuleWitnessMerkle, mutated: true},
		"wrong merkle root": {make: func() *Block {
			b := block(coinbaseAt(1, 1), payment(1))
			b.Header.MerkleRoot[0]++
			return b
		}, alone: RuleMerkleRoot, mutated: true},
	} {
		t.Run(name, func(t *testing.T) {
			for _, ahead := range []bool{false, true} {
				b := c.make()
				if ahead {
					Prepare(b, p)
				}
				wantRule(t, CheckBlock(b, p), c.alone, c.alone != "" && c.mutated)
				if c.alone == "" {
					wantRule(t, CheckBlockContext(b, parent, p), c.context, c.mutated)
				}
			}
		})
	}
}

// TestPrepareAtOnce: several goroutines may prepare and check one block.
func TestPrepareAtOnce(t *testing.T) {
	p, b := mainnet(), witnessed(nil)
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			if i%2 == 0 {
				Prepare(b, p)
			}
			wantRule(t, CheckBlock(b, p), "", false)
		})
	}
	all.Wait()
}

// TestPreparedCostsNothing: of what Prepare has done nothing is done again.
func TestPreparedCostsNothing(t *testing.T) {
	p, parent, b := mainnet(), Ancestry(spaced(1, 1_200_000_000, 1, 0x207fffff)), witnessed(nil)
	Prepare(b, p)
	for _, tx := range b.Txs {
		tx.TxID[0]++ // would change both roots
		tx.WTxID[0]++
	}
	wantRule(t, CheckBlock(b, p), "", false)
	wantRule(t, CheckBlockContext(b, parent, p), "", false)
}
