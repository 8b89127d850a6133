package transport

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/charterchain/charter/p2p/message"
)

func TestHandshake(t *testing.T) {
	d, l := newTransport(t, config(dialler)), newTransport(t, config(listener))
	key := l.Key()
	pipes := func(t *testing.T) (net.Conn, net.Conn) { return net.Pipe() }
	for _, tc := range []struct {
		name string
		pair func(*testing.T) (net.Conn, net.Conn)
		pin  *[32]byte
	}{
		{"pipe", pipes, nil},
		{"pipe, pinned", pipes, &key},
		{"tcp, pinned", tcpPair, &key},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a, b := tc.pair(t)
			e := shake(d, l, a, b, tc.pin)
			if e.dialErr != nil || e.acceptErr != nil {
				t.Fatalf("dial %v, accept %v", e.dialErr, e.acceptErr)
			}
			if e.dialled.PeerKey() != l.Key() || e.accepted.PeerKey() != d.Key() {
				t.Error("the sides do not know each other's keys")
			}
			if !e.dialled.Outbound() || e.accepted.Outbound() {
				t.Error("the sides do not know who dialled")
			}
			if h := e.accepted.PeerHello(); h.Height != dialler || h.UserAgent != "test" || h.Pinned != (tc.pin != nil) {
				t.Errorf("hello of the dialler: %+v", h)
			}
			d, l := run(e.dialled), run(e.accepted)
			if err := e.dialled.Send(t.Context(), &message.Ping{Nonce: 5}); err != nil {
				t.Fatal(err)
			}
			m, err := e.accepted.Receive(t.Context())
			if p, ok := m.(*message.Ping); err != nil || !ok || p.Nonce != 5 {
				t.Errorf("received %v, %v", m, err)
			}
			e.accepted.Close(message.CodeFull, "enough")
			_, err = e.dialled.Receive(t.Context())
			var gone *DisconnectedError
			if !errors.As(err, &gone) || gone.Code != message.CodeFull || gone.Reason != "enough" {
				t.Errorf("after Close of the peer: %v", err)
			}
			if err := l(); err != nil {
				t.Errorf("Run of the side that closed: %v", err)
			}
			if err := d(); !errors.As(err, &gone) {
				t.Errorf("Run of the other side: %v", err)
			}
		})
	}
}

func TestHandshakeRefuses(t *testing.T) {
	stranger := [32]byte{1}
	closed := errors.New("not a member")
	for _, tc := range []struct {
		name    string
		dialler func(*Config)
		pin     *[32]byte
		listen  func(*Config)
		code    message.Code
		reason  []string // parts of the reason that both sides see
	}{
		{name: "genesis", code: message.CodeWrongGenesis,
			dialler: func(c *Config) { c.GenesisHash = [32]byte{31: 0xcc} },
			reason:  []string{"aa" + strings.Repeat("00", 31), "cc" + strings.Repeat("00", 31)}},
		{name: "rules", code: message.CodeWrongRules,
			dialler: func(c *Config) { c.RulesHash = [32]byte{0xdd} },
			reason:  []string{"bb" + strings.Repeat("00", 31), "dd" + strings.Repeat("00", 31)}},
		{name: "not permitted", code: message.CodeNotPermitted,
			listen: func(c *Config) { c.MayConnect = func([32]byte) error { return closed } }},
		{name: "code of MayConnect", code: message.CodeNotServing, reason: []string{"later"},
			listen: func(c *Config) {
				c.MayConnect = func([32]byte) error { return &RefusedError{Code: message.CodeNotServing, Reason: "later"} }
			}},
		{name: "pin of another key", code: message.CodeBadIdentity, pin: &stranger},
		{name: "own key", code: message.CodeSelf, dialler: func(c *Config) { c.Key = testKey(listener) }},
		{name: "required feature", code: message.CodeVersion, dialler: func(c *Config) { c.Features = 1 << 63 }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dc, lc := config(dialler), config(listener)
			if tc.dialler != nil {
				tc.dialler(&dc)
			}
			if tc.listen != nil {
				tc.listen(&lc)
			}
			a, b := tcpPair(t)
			e := shake(newTransport(t, dc), newTransport(t, lc), a, b, tc.pin)
			local := wantRefused(t, "accept", e.acceptErr, false, tc.code)
			remote := wantRefused(t, "dial", e.dialErr, true, tc.code)
			if local.Reason != remote.Reason {
				t.Errorf("reason %q arrived as %q", local.Reason, remote.Reason)
			}
			for _, part := range tc.reason {
				if !strings.Contains(remote.Reason, part) {
					t.Errorf("reason %q does not name %q", remote.Reason, part)
				}
			}
			if strings.Contains(remote.Reason, closed.Error()) {
				t.Errorf("reason %q tells what MayConnect said", remote.Reason)
			}
		})
	}
}

