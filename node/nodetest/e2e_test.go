package nodetest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/charterchain/charter/rpc/client"
)

// TestThreeNodes is the main job from end to end: a chain from `charter
// init`, three processes, a payment from wallet to wallet, a killed node
// that catches up, and a network that splits and heals.
func TestThreeNodes(t *testing.T) {
	c := New(t)
	c.Init("acme", "--open", "--on-demand")
	a := c.Node("a")
	b := c.Node("b", "--addnode", a.P2P)
	d := c.Node("c", "--addnode", a.P2P, "--addnode", b.P2P)
	pass := passphraseFile(t, "correct horse")
	addrA := createWallet(t, a, pass)
	addrC := createWallet(t, d, pass)

	a.Call("generatetoaddress", nil, 101, addrA)
	c.SameTip(101, a, b, d)
	expectReady(t, c, a, b, d)

	txid := payAndConfirm(t, c, a, b, d, pass, addrC)
	expectPaid(t, d, txid, "1.5")
	expectSameAnswers(t, txid, a, b, d)
	for _, n := range []*Node{a, b, d} {
		expectMetrics(t, n, 102)
	}

	b.Kill()
	a.Call("generatetoaddress", nil, 2, addrA)
	b.Start()
	c.SameTip(104, a, b, d)

	splitAndHeal(t, c, a, b, d, pass, addrA, addrC)

	for _, n := range []*Node{a, b, d} {
		if code := n.Stop(); code != 0 {
			t.Errorf("node %s ended with exit code %d after SIGTERM", n.Name, code)
		}
	}
}

// payAndConfirm pays from a's wallet to c's; a WebSocket client of c sees
// the payment and then its block, which b mines.
func payAndConfirm(t *testing.T, c *Cluster, a, b, d *Node, pass, addrC string) string {
	ws := d.WS()
	for _, method := range []string{"notifynewtransactions", "notifyblocks"} {
		if err := ws.Call(t.Context(), method, nil, nil); err != nil {
			t.Fatalf("%s: %v", method, err)
		}
	}
	var sent struct {
		TxID string `json:"txid"`
	}
	decode(t, a.Charter("--json", "wallet", "send", addrC, "1.5", "--passphrase-file", pass), &sent)

	expectNote(t, ws, "txaccepted", sent.TxID)
	c.Eventually("the payment reaches b", func() error {
		return b.TryCall("getmempoolentry", nil, sent.TxID)
	})
	var mined []string
	b.Call("generatetoaddress", &mined, 1, addrC)
	expectNote(t, ws, "blockconnected", mined[0])
	c.SameTip(102, a, b, d)
	return sent.TxID
}

// expectNote waits for the next notification, which must be method with
// first as its first parameter.
func expectNote(t *testing.T, ws *client.WS, method, first string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	note, err := ws.Next(ctx)
	if err != nil {
		t.Fatalf("waiting for %s: %v", method, err)
	}
	if got := fmt.Sprint(note.Method, " ", string(note.Params[0])); got != fmt.Sprintf("%s %q", method, first) {
		t.Fatalf("notification %s, want %s %q", got, method, first)
	}
}

func expectPaid(t *testing.T, n *Node, txid, amount string) {
	t.Helper()
	history := n.Charter("wallet", "history")
	if !strings.Contains(history, txid) || !strings.Contains(history, amount) {
		t.Errorf("history of %s lacks %s of %s:\n%s", n.Name, amount, txid, history)
	}
	for line := range strings.Lines(history) {
		if strings.Contains(line, txid) && strings.Contains(line, "unconfirmed") {
			t.Errorf("%s shows it as unconfirmed: %s", n.Name, line)
		}
	}
}

// expectSameAnswers compares what the nodes say of one chain.
func expectSameAnswers(t *testing.T, txid string, nodes ...*Node) {
	t.Helper()
	_, best := nodes[0].Best()
	for _, q := range [][]any{
		{"getblock", best, 2},
		{"getblockheader", best},
		{"gettxout", txid, 0},
		{"getdifficulty"},
		{"gettxoutsetinfo", "none"},
		{"getrawmempool"},
		{"getchaintips"},
	} {
		method := q[0].(string)
		var want any
		for i, n := range nodes {
			var got any
			n.Call(method, &got, q[1:]...)
			if m, ok := got.(map[string]any); ok {
				delete(m, "disk_size") // of this node's own files
			}
			if i == 0 {
				want = got
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s of %s and %s (-first +other):\n%s", method, nodes[0].Name, n.Name, diff)
			}
		}
	}
}

func expectReady(t *testing.T, c *Cluster, nodes ...*Node) {
	t.Helper()
	for _, n := range nodes {
		c.Eventually(n.Name+" is ready", func() error {
			resp, err := http.Get(n.Metrics + "/readyz")
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				return fmt.Errorf("status %s", resp.Status)
			}
			return nil
		})
	}
}

