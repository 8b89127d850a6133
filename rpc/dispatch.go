package rpc

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// method is all that there is about one method: help, argument checks and
// dispatch read the same value.
type method struct {
	name    string
	area    string // heading in help
	params  []param
	summary string
	result  string // what comes back, in one sentence
	run     func(ctx context.Context, c *call) (any, error)

	// overWS marks methods that need a WebSocket connection.
	overWS bool
}

// param describes one parameter. name may hold further names after bars, as in
// "verbosity|verbose".
type param struct {
	name string
	want string // the type and range, for people
	// fallback is what holds when it is left out, for people. Empty: it
	// must be given.
	fallback string
	help     string
}

func (p *param) required() bool { return p.fallback == "" }

func (p *param) mainName() string {
	name, _, _ := strings.Cut(p.name, "|")
	return name
}

func (p *param) isNamed(name string) bool {
	return slices.Contains(strings.Split(p.name, "|"), name)
}

// table holds every method, and the calls under way.
type table struct {
	methods map[string]*method
	metrics *Metrics
	now     func() time.Time
	serving context.Context // ends when the server stops

	mu     sync.Mutex // guards the rest
	active map[*call]time.Time
}

func newTable(m *Metrics, now func() time.Time, serving context.Context) *table {
	return &table{methods: map[string]*method{}, metrics: m, now: now, serving: serving, active: map[*call]time.Time{}}
}

func (t *table) add(list ...*method) {
	for _, m := range list {
		if t.methods[m.name] != nil {
			panic("rpc: method listed twice: " + m.name)
		}
		t.methods[m.name] = m
	}
}

// call runs one request and returns its result, ready to be encoded.
func (t *table) call(ctx context.Context, req *request, ws *wsClient) (any, *Error) {
	started := t.now()
	label := unknownMethod
	m := t.methods[req.method]
	if m != nil {
		label = m.name
	}
	result, err := t.run(ctx, m, req, ws, started)
	outcome := "ok"
	if err != nil {
		outcome = "error"
	}
	t.metrics.requests.WithLabelValues(label, outcome).Inc()
	t.metrics.duration.WithLabelValues(label).Observe(t.now().Sub(started).Seconds())
	return result, err
}

func (t *table) run(ctx context.Context, m *method, req *request, ws *wsClient, started time.Time) (any, *Error) {
	if m == nil {
		return nil, fail(codeMethodNotFound, "Method not found")
	}
	if m.overWS && ws == nil {
		return nil, fail(codeInvalidRequest, "%s needs a WebSocket connection: connect to /ws", m.name)
	}
	params, err := m.arrange(req.params)
	if err != nil {
		return nil, err
	}
	c := &call{method: m, params: params, ws: ws, serving: t.serving}
	t.begin(c, started)
	defer t.end(c)
	result, runErr := m.run(ctx, c)
	if runErr != nil {
		return nil, asError(runErr)
	}
	return result, nil
}

func (t *table) begin(c *call, at time.Time) {
	t.mu.Lock()
	t.active[c] = at
	t.mu.Unlock()
}

func (t *table) end(c *call) {
	t.mu.Lock()
	delete(t.active, c)
	t.mu.Unlock()
}

// arrange brings the parameters into the order of the table. Each one that was
// left out, or given as null, is nil.
func (m *method) arrange(raw json.RawMessage) ([]json.RawMessage, *Error) {
	var given []json.RawMessage
	switch kindOf(raw) {
	case kindArray:
		// The text was parsed before as part of the request.
		if n := elements(raw); n > len(m.params) {
			return nil, m.wrongCount()
		}
		if err := json.Unmarshal(raw, &given); err != nil {
			return nil, fail(codeParse, "Parse error: %v", err)
		}
	case kindObject:
		var err *Error
		if given, err = m.byName(raw); err != nil {
			return nil, err
		}
	}
	params := make([]json.RawMessage, len(m.params))
	if len(given) > len(params) {
		return nil, m.wrongCount()
	}
	copy(params, given)
	for i := range params {
		p := &m.params[i]
		switch {
		case params[i] == nil && p.required():
			return nil, m.wrongCount()
		case kindOf(params[i]) != kindNull:
		case p.required():
			return nil, fail(codeType, "Wrong type passed: position %d (%s): JSON value of type null; want %s", i+1, p.mainName(), p.want)
		default:
			params[i] = nil
		}
	}
	return params, nil
}

