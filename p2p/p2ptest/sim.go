package p2ptest

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/p2p"
	"github.com/charterchain/charter/p2p/addrbook"
)

// Port is where every node listens.
const Port = 8430

// Sim is a network of nodes. It lives in one synctest bubble.
type Sim struct {
	T      *testing.T
	Net    *Net
	Params *params.Params
	seed   uint64
	nodes  []*Node
}

// NewSim starts a simulation. It prints the seed if the test fails, and
// stops all nodes when the test ends.
func NewSim(t *testing.T, seed uint64) *Sim {
	s := &Sim{T: t, Net: NewNet(seed), Params: Params("test"), seed: seed}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("simulation seed %d", seed)
		}
	})
	return s
}

// Params returns parameters of a chain; different names have different
// genesis blocks.
func Params(name string) *params.Params {
	first := p2p.BlockInfo{Time: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), Height: -1}
	genesis := MakeBlock(first, name, 1)
	return &params.Params{
		Name:         name,
		Address:      params.Address{Bech32HRP: "ct"},
		Network:      params.Network{DefaultPort: Port},
		PoW:          params.PoW{Spacing: 10 * time.Second, MaxFuture: 24 * time.Hour},
		Limits:       params.Limits{BlockWeight: 400_000, TxWeight: 400_000, BlockTxs: 1000, BlockSerialized: 400_000},
		GenesisBlock: genesis.Msg(),
		GenesisHash:  genesis.Hash,
	}
}

// Node is one node of a simulation.
type Node struct {
	s     *Sim
	Host  string
	Key   *btcec.PrivateKey
	Chain *Chain
	Pool  *Pool
	P2P   *p2p.Network // nil while stopped

	// Settings for the next Start.
	Params   *params.Params
	Connect  []string
	AddNodes []string
	Change   func(*p2p.Config)

	cancel context.CancelFunc
	done   chan error
}

// Host returns the address of the i-th node.
func Host(i int) string { return fmt.Sprintf("10.%d.0.1", i+1) }

// Key returns the identity key of the i-th node.
func Key(i int) *btcec.PrivateKey {
	var b [32]byte
	b[30], b[31] = 1, byte(i+1)
	key, _ := btcec.PrivKeyFromBytes(b[:])
	return key
}

// NewNode adds a node, which is not started.
func (s *Sim) NewNode() *Node {
	i := len(s.nodes)
	n := &Node{s: s, Host: Host(i), Key: Key(i), Chain: NewChain(s.Params.GenesisBlock), Pool: NewPool(), Params: s.Params}
	n.Chain.Sealed = s.Params.Permissions.Restricts(params.PermMine)
	s.nodes = append(s.nodes, n)
	return n
}

// XOnly returns the identity that belongs to a key.
func XOnly(key *btcec.PrivateKey) [32]byte { return [32]byte(schnorr.SerializePubKey(key.PubKey())) }

// XOnly returns the node's identity.
func (n *Node) XOnly() [32]byte { return XOnly(n.Key) }

// Addr returns "host:port" of the node.
func (n *Node) Addr() string { return fmt.Sprintf("%s:%d", n.Host, Port) }

// URL returns the node's address with its identity.
func (n *Node) URL() string {
	return "charter://" + p2p.FormatIdentity(n.XOnly(), n.Params) + "@" + n.Addr()
}

