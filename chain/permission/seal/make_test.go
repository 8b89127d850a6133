package seal

import (
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/charterchain/charter/chain/consensus"
)

func TestSealBlock(t *testing.T) {
	for n := 1; n <= 5; n++ {
		block := draft(n)
		before := block.Transactions[0]
		copied := before.Copy()
		if err := SealBlock(testGenesis(), block, testHeight, testKey(1)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(copied, before); diff != "" {
			t.Errorf("the coinbase was changed in place:\n%s", diff)
		}
		if root := consensus.MerkleRoot(consensus.TxIDs(consensus.NewBlock(block).Txs)); root != block.Header.MerkleRoot {
			t.Errorf("%d transactions: header has root %v, block %v", n, block.Header.MerkleRoot, root)
		}
		if _, err := check(block); err != nil {
			t.Errorf("%d transactions: %v", n, err)
		}
	}
}

// TestSealAgain seals a sealed block by another key.
func TestSealAgain(t *testing.T) {
	block := sealed(t, 2)
	if err := SealBlock(testGenesis(), block, testHeight, testKey(2)); err != nil {
		t.Fatal(err)
	}
	s, _, _, err := proofOf(block).Check(testGenesis(), &block.Header, testHeight)
	if err != nil || s.Key != KeyOf(testKey(2)) {
		t.Errorf("seal %v, %v", s, err)
	}
}

func TestSealBlockRefuses(t *testing.T) {
	bare := draft(2)
	bare.Transactions[0].TxOut = bare.Transactions[0].TxOut[:1]
	twice := draft(2)
	AppendPlaceholder(twice.Transactions[0])
	for name, test := range map[string]struct {
		block *wire.MsgBlock
		rule  consensus.Rule
	}{"no placeholder": {bare, RuleMissing}, "two": {twice, RuleMultiple}} {
		t.Run(name, func(t *testing.T) {
			wantRule(t, SealBlock(testGenesis(), test.block, testHeight, testKey(1)), test.rule)
			if test.block.Header.MerkleRoot != (chainhash.Hash{}) {
				t.Error("the header was changed")
			}
		})
	}
	if SealBlock(testGenesis(), &wire.MsgBlock{}, testHeight, testKey(1)) == nil {
		t.Error("sealed a block without a coinbase")
	}
}

// BenchmarkCheck is what a header on a sealed chain costs beside its proof
// of work: the proof of a block of 1,000 transactions.
func BenchmarkCheck(b *testing.B) {
	block := sealed(b, 1000)
	p := proofOf(block)
	genesis := testGenesis()
	b.Run("all", func(b *testing.B) {
		for b.Loop() {
			if _, _, _, err := p.Check(genesis, &block.Header, testHeight); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("without signature", func(b *testing.B) {
		for b.Loop() {
			if _, _, _, err := p.Read(genesis, &block.Header, testHeight); err != nil {
				b.Fatal(err)
			}
		}
	})
}
