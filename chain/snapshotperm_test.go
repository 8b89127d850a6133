package chain_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/permission"
	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/chain/permission/seal"
	"github.com/charterchain/charter/chain/utxo"
	"github.com/charterchain/charter/chain/utxo/snapshot"
)

// permBase is the height of the snapshot of newPermHistory.
const permBase = 10

// permHistory is the history of a consortium: alpha, beta and gamma administer,
// a restart below the base took mining from gamma, and each block needs three
// different members in a row, which are alpha, beta and delta in turn.
type permHistory struct {
	*history
	net *chaintest.Consortium
}

func newPermHistory(t *testing.T) *permHistory {
	t.Helper()
	net := chaintest.NewConsortium(chaintest.ConsortiumOptions{
		Permissions: "restart_delay = 61", Diversity: 700_000,
		Members: []chaintest.Genesis{{Name: "alpha", Permissions: "admin"}, {Name: "beta", Permissions: "admin"},
			{Name: "gamma", Permissions: "admin"}, {Name: "delta", Permissions: "mine receive"}},
	})
	h := &permHistory{&history{x: chaintest.New(t, chaintest.Options{Consortium: net, Settle: 1000}), base: permBase}, net}
	h.blocks = append(h.blocks, h.x.Block("genesis"))
	m := net.Member
	admins := members{m("alpha"), m("beta")}
	epsilon, zeta := chaintest.NewMember("epsilon"), chaintest.NewMember("zeta")
	h.next(net.Vote(admins, net.Create(epsilon, record.Send|record.Receive), net.Grant(epsilon, record.Send|record.Receive)))
	h.next(net.Vote(members{m("gamma")}, net.Grant(epsilon, record.Admin))) // never complete
	h.next(chaintest.Restart(members{m("alpha"), m("beta"), m("delta")}, admins))
	h.next(h.pay("alpha", "beta"))
	h.next(net.Vote(admins, net.Revoke(epsilon, record.Send)))
	h.next(net.Vote(admins, net.Create(zeta, record.Send|record.Receive)))
	h.next(net.Vote(admins[:1], net.Grant(zeta, record.Mine))) // completed above the base
	h.next()
	h.next(h.pay("beta", "gamma"))
	h.next()
	var file bytes.Buffer
	dump, err := h.x.Chain.DumpSnapshot(context.Background(), &file)
	if err != nil {
		t.Fatal(err)
	}
	h.file, h.dump = file.Bytes(), dump
	h.next(net.Vote(admins[1:], net.Grant(zeta, record.Mine)))
	h.next(net.Vote(admins, net.Grant(epsilon, record.Send)))
	h.next()
	h.next(h.pay("gamma", "alpha"))
	return h
}

func (h *permHistory) next(opts ...chaintest.Option) {
	height := len(h.blocks)
	who := h.net.Member([]string{"delta", "alpha", "beta"}[height%3])
	name := fmt.Sprint("b", height)
	h.x.Next(name, append([]chaintest.Option{chaintest.By(who)}, opts...)...).Accept()
	h.blocks = append(h.blocks, h.x.Block(name))
}

// pay spends what the genesis block pays to a member.
func (h *permHistory) pay(from, to string) chaintest.Option {
	m := h.net.Member
	return chaintest.Tx(chaintest.Pay(m(from).Key, []chaintest.Output{h.net.Funds(m(from))}, m(to).Key, 1, 1000), 1000)
}

func (h *permHistory) open(t *testing.T) *chaintest.Harness {
	return chaintest.New(t, chaintest.Options{Consortium: h.net, Settle: 1000})
}

func (h *permHistory) loaded(t *testing.T) *chaintest.Harness {
	return h.load(t, chaintest.Options{Consortium: h.net, Settle: 1000})
}

func (h *permHistory) top() int { return len(h.blocks) - 1 }

// expectSame compares all that a node says of permissions, and its rows, with
// the node that never knew a snapshot.
func (h *permHistory) expectSame(t *testing.T, y *chaintest.Harness) {
	t.Helper()
	if !bytes.Equal(permState(t, y), permState(t, h.x)) {
		t.Error("other permissions or sealers")
	}
	if err := errors.Join(y.Chain.Flush(t.Context()), h.x.Chain.Flush(t.Context())); err != nil {
		t.Fatal(err)
	}
	got, _ := permRows(t, y.Store)
	want, _ := permRows(t, h.x.Store)
	if !maps.EqualFunc(got, want, bytes.Equal) {
		t.Errorf("%d stored changes of permissions differ from %d", len(got), len(want))
	}
	if muhash(t, y.Chain) != muhash(t, h.x.Chain) {
		t.Error("other coins")
	}
	report, err := y.Chain.VerifyChain(t.Context(), chain.VerifyConnect, 0, nil)
	if err != nil || !report.Complete || report.Blocks != h.top() {
		t.Errorf("verified %+v, %v, %v", report, report.Fault, err)
	}
}

