package transport

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"

	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/p2p/message"
)

const (
	dialler  = 1 // number of the dialler's key in most tests
	listener = 2
)

func testKey(n byte) *btcec.PrivateKey {
	key, _ := btcec.PrivKeyFromBytes(bytes.Repeat([]byte{n}, 32))
	return key
}

func testLimits() *message.Limits {
	return message.NewLimits(params.Limits{
		BlockWeight: 4_000_000, TxWeight: 4_000_000, BlockTxs: 16_666, BlockSerialized: 4_000_000,
	})
}

// config is that of a node with the key of that number, to which anybody
// may connect.
func config(n byte, change ...func(*Config)) Config {
	c := Config{
		GenesisHash: [32]byte{31: 0xaa}, RulesHash: [32]byte{0xbb},
		Key: testKey(n), Limits: testLimits(),
		MayConnect: func([32]byte) error { return nil },
		Features:   message.FeatureChain, UserAgent: "test",
		Height: func() uint32 { return uint32(n) },
		Budget: NewBudget(64 << 20), Now: time.Now, Rand: rand.Reader,
	}
	for _, f := range change {
		f(&c)
	}
	return c
}

func newTransport(t testing.TB, c Config) *Transport {
	t.Helper()
	tr, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// ends are both sides of a handshake.
type ends struct {
	dialled, accepted  *Conn
	dialErr, acceptErr error
}

// shake runs a handshake over two ends of one connection.
func shake(d, l *Transport, dialEnd, listenEnd net.Conn, pin *[32]byte) ends {
	var e ends
	done := make(chan struct{})
	go func() {
		defer close(done)
		e.accepted, e.acceptErr = l.Accept(context.Background(), listenEnd)
	}()
	e.dialled, e.dialErr = d.Dial(context.Background(), dialEnd, pin)
	<-done
	return e
}

// link opens a link over net.Pipe between the nodes dialler and listener.
func link(t testing.TB, dc, lc Config) ends {
	t.Helper()
	a, b := net.Pipe()
	e := shake(newTransport(t, dc), newTransport(t, lc), a, b, nil)
	if e.dialErr != nil || e.acceptErr != nil {
		t.Fatalf("handshake: dial %v, accept %v", e.dialErr, e.acceptErr)
	}
	return e
}

// run starts Run of c and returns a function that closes c, if it is still
// open, and waits for Run.
func run(c *Conn) (wait func() error) {
	done := make(chan error, 1)
	go func() { done <- c.Run(context.Background()) }()
	return func() error {
		c.Close(message.CodeShutdown, "test is over")
		return <-done
	}
}

// tcpPair returns both ends of a TCP connection on the loopback interface.
func tcpPair(t *testing.T) (dialEnd, listenEnd net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dialEnd, err = net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	listenEnd, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dialEnd.Close(); listenEnd.Close() })
	return dialEnd, listenEnd
}

// accepting starts Accept on one end of a pipe and returns the other end,
// and a function that waits for what Accept says.
func accepting(t testing.TB, l *Transport) (raw net.Conn, wait func() error) {
	t.Helper()
	raw, b := net.Pipe()
	done := make(chan error, 1)
	go func() {
		c, err := l.Accept(context.Background(), b)
		if err == nil {
			c.Close(message.CodeShutdown, "")
		}
		done <- err
	}()
	return raw, func() error {
		defer raw.Close()
		return <-done
	}
}

// rawTLS makes the TLS handshake of a dialler by hand.
func rawTLS(t testing.TB, nc net.Conn) *tls.Conn {
	t.Helper()
	secure := tls.Client(nc, tlsConfig(rand.Reader, time.Now))
	if err := secure.Handshake(); err != nil {
		t.Fatal(err)
	}
	return secure
}

// exporterOf returns the channel binding of a raw session.
func exporterOf(t testing.TB, c *tls.Conn) (out [32]byte) {
	t.Helper()
	state := c.ConnectionState()
	b, err := state.ExportKeyingMaterial(exporterLabel, []byte{}, exporterSize)
	if err != nil {
		t.Fatal(err)
	}
	copy(out[:], b)
	return out
}

// helloFrame is the first frame of an honest dialler on a session.
func helloFrame(t testing.TB, d *Transport, exporter [32]byte) []byte {
	t.Helper()
	h := d.newHello()
	if err := signHello(h, d.cfg.Key, &binding{role: roleDialler, exporter: exporter}, rand.Reader); err != nil {
		t.Fatal(err)
	}
	return frameOf(t, h)
}

func frameOf(t testing.TB, m message.Message) []byte {
	t.Helper()
	payload, err := message.Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	f, _ := appendFrame(nil, m.Type(), payload, 0)
	return f
}

// everything reads what is left on a session.
func everything(r io.Reader) []byte {
	b, _ := io.ReadAll(r) // ends in EOF or an alert
	return b
}

// decodeFrame decodes a single frame.
func decodeFrame(t testing.TB, b []byte) message.Message {
	t.Helper()
	if len(b) < frameHeader {
		t.Fatalf("%d bytes are no frame", len(b))
	}
	m, err := message.Decode(message.Type(b[4]), b[frameHeader:], testLimits())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// wantRefused checks that err is a *RefusedError of that side and code.
func wantRefused(t *testing.T, what string, err error, byPeer bool, code message.Code) *RefusedError {
	t.Helper()
	var r *RefusedError
	if !errors.As(err, &r) || r.ByPeer != byPeer || r.Code != code {
		t.Fatalf("%s: error %v, want *RefusedError with ByPeer=%t and code %s", what, err, byPeer, code)
	}
	return r
}

// wantProtocol checks that err is a *ProtocolError of that code.
func wantProtocol(t *testing.T, what string, err error, code message.Code) {
	t.Helper()
	var p *ProtocolError
	if !errors.As(err, &p) || p.Code != code {
		t.Fatalf("%s: error %v, want *ProtocolError with code %s", what, err, code)
	}
}
