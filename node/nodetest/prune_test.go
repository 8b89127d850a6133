package nodetest

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/sigcheck"
	"github.com/charterchain/charter/chain/store"
)

// smallFiles fills a node's folder with these blocks in many small files: with
// usual ones, it would take hundreds of megabytes to have any to prune.
func smallFiles(t *testing.T, dir string, fileSize int64, blocks []*consensus.Block) {
	t.Helper()
	p := chaintest.Params(chaintest.ChainFile)
	st, err := store.Open(store.Config{Dir: dir, FS: store.OS(), Magic: p.Network.Magic, MaxBlock: p.Limits.BlockSerialized, FileSize: fileSize})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	c, err := chain.New(context.Background(), chain.Config{
		Params: p, Store: st, Checker: sigcheck.New(sigcheck.Config{Workers: 1, Recheck: 256}), Now: time.Now,
		Log: slog.New(slog.DiscardHandler), CacheBytes: 8 << 20,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range blocks {
		if _, err := c.AcceptBlock(context.Background(), b); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestPrune prunes a running node, kills it, and starts it with what it must
// refuse.
func TestPrune(t *testing.T) {
	c := New(t)
	c.ChainFile = filepath.Join(c.Dir, "test.toml")
	if err := os.WriteFile(c.ChainFile, []byte(chaintest.ChainFile), 0o600); err != nil {
		t.Fatal(err)
	}
	n := c.prepare("pruned", "http", "127.0.0.1", "--prune", "1", "--filterindex")
	m := chaintest.NewMaker(chaintest.Params(chaintest.ChainFile))
	at, blocks := m.Params.GenesisHash, []*consensus.Block(nil)
	for range chain.MinKeep + 30 {
		blocks = append(blocks, m.Make(at))
		at = blocks[len(blocks)-1].Hash
	}
	smallFiles(t, n.Dir(), 2000, blocks)
	n.Start()
	var index map[string]struct {
		Synced bool `json:"synced"`
	}
	c.Eventually("the filter index is built", func() error {
		n.Call("getindexinfo", &index)
		if index["basic block filter index"].Synced {
			return nil
		}
		return os.ErrNotExist
	})
	var pruned int32
	n.Call("pruneblockchain", &pruned, chain.MinKeep+30)
	if pruned < 20 || pruned > 30 {
		t.Errorf("pruned to height %d", pruned)
	}
	check := func() {
		t.Helper()
		var info struct {
			Blocks      int32 `json:"blocks"`
			Pruned      bool  `json:"pruned"`
			PruneHeight int32 `json:"pruneheight"`
		}
		n.Call("getblockchaininfo", &info)
		if !info.Pruned || info.PruneHeight != pruned+1 || info.Blocks != chain.MinKeep+30 {
			t.Errorf("after pruning to %d: %+v", pruned, info)
		}
		var hash string
		n.Call("getblockhash", &hash, 1)
		if err := n.TryCall("getblock", nil, hash); err == nil || !strings.Contains(err.Error(), "Block not available (pruned data)") {
			t.Errorf("a pruned block: %v", err)
		}
		n.Call("getblockhash", &hash, 31)
		n.Call("getblock", nil, hash)
	}
	check()
	n.Kill()
	n.Start()
	check()
	n.Stop()
	for _, tt := range []struct{ flags, want string }{
		{"", "start with --prune"},
		{"--prune 1 --reindex", "fetch everything again"},
		{"--prune 1 --txindex", "exclude each other"},
	} {
		args := append([]string{"--chain", c.ChainFile, "--datadir", n.DataDir, "--no-listen", "--rpclisten", "127.0.0.1:0", "--metrics", ""}, strings.Fields(tt.flags)...)
		if stderr, err := c.TryCharterd(args...); err == nil || !strings.Contains(stderr, tt.want) {
			t.Errorf("%q: %v, %s", tt.flags, err, stderr)
		}
	}
}