func TestPermSnapshot(t *testing.T) {
	h := newPermHistory(t)
	y := h.loaded(t)
	at, ok := h.x.Chain.PermissionsAt(permBase)
	if got := y.Chain.Permissions(); !ok || !bytes.Equal(got.Encode(), at.Encode()) || got.RestartHeight() != 3 {
		t.Fatal("other permissions right after the load")
	}
	h.expectBase(t, y)
	y.Kill()
	y.Open()
	h.expectBase(t, y)

	// Who sealed the base, or the block before it, may not go on.
	h.x.On(fmt.Sprint("b", permBase))
	for _, name := range []string{"alpha", "delta", "gamma"} {
		want := seal.RuleDiversity
		if name == "gamma" {
			want = permission.RuleSealNotMining
		}
		b := h.x.Make(h.blocks[permBase].Hash, chaintest.By(h.net.Member(name)))
		if _, err := y.Chain.AcceptBlock(t.Context(), b); !errors.Is(err, want) {
			t.Errorf("block of %s on the base: %v, want %s", name, err, want)
		}
		if _, err := y.Chain.MaySeal(h.net.Member(name).SealKey()); !errors.Is(err, want) {
			t.Errorf("%s may seal on the base: %v, want %s", name, err, want)
		}
	}
	h.give(t, y.Chain, permBase+1, h.top())
	expectHeight(t, y.Chain, h.top())
	if got := y.Chain.Permissions(); got.Hash() != h.x.Chain.Permissions().Hash() {
		t.Error("other permissions at the tip: the pending vote is not there")
	}
	h.give(t, y.Chain, 5, permBase)
	h.give(t, y.Chain, 1, 3)
	check(t, y.Chain)
	for _, stop := range []func(){y.Close, y.Kill} {
		stop()
		y.Open()
		if b, ok := y.Chain.Background(); !ok || b.Checked.Height != 3 || b.Missing != 4 {
			t.Fatalf("background after a start: %+v, %v", b, ok)
		}
		expectHeight(t, y.Chain, h.top())
		if got := y.Chain.Permissions(); got.Hash() != h.x.Chain.Permissions().Hash() {
			t.Error("other permissions after a start")
		}
		if info, _ := y.Chain.AtHeight(int32(h.top())); info.Undecided {
			t.Error("the sealer of the best block is not known any more")
		}
	}
	h.give(t, y.Chain, 4, 4)
	check(t, y.Chain)
	if _, ok := y.Chain.Background(); ok || y.Chain.Unvalidated() != "" {
		t.Fatal("the check has not ended")
	}
	h.expectSame(t, y)
	for _, stop := range []func(){y.Kill, y.Close} {
		stop()
		y.Open()
		h.expectSame(t, y)
	}
	if err := y.Chain.Invalidate(t.Context(), h.blocks[permBase-2].Hash); err != nil {
		t.Fatal(err)
	}
	if state := y.Chain.Permissions(); state.Hash() != must(h.x.Chain.PermissionsAt(permBase-3)).Hash() {
		t.Error("other permissions below the base")
	}
}

// expectBase checks what is known of permissions while nothing below is.
func (h *permHistory) expectBase(t *testing.T, y *chaintest.Harness) {
	t.Helper()
	expectHeight(t, y.Chain, permBase)
	for height, want := range map[int32]bool{0: false, permBase - 1: false, permBase: true} {
		if _, ok := y.Chain.PermissionsAt(height); ok != want {
			t.Errorf("permissions at height %d known: %v", height, ok)
		}
	}
	// Of the last three blocks two count, and no more are known.
	if got := y.Chain.Sealers(10); len(got) != 2 || got[0].Member != h.net.Member("alpha").ID || got[1].Member != h.net.Member("delta").ID {
		t.Errorf("sealers up to the base: %v", got)
	}
	if info, _ := y.Chain.AtHeight(permBase - 2); !info.Undecided || !info.Unchecked {
		t.Errorf("block whose sealer is not known: %+v", info)
	}
}

// permParts is a snapshot, taken apart.
type permParts struct {
	base    snapshot.Base
	headers []wire.BlockHeader
	coins   []setCoin
	state   []byte
	sealers [][20]byte
	none    bool // no sections about permissions
}

