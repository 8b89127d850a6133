package rpc

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
)

func TestParseRequest(t *testing.T) {
	for _, c := range []struct {
		name, text string
		code       int
		part       string
	}{
		{"ok", `{"id":1,"method":"uptime","params":[]}`, 0, ""},
		{"no params", `{"id":"x","method":"uptime"}`, 0, ""},
		{"null params", `{"id":null,"method":"uptime","params":null}`, 0, ""},
		{"named", `{"jsonrpc":"2.0","id":1,"method":"uptime","params":{}}`, 0, ""},
		{"old version", `{"jsonrpc":"1.0","id":1,"method":"uptime"}`, 0, ""},
		{"not an object", `[]`, codeInvalidRequest, "Invalid Request object"},
		{"number", `7`, codeInvalidRequest, "Invalid Request object"},
		{"no method", `{"id":1}`, codeInvalidRequest, "Missing method"},
		{"null method", `{"id":1,"method":null}`, codeInvalidRequest, "Missing method"},
		{"method is a number", `{"id":1,"method":1}`, codeInvalidRequest, "Method must be a string"},
		{"params is a string", `{"id":1,"method":"x","params":"y"}`, codeInvalidRequest, "Params must be an array or object"},
		{"version is a number", `{"jsonrpc":2.0,"method":"x"}`, codeInvalidRequest, "jsonrpc field must be a string"},
		{"version 3", `{"jsonrpc":"3.0","method":"x"}`, codeInvalidRequest, "JSON-RPC version not supported"},
		{"id is an object", `{"id":{},"method":"x"}`, codeInvalidRequest, "id must be"},
	} {
		_, err := parseRequest(json.RawMessage(c.text))
		switch {
		case c.code == 0 && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.code != 0 && (err == nil || err.Code != c.code || !strings.Contains(err.Message, c.part)):
			t.Errorf("%s: got %v, want code %d with %q", c.name, err, c.code, c.part)
		}
	}
}

func TestDepth(t *testing.T) {
	nested := func(n int) []byte { return []byte(strings.Repeat("[", n) + strings.Repeat("]", n)) }
	if _, _, err := parseBody(nested(maxDepth)); err != nil {
		t.Errorf("%d levels: %v", maxDepth, err)
	}
	if _, _, err := parseBody(nested(maxDepth + 1)); err == nil || err.Code != codeParse {
		t.Errorf("%d levels: got %v, want a parse error", maxDepth+1, err)
	}
	// Brackets inside strings do not count.
	if _, _, err := parseBody([]byte(`{"a":"\"` + strings.Repeat("[", 100) + `"}`)); err != nil {
		t.Error(err)
	}
}

func TestElements(t *testing.T) {
	for text, want := range map[string]int{
		`[]`: 0, `[ ]`: 0, "[\n\t]": 0, `[1]`: 1, `[1,2]`: 2, `[[]]`: 1, `[[1,2],{"a":[3,4]}]`: 2,
		`["a,b","\"],["]`: 2, `[null]`: 1, `[""]`: 1, ` [ {} , {} , {} ] `: 3,
	} {
		if got := elements(json.RawMessage(text)); got != want {
			t.Errorf("%s: got %d, want %d", text, got, want)
		}
	}
}

func TestBatchLimit(t *testing.T) {
	batch := func(n int) []byte { return []byte("[" + strings.TrimSuffix(strings.Repeat("1,", n), ",") + "]") }
	if calls, isBatch, err := parseBody(batch(maxBatch)); err != nil || !isBatch || len(calls) != maxBatch {
		t.Errorf("got %d calls, %v", len(calls), err)
	}
	if _, _, err := parseBody(batch(maxBatch + 1)); err == nil || err.Code != codeInvalidRequest {
		t.Errorf("got %v, want an invalid request", err)
	}
}

// FuzzAnswer feeds whole bodies to the server: whatever they are, the answer
// is JSON or nothing.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `[]`, `[{}]`, `nul`, `{"method":"getblockcount","id":1}`,
		`{"jsonrpc":"2.0","method":"getblock","params":["00"],"id":1}`,
		`{"jsonrpc":"2.0","method":"getblock","params":{"blockhash":1,"verbosity":true}}`,
		`[{"method":"gettxout","params":["",-1,0]},{"method":"help"},1,"x"]`,
		`{"method":"scantxoutset","params":["start",["addr(x)",{"desc":"raw(00)"}]]}`,
		`{"method":"decodescript","params":["6a04deadbeef"]}`,
		`{"method":"decoderawtransaction","params":["0100"]}`,
		`{"method":"testmempoolaccept","params":[["00"],1e400]}`,
		`{"method":"getblocktemplate","params":[{"mode":"proposal","data":"00"}]}`,
		`{"method":"getblockhash","params":[99999999999999999999]}`,
		`{"method":"help","params":{"args":["help"],"command":"x"}}`,
	} {
		f.Add([]byte(seed))
	}
	fix := newFixture(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		_, reply := fix.server.answer(context.Background(), body, nil)
		if reply != nil && !json.Valid(reply) {
			t.Errorf("%q: %q", body, reply)
		}
	})
}
