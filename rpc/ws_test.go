package rpc

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/consensus"
)

// pipes is a listener whose connections are pipes in memory: in a bubble of
// synctest reading and writing them takes virtual time.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8431} }

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.conns <- there:
		return here, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// wsTest runs body in a bubble with a server over pipes. Afterwards everything
// must have ended.
func wsTest(t *testing.T, body func(t *testing.T, f *fixture, dial func(header http.Header) (*wsConn, *http.Response, error))) {
	f := newFixture(t)
	story(f)
	synctest.Test(t, func(t *testing.T) {
		f.serve()
		p := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
		server := &http.Server{Handler: f.server}
		served := make(chan struct{})
		go func() { _ = server.Serve(p); close(served) }()
		var open []*wsConn
		dial := func(header http.Header) (*wsConn, *http.Response, error) {
			d := websocket.Dialer{NetDialContext: p.dial}
			conn, resp, err := d.Dial("ws://127.0.0.1:8431/ws", header)
			if err != nil {
				return nil, resp, err
			}
			c := &wsConn{t: t, Conn: conn}
			open = append(open, c)
			return c, resp, nil
		}
		body(t, f, dial)
		for _, c := range open {
			c.Close()
		}
		if err := f.server.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		server.Close()
		<-served
	})
}

// wsConn is the client's end.
type wsConn struct {
	*websocket.Conn
	t  *testing.T
	id int
}

func (c *wsConn) send(method, params string) {
	c.t.Helper()
	c.id++
	text := fmt.Sprintf(`{"jsonrpc":"1.0","id":%d,"method":%q,"params":%s}`, c.id, method, params)
	if err := c.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		c.t.Fatal(err)
	}
}

// next returns the next message.
func (c *wsConn) next() string {
	c.t.Helper()
	_, text, err := c.ReadMessage()
	if err != nil {
		c.t.Fatal(err)
	}
	return strings.TrimSuffix(string(text), "\n")
}

// call sends a call and expects this to come next.
func (c *wsConn) call(method, params, result string) {
	c.t.Helper()
	c.send(method, params)
	want := fmt.Sprintf(`{"result":%s,"error":null,"id":%d}`, result, c.id)
	if got := c.next(); got != want {
		c.t.Errorf("%s%s: got %s, want %s", method, params, got, want)
	}
}

func login() http.Header {
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(testUser, testPassword)
	return r.Header
}

func mustDial(t *testing.T, dial func(http.Header) (*wsConn, *http.Response, error)) *wsConn {
	t.Helper()
	c, _, err := dial(login())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestNotifications compares with btcd's shapes and order.
func TestNotifications(t *testing.T) {
	wsTest(t, func(t *testing.T, f *fixture, dial func(http.Header) (*wsConn, *http.Response, error)) {
		c, quiet := mustDial(t, dial), mustDial(t, dial)
		c.call("getblockcount", `[]`, `3`)
		c.call("notifyblocks", `[]`, `null`)
		c.call("notifynewtransactions", `[]`, `null`)
		verbose := mustDial(t, dial)
		verbose.call("notifynewtransactions", `[true]`, `null`)

		tx := consensus.NewTx(chaintest.SpendTx(1000, 2, f.Coin("b2")))
		f.server.HandleTx(tx)
		block := f.Next("b4", chaintest.Tx(tx.Msg, 1000))
		block.Accept()
		b4 := f.Block("b4")
		header := hex.EncodeToString(encodeHeader(&b4.Header))
		for _, want := range []string{
			fmt.Sprintf(`{"jsonrpc":"1.0","method":"txaccepted","params":["%v",49.99999000],"id":null}`, tx.TxID),
			fmt.Sprintf(`{"jsonrpc":"1.0","method":"blockconnected","params":["%v",4,%d],"id":null}`, b4.Hash, b4.Header.Timestamp.Unix()),
			fmt.Sprintf(`{"jsonrpc":"1.0","method":"filteredblockconnected","params":[4,"%s",[]],"id":null}`, header),
		} {
			if got := c.next(); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		}
		shape, _ := json.Marshal(f.server.shape.tx(tx, txOptions{hex: true}))
		if got, want := verbose.next(), `{"jsonrpc":"1.0","method":"txacceptedverbose","params":[`+string(shape)+`],"id":null}`; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}

		if err := f.Chain.Invalidate(context.Background(), b4.Hash); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{
			fmt.Sprintf(`{"jsonrpc":"1.0","method":"blockdisconnected","params":["%v",4,%d],"id":null}`, b4.Hash, b4.Header.Timestamp.Unix()),
			fmt.Sprintf(`{"jsonrpc":"1.0","method":"filteredblockdisconnected","params":[4,"%s"],"id":null}`, header),
		} {
			if got := c.next(); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		}
		c.call("stopnotifyblocks", `[]`, `null`)
		c.call("stopnotifynewtransactions", `[]`, `null`)
		f.server.HandleTx(tx)
		c.call("getblockcount", `[]`, `3`) // nothing in between
		quiet.call("getblockcount", `[]`, `3`)
	})
}

