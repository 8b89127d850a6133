package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
)

// serve answers each request with what answer makes of its body.
func serve(t *testing.T, answer func(body string) (status int, reply string)) *Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "u" || password != "p" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		body, _ := io.ReadAll(r.Body)
		status, reply := answer(string(body))
		w.WriteHeader(status)
		_, _ = io.WriteString(w, reply)
	}))
	t.Cleanup(server.Close)
	c, err := New(server.URL, Password("u", "p"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCall(t *testing.T) {
	var sent string
	c := serve(t, func(body string) (int, string) {
		sent = body
		return 200, `{"jsonrpc":"2.0","id":1,"result":{"n":0.10000000}}`
	})
	var got struct{ N json.Number }
	if err := c.Call(t.Context(), "m", []any{1, "x"}, &got); err != nil || got.N != "0.10000000" {
		t.Errorf("got %v, %v", got, err)
	}
	if want := `{"jsonrpc":"2.0","id":1,"method":"m","params":[1,"x"]}`; sent != want {
		t.Errorf("sent %s, want %s", sent, want)
	}
	c = serve(t, func(body string) (int, string) {
		sent = body
		return 200, `{"jsonrpc":"2.0","id":1,"result":null}`
	})
	if err := c.CallNamed(t.Context(), "m", map[string]any{"a": 1}, nil); err != nil || !strings.HasSuffix(sent, `"params":{"a":1}}`) {
		t.Errorf("sent %s, %v", sent, err)
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		reply  string
		code   int // 0: not an error of the server's
		part   string
	}{
		{"1.0", 500, `{"result":null,"error":{"code":-8,"message":"no"},"id":1}`, -8, "m: no (code -8)"},
		{"2.0", 200, `{"jsonrpc":"2.0","error":{"code":-32601,"message":"no"},"id":null}`, -32601, "m: no"},
		{"not JSON", 503, `too many requests`, 0, "HTTP status 503 Service Unavailable: too many requests"},
		{"cut off", 200, `{"id":1`, 0, "reply is not JSON-RPC"},
		{"other id", 200, `{"id":2,"result":1}`, 0, "reply has id 2 instead of 1"},
		{"no result", 200, `{"id":1}`, 0, "reply has no result"},
		{"other type", 200, `{"id":1,"result":"x"}`, 0, "decode result"},
		{"empty", 200, ``, 0, "HTTP status 200"},
	} {
		var n int
		err := serve(t, func(string) (int, string) { return c.status, c.reply }).Call(t.Context(), "m", nil, &n)
		code, is := ErrorCode(err)
		if err == nil || !strings.Contains(err.Error(), c.part) || code != c.code || is != (c.code != 0) {
			t.Errorf("%s: got %v with code %d, want %q with %d", c.name, err, code, c.part, c.code)
		}
	}
	c := serve(t, nil)
	c.auth = Password("u", "wrong")
	if err := c.Call(t.Context(), "m", nil, nil); !errors.Is(err, ErrUnauthorized) {
		t.Errorf("wrong password: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Call(ctx, "m", nil, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestBatch(t *testing.T) {
	c := serve(t, func(body string) (int, string) {
		var calls []request
		if err := json.Unmarshal([]byte(body), &calls); err != nil || len(calls) != 3 {
			return 500, err.Error()
		}
		// In another order, and without the third.
		return 200, fmt.Sprintf(`[{"id":%d,"error":{"code":-5,"message":"no"}},{"id":%d,"result":7}]`, calls[1].ID, calls[0].ID)
	})
	var n int
	calls := []*Request{{Method: "a", Result: &n}, {Method: "b"}, {Method: "c"}}
	if err := c.CallBatch(t.Context(), calls); err != nil {
		t.Fatal(err)
	}
	if code, _ := ErrorCode(calls[1].Err); n != 7 || calls[0].Err != nil || code != -5 || calls[2].Err == nil {
		t.Errorf("%d, %v, %v, %v", n, calls[0].Err, calls[1].Err, calls[2].Err)
	}
	c = serve(t, func(string) (int, string) { return 400, `{"id":null,"error":{"code":-32600,"message":"too many"}}` })
	if code, _ := ErrorCode(c.CallBatch(t.Context(), calls)); code != -32600 {
		t.Errorf("a batch refused as a whole: code %d", code)
	}
	if err := c.CallBatch(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

func TestAddress(t *testing.T) {
	for _, url := range []string{"", "127.0.0.1:8431", "ftp://x", "http://", "http://u:p@x", "http://[::1"} {
		if _, err := New(url, nil); err == nil {
			t.Errorf("%q was taken", url)
		}
	}
	if _, err := DialWS(t.Context(), "127.0.0.1:1", nil); err == nil {
		t.Error("DialWS took an address without scheme")
	}
}

func TestCookieFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), ".cookie")
	auth := CookieFile(path)
	if _, _, err := auth(); err == nil || !strings.Contains(err.Error(), "is the node running") {
		t.Errorf("missing: %v", err)
	}
	for text, want := range map[string]string{"__cookie__:ab": "ab", "__cookie__:cd\n": "cd"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if user, password, err := auth(); user != "__cookie__" || password != want || err != nil {
			t.Errorf("%q: %s, %s, %v", text, user, password, err)
		}
	}
	if err := os.WriteFile(path, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := auth(); err == nil || strings.Contains(err.Error(), "nonsense") {
		t.Errorf("nonsense: %v", err)
	}
}

// serveWS runs script on the server's end of each connection.
func serveWS(t *testing.T, script func(c *websocket.Conn)) *WS {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, _, _ := r.BasicAuth(); user != "u" || r.URL.Path != "/ws" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		c, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer c.Close()
		script(c)
	}))
	t.Cleanup(server.Close)
	if _, err := DialWS(t.Context(), server.URL, Password("x", "y")); !errors.Is(err, ErrUnauthorized) {
		t.Errorf("wrong user: %v", err)
	}
	w, err := DialWS(t.Context(), server.URL, Password("u", "p"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	return w
}

func say(c *websocket.Conn, text string) { _ = c.WriteMessage(websocket.TextMessage, []byte(text)) }

func TestWS(t *testing.T) {
	w := serveWS(t, func(c *websocket.Conn) {
		var a, b request
		_ = c.ReadJSON(&a)
		say(c, `{"jsonrpc":"1.0","method":"note","params":[1,"x"],"id":null}`)
		say(c, fmt.Sprintf(`{"result":"%s","error":null,"id":%d}`, a.Method, a.ID))
		_ = c.ReadJSON(&b)
		say(c, fmt.Sprintf(`{"result":null,"error":{"code":-8,"message":"no"},"id":%d}`, b.ID))
		say(c, `{"jsonrpc":"1.0","method":"last","params":[],"id":null}`)
	})
	var got string
	if err := w.Call(t.Context(), "first", nil, &got); err != nil || got != "first" {
		t.Errorf("got %q, %v", got, err)
	}
	if code, _ := ErrorCode(w.Call(t.Context(), "second", []any{1}, nil)); code != -8 {
		t.Errorf("code %d", code)
	}
	for _, want := range []string{"note", "last"} {
		n, err := w.Next(t.Context())
		if err != nil || n.Method != want {
			t.Errorf("got %v, %v, want %s", n, err, want)
		}
	}
	if _, err := w.Next(t.Context()); err == nil {
		t.Error("the connection has ended, and no error")
	}
	if err := w.Call(t.Context(), "third", nil, nil); err == nil {
		t.Error("a call on an ended connection")
	}
}

func TestWSEnds(t *testing.T) {
	quiet := func(c *websocket.Conn) { _, _, _ = c.ReadMessage(); _, _, _ = c.ReadMessage() }
	w := serveWS(t, quiet)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.Call(ctx, "m", nil, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled call: %v", err)
	}
	if _, err := w.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled Next: %v", err)
	}
	_ = w.Close()
	if err := w.Call(t.Context(), "m", nil, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if _, err := w.Next(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("Next after Close: %v", err)
	}

	for name, text := range map[string]string{"nonsense": "?", "strange id": `{"id":{},"result":1}`} {
		w := serveWS(t, func(c *websocket.Conn) { say(c, text); quiet(c) })
		if _, err := w.Next(t.Context()); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	// One that is not read loses the connection, and keeps what came before.
	w = serveWS(t, func(c *websocket.Conn) {
		for range maxQueuedNotifications + 1 {
			say(c, `{"method":"n","params":[]}`)
		}
		quiet(c)
	})
	<-w.done
	for i := range maxQueuedNotifications {
		if _, err := w.Next(t.Context()); err != nil {
			t.Fatalf("notification %d: %v", i, err)
		}
	}
	if _, err := w.Next(t.Context()); err == nil || !strings.Contains(err.Error(), "were not read") {
		t.Errorf("got %v", err)
	}
}