func expectMetrics(t *testing.T, n *Node, height float64) {
	t.Helper()
	if got := metric(t, n, "charter_chain_height"); got != height {
		t.Errorf("charter_chain_height of %s is %v, want %v", n.Name, got, height)
	}
}

// splitAndHeal separates c from the others. c pays and makes two blocks,
// a makes three: after healing all have a's, and the payment waits again or
// is confirmed.
func splitAndHeal(t *testing.T, c *Cluster, a, b, d *Node, pass, addrA, addrC string) {
	d.Call("setnetworkactive", nil, false)
	c.Eventually("c has no peers", func() error {
		var count int
		d.Call("getconnectioncount", &count)
		if count > 0 {
			return fmt.Errorf("%d connections", count)
		}
		return nil
	})
	var sent struct {
		TxID string `json:"txid"`
	}
	decode(t, d.Charter("--json", "wallet", "send", addrA, "0.25", "--passphrase-file", pass), &sent)
	d.Call("generatetoaddress", nil, 2, addrC)
	a.Call("generatetoaddress", nil, 3, addrA)
	c.SameTip(106, d)
	c.SameTip(107, a, b)
	_, want := a.Best()

	d.Call("setnetworkactive", nil, true)
	c.SameTip(107, a, b, d)
	if _, got := d.Best(); got != want {
		t.Errorf("tip after healing is %s, want the three-block side's %s", got, want)
	}
	var pool []string
	d.Call("getrawmempool", &pool)
	if !slices.Contains(pool, sent.TxID) {
		t.Errorf("payment %s of the losing side is not back in the pool: %v", sent.TxID, pool)
	}
	// It is good for everybody: the next block confirms it.
	d.Call("generatetoaddress", nil, 1, addrC)
	c.SameTip(108, a, b, d)
	expectPaid(t, a, sent.TxID, "0.25")
}

// TestMine: a node with --mine makes blocks by itself.
func TestMine(t *testing.T) {
	c := New(t)
	c.Init("mined", "--open", "--on-demand")
	pass := passphraseFile(t, "pw")
	var made struct {
		Address string `json:"address"`
	}
	decode(t, c.Charter("--json", "--chain", c.ChainFile, "--datadir", c.Dir, "wallet", "create", "--passphrase-file", pass), &made)
	n := c.Node("m", "--mine", "--mine-threads", "2", "--mine-address", made.Address)
	c.Eventually("blocks are mined", func() error {
		var height int32
		n.Call("getblockcount", &height)
		if height < 3 {
			return fmt.Errorf("height %d", height)
		}
		return nil
	})
}

// TestBadInput: what is wrong is said, with a non-zero exit code, and
// nothing changes.
func TestBadInput(t *testing.T) {
	c := New(t)
	c.Init("strict", "--open", "--on-demand")
	n := c.Node("n")
	pass := passphraseFile(t, "right")
	addr := createWallet(t, n, pass)
	n.Call("generatetoaddress", nil, 1, addr)

	t.Run("chain file with unknown keys", func(t *testing.T) {
		bad := filepath.Join(t.TempDir(), "bad.toml")
		text, err := os.ReadFile(c.ChainFile)
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, bad, strings.Replace(string(text), "\n[pow]\n", "\n[pow]\nlimmit = 5\nspacin = 6\n", 1))
		out, err := c.TryCharterd("--chain", bad, "--datadir", t.TempDir())
		expectFailure(t, out, err, 1, "limmit", "spacin", "line")
	})
	t.Run("second process on one folder", func(t *testing.T) {
		out, err := c.TryCharterd("--chain", c.ChainFile, "--datadir", n.DataDir, "--no-listen", "--rpclisten", "127.0.0.1:0", "--metrics", "")
		expectFailure(t, out, err, 1, "in use", n.DataDir)
		n.Call("getblockcount", nil)
	})
	t.Run("port in use", func(t *testing.T) {
		out, err := c.TryCharterd("--chain", c.ChainFile, "--datadir", t.TempDir(), "--no-listen", "--rpclisten", strings.TrimPrefix(n.rpc, "http://"))
		expectFailure(t, out, err, 1, "address already in use", "--rpclisten")
	})
	t.Run("unknown flag", func(t *testing.T) {
		out, err := c.TryCharterd("--chian", "x")
		expectFailure(t, out, err, 2, "chian")
	})
	wallet := func(args ...string) (string, error) {
		_, out, err := c.TryCharter(append(n.Flags(), args...)...)
		return out, err
	}
	t.Run("wrong passphrase", func(t *testing.T) {
		n.Call("generatetoaddress", nil, 100, addr)
		out, err := wallet("wallet", "send", addr, "1", "--passphrase-file", passphraseFile(t, "wrong"))
		expectFailure(t, out, err, 1, "passphrase")
	})
	t.Run("more than there is", func(t *testing.T) {
		out, err := wallet("wallet", "send", addr, "1000000", "--passphrase-file", pass)
		expectFailure(t, out, err, 1, "can be spent")
	})
	t.Run("malformed address", func(t *testing.T) {
		out, err := wallet("wallet", "send", mistyped(addr), "1", "--passphrase-file", pass)
		expectFailure(t, out, err, 2, "checksum")
	})
	var pool []string
	n.Call("getrawmempool", &pool)
	if len(pool) > 0 {
		t.Errorf("something was sent: %v", pool)
	}
	t.Run("malformed JSON", func(t *testing.T) { expectParseError(t, n) })
	t.Run("peer of another chain", func(t *testing.T) { expectOtherChainRefused(t, c, n) })
	t.Run("ten million inputs", func(t *testing.T) {
		err := n.TryCall("sendrawtransaction", nil, "02000000fe80969800")
		if code, ok := client.ErrorCode(err); !ok || code != -22 {
			t.Errorf("error %v, want code -22", err)
		}
	})
}