func TestWSLogin(t *testing.T) {
	good := `["` + testUser + `","` + testPassword + `"]`
	wsTest(t, func(t *testing.T, _ *fixture, dial func(http.Header) (*wsConn, *http.Response, error)) {
		bad := http.Request{Header: http.Header{}}
		bad.SetBasicAuth(testUser, "x")
		if _, resp, err := dial(bad.Header); err == nil || resp == nil || resp.StatusCode != 401 {
			t.Errorf("wrong password: %v, %v", resp, err)
		}
		c, _, err := dial(nil)
		if err != nil {
			t.Fatal(err)
		}
		c.call("authenticate", good, `null`)
		c.call("getblockcount", `[]`, `3`)

		for name, act := range map[string]func(c *wsConn){
			"wrong password": func(c *wsConn) {
				c.send("authenticate", `["x","y"]`)
				if got := c.next(); !strings.Contains(got, `"code":-32600`) {
					t.Errorf("got %s", got)
				}
			},
			"another call": func(c *wsConn) { c.send("getblockcount", `[]`) },
			"batch": func(c *wsConn) {
				_ = c.WriteMessage(websocket.TextMessage, []byte(`[{"id":1,"method":"authenticate","params":`+good+`}]`))
			},
			"nonsense":  func(c *wsConn) { _ = c.WriteMessage(websocket.TextMessage, []byte(`?`)) },
			"too large": func(c *wsConn) { _ = c.WriteMessage(websocket.TextMessage, make([]byte, maxLoginSize+1)) },
			"silent":    func(*wsConn) { time.Sleep(loginWait) },
		} {
			c, _, err := dial(nil)
			if err != nil {
				t.Fatal(err)
			}
			act(c)
			if _, text, err := c.ReadMessage(); err == nil {
				t.Errorf("%s: still open, and said %s", name, text)
			}
		}
	})
}

func TestWSBounds(t *testing.T) {
	wsTest(t, func(t *testing.T, f *fixture, dial func(http.Header) (*wsConn, *http.Response, error)) {
		// Each connection gets through or is told to come later.
		admitted := func(header http.Header, n int) int {
			in := 0
			for range n {
				if _, _, err := dial(header); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				f.server.notifier.mu.Lock()
				in = len(f.server.notifier.clients)
				f.server.notifier.mu.Unlock()
			}
			return in
		}
		if got := admitted(nil, maxStranger+1); got != maxStranger {
			t.Errorf("%d strangers, want %d", got, maxStranger)
		}
		if got := admitted(login(), maxClients-maxStranger+1); got != maxClients {
			t.Errorf("%d clients, want %d", got, maxClients)
		}
		time.Sleep(loginWait)
		synctest.Wait()
		if got := testutil.ToFloat64(f.server.metrics.wsClients); got != maxClients-maxStranger {
			t.Errorf("gauge says %v", got)
		}
	})
}

// TestSlowClient: one that does not read is cut off when its queue is full, or
// when a message has waited too long; nobody else notices.
func TestSlowClient(t *testing.T) {
	tx := consensus.NewTx(chaintest.SpendTx(0, 1, chaintest.Output{Amount: 1}))
	for name, act := range map[string]func(f *fixture){
		"queue": func(f *fixture) {
			for range maxQueued + 2 { // one is in the writer's hands
				f.server.HandleTx(tx)
			}
		},
		"time": func(f *fixture) {
			f.server.HandleTx(tx)
			time.Sleep(writeWait)
		},
	} {
		wsTest(t, func(t *testing.T, f *fixture, dial func(http.Header) (*wsConn, *http.Response, error)) {
			slow, good := mustDial(t, dial), mustDial(t, dial)
			slow.call("notifynewtransactions", `[]`, `null`)
			act(f)
			synctest.Wait()
			if got := testutil.ToFloat64(f.server.metrics.wsSlow); got != 1 {
				t.Errorf("%s: counted %v", name, got)
			}
			if got := testutil.ToFloat64(f.server.metrics.wsClients); got != 1 {
				t.Errorf("%s: %v clients left", name, got)
			}
			good.call("getblockcount", `[]`, `3`)
		})
	}
	// One that has taken all but what fits stays.
	wsTest(t, func(t *testing.T, f *fixture, dial func(http.Header) (*wsConn, *http.Response, error)) {
		c := mustDial(t, dial)
		c.call("notifynewtransactions", `[]`, `null`)
		for range maxQueued {
			f.server.HandleTx(tx)
		}
		for range maxQueued {
			c.next()
		}
		c.call("getblockcount", `[]`, `3`)
	})
}