// TestDiallerRefuses: a listener that the dialler may not connect to hears
// so on a link that it took for open.
func TestDiallerRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newTransport(t, config(dialler, func(c *Config) {
			c.MayConnect = func([32]byte) error { return errors.New("nobody") }
		}))
		l := newTransport(t, config(listener))
		a, b := net.Pipe()
		e := shake(d, l, a, b, nil)
		wantRefused(t, "dial", e.dialErr, false, message.CodeNotPermitted)
		if e.acceptErr != nil {
			t.Fatal(e.acceptErr)
		}
		if _, err := e.accepted.Receive(t.Context()); err == nil {
			t.Error("the link is open")
		}
	})
}

// TestPinReplacesMayConnect: who is pinned needs no permission, on the
// dialling side only.
func TestPinReplacesMayConnect(t *testing.T) {
	d := newTransport(t, config(dialler, func(c *Config) {
		c.MayConnect = func([32]byte) error { return errors.New("nobody") }
	}))
	l := newTransport(t, config(listener))
	key := l.Key()
	a, b := net.Pipe()
	e := shake(d, l, a, b, &key)
	if e.dialErr != nil || e.acceptErr != nil {
		t.Fatalf("dial %v, accept %v", e.dialErr, e.acceptErr)
	}
	a.Close()
	b.Close()
}

// TestStrangerSeesNoIdentity: one that may not connect learns nothing of
// the listener, and its signature is not even looked at.
func TestStrangerSeesNoIdentity(t *testing.T) {
	synctest.Test(t, testStrangerSeesNoIdentity)
}

func testStrangerSeesNoIdentity(t *testing.T) {
	l := newTransport(t, config(listener, func(c *Config) {
		c.MayConnect = func([32]byte) error { return errors.New("nobody") }
	}))
	raw, wait := accepting(t, l)
	secure := rawTLS(t, raw)
	d := newTransport(t, config(dialler))
	if _, err := secure.Write(helloFrame(t, d, [32]byte{})); err != nil { // signature of another session
		t.Fatal(err)
	}
	said := everything(secure)
	wantRefused(t, "accept", wait(), false, message.CodeNotPermitted)
	key := l.Key()
	if bytes.Contains(said, key[:]) || bytes.Contains(said, []byte(hex.EncodeToString(key[:]))) {
		t.Error("the listener showed its key")
	}
	if m, ok := decodeFrame(t, said).(*message.Disconnect); !ok || m.Code != message.CodeNotPermitted {
		t.Errorf("the listener said %v", m)
	}
	for _, cert := range secure.ConnectionState().PeerCertificates {
		if bytes.Contains(cert.Raw, key[:]) {
			t.Error("the certificate shows the key")
		}
	}
}

// TestRelayedHello: one in the middle terminates TLS on both sides and
// passes the Hello on. The exporter differs, so the signature does not fit.
func TestRelayedHello(t *testing.T) {
	d, l := newTransport(t, config(dialler)), newTransport(t, config(listener))
	toListener, wait := accepting(t, l)
	fromDialler, dialEnd := net.Pipe()
	dialled := make(chan error, 1)
	go func() {
		_, err := d.Dial(context.Background(), dialEnd, nil)
		dialled <- err
	}()
	middle := tls.Server(fromDialler, l.server) // any certificate will do
	if err := middle.Handshake(); err != nil {
		t.Fatal(err)
	}
	out := rawTLS(t, toListener)
	if exporterOf(t, middle) == exporterOf(t, out) {
		t.Fatal("two sessions have the same exporter")
	}
	hello := readFrame(t, middle)
	if _, err := out.Write(hello); err != nil {
		t.Fatal(err)
	}
	answer := readFrame(t, out)
	toListener.Close()
	wantRefused(t, "accept", wait(), false, message.CodeBadIdentity)
	if _, err := middle.Write(answer); err != nil {
		t.Fatal(err)
	}
	fromDialler.Close()
	wantRefused(t, "dial", <-dialled, true, message.CodeBadIdentity)
}