// mistyped changes the last character of an address.
func mistyped(addr string) string {
	last := "q"
	if strings.HasSuffix(addr, last) {
		last = "p"
	}
	return addr[:len(addr)-1] + last
}

// TestTLS: beyond loopback RPC is encrypted, and the command line trusts the
// certificate that the node made.
func TestTLS(t *testing.T) {
	c := New(t)
	c.Init("tls", "--open", "--on-demand")
	n := c.prepare("n", "https", "0.0.0.0")
	n.Start()
	if got := strings.TrimSpace(n.Charter("rpc", "getblockcount")); got != "0" {
		t.Errorf("getblockcount printed %q", got)
	}
	_, out, err := c.TryCharter(append(n.Flags(), "--rpccert", passphraseFile(t, "no certificate"), "rpc", "getblockcount")...)
	expectFailure(t, out, err, 1, "PEM")
}

func expectParseError(t *testing.T, n *Node) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, n.rpc, strings.NewReader("{not json"))
	if err != nil {
		t.Fatal(err)
	}
	cookie, err := os.ReadFile(filepath.Join(n.Dir(), ".cookie"))
	if err != nil {
		t.Fatal(err)
	}
	user, password, _ := strings.Cut(string(cookie), ":")
	req.SetBasicAuth(user, password)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var reply struct{ Error struct{ Code int } }
	if err := json.NewDecoder(resp.Body).Decode(&reply); err != nil || reply.Error.Code != -32700 {
		t.Errorf("reply %+v, %v; want code -32700", reply, err)
	}
}

func expectOtherChainRefused(t *testing.T, c *Cluster, n *Node) {
	t.Helper()
	other := &Cluster{t: t, bin: c.bin, Dir: t.TempDir()}
	other.Init("other", "--open", "--on-demand")
	m := other.Node("stranger", "--connect", n.P2P)
	other.Eventually("the stranger's log says why it is refused", func() error {
		if !strings.Contains(m.log.String(), "genesis") {
			return fmt.Errorf("no word of it yet")
		}
		return nil
	})
	var count int
	m.Call("getconnectioncount", &count)
	if count != 0 {
		t.Errorf("a node of another chain has %d connections", count)
	}
}

func expectFailure(t *testing.T, out string, err error, code int, words ...string) {
	t.Helper()
	if got := exitCode(err); got != code {
		t.Errorf("exit code %d, want %d", got, code)
	}
	for _, w := range words {
		if !strings.Contains(out, w) {
			t.Errorf("message lacks %q:\n%s", w, out)
		}
	}
}

func exitCode(err error) int {
	var exit interface{ ExitCode() int }
	if err == nil {
		return 0
	}
	if e, ok := err.(interface{ ExitCode() int }); ok {
		exit = e
		return exit.ExitCode()
	}
	return -1
}

// createWallet makes a wallet beside the node and returns its first address.
func createWallet(t *testing.T, n *Node, pass string) string {
	t.Helper()
	var made struct {
		Address string `json:"address"`
	}
	decode(t, n.Charter("--json", "wallet", "create", "--passphrase-file", pass), &made)
	if made.Address == "" {
		t.Fatal("the new wallet has no address")
	}
	return made.Address
}

func passphraseFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pass")
	writeFile(t, path, text+"\n")
	return path
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func decode(t testing.TB, text string, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), v); err != nil {
		t.Fatalf("not JSON: %v\n%s", err, text)
	}
}
