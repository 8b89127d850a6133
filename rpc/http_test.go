package rpc

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// post sends a body with a valid login unless change says otherwise.
func (f *fixture) post(body string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:8431/", strings.NewReader(body))
	r.SetBasicAuth(testUser, testPassword)
	for _, fn := range change {
		fn(r)
	}
	w := httptest.NewRecorder()
	f.server.ServeHTTP(w, r)
	return w
}

// TestStatus compares statuses and bodies with those of Bitcoin Core.
func TestStatus(t *testing.T) {
	f := newFixture(t)
	for _, c := range []struct {
		name, body string
		status     int
		want       string // "": no body
	}{
		{"1.0", `{"jsonrpc":"1.0","id":7,"method":"getblockcount","params":[]}`, 200, `{"result":0,"error":null,"id":7}`},
		{"no version", `{"id":"a","method":"getblockcount"}`, 200, `{"result":0,"error":null,"id":"a"}`},
		{"no id", `{"method":"getblockcount"}`, 200, `{"result":0,"error":null,"id":null}`},
		{"2.0", `{"jsonrpc":"2.0","id":7,"method":"getblockcount"}`, 200, `{"jsonrpc":"2.0","result":0,"id":7}`},
		{"notification", `{"jsonrpc":"2.0","method":"getblockcount"}`, 204, ""},
		{"notification with an error", `{"jsonrpc":"2.0","method":"nosuch"}`, 204, ""},
		{"2.0 with null id", `{"jsonrpc":"2.0","id":null,"method":"getblockcount"}`, 200, `{"jsonrpc":"2.0","result":0,"id":null}`},
		{"unknown method", `{"id":1,"method":"nosuch"}`, 404, `{"result":null,"error":{"code":-32601,"message":"Method not found"},"id":1}`},
		{"unknown method, 2.0", `{"jsonrpc":"2.0","id":1,"method":"nosuch"}`, 200, `{"jsonrpc":"2.0","error":{"code":-32601,"message":"Method not found"},"id":1}`},
		{"invalid request", `{"id":1}`, 400, `{"result":null,"error":{"code":-32600,"message":"Missing method"},"id":1}`},
		{"bad parameter", `{"id":1,"method":"getblockhash","params":[-1]}`, 500,
			`{"result":null,"error":{"code":-8,"message":"Block height out of range: height is -1, want 0 to 0"},"id":1}`},
		{"batch", `[{"id":1,"method":"getblockcount"},{"jsonrpc":"2.0","method":"uptime"},{"jsonrpc":"2.0","id":2,"method":"nosuch"},5]`, 200,
			`[{"result":0,"error":null,"id":1},{"jsonrpc":"2.0","error":{"code":-32601,"message":"Method not found"},"id":2},` +
				`{"result":null,"error":{"code":-32600,"message":"Invalid Request object"},"id":null}]`},
		{"empty batch", `[]`, 200, `[]`},
		{"batch of notifications", `[{"jsonrpc":"2.0","method":"uptime"}]`, 204, ""},
		{"over WebSocket only", `{"id":1,"method":"notifyblocks"}`, 400,
			`{"result":null,"error":{"code":-32600,"message":"notifyblocks needs a WebSocket connection: connect to /ws"},"id":1}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := f.post(c.body)
			if w.Code != c.status {
				t.Errorf("status %d, want %d", w.Code, c.status)
			}
			if got := strings.TrimSuffix(w.Body.String(), "\n"); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
	for _, text := range []string{`{`, ``, `nonsense`, `{"id":1} x`, `"text"`, "{\"id\":1,\"method\":\"\xff"} {
		if w := f.post(text); w.Code != 500 || !strings.Contains(w.Body.String(), `"code":-32700`) {
			t.Errorf("%q: status %d, %s; want 500 and a parse error", text, w.Code, w.Body)
		}
	}
}

func TestMethodAndPath(t *testing.T) {
	f := newFixture(t)
	if w := f.post("", func(r *http.Request) { r.Method = http.MethodGet }); w.Code != 405 || w.Header().Get("Allow") != "POST" {
		t.Errorf("GET: status %d, Allow %q", w.Code, w.Header().Get("Allow"))
	}
	if w := f.post("", func(r *http.Request) { r.URL.Path = "/wallet/x" }); w.Code != 404 {
		t.Errorf("other path: status %d", w.Code)
	}
	// Libraries say all sorts of things about the content.
	w := f.post(`{"id":1,"method":"uptime"}`, func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") })
	if w.Code != 200 || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("status %d, type %q", w.Code, w.Header().Get("Content-Type"))
	}
}

func TestBodyLimit(t *testing.T) {
	f := newFixture(t)
	f.server.maxBody = 100
	call := `{"id":1,"method":"uptime"}`
	fit := call + strings.Repeat(" ", 100-len(call))
	if w := f.post(fit); w.Code != 200 {
		t.Errorf("100 bytes: status %d", w.Code)
	}
	if w := f.post(fit + " "); w.Code != 413 || !strings.Contains(w.Body.String(), "100 bytes") {
		t.Errorf("101 bytes: status %d, %s", w.Code, w.Body)
	}
	// The same where the length is not announced.
	hide := func(r *http.Request) { r.ContentLength = -1; r.Body = io.NopCloser(strings.NewReader(fit + " ")) }
	if w := f.post("", hide); w.Code != 413 {
		t.Errorf("101 bytes in pieces: status %d", w.Code)
	}
}

// TestBodyFitsBlock: the hex of the largest block is not too long.
func TestBodyFitsBlock(t *testing.T) {
	f := newFixture(t)
	if least := 2*f.Params.Limits.BlockSerialized + 1000; f.server.maxBody < least {
		t.Errorf("limit %d, want at least %d", f.server.maxBody, least)
	}
}

func TestTooManyRequests(t *testing.T) {
	f := newFixture(t)
	for range maxHTTPCalls {
		f.server.slots <- struct{}{}
	}
	if w := f.post(`{"id":1,"method":"uptime"}`); w.Code != 503 {
		t.Errorf("status %d, want 503", w.Code)
	}
	<-f.server.slots
	if w := f.post(`{"id":1,"method":"uptime"}`); w.Code != 200 {
		t.Errorf("status %d after a slot came free", w.Code)
	}
}

func TestLogin(t *testing.T) {
	f := newFixture(t)
	call := `{"id":1,"method":"uptime"}`
	for name, change := range map[string]func(*http.Request){
		"none":           func(r *http.Request) { r.Header.Del("Authorization") },
		"wrong password": func(r *http.Request) { r.SetBasicAuth(testUser, testPassword+"r") },
		"wrong user":     func(r *http.Request) { r.SetBasicAuth("bob", testPassword) },
		"empty":          func(r *http.Request) { r.SetBasicAuth("", "") },
		"other scheme":   func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") },
	} {
		synctest.Test(t, func(t *testing.T) {
			f.serve()
			began := time.Now()
			w := f.post(call, change)
			if w.Code != 401 || w.Header().Get("WWW-Authenticate") != `Basic realm="jsonrpc"` {
				t.Errorf("%s: status %d, header %q", name, w.Code, w.Header().Get("WWW-Authenticate"))
			}
			if took := time.Since(began); took != authDelay {
				t.Errorf("%s: answered after %v, want %v", name, took, authDelay)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		f.serve()
		began := time.Now()
		// A slow attacker costs a good caller nothing.
		var attacks sync.WaitGroup
		defer attacks.Wait()
		for range 50 {
			attacks.Go(func() { f.post(call, func(r *http.Request) { r.SetBasicAuth("x", "y") }) })
		}
		synctest.Wait()
		if w := f.post(call); w.Code != 200 || time.Since(began) != 0 {
			t.Errorf("good login: status %d after %v", w.Code, time.Since(began))
		}
	})
}

func TestOrigin(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.Hosts = []string{"node.example"} })
	for _, c := range []struct {
		name, host, origin, site string
		ok                       bool
	}{
		{"a program", "anything.example:8431", "", "", true},
		{"own page", "127.0.0.1:8431", "http://127.0.0.1:8431", "same-origin", true},
		{"own page, localhost", "localhost:8431", "http://localhost:8431", "", true},
		{"own page, IPv6", "[::1]:8431", "http://[::1]:8431", "", true},
		{"own page, configured name", "node.example", "https://node.example", "", true},
		{"address bar", "127.0.0.1:8431", "", "none", true},
		{"other site", "127.0.0.1:8431", "http://evil.example", "", false},
		{"other site by header", "127.0.0.1:8431", "", "cross-site", false},
		{"other port", "127.0.0.1:8431", "http://127.0.0.1:80", "same-site", false},
		{"sandboxed page", "127.0.0.1:8431", "null", "", false},
		{"rebound name", "evil.example:8431", "http://evil.example:8431", "same-origin", false},
	} {
		w := f.post(`{"id":1,"method":"uptime"}`, func(r *http.Request) {
			r.Host = c.host
			if c.origin != "" {
				r.Header.Set("Origin", c.origin)
			}
			if c.site != "" {
				r.Header.Set("Sec-Fetch-Site", c.site)
			}
		})
		if ok := w.Code == 200; ok != c.ok {
			t.Errorf("%s: status %d, %s", c.name, w.Code, w.Body)
		}
	}
}
