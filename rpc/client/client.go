package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"
)

// MaxReply bounds the bytes of one reply: the largest block that a chain file
// can allow, as hex inside JSON with room to spare.
const MaxReply = 512 << 20

// maxErrorBody bounds what is read of a reply that is not JSON-RPC.
const maxErrorBody = 4 << 10

// ErrUnauthorized is returned when the server refuses user and password.
var ErrUnauthorized = errors.New("the node refused user and password")

// RPCError is an error that the server replied with.
type RPCError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

func (e *RPCError) Error() string { return fmt.Sprintf("%s (code %d)", e.Message, e.Code) }

// ErrorCode returns the server's error code inside err, and false when err is
// nil or carries none.
func ErrorCode(err error) (int, bool) {
	var re *RPCError
	if errors.As(err, &re) {
		return re.Code, true
	}
	return 0, false
}

// Option changes how a server is reached.
type Option func(*options) error

type options struct {
	tls *tls.Config // nil: the system's certificates
}

// WithCertificate trusts the server with this certificate (PEM), and none
// other: a node makes its own.
func WithCertificate(pem []byte) Option {
	return func(o *options) error {
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return errors.New("the certificate to trust is not in PEM form")
		}
		o.tls = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
		return nil
	}
}

func apply(opts []Option) (options, error) {
	var o options
	for _, opt := range opts {
		if err := opt(&o); err != nil {
			return o, err
		}
	}
	return o, nil
}

// Client calls methods over HTTP POST.
type Client struct {
	url  string
	auth Auth
	http *http.Client
	id   atomic.Uint64
}

// New returns a client for the server at rawURL, such as
// "http://127.0.0.1:8431". Nothing is sent before the first call.
func New(rawURL string, auth Auth, opts ...Option) (*Client, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("RPC address: %w", err)
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, fmt.Errorf("RPC address %q: want http://HOST:PORT or https://HOST:PORT", rawURL)
	}
	if u.User != nil {
		return nil, errors.New("RPC address: user and password do not belong into the URL")
	}
	if u.Path == "" {
		u.Path = "/"
	}
	o, err := apply(opts)
	if err != nil {
		return nil, err
	}
	// A transport of its own: the default one would send RPC, with the
	// password, through a proxy named in the environment.
	transport := &http.Transport{MaxIdleConnsPerHost: 4, TLSClientConfig: o.tls}
	return &Client{url: u.String(), auth: auth, http: &http.Client{Transport: transport}}, nil
}

type request struct {
	Version string `json:"jsonrpc"`
	ID      uint64 `json:"id"`
	Method  string `json:"method"`
	Params  any    `json:"params"`
}

type reply struct {
	ID     json.RawMessage `json:"id"`
	Result json.RawMessage `json:"result"`
	Error  *RPCError       `json:"error"`
}

// Call calls method with positional params and decodes its result into
// result, unless that is nil.
func (c *Client) Call(ctx context.Context, method string, params []any, result any) error {
	if params == nil {
		params = []any{}
	}
	return c.call(ctx, method, params, result)
}

// CallNamed calls method with named params and decodes its result into result,
// unless that is nil.
func (c *Client) CallNamed(ctx context.Context, method string, params map[string]any, result any) error {
	if params == nil {
		params = map[string]any{}
	}
	return c.call(ctx, method, params, result)
}

func (c *Client) call(ctx context.Context, method string, params, result any) error {
	id := c.id.Add(1)
	body, err := json.Marshal(request{"2.0", id, method, params})
	if err != nil {
		return fmt.Errorf("%s: encode parameters: %w", method, err)
	}
	raw, err := c.post(ctx, body)
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	var r reply
	if err := json.Unmarshal(raw, &r); err != nil {
		return fmt.Errorf("%s: reply is not JSON-RPC: %w", method, err)
	}
	if string(r.ID) != fmt.Sprint(id) && r.Error == nil {
		return fmt.Errorf("%s: reply has id %.40s instead of %d", method, r.ID, id)
	}
	return r.decode(method, result)
}

// Request is one call of a batch. CallBatch sets Err, and fills Result.
type Request struct {
	Method string
	Params []any
	Result any // decoded into, unless nil
	Err    error
}

// CallBatch sends all requests in one HTTP request. The error returned means
// that the batch as a whole got no reply; each request has its own Err.
func (c *Client) CallBatch(ctx context.Context, requests []*Request) error {
	if len(requests) == 0 {
		return nil
	}
	out := make([]request, len(requests))
	first := c.id.Add(uint64(len(requests))) - uint64(len(requests)) + 1
	for i, r := range requests {
		params := r.Params
		if params == nil {
			params = []any{}
		}
		out[i] = request{"2.0", first + uint64(i), r.Method, params}
	}
	body, err := json.Marshal(out)
	if err != nil {
		return fmt.Errorf("batch: encode parameters: %w", err)
	}
	raw, err := c.post(ctx, body)
	if err != nil {
		return fmt.Errorf("batch: %w", err)
	}
	var replies []reply
	if err := json.Unmarshal(raw, &replies); err != nil {
		// A batch that is refused as a whole gets one object.
		var one reply
		if json.Unmarshal(raw, &one) == nil && one.Error != nil {
			return fmt.Errorf("batch: %w", one.Error)
		}
		return fmt.Errorf("batch: reply is not JSON-RPC: %w", err)
	}
	byID := make(map[string]*reply, len(replies))
	for i := range replies {
		byID[string(replies[i].ID)] = &replies[i]
	}
	for i, r := range requests {
		got := byID[fmt.Sprint(first+uint64(i))]
		if got == nil {
			r.Err = fmt.Errorf("%s: no reply in the batch", r.Method)
			continue
		}
		r.Err = got.decode(r.Method, r.Result)
	}
	return nil
}

func (r *reply) decode(method string, result any) error {
	if r.Error != nil {
		return fmt.Errorf("%s: %w", method, r.Error)
	}
	if result == nil {
		return nil
	}
	if len(r.Result) == 0 {
		return fmt.Errorf("%s: reply has no result", method)
	}
	if err := json.Unmarshal(r.Result, result); err != nil {
		return fmt.Errorf("%s: decode result: %w", method, err)
	}
	return nil
}

// post sends body and returns the reply, whatever its HTTP status, as long as
// it can be JSON-RPC.
func (c *Client) post(ctx context.Context, body []byte) ([]byte, error) {
	user, password, err := c.auth()
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.SetBasicAuth(user, password)
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("no answer from the node: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusUnauthorized {
		return nil, ErrUnauthorized
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, MaxReply+1))
	if err != nil {
		return nil, fmt.Errorf("read the reply: %w", err)
	}
	if len(raw) > MaxReply {
		return nil, fmt.Errorf("reply is larger than %d bytes", MaxReply)
	}
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || (raw[0] != '{' && raw[0] != '[') {
		return nil, fmt.Errorf("HTTP status %s: %.*s", resp.Status, maxErrorBody, raw)
	}
	return raw, nil
}