// readFrame reads one frame as it is.
func readFrame(t *testing.T, r io.Reader) []byte {
	t.Helper()
	b := make([]byte, frameHeader)
	if _, err := io.ReadFull(r, b); err != nil {
		t.Fatal(err)
	}
	body := make([]byte, int(b[0])|int(b[1])<<8)
	if _, err := io.ReadFull(r, body); err != nil {
		t.Fatal(err)
	}
	return append(b, body...)
}

// TestReplayedAnswer: a dialler does not take a listener's Hello that
// answered another Hello, nor its own Hello sent back.
func TestReplayedAnswer(t *testing.T) {
	d, l := newTransport(t, config(dialler)), newTransport(t, config(listener))
	for _, tc := range []struct {
		name  string
		reply func(exporter [32]byte, hello []byte) []byte
		code  message.Code
	}{
		{"answer to another hello", func(exporter [32]byte, _ []byte) []byte {
			h := l.newHello()
			h.Pinned = true
			b := binding{role: roleListener, exporter: exporter, expected: d.Key(), dialler: [32]byte{1}}
			if err := signHello(h, l.cfg.Key, &b, rand.Reader); err != nil {
				t.Fatal(err)
			}
			return frameOf(t, h)
		}, message.CodeBadIdentity},
		{"own hello", func(_ [32]byte, hello []byte) []byte { return hello }, message.CodeProtocol},
		{"frame that goes on", func(_ [32]byte, hello []byte) []byte { hello[4] |= moreFollows; return hello }, message.CodeProtocol},
	} {
		t.Run(tc.name, func(t *testing.T) {
			raw, dialEnd := net.Pipe()
			dialled := make(chan error, 1)
			go func() {
				_, err := d.Dial(context.Background(), dialEnd, nil)
				dialled <- err
			}()
			server := tls.Server(raw, l.server)
			if err := server.Handshake(); err != nil {
				t.Fatal(err)
			}
			hello := readFrame(t, server)
			if _, err := server.Write(tc.reply(exporterOf(t, server), hello)); err != nil {
				t.Fatal(err)
			}
			told, ok := decodeFrame(t, readFrame(t, server)).(*message.Disconnect)
			if !ok || told.Code != tc.code {
				t.Errorf("dialler said %v, want code %s", told, tc.code)
			}
			raw.Close()
			if err := <-dialled; err == nil {
				t.Error("dial succeeded")
			}
		})
	}
}

// TestFirstAct: whatever is not a Hello or GetChainFile within its limit is
// refused before more than that is read.
func TestFirstAct(t *testing.T) {
	l := newTransport(t, config(listener))
	for _, tc := range []struct {
		name string
		act  []byte
	}{
		{"ping", frameOf(t, &message.Ping{})},
		{"unknown type", []byte{0, 0, 0, 0, 99}},
		{"hello of 1020 bytes", appendHeader(nil, byte(message.TypeHello), message.MaxHello+1)},
		{"hello of 4 GiB", []byte{0xff, 0xff, 0xff, 0xff, byte(message.TypeHello)}},
		{"hello in parts", appendHeader(nil, byte(message.TypeHello)|moreFollows, maxBody)},
		{"hello of zeros", append(appendHeader(nil, byte(message.TypeHello), 200), make([]byte, 200)...)},
		{"disconnect", frameOf(t, &message.Disconnect{})},
	} {
		t.Run(tc.name, func(t *testing.T) {
			raw, wait := accepting(t, l)
			secure := rawTLS(t, raw)
			if _, err := secure.Write(tc.act); err != nil {
				t.Fatal(err)
			}
			told, ok := decodeFrame(t, readFrame(t, secure)).(*message.Disconnect)
			raw.Close()
			wantProtocol(t, "accept", wait(), message.CodeProtocol)
			if !ok || told.Code != message.CodeProtocol {
				t.Errorf("listener said %v", told)
			}
		})
	}
}

