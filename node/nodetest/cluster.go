package nodetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/charterchain/charter/rpc/client"
)

// Patience is the longest that a test waits for a condition.
const Patience = 60 * time.Second

// pollEvery is how often a condition is asked for.
const pollEvery = 50 * time.Millisecond

// Cluster is a set of nodes on one chain.
type Cluster struct {
	t         testing.TB
	bin       string // folder of both programs
	Dir       string // of chain file and data folders
	ChainFile string
	nodes     []*Node
}

// programs builds both programs, once for all tests, and returns their folder.
// Cleanup removes it.
var programs = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "charter-nodetest-")
	if err != nil {
		return "", err
	}
	build := exec.Command("go", "build", "-trimpath", "-o", dir, "./cmd/charterd", "./cmd/charter")
	build.Dir = filepath.Join("..", "..")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	built = dir
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the programs: %w\n%s", err, out)
	}
	return dir, nil
})

// built is the folder to remove; "": none. Written by programs alone.
var built string

// Cleanup removes the programs that New built. It is for TestMain.
func Cleanup() {
	if built != "" {
		_ = os.RemoveAll(built) // a temporary folder
	}
}

// New returns a cluster without chain or nodes.
func New(t testing.TB) *Cluster {
	t.Helper()
	bin, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	return &Cluster{t: t, bin: bin, Dir: t.TempDir()}
}

// Init makes the chain file with `charter init`.
func (c *Cluster) Init(name string, args ...string) {
	c.t.Helper()
	c.ChainFile = filepath.Join(c.Dir, name+".toml")
	args = append([]string{"init", name, "--out", c.ChainFile}, args...)
	c.Charter(args...)
}

// Charter runs the command line and returns what it printed. It has to
// succeed.
func (c *Cluster) Charter(args ...string) string {
	c.t.Helper()
	out, errOut, err := c.TryCharter(args...)
	if err != nil {
		c.t.Fatalf("charter %s: %v\n%s%s", strings.Join(args, " "), err, out, errOut)
	}
	return out
}

// TryCharter is Charter for commands that may fail.
func (c *Cluster) TryCharter(args ...string) (stdout, stderr string, err error) {
	ctx, cancel := context.WithTimeout(c.t.Context(), Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(c.bin, "charter"), args...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err = cmd.Run()
	return out.String(), errOut.String(), err
}

// TryCharterd runs a node that is expected to end by itself, soon.
func (c *Cluster) TryCharterd(args ...string) (stderr string, err error) {
	ctx, cancel := context.WithTimeout(c.t.Context(), Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(c.bin, "charterd"), args...)
	cmd.Env = environ()
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	err = cmd.Run()
	return errOut.String(), err
}

// Node is one charterd process, and its data folder beyond it.
type Node struct {
	Name    string
	DataDir string
	P2P     string // host:port
	Metrics string // URL

	c    *Cluster
	args []string
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
	log  *lockedBuffer
	rpc  string // URL
}

// Node makes a node and starts it. Its ports stay the same over restarts.
func (c *Cluster) Node(name string, args ...string) *Node {
	c.t.Helper()
	n := c.prepare(name, "http", "127.0.0.1", args...)
	n.Start()
	return n
}

// prepare makes a node that is not started yet, with its RPC on host.
func (c *Cluster) prepare(name, scheme, host string, args ...string) *Node {
	c.t.Helper()
	p2p, rpcAddr, metrics := freeAddr(c.t), freeAddr(c.t), freeAddr(c.t)
	n := &Node{
		Name: name, DataDir: filepath.Join(c.Dir, name), P2P: p2p, Metrics: "http://" + metrics,
		c: c, log: new(lockedBuffer), rpc: scheme + "://" + rpcAddr,
	}
	_, port, _ := strings.Cut(rpcAddr, ":")
	n.args = append([]string{
		"--chain", c.ChainFile, "--datadir", n.DataDir, "--listen", p2p,
		"--rpclisten", host + ":" + port, "--metrics", metrics, "--log-level", "debug",
	}, args...)
	c.nodes = append(c.nodes, n)
	c.t.Cleanup(func() {
		n.Kill()
		if c.t.Failed() {
			c.t.Logf("log of node %s:\n%s", name, n.log.String())
		}
	})
	return n
}

// launch runs the process, for once with more flags.
func (n *Node) launch(more ...string) {
	n.c.t.Helper()
	n.cmd = exec.Command(filepath.Join(n.c.bin, "charterd"), append(n.args[:len(n.args):len(n.args)], more...)...)
	n.cmd.Env = environ()
	n.cmd.Stdout, n.cmd.Stderr = n.log, n.log
	if err := n.cmd.Start(); err != nil {
		n.c.t.Fatalf("start node %s: %v", n.Name, err)
	}
	n.done = make(chan struct{})
	go func() {
		defer close(n.done)
		if err := n.cmd.Wait(); err != nil {
			fmt.Fprintf(n.log, "--- the process ended: %v ---\n", err)
		}
	}()
}

// Start runs the process and waits until its RPC answers.
func (n *Node) Start() {
	n.c.t.Helper()
	n.startWith()
}

// startWith is Start with more flags, for once.
func (n *Node) startWith(more ...string) {
	n.c.t.Helper()
	n.launch(more...)
	n.waitRPC()
}

// waitRPC waits until the RPC of a process that was launched answers.
func (n *Node) waitRPC() {
	n.c.t.Helper()
	n.c.Eventually("RPC of "+n.Name+" answers", func() error {
		select {
		case <-n.done:
			n.c.t.Fatalf("node %s ended:\n%s", n.Name, n.log.String())
		default:
		}
		var height int32
		return n.TryCall("getblockcount", &height)
	})
}

// Kill ends the process at once.
func (n *Node) Kill() { n.end(syscall.SIGKILL) }

// Stop ends the process in order and returns its exit code.
func (n *Node) Stop() int {
	n.end(syscall.SIGTERM)
	return n.cmd.ProcessState.ExitCode()
}

func (n *Node) end(sig syscall.Signal) {
	n.c.t.Helper()
	if n.cmd == nil {
		return // was never started
	}
	if err := n.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		n.c.t.Errorf("signal node %s: %v", n.Name, err)
	}
	select {
	case <-n.done:
	case <-time.After(Patience):
		n.c.t.Fatalf("node %s did not end within %v", n.Name, Patience)
	}
}

