package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/charterchain/charter/rpc"
)

// rpcNode replies with result, or error, and keeps what it was sent.
type rpcNode struct {
	method string
	params string
	result string
	err    string
}

func (n *rpcNode) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var call struct {
		ID     json.RawMessage
		Method string
		Params json.RawMessage
	}
	body, _ := io.ReadAll(r.Body)
	_ = json.Unmarshal(body, &call)
	n.method, n.params = call.Method, string(call.Params)
	if n.err != "" {
		_, _ = io.WriteString(w, `{"jsonrpc":"2.0","error":`+n.err+`,"id":`+string(call.ID)+`}`)
		return
	}
	_, _ = io.WriteString(w, `{"jsonrpc":"2.0","result":`+n.result+`,"id":`+string(call.ID)+`}`)
}

// runLine runs a command line and returns exit code and outputs.
func runLine(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errOut bytes.Buffer
	code = run(t.Context(), args, strings.NewReader(stdin), &out, &errOut)
	return code, out.String(), errOut.String()
}

func TestRPC(t *testing.T) {
	node := &rpcNode{}
	server := httptest.NewServer(node)
	defer server.Close()
	rpcLine := func(stdin string, args ...string) (int, string, string) {
		t.Helper()
		flags := []string{"--rpc", server.URL, "--rpcuser", "u", "--rpcpass", "p", "rpc"}
		return runLine(t, stdin, append(flags, args...)...)
	}
	digits := strings.Repeat("1", 64)
	for _, c := range []struct {
		args   string
		params string
	}{
		{"m", `[]`},
		{"m 1 -1 true null x 1.50 0100", `[1,-1,true,null,"x",1.50,"0100"]`},
		{`m ["a"] {"a":1} "51" [x`, `[["a"],{"a":1},"51","[x"]`},
		{"m " + digits, `["` + digits + `"]`},
		{"--string m 1 true", `["1","true"]`},
		{"--string m --x", `["--x"]`},
		{"--named m a=1 b=x=y c=", `{"a":1,"b":"x=y","c":""}`},
		{"m - 2", `["from stdin",2]`},
	} {
		node.result = `null`
		code, out, errOut := rpcLine(" from stdin\n", strings.Fields(c.args)...)
		if code != 0 || out != "" || errOut != "" || node.method != "m" || node.params != c.params {
			t.Errorf("%s: code %d, output %q %q, sent %s%s, want %s", c.args, code, out, errOut, node.method, node.params, c.params)
		}
	}
	for result, want := range map[string]string{
		`"a\nb"`: "a\nb\n", `0.10000000`: "0.10000000\n", `{"a":[1]}`: "{\n  \"a\": [\n    1\n  ]\n}\n", `true`: "true\n",
	} {
		node.result = result
		if _, out, _ := rpcLine("", "m"); out != want {
			t.Errorf("%s: printed %q, want %q", result, out, want)
		}
	}
	node.result = `null`
	if _, out, _ := rpcLine("", "--json", "m"); out != "null\n" {
		t.Errorf("--json: %q", out)
	}

	node.err = `{"code":-8,"message":"no such height"}`
	if code, out, errOut := rpcLine("", "m"); code != exitFailed || out != "" || !strings.HasSuffix(errOut, "\nerror code: -8\nerror message:\nno such height\n") {
		t.Errorf("error: code %d, %q, %q", code, out, errOut)
	}
	for _, args := range [][]string{{}, {"--named", "m", "x"}, {"--named", "m", "=1"}, {"--named", "m", "a=1", "a=2"}, {"m", "--json"}} {
		if code, _, _ := rpcLine("", args...); code != exitUsage {
			t.Errorf("%q: code %d, want %d", args, code, exitUsage)
		}
	}
	server.Close()
	if code, _, errOut := rpcLine("", "m"); code != exitFailed || !strings.Contains(errOut, "no answer from the node") {
		t.Errorf("no node: code %d, %q", code, errOut)
	}
}

func TestRPCAuth(t *testing.T) {
	code, line, note := runLine(t, "", "rpcauth", "alice")
	_, password, ok := strings.Cut(strings.TrimSpace(note), ": ")
	if code != 0 || !ok || len(password) < 40 || strings.Contains(line, password) {
		t.Fatalf("code %d, %q, %q", code, line, note)
	}
	if list, err := rpc.ParseCredentials([]byte(line), "line"); err != nil || len(list) != 1 {
		t.Errorf("%q: %v", line, err)
	}
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte("hush\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, line, note = runLine(t, "", "rpcauth", "alice", "--password-file", path)
	if code != 0 || !strings.HasPrefix(line, "alice:") || note != "" {
		t.Errorf("code %d, %q, %q", code, line, note)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if code, _, note := runLine(t, "", "rpcauth", "alice", "--password-file", path); code != exitFailed || !strings.Contains(note, "chmod 600") {
		t.Errorf("open file: code %d, %q", code, note)
	}
	if code, _, _ := runLine(t, "", "rpcauth"); code != exitUsage {
		t.Errorf("no user: code %d", code)
	}
	if code, _, note := runLine(t, "", "rpcauth", "a:b"); code != exitFailed || !strings.Contains(note, "colon") {
		t.Errorf("bad user: code %d, %q", code, note)
	}
	var out struct{ RPCAuth, Password string }
	_, line, _ = runLine(t, "", "--json", "rpcauth", "alice")
	if err := json.Unmarshal([]byte(line), &out); err != nil || out.Password == "" || !strings.HasPrefix(out.RPCAuth, "alice:") {
		t.Errorf("--json: %q, %v", line, err)
	}
}