func (h *permHistory) identity() snapshot.Identity {
	return snapshot.Identity{Genesis: h.x.Params.GenesisHash, Rules: h.x.Params.RulesHash}
}

// forge changes parts of the snapshot and returns what comes of it, with the
// digest that somebody might trust.
func (h *permHistory) forge(t *testing.T, change func(*permParts)) (file []byte, digest [32]byte) {
	t.Helper()
	p := permParts{coins: coinsOf(t, h.x.Maker, h.file)}
	_, err := snapshot.Read(bytes.NewReader(h.file), h.identity(), snapshot.Handler{
		Base:   func(b snapshot.Base) error { p.base = b; return nil },
		Header: func(_ int32, header *wire.BlockHeader) error { p.headers = append(p.headers, *header); return nil },
		Section: func(s snapshot.Section) (err error) {
			if s.Type == snapshot.TypePermissions {
				p.state = bytes.Clone(s.Data)
				return nil
			}
			p.sealers, err = snapshot.DecodeSealers(s)
			return err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	change(&p)
	var out bytes.Buffer
	w := snapshot.NewWriter(&out, h.identity())
	w.Base(p.base)
	for i := range p.headers {
		w.Header(&p.headers[i])
	}
	sum, _ := utxo.Summarise(utxo.WithMuHash, 1, func(fn func(wire.OutPoint, consensus.Coin) error) error {
		for _, c := range p.coins {
			w.Coin(&c.op, &c.coin)
			fn(c.op, c.coin)
		}
		return nil
	})
	if p.none {
		p.state, p.sealers = nil, nil
	} else {
		w.Section(snapshot.Section{Type: snapshot.TypePermissions, Data: p.state})
		w.Section(snapshot.EncodeSealers(p.sealers))
	}
	digest = snapshot.Digest(p.base.Hash, p.base.Height, sum.MuHash, p.state, p.sealers)
	if _, err := w.Finish(digest); err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), digest
}

// otherState is one that the snapshot's chain had at another height.
func (h *permHistory) otherState(p *permParts) {
	state, _ := h.x.Chain.PermissionsAt(permBase - 5)
	p.state = state.Encode()
}

func TestPermSnapshotRefused(t *testing.T) {
	h := newPermHistory(t)
	for _, tt := range []struct {
		name    string
		change  func(*permParts)
		trusted bool // the digest that fits it is
		text    string
	}{
		{"unchanged", func(*permParts) {}, false, ""},
		{"another state", h.otherState, false, "not the one that is trusted"},
		{"another sealer", func(p *permParts) { p.sealers[0][0] ^= 1 }, false, "not the one that is trusted"},
		{"sealers in another order", func(p *permParts) { p.sealers[0], p.sealers[1] = p.sealers[1], p.sealers[0] }, false, "not the one that is trusted"},
		{"fewer sealers", func(p *permParts) { p.sealers = p.sealers[1:] }, true, "2 count"},
		{"no permissions", func(p *permParts) { p.none = true }, true, "lacks the permission state"},
		{"a state that does not decode", func(p *permParts) { p.state = p.state[1:] }, true, "does not decode"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file, digest := h.forge(t, tt.change)
			if !tt.trusted {
				digest = h.dump.Digest
			}
			y := h.open(t)
			h.give(t, y.Chain, 1, 4)
			_, err := y.Chain.LoadSnapshot(t.Context(), bytes.NewReader(file), &digest)
			if tt.text == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if !errors.Is(err, chain.ErrSnapshotRefused) || !strings.Contains(err.Error(), tt.text) {
				t.Fatalf("error %v, want %q", err, tt.text)
			}
			y.Kill()
			y.Open()
			h.give(t, y.Chain, 5, h.top())
			h.expectSame(t, y)
		})
	}
}

// TestPermSnapshotWrong: the operator trusted what is not so. The check of the
// history says what is wrong, and after a rebuild the node is right.
func TestPermSnapshotWrong(t *testing.T) {
	h := newPermHistory(t)
	for _, tt := range []struct {
		name   string
		change func(*permParts)
		text   string
	}{
		{"state", h.otherState, "lead to the permissions"},
		{"sealers", func(p *permParts) { p.sealers[0] = h.net.Member("beta").ID }, "was sealed by member"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file, digest := h.forge(t, tt.change)
			y := h.open(t)
			if _, err := y.Chain.LoadSnapshot(t.Context(), bytes.NewReader(file), &digest); err != nil {
				t.Fatal(err)
			}
			for _, b := range h.blocks[1:] {
				if _, err := y.Chain.AcceptBlock(t.Context(), b); err != nil && consensus.AsRule(err) == nil {
					t.Fatal(err)
				}
			}
			if err := y.Chain.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			var wrong *chain.SnapshotError
			if err := chain.CheckHistory(y.Chain, t.Context()); !errors.As(err, &wrong) || !strings.Contains(wrong.Reason, tt.text) {
				t.Fatalf("the check ends with %v", err)
			}
			y.Kill()
			if err := y.TryOpen(); !errors.As(err, &wrong) {
				t.Fatalf("start: %v", err)
			}
			if err := y.TryOpenWith(dropState); err != nil {
				t.Fatal(err)
			}
			h.give(t, y.Chain, 1, h.top())
			h.expectSame(t, y)
		})
	}
}