func TestTLS(t *testing.T) {
	l := newTransport(t, config(listener))
	for _, tc := range []struct {
		name   string
		change func(*tls.Config)
	}{
		{"TLS 1.2", func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS12, tls.VersionTLS12 }},
		{"another protocol", func(c *tls.Config) { c.NextProtos = []string{"charter/2"} }},
		{"no protocol", func(c *tls.Config) { c.NextProtos = nil }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			raw, wait := accepting(t, l)
			cfg := tlsConfig(rand.Reader, time.Now)
			tc.change(cfg)
			secure := tls.Client(raw, cfg)
			if secure.Handshake() == nil {
				_, _ = secure.Write(helloFrame(t, l, [32]byte{}))
				if said := everything(secure); len(said) > 0 {
					t.Errorf("listener said %x", said)
				}
			}
			if err := wait(); err == nil {
				t.Error("was accepted")
			}
		})
	}
	e := link(t, config(dialler), config(listener))
	state := e.dialled.tls.ConnectionState()
	if state.Version != tls.VersionTLS13 || state.CurveID != tls.X25519MLKEM768 || state.NegotiatedProtocol != ALPN {
		t.Errorf("TLS version %#x, key exchange %s, protocol %q", state.Version, state.CurveID, state.NegotiatedProtocol)
	}
	e.dialled.nc.Close()
	e.accepted.nc.Close()
}

// TestSlow: neither silence nor a byte now and then keeps a half-open link
// beyond five seconds.
func TestSlow(t *testing.T) {
	for _, tc := range []struct {
		name string
		act  func(t *testing.T, raw net.Conn, second <-chan time.Time)
	}{
		{"silent before TLS", func(*testing.T, net.Conn, <-chan time.Time) {}},
		{"silent after TLS", func(t *testing.T, raw net.Conn, _ <-chan time.Time) { rawTLS(t, raw) }},
		{"a byte a second", func(t *testing.T, raw net.Conn, second <-chan time.Time) {
			secure := rawTLS(t, raw)
			for _, b := range frameOf(t, &message.Hello{Version: 1}) {
				select {
				case <-second:
				case <-t.Context().Done():
					return
				}
				if _, err := secure.Write([]byte{b}); err != nil {
					return
				}
			}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				raw, wait := accepting(t, newTransport(t, config(listener)))
				second := time.NewTicker(time.Second)
				defer second.Stop()
				go tc.act(t, raw, second.C)
				wantProtocol(t, "accept", wait(), message.CodeTimeout)
				if took := time.Since(start); took != 5*time.Second {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}

func TestHandshakeCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		defer b.Close()
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, err := newTransport(t, config(dialler)).Dial(ctx, a, nil)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want context.Canceled", err)
		}
	})
}

func TestNewRefuses(t *testing.T) {
	if _, err := New(Config{}); err == nil || !strings.Contains(err.Error(), "Key") || !strings.Contains(err.Error(), "Now") {
		t.Errorf("empty config: %v", err)
	}
	small := config(1, func(c *Config) { c.Budget = NewBudget(1000) })
	if _, err := New(small); err == nil {
		t.Error("a budget below the largest message was accepted")
	}
	agent := config(1, func(c *Config) { c.UserAgent = strings.Repeat("x", 65) })
	if _, err := New(agent); err == nil {
		t.Error("a user agent that does not fit was accepted")
	}
}

// TestGoldenHello fixes the signed bytes: keys are 32 times 0x01 and 0x02,
// auxiliary randomness is zero.
func TestGoldenHello(t *testing.T) {
	var got strings.Builder
	zeros := bytes.NewReader(make([]byte, 64))
	hello := &message.Hello{
		Version: 1, GenesisHash: [32]byte{1}, RulesHash: [32]byte{2}, Key: xOnly(testKey(dialler)),
		Features: message.FeatureChain, Time: 1_700_000_000, Height: 5, UserAgent: "golden",
	}
	first := binding{role: roleDialler, exporter: [32]byte{3}}
	if err := signHello(hello, testKey(dialler), &first, zeros); err != nil {
		t.Fatal(err)
	}
	hash, err := hello.Hash()
	if err != nil {
		t.Fatal(err)
	}
	answer := *hello
	answer.Pinned, answer.Key = true, xOnly(testKey(listener))
	second := binding{role: roleListener, exporter: [32]byte{3}, expected: hello.Key, dialler: hash}
	if err := signHello(&answer, testKey(listener), &second, zeros); err != nil {
		t.Fatal(err)
	}
	for _, h := range []*message.Hello{hello, &answer} {
		rest, err := h.Digest()
		if err != nil {
			t.Fatal(err)
		}
		b := &first
		if h.Pinned {
			b = &second
		}
		fmt.Fprintf(&got, "rest   %x\ndigest %x\nframe  %x\n", rest, b.digest(h, rest), frameOf(t, h))
	}
	want, err := os.ReadFile(filepath.Join("testdata", "hello.txt"))
	if err != nil || string(want) != got.String() {
		t.Errorf("testdata/hello.txt: %v; signed bytes are now\n%s", err, got.String())
	}
}