// Dir is the chain's folder in the node's data folder.
func (n *Node) Dir() string {
	name := strings.TrimSuffix(filepath.Base(n.c.ChainFile), ".toml")
	return filepath.Join(n.DataDir, name)
}

// Auth is the login of the node's present run.
func (n *Node) Auth() client.Auth { return client.CookieFile(filepath.Join(n.Dir(), ".cookie")) }

// WS opens a WebSocket connection.
func (n *Node) WS() *client.WS {
	n.c.t.Helper()
	ws, err := client.DialWS(n.c.t.Context(), n.rpc, n.Auth())
	if err != nil {
		n.c.t.Fatalf("WebSocket of node %s: %v", n.Name, err)
	}
	n.c.t.Cleanup(func() { ws.Close() })
	return ws
}

// Call calls an RPC method, which has to succeed. result may be nil.
func (n *Node) Call(method string, result any, params ...any) {
	n.c.t.Helper()
	if err := n.TryCall(method, result, params...); err != nil {
		n.c.t.Fatalf("node %s: %s: %v", n.Name, method, err)
	}
}

// TryCall is Call for methods that may fail.
func (n *Node) TryCall(method string, result any, params ...any) error {
	ctx, cancel := context.WithTimeout(n.c.t.Context(), Patience)
	defer cancel()
	var opts []client.Option
	if strings.HasPrefix(n.rpc, "https") {
		pem, err := os.ReadFile(filepath.Join(n.Dir(), "rpc.cert"))
		if err != nil {
			return err
		}
		opts = append(opts, client.WithCertificate(pem))
	}
	cl, err := client.New(n.rpc, n.Auth(), opts...)
	if err != nil {
		return err
	}
	return cl.Call(ctx, method, params, result)
}

// Flags are those by which the command line finds this node.
func (n *Node) Flags() []string {
	return []string{"--chain", n.c.ChainFile, "--datadir", n.DataDir, "--rpc", n.rpc}
}

// Charter runs the command line against this node.
func (n *Node) Charter(args ...string) string {
	n.c.t.Helper()
	return n.c.Charter(append(n.Flags(), args...)...)
}

// Best is the node's best block.
func (n *Node) Best() (height int32, hash string) {
	n.c.t.Helper()
	n.Call("getbestblockhash", &hash)
	n.Call("getblockcount", &height)
	return height, hash
}

// SameTip waits until all nodes of the cluster that are given have the same
// best block at height.
func (c *Cluster) SameTip(height int32, nodes ...*Node) {
	c.t.Helper()
	c.Eventually(fmt.Sprintf("one tip at height %d", height), func() error {
		var first string
		for _, n := range nodes {
			h, hash := n.Best()
			if h != height {
				return fmt.Errorf("node %s is at height %d", n.Name, h)
			}
			if first == "" {
				first = hash
			}
			if hash != first {
				return fmt.Errorf("node %s has another block: %s, not %s", n.Name, hash, first)
			}
		}
		return nil
	})
}

// Eventually asks until cond has no error, for as long as Patience.
func (c *Cluster) Eventually(what string, cond func() error) {
	c.t.Helper()
	c.EventuallyWithin(Patience, what, cond)
}

// EventuallyWithin is Eventually with a patience of its own.
func (c *Cluster) EventuallyWithin(patience time.Duration, what string, cond func() error) {
	c.t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		err := cond()
		if err == nil {
			return
		}
		select {
		case <-deadline:
			c.t.Fatalf("not within %v: %s: %v", patience, what, err)
		case <-tick.C:
		}
	}
}

// given holds the ports that freeAddr gave out, so that none is given twice.
var given sync.Map

// freeAddr returns an address on which nothing listens. Its port lies below
// those that systems give to connections.
func freeAddr(t testing.TB) string {
	t.Helper()
	for {
		addr := fmt.Sprintf("127.0.0.1:%d", 20_000+rand.IntN(12_000))
		if _, taken := given.LoadOrStore(addr, true); taken {
			continue
		}
		ln, err := net.Listen("tcp", addr)
		if err != nil {
			continue
		}
		if err := ln.Close(); err != nil {
			t.Fatal(err)
		}
		return addr
	}
}

// lockedBuffer is a log that is read while it is written.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// environ is the environment without our variables: those of the tests are no
// settings of a node, and a node under test takes none from outside.
func environ() []string {
	return slices.DeleteFunc(os.Environ(), func(entry string) bool {
		return strings.HasPrefix(entry, "CHARTER_")
	})
}
