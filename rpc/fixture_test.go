package rpc

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/permission/seal"
	"github.com/charterchain/charter/configs"
)

// fixture is a server over a real chain and a pool, a miner and peers that do
// what a test says.
type fixture struct {
	*chaintest.Harness
	t       testing.TB
	server  *Server
	pool    *fakePool
	miner   *fakeMiner
	peers   *fakePeers
	now     time.Time
	stopped int
}

const (
	testUser     = "alice"
	testPassword = "correct horse"
)

func newFixture(t testing.TB, change ...func(*Config)) *fixture {
	t.Helper()
	return fixtureOn(t, nil, change...)
}

// shipped returns a chain that ships with Charter.
func shipped(t testing.TB, name string) *params.Params {
	t.Helper()
	file, ok := configs.Chain(name)
	if !ok {
		t.Fatalf("no chain %q ships", name)
	}
	p, err := params.Load(file, name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func fixtureOn(t testing.TB, p *params.Params, change ...func(*Config)) *fixture {
	t.Helper()
	return fixtureOf(t, chaintest.Options{Params: p}, change...)
}

func fixtureOf(t testing.TB, o chaintest.Options, change ...func(*Config)) *fixture {
	t.Helper()
	f := &fixture{
		Harness: chaintest.New(t, o),
		t:       t, pool: &fakePool{}, miner: &fakeMiner{}, peers: &fakePeers{active: true},
	}
	f.now = f.Chain.Params().GenesisBlock.Header.Timestamp.Add(24 * time.Hour)
	f.serve(change...)
	t.Cleanup(f.Chain.Subscribe(func(ev chain.Event) { f.server.HandleChainEvent(ev) }))
	return f
}

// serve makes the server, again when called in a bubble of synctest: the
// database must stay outside.
func (f *fixture) serve(change ...func(*Config)) {
	f.t.Helper()
	user, err := PasswordCredential(testUser, testPassword)
	if err != nil {
		f.t.Fatal(err)
	}
	cfg := Config{
		Chain: f.Chain, Mempool: f.pool, Miner: f.miner, Peers: f.peers,
		Users: []Credential{user},
		Stop:  func() { f.stopped++ },
		Now:   func() time.Time { return f.now },
		Log:   slog.New(slog.DiscardHandler),

		UserAgent: "/Charter:0.1.0/", Version: 100, ProtocolVersion: 1,
	}
	for _, fn := range change {
		fn(&cfg)
	}
	if f.server, err = New(cfg); err != nil {
		f.t.Fatal(err)
	}
}

// call calls a method with params in JSON, and returns its result in JSON.
func (f *fixture) call(method, params string) (json.RawMessage, *Error) {
	f.t.Helper()
	body := `{"jsonrpc":"2.0","id":1,"method":"` + method + `","params":` + params + `}`
	_, raw := f.server.answer(context.Background(), []byte(body), nil)
	var reply struct {
		Result json.RawMessage `json:"result"`
		Error  *Error          `json:"error"`
	}
	if err := json.Unmarshal(raw, &reply); err != nil {
		f.t.Fatalf("%s%s: %v in %s", method, params, err, raw)
	}
	return reply.Result, reply.Error
}

// get is a call that must succeed.
func (f *fixture) get(method, params string) json.RawMessage {
	f.t.Helper()
	result, err := f.call(method, params)
	if err != nil {
		f.t.Fatalf("%s%s: %v", method, params, err)
	}
	return result
}

// expect compares a result with want, which may be spread over lines.
func (f *fixture) expect(method, params, want string) {
	f.t.Helper()
	if diff := cmp.Diff(indent(f.t, want), indent(f.t, string(f.get(method, params)))); diff != "" {
		f.t.Errorf("%s%s (-want +got):\n%s", method, params, diff)
	}
}

// fails expects an error with this code, and a message that holds part.
func (f *fixture) fails(method, params string, code int, part string) {
	f.t.Helper()
	result, err := f.call(method, params)
	switch {
	case err == nil:
		f.t.Errorf("%s%s: got %s, want code %d", method, params, result, code)
	case err.Code != code || !strings.Contains(err.Message, part):
		f.t.Errorf("%s%s: got code %d %q, want code %d with %q", method, params, err.Code, err.Message, code, part)
	}
}

// indent keeps the order of fields, and the text of numbers.
func indent(t testing.TB, text string) string {
	t.Helper()
	var b strings.Builder
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	depth, key, first := 0, false, true
	var keys []bool // whether the open containers are objects
	for {
		token, err := dec.Token()
		if err != nil {
			break
		}
		delim, isDelim := token.(json.Delim)
		if isDelim && (delim == '}' || delim == ']') {
			depth--
			keys = keys[:len(keys)-1]
			b.WriteString("\n" + strings.Repeat("  ", depth) + delim.String())
			key, first = len(keys) > 0 && keys[len(keys)-1], false
			continue
		}
		inObject := len(keys) > 0 && keys[len(keys)-1]
		if inObject && !key {
			b.WriteString(": ")
		} else if len(keys) > 0 || !first {
			b.WriteString("\n" + strings.Repeat("  ", depth))
		}
		first = false
		if isDelim {
			b.WriteString(delim.String())
			keys = append(keys, delim == '{')
			depth++
			key = delim == '{'
			continue
		}
		text, _ := json.Marshal(token)
		b.Write(text)
		key = inObject && !key
	}
	if b.Len() == 0 {
		t.Fatalf("not JSON: %s", text)
	}
	return b.String()
}

// fakePool is a pool with set contents.
type fakePool struct {
	entries  []PoolEntry
	refuse   error // of Accept and Test
	fee      int64 // of Test
	accepted []*consensus.Tx
	info     PoolInfo
	sequence atomic.Uint64
}

func (p *fakePool) add(tx *consensus.Tx, fee int64) {
	one := Package{Count: 1, VSize: tx.VSize(), Fees: fee}
	p.entries = append(p.entries, PoolEntry{
		Tx: tx, VSize: tx.VSize(), Fee: fee, Time: time.Unix(1700000100, 0), Height: 2, Ancestors: one, Descendants: one,
	})
	p.sequence.Add(1)
}

func (p *fakePool) Accept(_ context.Context, tx *consensus.Tx) error {
	if p.refuse == nil {
		p.accepted = append(p.accepted, tx)
	}
	return p.refuse
}

func (p *fakePool) Test(_ context.Context, txs []*consensus.Tx) []TestResult {
	out := make([]TestResult, len(txs))
	for i, tx := range txs {
		out[i] = TestResult{VSize: tx.VSize(), Fee: p.fee, Err: p.refuse}
	}
	return out
}

func (p *fakePool) Entry(txid chainhash.Hash) (PoolEntry, bool) {
	for _, e := range p.entries {
		if e.Tx.TxID == txid {
			return e, true
		}
	}
	return PoolEntry{}, false
}

func (p *fakePool) Get(txid chainhash.Hash) (*consensus.Tx, bool) {
	e, ok := p.Entry(txid)
	return e.Tx, ok
}

func (p *fakePool) TxIDs() []chainhash.Hash {
	var ids []chainhash.Hash
	for _, e := range p.entries {
		ids = append(ids, e.Tx.TxID)
	}
	return ids
}

func (p *fakePool) Spends(op wire.OutPoint) bool {
	for _, e := range p.entries {
		for _, in := range e.Tx.Msg.TxIn {
			if in.PreviousOutPoint == op {
				return true
			}
		}
	}
	return false
}

func (p *fakePool) Entries() []PoolEntry { return p.entries }
func (p *fakePool) Info() PoolInfo       { return p.info }
func (p *fakePool) Sequence() uint64     { return p.sequence.Load() }

// policyRefusal is a refusal as the pool's adapter makes them.
type policyRefusal struct{ reason, detail string }

func (e policyRefusal) Error() string        { return e.reason + ", " + e.detail }
func (e policyRefusal) RejectReason() string { return e.reason }

// fakeMiner hands out what a test sets.
type fakeMiner struct {
	template *Template
	made     int
	hashes   []chainhash.Hash
	block    *consensus.Block
	err      error

	script []byte // of the last call
	txs    []*consensus.Tx
	submit bool
	n      int
	tries  uint64

	status  MinerStatus
	restart *seal.Certificate
}

func (m *fakeMiner) Status() MinerStatus { return m.status }

func (m *fakeMiner) SubmitRestart(cert *seal.Certificate) error {
	m.restart = cert
	return m.err
}

func (m *fakeMiner) Template(context.Context) (*Template, error) {
	m.made++
	return m.template, m.err
}

func (m *fakeMiner) Generate(_ context.Context, n int, script []byte, tries uint64) ([]chainhash.Hash, error) {
	m.n, m.script, m.tries = n, script, tries
	return m.hashes, m.err
}

func (m *fakeMiner) GenerateBlock(_ context.Context, script []byte, txs []*consensus.Tx, submit bool) (*consensus.Block, error) {
	m.script, m.txs, m.submit = script, txs, submit
	return m.block, m.err
}

// fakePeers are peers that a test sets.
type fakePeers struct {
	list   []PeerInfo
	local  []LocalAddress
	active bool
	err    error
	called string
}

func (p *fakePeers) Peers() []PeerInfo              { return p.list }
func (p *fakePeers) LocalAddresses() []LocalAddress { return p.local }
func (p *fakePeers) Active() bool                   { return p.active }
func (p *fakePeers) SetActive(active bool)          { p.active = active }
func (p *fakePeers) AddNode(a string) error         { p.called = "add " + a; return p.err }
func (p *fakePeers) RemoveNode(a string) error      { p.called = "remove " + a; return p.err }
func (p *fakePeers) Connect(a string) error         { p.called = "connect " + a; return p.err }
func (p *fakePeers) Disconnect(a string) error      { p.called = "disconnect " + a; return p.err }
func (p *fakePeers) DisconnectID(int64) error       { p.called = "disconnect by id"; return p.err }

// poolTx puts a transaction into the pool.
func (f *fixture) poolTx(msg *wire.MsgTx, fee int64) *consensus.Tx {
	tx := consensus.NewTx(msg)
	f.pool.add(tx, fee)
	return tx
}