// TestPermSnapshotUnsealed: a block below the base has no seal. Only a
// snapshot could bring its header; its body is found out.
func TestPermSnapshotUnsealed(t *testing.T) {
	h := newPermHistory(t)
	blocks := append(h.blocks[:permBase:permBase], h.x.Make(h.blocks[permBase-1].Hash, chaintest.By(h.net.Member("alpha")), chaintest.Unsealed()))
	file, digest := h.forge(t, func(p *permParts) {
		p.base.Hash = blocks[permBase].Hash
		p.headers[permBase-1] = blocks[permBase].Header
	})
	y := h.open(t)
	if _, err := y.Chain.LoadSnapshot(t.Context(), bytes.NewReader(file), &digest); err != nil {
		t.Fatal(err)
	}
	var wrong *chain.SnapshotError
	for _, b := range blocks[1:] {
		if _, err := y.Chain.AcceptBlock(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	if err := chain.CheckHistory(y.Chain, t.Context()); !errors.As(err, &wrong) || !strings.Contains(wrong.Reason, string(seal.RuleMissing)) {
		t.Fatalf("the check ends with %v", err)
	}
	y.Kill()
	if err := y.TryOpenWith(dropState); err != nil {
		t.Fatal(err)
	}
	h.give(t, y.Chain, 1, h.top())
	h.expectSame(t, y)
}

// TestPermSnapshotDropped: after --reindex-chainstate the headers that only the
// snapshot knew are open, until proofs or bodies say who sealed them.
func TestPermSnapshotDropped(t *testing.T) {
	h := newPermHistory(t)
	for name, stop := range map[string]func(*chaintest.Harness){"closed": (*chaintest.Harness).Close, "killed": (*chaintest.Harness).Kill} {
		t.Run(name, func(t *testing.T) {
			y := h.loaded(t)
			h.give(t, y.Chain, permBase+1, h.top())
			h.give(t, y.Chain, 1, 2)
			check(t, y.Chain)
			h.give(t, y.Chain, 8, 8)
			stop(y)
			if err := y.TryOpenWith(dropState); err != nil {
				t.Fatal(err)
			}
			expectHeight(t, y.Chain, 2)
			if got := y.Chain.BestHeader().Height; got != 2 {
				t.Errorf("best header at height %d", got)
			}
			stop(y)
			y.Open()
			var headers []chain.SealedHeader
			for _, b := range h.blocks[1:] {
				headers = append(headers, chaintest.Sealed(b))
			}
			if _, err := y.Chain.AcceptSealed(t.Context(), headers, [32]byte{1}); err != nil {
				t.Fatal(err)
			}
			if got := y.Chain.BestHeader().Height; got != 3 {
				t.Errorf("best header with proofs at height %d", got)
			}
			h.give(t, y.Chain, 3, h.top())
			h.expectSame(t, y)
			stop(y)
			y.Open()
			h.expectSame(t, y)
		})
	}
}

// TestPermSnapshotLooksFurther: above the base a range of permissions makes
// more sealers count than the snapshot names. What depends on them waits for
// the check, and breaks no rule meanwhile.
func TestPermSnapshotLooksFurther(t *testing.T) {
	const base = 9
	net := chaintest.NewConsortium(chaintest.ConsortiumOptions{SetupBlocks: 1, Diversity: 700_000})
	h := &permHistory{&history{x: chaintest.New(t, chaintest.Options{Consortium: net}), base: base}, net}
	h.blocks = append(h.blocks, h.x.Block("genesis"))
	alpha, beta, gamma := net.Member("alpha"), net.Member("beta"), net.Member("gamma")
	var later []record.Record // three more members mine from two blocks above the base on
	for _, name := range []string{"p", "q", "r"} {
		m := chaintest.NewMember(name)
		grant := net.Grant(m, record.Mine|record.Receive).(record.Grant)
		grant.Range.From = base + 2
		later = append(later, net.Create(m, record.Mine|record.Connect|record.Receive), grant)
	}
	order := []*chaintest.Member{gamma, alpha, beta}
	next := func(who *chaintest.Member, opts ...chaintest.Option) {
		name := fmt.Sprint("b", len(h.blocks))
		h.x.Next(name, append(opts, chaintest.By(who))...).Accept()
		h.blocks = append(h.blocks, h.x.Block(name))
	}
	next(alpha, net.Vote(members{alpha}, later...))
	for height := 2; height <= base; height++ {
		next(order[height%3])
	}
	var file bytes.Buffer
	dump, err := h.x.Chain.DumpSnapshot(t.Context(), &file)
	if err != nil {
		t.Fatal(err)
	}
	h.file, h.dump = file.Bytes(), dump
	next(order[(base+1)%3])
	if before, after := h.x.Chain.Permissions().Required(base+1), h.x.Chain.Permissions().Required(base+2); before != 3 || after != 5 {
		t.Fatalf("%d, then %d members in a row", before, after)
	}
	next(chaintest.NewMember("p"))
	y := h.load(t, chaintest.Options{Consortium: net})
	h.give(t, y.Chain, base+1, base+1)
	again := h.x.Make(h.blocks[base+1].Hash, chaintest.By(order[base%3])) // sealed the base
	if _, err := y.Chain.AcceptBlock(t.Context(), again); !errors.Is(err, seal.RuleDiversity) {
		t.Errorf("block of who sealed the base: %v", err)
	}
	for range 2 {
		if _, err := y.Chain.AcceptBlock(t.Context(), h.blocks[base+2]); !errors.Is(err, chain.ErrUndecided) || consensus.AsRule(err) != nil {
			t.Errorf("block whose sealer cannot be judged: %v", err)
		}
		y.Close()
		y.Open()
		expectHeight(t, y.Chain, base+1)
	}
	h.give(t, y.Chain, 1, base)
	check(t, y.Chain)
	h.give(t, y.Chain, base+2, base+2)
	expectHeight(t, y.Chain, base+2)
	if !bytes.Equal(permState(t, y), permState(t, h.x)) {
		t.Error("other permissions or sealers")
	}

	// Its body may be here before it is known that it cannot be judged.
	z := h.load(t, chaintest.Options{Consortium: net})
	if _, err := z.Chain.AcceptSealed(t.Context(), h.x.Headers("b10", "b11"), [32]byte{1}); err != nil {
		t.Fatal(err)
	}
	h.give(t, z.Chain, base+2, base+2)
	h.give(t, z.Chain, base+1, base+1)
	expectHeight(t, z.Chain, base+1)
	z.Close()
	z.Open()
	expectHeight(t, z.Chain, base+1)
	h.give(t, z.Chain, 1, base)
	check(t, z.Chain)
	expectHeight(t, z.Chain, base+2)
}

// TestPermSnapshotUnsealedChain: a chain with permissions on which everybody
// mines has a state and no sealers.
func TestPermSnapshotUnsealedChain(t *testing.T) {
	net := chaintest.NewConsortium(chaintest.ConsortiumOptions{Restricted: []string{"send"}})
	h := &permHistory{&history{x: chaintest.New(t, chaintest.Options{Consortium: net}), base: 3}, net}
	h.blocks = append(h.blocks, h.x.Block("genesis"))
	delta := chaintest.NewMember("delta")
	admins := net.Members[:2]
	for i, opts := range [][]chaintest.Option{
		{net.Vote(admins, net.Create(delta, record.Send))}, {net.Vote(admins[:1], net.Grant(delta, record.Admin))}, nil,
		{net.Vote(admins[1:], net.Grant(delta, record.Admin))}, {net.Vote(admins, net.Grant(delta, record.Send))},
	} {
		name := fmt.Sprint("b", i+1)
		h.x.Next(name, opts...).Accept()
		h.blocks = append(h.blocks, h.x.Block(name))
		if i+1 == h.base {
			var file bytes.Buffer
			dump, err := h.x.Chain.DumpSnapshot(t.Context(), &file)
			if err != nil {
				t.Fatal(err)
			}
			h.file, h.dump = file.Bytes(), dump
		}
	}
	y := h.load(t, chaintest.Options{Consortium: net})
	h.give(t, y.Chain, 4, h.top())
	h.give(t, y.Chain, 1, 3)
	check(t, y.Chain)
	h.expectSame(t, y)
	y.Kill()
	y.Open()
	h.expectSame(t, y)
}