// TestWSShutdown: what is queued still leaves, and calls under way are answered.
func TestWSShutdown(t *testing.T) {
	wsTest(t, func(t *testing.T, f *fixture, dial func(http.Header) (*wsConn, *http.Response, error)) {
		f.miner.template = f.template()
		c := mustDial(t, dial)
		c.call("notifynewtransactions", `[]`, `null`)
		c.send("getblocktemplate", `[{"rules":["segwit"],"longpollid":"`+longPollID(f.Chain.Best().Hash, 0)+`"}]`)
		synctest.Wait()
		tx := consensus.NewTx(chaintest.SpendTx(0, 1, chaintest.Output{Amount: 1}))
		f.server.HandleTx(tx)
		done := make(chan error)
		go func() { done <- f.server.Shutdown(context.Background()) }()
		var got []string
		for {
			_, text, err := c.ReadMessage()
			if err != nil {
				var closed *websocket.CloseError
				if !errors.As(err, &closed) || closed.Code != websocket.CloseNormalClosure {
					t.Error(err)
				}
				break
			}
			got = append(got, string(text))
		}
		if len(got) != 2 || !strings.Contains(got[0], "txaccepted") || !strings.Contains(got[1], "the long poll was ended") {
			t.Errorf("got %q", got)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		late := mustDial(t, dial)
		if _, _, err := late.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseTryAgainLater) {
			t.Errorf("a connection after the end: %v", err)
		}
	})
	// A client that takes nothing does not hold up the end for ever.
	wsTest(t, func(t *testing.T, f *fixture, dial func(http.Header) (*wsConn, *http.Response, error)) {
		c := mustDial(t, dial)
		c.send("getblockcount", `[]`)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := f.server.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the deadline", err)
		}
	})
}

// TestWSCallsAtOnce: more calls than fit wait; all are answered.
func TestWSCallsAtOnce(t *testing.T) {
	wsTest(t, func(t *testing.T, _ *fixture, dial func(http.Header) (*wsConn, *http.Response, error)) {
		c := mustDial(t, dial)
		go func() {
			for range 3 * maxWSCalls {
				c.send("getblockcount", `[]`)
			}
		}()
		seen := map[string]bool{}
		for range 3 * maxWSCalls {
			seen[c.next()] = true
		}
		if len(seen) != 3*maxWSCalls {
			t.Errorf("%d different answers, want %d", len(seen), 3*maxWSCalls)
		}
	})
}

func TestNotAWebSocket(t *testing.T) {
	f := newFixture(t)
	if w := f.post("", func(r *http.Request) { r.URL.Path = "/ws" }); w.Code != http.StatusUpgradeRequired {
		t.Errorf("status %d", w.Code)
	}
}

func TestMetrics(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	f := newFixture(t, func(c *Config) { c.Metrics = NewMetrics(reg) })
	f.get("uptime", `[]`)
	f.fails("getblockhash", `[5]`, codeInvalidParam, "")
	f.fails("no\nsuch", `[]`, codeParse, "")
	f.fails("nosuch", `[]`, codeMethodNotFound, "")
	f.fails("another", `[]`, codeMethodNotFound, "")
	for labels, want := range map[[2]string]float64{
		{"uptime", "ok"}: 1, {"getblockhash", "error"}: 1, {unknownMethod, "error"}: 2,
	} {
		if got := testutil.ToFloat64(f.server.metrics.requests.WithLabelValues(labels[0], labels[1])); got != want {
			t.Errorf("%v: %v, want %v", labels, got, want)
		}
	}
	problems, err := testutil.GatherAndLint(reg)
	if err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
}