// Start runs the node with the chain and the pool that it has.
func (n *Node) Start() {
	t := n.s.T
	t.Helper()
	l, err := n.s.Net.Listen(n.Addr())
	if err != nil {
		t.Fatal(err)
	}
	seed := n.s.seed<<8 + uint64(len(n.Host)) + uint64(n.Key.Key.Bytes()[31])
	cfg := p2p.Config{
		Params:    n.Params,
		Key:       n.Key,
		Chain:     n.Chain,
		Pool:      n.Pool,
		Book:      addrbook.New(addrbook.Config{Now: time.Now, Rand: rand.New(rand.NewPCG(seed, 2))}),
		Listeners: []net.Listener{l},
		Dial: func(ctx context.Context, addr string) (net.Conn, error) {
			return n.s.Net.Dial(ctx, n.Host, addr)
		},
		Connect:   n.Addresses(n.Connect...),
		AddNodes:  n.Addresses(n.AddNodes...),
		UserAgent: "sim/" + n.Host,
		Now:       time.Now,
		Rand:      rand.New(rand.NewPCG(seed, 3)),
		Entropy:   NewEntropy(seed),
		Log:       slog.New(slog.NewTextHandler(testWriter{t, n.Host}, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if n.Change != nil {
		n.Change(&cfg)
	}
	network, err := p2p.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	n.P2P = network
	n.Chain.OnTip = network.NewTip
	n.Pool.OnAccept = network.TxAccepted
	ctx, cancel := context.WithCancel(context.Background())
	n.cancel, n.done = cancel, make(chan error, 1)
	go func() { n.done <- network.Run(ctx) }()
}

// Addresses reads peers as the operator writes them.
func (n *Node) Addresses(texts ...string) []p2p.Address {
	var out []p2p.Address
	for _, s := range texts {
		a, err := p2p.ParseAddress(s, n.Params)
		if err != nil {
			n.s.T.Fatal(err)
		}
		out = append(out, a)
	}
	return out
}

// Stop ends the node and returns how long that took.
func (n *Node) Stop() time.Duration {
	began := time.Now()
	n.cancel()
	if err := <-n.done; err != nil {
		n.s.T.Errorf("%s: Run: %v", n.Host, err)
	}
	n.Chain.OnTip, n.Pool.OnAccept = nil, nil
	n.P2P = nil
	return time.Since(began)
}

// Kill breaks the node's connections, then ends it: peers see no goodbye.
func (n *Node) Kill() {
	n.s.Net.Kill(n.Host)
	n.Stop()
}

// StopAll ends all nodes that run.
func (s *Sim) StopAll() {
	for _, n := range s.nodes {
		if n.P2P != nil {
			n.Stop()
		}
	}
}

// Await waits, in virtual time, until a condition holds.
func (s *Sim) Await(what string, limit time.Duration, cond func() bool) {
	s.T.Helper()
	for waited := time.Duration(0); ; waited += 100 * time.Millisecond {
		synctest.Wait()
		if cond() {
			return
		}
		if waited >= limit {
			for _, n := range s.nodes {
				if n.P2P != nil {
					s.T.Logf("%s: tip %d, peers %+v", n.Host, n.Chain.Best().Height, n.P2P.Peers())
				}
			}
			s.T.Fatalf("not within %s: %s", limit, what)
		}
		<-time.After(100 * time.Millisecond)
	}
}

// AwaitTip waits until nodes have the same best block as first.
func (s *Sim) AwaitTip(limit time.Duration, first *Node, others ...*Node) {
	s.T.Helper()
	s.Await("equal tips", limit, func() bool {
		want := first.Chain.Best().Hash
		for _, n := range others {
			if n.Chain.Best().Hash != want {
				return false
			}
		}
		return true
	})
}

// Submit hands a transaction to the node's own pool.
func (n *Node) Submit(tx *consensus.Tx) {
	if err := n.Pool.Accept(context.Background(), tx, n.XOnly()); err != nil {
		n.s.T.Fatal(err)
	}
}

// testWriter prints a node's log with the test's.
type testWriter struct {
	t    *testing.T
	host string
}

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Logf("%s %s %s", time.Now().Format("04:05.000"), w.host, b)
	return len(b), nil
}

// Entropy is repeatable randomness, safe for concurrent use.
type Entropy struct {
	mu  sync.Mutex
	rng *rand.ChaCha8
}

// NewEntropy returns the randomness that belongs to a seed.
func NewEntropy(seed uint64) *Entropy {
	return &Entropy{rng: rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16), 1})}
}

func (e *Entropy) Read(b []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.rng.Read(b)
}

var (
	_ p2p.Chain = (*Chain)(nil)
	_ p2p.Pool  = (*Pool)(nil)
)
