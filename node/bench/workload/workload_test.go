package workload

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
)

func TestSameSpecSameChain(t *testing.T) {
	for _, kind := range Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			spec := Spec{Kind: kind, Blocks: 1, Weight: minWeight, Seed: 7}
			var first []byte
			for range 2 {
				dir := t.TempDir()
				c, err := Open(t.Context(), dir, spec, nil)
				if err != nil {
					t.Fatal(err)
				}
				data, err := os.ReadFile(c.Blocks)
				if err != nil {
					t.Fatal(err)
				}
				if first != nil && !bytes.Equal(first, data) {
					t.Error("the same spec made another chain")
				}
				first = data
				files, _ := filepath.Glob(filepath.Join(dir, "*"))
				if len(files) != 3 {
					t.Errorf("files %q, want three", files)
				}
			}
		})
	}
}

// TestShape: blocks are full, outputs have keys of their own, and payments
// spend coins of earlier blocks, or of funding blocks only.
func TestShape(t *testing.T) {
	for _, spec := range []Spec{
		{Kind: P2TR2, Blocks: 2, Weight: minWeight, Seed: 1},
		{Kind: Mixed, Blocks: 2, Weight: minWeight, Seed: 1},
		{Kind: Anyone, Blocks: 3, Weight: 5 * minWeight, Seed: 1},
		{Kind: Anyone, Blocks: 3, Weight: 5 * minWeight, Seed: 1, Wide: true},
	} {
		t.Run(spec.name(), func(t *testing.T) {
			c, err := Open(t.Context(), t.TempDir(), spec, nil)
			if err != nil {
				t.Fatal(err)
			}
			coins := make(map[wire.OutPoint]bool) // true: of a funding block
			scripts := make(map[string]bool)
			fullSpent := 0
			take := func(name string, funding bool) (blocks int) {
				for raw, err := range Read(name) {
					if err != nil {
						t.Fatal(err)
					}
					b, err := consensus.DecodeBlock(raw, &c.Params.Limits)
					if err != nil {
						t.Fatal(err)
					}
					blocks++
					if w := b.Weight(); !funding && (w > spec.Weight || w < spec.Weight-headRoom-1000) {
						t.Errorf("a block weighs %d of %d", w, spec.Weight)
					}
					for _, tx := range b.Txs[1:] {
						for _, in := range tx.Msg.TxIn {
							funded, ok := coins[in.PreviousOutPoint]
							if !funding && !ok {
								t.Fatalf("%v is spent, which no earlier block made", in.PreviousOutPoint)
							}
							if ok && !funded {
								fullSpent++
							}
							delete(coins, in.PreviousOutPoint)
						}
					}
					for _, tx := range b.Txs[1:] {
						for i, out := range tx.Msg.TxOut {
							coins[wire.OutPoint{Hash: tx.TxID, Index: uint32(i)}] = funding
							if scripts[string(out.PkScript)] {
								t.Fatalf("%x is paid twice", out.PkScript)
							}
							scripts[string(out.PkScript)] = true
						}
					}
				}
				return blocks
			}
			take(c.Funding, true)
			if got := take(c.Blocks, false); got != spec.Blocks {
				t.Errorf("%d full blocks, want %d", got, spec.Blocks)
			}
			if spec.Wide != (fullSpent == 0) {
				t.Errorf("%d coins of full blocks are spent", fullSpent)
			}
			ends, err := Ends(c.Blocks)
			if info, e := os.Stat(c.Blocks); err != nil || e != nil || len(ends) != spec.Blocks || ends[len(ends)-1] != info.Size() {
				t.Errorf("frames end at %d: %v %v", ends, err, e)
			}
		})
	}
}

// TestMixed: of ten outputs four pay to taproot, four to a witness key and two
// to a key's hash.
func TestMixed(t *testing.T) {
	var got [4]int
	for n := range uint64(10) {
		got[Mixed.outputOf(n)]++
	}
	if want := [4]int{toTaproot: 4, toWitnessKey: 4, toKeyHash: 2}; got != want {
		t.Errorf("outputs %v, want %v", got, want)
	}
}

func TestSpecErrors(t *testing.T) {
	for name, spec := range map[string]Spec{
		"kind":   {Kind: "p2x", Blocks: 1},
		"blocks": {Kind: P2TR},
		"weight": {Kind: P2TR, Blocks: 1, Weight: FullWeight + 1},
		"coins":  {Kind: P2TR, Blocks: 1, Coins: -1},
	} {
		if err := spec.Check(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%+v: %v, want something about %s", spec, err, name)
		}
	}
	_, err := Open(t.Context(), t.TempDir(), Spec{Kind: Anyone, Blocks: 1, Weight: minWeight, Coins: 3}, nil)
	if err == nil || !strings.Contains(err.Error(), "more coins") {
		t.Errorf("a block from three coins: %v", err)
	}
}
