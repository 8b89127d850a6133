package nodetest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/params"
)

// TestHints takes hints the whole way: found by a node that imports blocks
// without them, exported, used by one that imports the file, and sent to one
// that fetches the blocks from that.
func TestHints(t *testing.T) {
	c := New(t)
	p := chaintest.Params(chaintest.ChainFile)
	c.ChainFile = filepath.Join(c.Dir, p.Name+".toml")
	writeFile(t, c.ChainFile, string(params.Render(p)))
	const blocks, payments = 12, 5
	plain, hinted := filepath.Join(c.Dir, "plain.dat"), filepath.Join(c.Dir, "hinted.dat")
	writeSigned(t, p, plain, blocks, payments)

	at := func(n *Node) {
		t.Helper()
		c.Eventually(n.Name+" has all blocks", func() error {
			if height, _ := n.Best(); height != blocks+2 {
				return fmt.Errorf("height %d", height)
			}
			return nil
		})
	}
	a := c.Node("a", "--loadblock", plain)
	at(a)
	if n := metric(t, a, "charter_sigcheck_single_signatures_total"); n != blocks*payments {
		t.Errorf("without hints %v signatures were checked one by one, want %d", n, blocks*payments)
	}
	if out := a.Charter("export", "--hints", hinted); !strings.Contains(out, "15 blocks") || !strings.Contains(out, "have hints") {
		t.Errorf("export: %s", out)
	}
	expectReadable(t, p, hinted, blocks+3)

	b := c.Node("b", "--loadblock", hinted)
	at(b)
	d := c.Node("d", "--addnode", b.P2P)
	at(d)
	for _, n := range []*Node{b, d} {
		single, wrong := metric(t, n, "charter_sigcheck_single_signatures_total"), metric(t, n, "charter_sigcheck_wrong_hints_total")
		batched := metric(t, n, "charter_sigcheck_batched_signatures_total")
		// A block whose five bits are all 0 is passed on without: one in 32.
		if wrong != 0 || batched < blocks*payments/2 || single > blocks*payments/2 {
			t.Errorf("%s: %v signatures one by one, %v in batches, %v wrong hints", n.Name, single, batched, wrong)
		}
	}
	if metric(t, d, "charter_p2p_block_hints_received_total") < blocks/2 {
		t.Error("no hints came from the peer")
	}
	c.SameTip(blocks+2, a, b, d)
	for height := range blocks + 3 {
		var hash string
		a.Call("getblockhash", &hash, height)
		var want, got struct {
			Inputs int
			Hints  string
		}
		a.Call("getblockhints", &want, hash)
		for _, n := range []*Node{b, d} {
			if n.Call("getblockhints", &got, hash); got != want {
				t.Errorf("hints at height %d: %s has %v, a %v", height, n.Name, got, want)
			}
		}
	}
}

// writeSigned writes framed blocks, two without and the others with that many
// payments signed with ECDSA.
func writeSigned(t *testing.T, p *params.Params, file string, blocks, payments int) {
	t.Helper()
	var out bytes.Buffer
	m := chaintest.NewMaker(p)
	tip := p.GenesisHash
	put := func(opts ...chaintest.Option) chaintest.Output {
		b := m.Make(tip, opts...)
		out.Write(p.Network.Magic[:])
		out.Write(binary.LittleEndian.AppendUint32(nil, uint32(b.Size())))
		if err := b.Msg().Serialize(&out); err != nil {
			t.Fatal(err)
		}
		tip = b.Hash
		return chaintest.CoinbaseOutput(b)
	}
	fan := chaintest.SpendTx(0, payments, put())
	keys := make([]*chaintest.Key, payments)
	for i := range keys {
		keys[i] = chaintest.NewKey(chaintest.P2WPKH, i)
		fan.TxOut[i].PkScript = keys[i].Script()
	}
	coins := chaintest.Outputs(fan)
	put(chaintest.Tx(fan, 0))
	for range blocks {
		var opts []chaintest.Option
		for i, key := range keys {
			tx := chaintest.Pay(key, coins[i:i+1], key, 1, 0)
			coins[i] = chaintest.Outputs(tx)[0]
			opts = append(opts, chaintest.Tx(tx, 0))
		}
		put(opts...)
	}
	writeFile(t, file, out.String())
}

// expectReadable reads a file as Bitcoin's programs do, which look for the
// chain's magic and pass over everything else.
func expectReadable(t *testing.T, p *params.Params, file string, want int) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	found, between := 0, 0
	for {
		i := bytes.Index(data, p.Network.Magic[:])
		if i < 0 {
			break
		}
		between += i
		data = data[i+4:]
		size := binary.LittleEndian.Uint32(data)
		var b wire.MsgBlock
		if err := b.Deserialize(bytes.NewReader(data[4 : 4+size])); err != nil {
			t.Fatal(err)
		}
		found++
		data = data[4+size:]
	}
	if found != want || between == 0 || len(data) != 0 {
		t.Errorf("%d blocks, want %d; %d bytes between them, %d behind", found, want, between, len(data))
	}
}

// metric returns the sum of a counter or gauge over its labels; 0 if the node
// does not show it.
func metric(t *testing.T, n *Node, name string) (sum float64) {
	t.Helper()
	resp, err := http.Get(n.Metrics + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(resp.Body)
	if err != nil {
		t.Fatalf("metrics of %s: %v", n.Name, err)
	}
	for _, m := range families[name].GetMetric() {
		sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
	}
	return sum
}
