package rpc

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/charterchain/charter/chain"
)

// pruning is a chain in prune mode that says it is longer than it is.
type pruning struct {
	Chain
	status chain.PruneStatus
	height int32
	asked  []int32
}

func (p *pruning) PruneStatus() chain.PruneStatus { return p.status }

func (p *pruning) Best() chain.BlockInfo {
	info := p.Chain.Best()
	info.Height = p.height
	return info
}

func (p *pruning) PruneTo(_ context.Context, height int32) (int32, error) {
	p.asked = append(p.asked, height)
	return height - 2, nil
}

func TestPruneBlockchain(t *testing.T) {
	f := newFixture(t)
	f.fails("pruneblockchain", "[5]", codeMisc, "not in prune mode")
	p := &pruning{status: chain.PruneStatus{On: true, Height: -1}, height: chain.MinKeep - 1}
	f.serve(func(cfg *Config) { p.Chain, cfg.Chain = cfg.Chain, p })
	f.fails("pruneblockchain", "[]", codeMisc, "pruneblockchain")
	f.fails("pruneblockchain", "[-1]", codeInvalidParam, "Negative block height.")
	f.fails("pruneblockchain", "[5]", codeMisc, "too short for pruning")
	f.fails("pruneblockchain", "[4000000000]", codeInvalidParam, "at least the specified timestamp")
	p.height = chain.MinKeep
	f.expect("pruneblockchain", "[288]", "286")
	f.fails("pruneblockchain", "[289]", codeInvalidParam, "shorter than the attempted prune height")
	genesis := f.Chain.Params().GenesisBlock.Header.Timestamp.Unix()
	f.expect("pruneblockchain", fmt.Sprintf("[%d]", genesis+timeWindow), "-2")
}

func TestBlockchainInfoPruned(t *testing.T) {
	f := newFixture(t)
	p := &pruning{}
	f.serve(func(cfg *Config) { p.Chain, cfg.Chain = cfg.Chain, p })
	for _, tt := range []struct {
		status chain.PruneStatus
		want   string
	}{
		{chain.PruneStatus{Height: -1}, `[false,null,null,null]`},
		{chain.PruneStatus{On: true, Height: -1}, `[true,0,false,null]`},
		{chain.PruneStatus{On: true, Height: 41, Target: 550 << 20}, `[true,42,true,576716800]`},
	} {
		p.status = tt.status
		var info map[string]any
		if err := json.Unmarshal(f.get("getblockchaininfo", "[]"), &info); err != nil {
			t.Fatal(err)
		}
		got, _ := json.Marshal([]any{info["pruned"], info["pruneheight"], info["automatic_pruning"], info["prune_target_size"]})
		if string(got) != tt.want {
			t.Errorf("%+v: %s, want %s", tt.status, got, tt.want)
		}
	}
}