// byName orders named parameters. As in Bitcoin Core the name "args" holds
// positional ones that come first.
func (m *method) byName(raw json.RawMessage) ([]json.RawMessage, *Error) {
	var named map[string]json.RawMessage
	if err := json.Unmarshal(raw, &named); err != nil {
		return nil, fail(codeParse, "Parse error: %v", err)
	}
	params := make([]json.RawMessage, len(m.params))
	if args, ok := named["args"]; ok && kindOf(args) == kindArray {
		delete(named, "args")
		var first []json.RawMessage
		if err := json.Unmarshal(args, &first); err != nil {
			return nil, fail(codeParse, "Parse error: %v", err)
		}
		if len(first) > len(params) {
			return nil, m.wrongCount()
		}
		copy(params, first)
	}
	for name, value := range named {
		i := slices.IndexFunc(m.params, func(p param) bool { return p.isNamed(name) })
		if i < 0 {
			return nil, fail(codeInvalidParam, "Unknown named parameter %.80s", name)
		}
		if params[i] != nil {
			return nil, fail(codeInvalidParam, "Parameter %.80s specified twice", name)
		}
		params[i] = value
	}
	return params, nil
}

// wrongCount answers a call with too many or too few parameters with the help
// text, as Bitcoin Core does.
func (m *method) wrongCount() *Error { return &Error{codeMisc, m.help()} }

type legacyReply struct {
	Result any             `json:"result"`
	Error  *Error          `json:"error"`
	ID     json.RawMessage `json:"id"`
}

type resultReply struct {
	Version string          `json:"jsonrpc"`
	Result  any             `json:"result"`
	ID      json.RawMessage `json:"id"`
}

type errorReply struct {
	Version string          `json:"jsonrpc"`
	Error   *Error          `json:"error"`
	ID      json.RawMessage `json:"id"`
}

// reply encodes what came of a request in the shape of its version.
func (r *request) reply(result any, err *Error) []byte {
	switch {
	case !r.v2 && err != nil:
		return encode(legacyReply{nil, err, r.id})
	case !r.v2:
		return encode(legacyReply{result, nil, r.id})
	case err != nil:
		return encode(errorReply{"2.0", err, r.id})
	}
	return encode(resultReply{"2.0", result, r.id})
}

// status is the HTTP status of a single answer. Version 2.0 keeps errors apart
// from the transport; before that Bitcoin Core's statuses hold.
func (r *request) status(err *Error) int {
	switch {
	case err == nil || r.v2:
		return http.StatusOK
	case err.Code == codeInvalidRequest:
		return http.StatusBadRequest
	case err.Code == codeMethodNotFound:
		return http.StatusNotFound
	}
	return http.StatusInternalServerError
}

// answer runs a request or a batch and returns the HTTP status and the reply,
// nil where none is wanted.
func (s *Server) answer(ctx context.Context, body []byte, ws *wsClient) (int, []byte) {
	calls, batch, err := parseBody(body)
	if err != nil {
		req := request{id: null}
		return req.status(err), req.reply(nil, err)
	}
	if batch {
		return s.answerBatch(ctx, calls, ws)
	}
	req, err := parseRequest(calls[0])
	var result any
	if err == nil {
		result, err = s.table.call(ctx, &req, ws)
	}
	if req.notify {
		return http.StatusNoContent, nil
	}
	return req.status(err), req.reply(result, err)
}

func (s *Server) answerBatch(ctx context.Context, calls []json.RawMessage, ws *wsClient) (int, []byte) {
	reply := []byte{'['}
	for _, raw := range calls {
		req, err := parseRequest(raw)
		var result any
		switch {
		case err != nil:
		case len(reply) > maxBatchReply:
			err = fail(codeInternal, "the replies of this batch exceed %d bytes: ask for less at once", maxBatchReply)
		default:
			result, err = s.table.call(ctx, &req, ws)
		}
		if req.notify {
			continue
		}
		if len(reply) > 1 {
			reply = append(reply, ',')
		}
		one := req.reply(result, err)
		reply = append(reply, one[:len(one)-1]...) // without the line break
	}
	// An empty batch is answered by an empty one.
	if len(reply) == 1 && len(calls) > 0 {
		return http.StatusNoContent, nil
	}
	return http.StatusOK, append(reply, "]\n"...)
}

// help is the text for one method.
func (m *method) help() string {
	var b strings.Builder
	b.WriteString(m.usage())
	fmt.Fprintf(&b, "\n\n%s\n", m.summary)
	if len(m.params) > 0 {
		b.WriteString("\nArguments:\n")
	}
	for i := range m.params {
		p := &m.params[i]
		need := "required"
		if !p.required() {
			need = "optional, default=" + p.fallback
		}
		fmt.Fprintf(&b, "%d. %s (%s, %s) %s\n", i+1, p.mainName(), p.want, need, p.help)
	}
	fmt.Fprintf(&b, "\nResult:\n%s\n", m.result)
	return b.String()
}

// usage is the method and its parameters in one line; the optional ones stand
// in parentheses.
func (m *method) usage() string {
	var b strings.Builder
	b.WriteString(m.name)
	open := false
	for i := range m.params {
		p := &m.params[i]
		if !p.required() && !open {
			b.WriteString(" (")
			open = true
		}
		if strings.HasPrefix(p.want, "string") {
			fmt.Fprintf(&b, " %q", p.mainName())
		} else {
			b.WriteString(" " + p.mainName())
		}
	}
	if open {
		b.WriteString(" )")
	}
	return b.String()
}
