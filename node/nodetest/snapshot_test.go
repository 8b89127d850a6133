package nodetest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/consensus"
)

// chainStates is a reply of getchainstates.
type chainStates struct {
	Headers int32 `json:"headers"`
	States  []struct {
		Blocks    int32  `json:"blocks"`
		Snapshot  string `json:"snapshot_blockhash"`
		Validated bool   `json:"validated"`
	} `json:"chainstates"`
}

// snapshotCluster has one node with a chain of that many blocks.
func snapshotCluster(t *testing.T, height int) (c *Cluster, x *Node, address string) {
	t.Helper()
	c = New(t)
	c.ChainFile = filepath.Join(c.Dir, "test.toml")
	if err := os.WriteFile(c.ChainFile, []byte(chaintest.ChainFile), 0o600); err != nil {
		t.Fatal(err)
	}
	m := chaintest.NewMaker(chaintest.Params(chaintest.ChainFile))
	at, blocks := m.Params.GenesisHash, []*consensus.Block(nil)
	for i := range height {
		var opts []chaintest.Option
		if i > 0 && i%3 != 0 {
			opts = append(opts, chaintest.Tx(chaintest.SpendTx(1000, 3, chaintest.CoinbaseOutput(blocks[i-1])), 1000))
		}
		blocks = append(blocks, m.Make(at, opts...))
		at = blocks[i].Hash
	}
	x = c.prepare("x", "http", "127.0.0.1")
	smallFiles(t, x.Dir(), 1<<20, blocks)
	x.Start()
	address, ok := m.Params.Address.Encode(chaintest.AnyoneCanSpend())
	if !ok {
		t.Fatal("no address")
	}
	return c, x, address
}

// TestSnapshot starts a node from the snapshot of another: it is at the tip at
// once and follows it, is killed while it checks what lies below, and ends as
// a node like any other.
func TestSnapshot(t *testing.T) {
	const base = 700
	c, x, address := snapshotCluster(t, base)
	file := filepath.Join(c.Dir, "coins")
	var dumped struct {
		Coins  int64  `json:"coins_written"`
		Height int32  `json:"base_height"`
		Hash   string `json:"base_hash"`
		Digest string `json:"digest"`
	}
	x.Call("dumptxoutset", &dumped, file)
	if _, best := x.Best(); dumped.Height != base || dumped.Hash != best || dumped.Coins < base {
		t.Fatalf("dumped %+v", dumped)
	}
	expectRefusal(t, x, "exists already", "dumptxoutset", file)
	expectRefusal(t, x, "no absolute path", "dumptxoutset", "coins2")
	expectRefusal(t, x, "nothing to gain", "loadtxoutset", file, dumped.Digest)
	if names, _ := filepath.Glob(file + "*"); len(names) != 1 {
		t.Errorf("left behind: %v", names)
	}

	// Nobody is there to ask: the file suffices.
	y := c.Node("y", "--txindex", "--addrindex")
	expectRefusal(t, y, "no [[snapshot]]", "loadtxoutset", file)
	expectRefusal(t, y, "not the one that is trusted", "loadtxoutset", file, strings.Repeat("ab", 32))
	y.Call("loadtxoutset", nil, file, dumped.Digest)
	c.SameTip(base, x, y)
	expectUnchecked(t, y, base, 0)
	expectRefusal(t, y, "does not mine", "generatetoaddress", 1, address)
	expectRefusal(t, y, "does not mine", "getblocktemplate", map[string]any{"rules": []string{"segwit"}})
	expectRefusal(t, y, "does not mine", "dumptxoutset", file+"2")
	var block string
	x.Call("getblockhash", &block, 1)
	expectRefusal(t, y, "Block not available", "getblock", block)
	y.Kill()
	y.Start()
	expectUnchecked(t, y, base, 0)

	// The tip comes first, then what lies below.
	x.Call("generatetoaddress", nil, 3, address)
	y.Call("addnode", nil, x.P2P, "add")
	c.SameTip(base+3, x, y)
	for range 3 {
		y.Kill()
		y.Start()
		y.Call("addnode", nil, x.P2P, "add")
	}
	c.Eventually("all is checked", func() error {
		var s chainStates
		y.Call("getchainstates", &s)
		if len(s.States) != 1 || !s.States[0].Validated || s.States[0].Snapshot != "" {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
	c.Eventually("the indexes have caught up", func() error {
		var index map[string]struct {
			Synced bool `json:"synced"`
		}
		y.Call("getindexinfo", &index)
		for name, s := range index {
			if !s.Synced {
				return fmt.Errorf("%s is not there", name)
			}
		}
		return nil
	})
	y.Call("getblock", nil, block)
	y.Call("generatetoaddress", nil, 1, address)
	c.SameTip(base+4, x, y)
	expectSameCoins(t, x, y)
	y.Kill()
	y.Start()
	c.SameTip(base+4, x, y)
	expectSameCoins(t, x, y)
}

func expectRefusal(t *testing.T, n *Node, want, method string, params ...any) {
	t.Helper()
	if err := n.TryCall(method, nil, params...); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%s %v: %v, want %q", method, params, err, want)
	}
}

// expectUnchecked: the node runs on a snapshot and has checked nothing below.
func expectUnchecked(t *testing.T, n *Node, height, checked int32) {
	t.Helper()
	var s chainStates
	n.Call("getchainstates", &s)
	if len(s.States) != 2 || s.States[0].Blocks != checked || !s.States[0].Validated || s.States[1].Blocks != height || s.States[1].Validated {
		t.Errorf("chain states %+v", s)
	}
	var info struct {
		Background struct {
			Height int32 `json:"snapshotheight"`
		} `json:"backgroundvalidation"`
		Warnings string `json:"warnings"`
	}
	for _, method := range []string{"getblockchaininfo", "getmininginfo"} {
		n.Call(method, &info)
		if info.Background.Height != height || !strings.Contains(info.Warnings, "does not mine") {
			t.Errorf("%s: %+v", method, info)
		}
	}
}

func expectSameCoins(t *testing.T, a, b *Node) {
	t.Helper()
	var sets [2]struct {
		MuHash string `json:"muhash"`
		Height int32  `json:"height"`
		Txs    int64  `json:"transactions"`
	}
	a.Call("gettxoutsetinfo", &sets[0], "muhash")
	b.Call("gettxoutsetinfo", &sets[1], "muhash")
	if sets[0] != sets[1] || sets[0].MuHash == "" {
		t.Errorf("coins differ: %+v", sets)
	}
}
