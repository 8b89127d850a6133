package chain_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/permission/record"
)

// lower returns the two names, that of the block with the lower hash first.
func lower(h *chaintest.Harness, a, b string) (string, string) {
	x, y := h.Block(a).Hash, h.Block(b).Hash
	for i := len(x) - 1; i >= 0; i-- {
		if x[i] != y[i] {
			if x[i] < y[i] {
				return a, b
			}
			return b, a
		}
	}
	return a, b
}

// TestEqualWork: of two tips with equal work the one with the lower hash is
// best, in whatever order they come.
func TestEqualWork(t *testing.T) {
	for _, lowFirst := range []bool{true, false} {
		net, h := consortium(t, chaintest.ConsortiumOptions{})
		h.Next("b1").Accept()
		h.On("b1").Next("x", chaintest.By(net.Member("beta")))
		h.On("b1").Next("y", chaintest.By(net.Member("gamma")))
		low, high := lower(h, "x", "y")
		if lowFirst {
			h.Again(low).Accept()
			h.Again(high).Side()
		} else {
			h.Again(high).Accept()
			h.Again(low).Accept()
		}
		h.ExpectTip(low)
		h.On(high).Next("more").Accept()
	}
}

// TestVariants: a second variant of a block is not kept, until somebody builds
// on it.
func TestVariants(t *testing.T) {
	_, h := consortium(t, chaintest.ConsortiumOptions{})
	h.Next("b1").Accept()
	h.Next("b2").Accept()
	v := h.Variant("v2", "b2")
	if _, err := h.Chain.AcceptBlock(context.Background(), v.Block); !errors.Is(err, chain.ErrVariant) {
		t.Fatalf("second variant: %v", err)
	}
	if _, err := offer(h, peer, "v2"); !errors.Is(err, chain.ErrVariant) {
		t.Fatalf("second variant's header: %v", err)
	}
	if _, ok := lookup(h, "v2"); ok {
		t.Error("second variant is kept")
	}
	if len(h.Chain.DoubleSeals()) != 0 {
		t.Error("a variant counts as a double seal")
	}
	h.On("v2").Next("v3").Accept() // its body was remembered
	h.On("b2").Next("b3")
	h.Next("b4")
	for _, name := range []string{"b3", "b4"} {
		if _, err := h.Chain.AcceptBlock(context.Background(), h.Block(name)); err != nil {
			t.Fatal(err)
		}
	}
	h.ExpectTip("b4")
}

// TestVariantsFirstSeen: of two variants with a body, the one that came first.
func TestVariantsFirstSeen(t *testing.T) {
	_, h := consortium(t, chaintest.ConsortiumOptions{})
	h.Next("b1").Accept()
	h.Next("b2").Accept()
	last := "v"
	h.Variant(last, "b2")
	for low, _ := lower(h, "b2", last); low == "b2"; low, _ = lower(h, "b2", last) {
		h.Variant(last+"'", last)
		last += "'"
	}
	h.On(last).Next("v3")
	if _, err := offer(h, peer, last, "v3"); err != nil {
		t.Fatal(err)
	}
	h.Again(last).Side() // though its hash is lower
	h.ExpectTip("b2")
	h.Again("v3").Accept()
}

// TestWithheldVariant: who tells of a variant, by another nonce, before the block
// itself comes, and never has a body, keeps nobody from the block.
func TestWithheldVariant(t *testing.T) {
	for _, header := range []bool{true, false} {
		_, h := consortium(t, chaintest.ConsortiumOptions{})
		h.Next("b1").Accept()
		h.Next("b2")
		h.Variant("v1", "b2")
		h.Variant("v2", "v1")
		h.Variant("v3", "v2")
		if _, err := offer(h, peer, "v1"); err != nil {
			t.Fatal(err)
		}
		if _, err := offer(h, peer, "v2"); !errors.Is(err, chain.ErrVariant) {
			t.Fatalf("another one by the same peer: %v", err)
		}
		if header {
			if _, err := offer(h, otherPeer, "b2"); err != nil {
				t.Fatalf("the header: %v", err)
			}
		}
		h.Again("b2").Accept()
		if _, err := offer(h, [32]byte{9}, "v3"); !errors.Is(err, chain.ErrVariant) {
			t.Fatalf("a variant of a block that is here: %v", err)
		}
		h.Again("v1").Side()
		h.ExpectTip("b2")
	}
}

// TestBarredOnTwoVariants: two members sealed on two variants of a block, each on
// the one that came first to it, and then the block's own member is gone. Each is
// barred on its own tip, so they have to meet on one.
func TestBarredOnTwoVariants(t *testing.T) {
	net := chaintest.NewConsortium(chaintest.ConsortiumOptions{Members: []chaintest.Genesis{
		{Name: "alpha", Permissions: "admin"}, {Name: "beta", Permissions: "admin"}, {Name: "gamma", Permissions: "admin"}}}) // w is 2
	beta, gamma := net.Member("beta"), net.Member("gamma")
	mine, other := chaintest.New(t, chaintest.Options{Consortium: net}), chaintest.New(t, chaintest.Options{Consortium: net})
	accept := func(h *chaintest.Harness, names ...string) {
		t.Helper()
		if _, err := h.Chain.AcceptSealed(context.Background(), mine.Headers(names...), peer); err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if _, err := h.Chain.AcceptBlock(context.Background(), mine.Block(name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	mine.Next("v1", chaintest.By(net.Member("alpha")))
	mine.Variant("v2", "v1")
	mine.On("v1").Next("by beta", chaintest.By(beta))
	mine.On("v2").Next("by gamma", chaintest.By(gamma))
	accept(mine, "v1", "by beta")
	accept(other, "v2", "by gamma")
	accept(mine, "v2", "by gamma")
	accept(other, "v1", "by beta")
	low, _ := lower(mine, "by beta", "by gamma")
	for _, h := range []*chaintest.Harness{mine, other} {
		if h.Chain.Best().Hash != mine.Block(low).Hash {
			t.Errorf("the best block is %v, want the one %s", h.Chain.Best().Hash, low)
		}
	}
}

func TestDoubleSeal(t *testing.T) {
	net, h := consortium(t, chaintest.ConsortiumOptions{})
	h.Next("b1").Accept()
	h.On("b1").Next("x", chaintest.By(net.Member("beta")))
	h.On("b1").Next("y", chaintest.By(net.Member("beta")))
	if _, err := offer(h, peer, "x"); err != nil {
		t.Fatal(err)
	}
	if _, err := offer(h, peer, "y"); err != nil {
		t.Fatal(err)
	}
	doubles := h.Chain.DoubleSeals()
	if len(doubles) != 1 || doubles[0].Member != net.Member("beta").ID || doubles[0].Height != 2 ||
		doubles[0].First != h.Block("x").Hash || doubles[0].Second != h.Block("y").Hash {
		t.Errorf("double seals %+v", doubles)
	}
	low, _ := lower(h, "x", "y")
	h.Again(low).Accept()
}

// TestRestartWins: a restart beats a branch of fewer blocks than w on the same
// parent, however much work that has, and none of w.
func TestRestartWins(t *testing.T) {
	net, h := consortium(t, chaintest.ConsortiumOptions{Permissions: "restart_delay = 3600"})
	alpha, beta, gamma := net.Member("alpha"), net.Member("beta"), net.Member("gamma")
	h.Next("b1").Accept()
	h.Next("b2").Accept()
	h.Next("b3").Accept() // two blocks on b1, w is 3
	h.On("b1").Next("restart", chaintest.Restart(members{alpha, beta}, members{alpha, beta, gamma})).Accept()
	if got := h.Chain.Permissions().RestartHeight(); got != 2 || !h.Chain.Best().Restart {
		t.Errorf("restart at height %d", got)
	}
	h.Next("by gamma", chaintest.By(gamma)).Reject("seal-not-mining")
	h.On("b3").Next("b4").Accept() // the third
	if got := h.Chain.Permissions().RestartHeight(); got != 0 {
		t.Errorf("restart at height %d on the branch without", got)
	}
	h.On("restart").Next("r3", chaintest.By(beta)).Side()
	h.Next("r4", chaintest.By(alpha))
	low, _ := lower(h, "r4", "b4")
	if low == "r4" {
		h.Again("r4").Accept()
	} else {
		h.Again("r4").Side()
	}
}

// TestSettled: the best branch is not left below what is settled, and an
// operator is told and decides.
func TestSettled(t *testing.T) {
	net := chaintest.NewConsortium(chaintest.ConsortiumOptions{})
	h := chaintest.New(t, chaintest.Options{Consortium: net, Settle: 6}) // w is 2
	grow := func(from, prefix string, n int) (last string) {
		h.On(from)
		for i := range n {
			last = prefix + string(rune('0'+i))
			h.Next(last)
		}
		return last
	}
	accept := func(prefix string, n int) {
		for i := range n {
			if _, err := h.Chain.AcceptBlock(context.Background(), h.Block(prefix+string(rune('0'+i)))); err != nil {
				t.Fatal(err)
			}
		}
	}
	h.Next("b").Accept()
	grow("b", "a", 6)
	accept("a", 6)
	h.ExpectTip("a5")
	grow("b", "s", 7) // six blocks are undone: as many as may be
	accept("s", 7)
	h.ExpectTip("s6")
	grow("b", "x", 8) // seven
	accept("x", 8)
	h.ExpectTip("s6")
	conflict, ok := h.Chain.Conflict()
	if !ok || conflict.Other.Hash != h.Block("x7").Hash || conflict.Fork.Hash != h.Block("b").Hash {
		t.Errorf("conflict %+v, %t", conflict, ok)
	}
	if w := h.Chain.Warnings(); len(w) != 1 || !strings.Contains(w[0], "conflicting history") {
		t.Errorf("warnings %q", w)
	}
	if e := h.Chain.Explain(h.Block("x7").Hash); !e.TooFar {
		t.Errorf("explained as %q", e.Why)
	}
	if h.Chain.InitialSync() {
		t.Error("the other branch counts as one to catch up with")
	}
	h.Close()
	h.Open()
	h.ExpectTip("s6")
	if _, ok := h.Chain.Conflict(); !ok {
		t.Error("no conflict after a restart")
	}
	if err := h.Chain.Precious(context.Background(), h.Block("x7").Hash); err != nil {
		t.Fatal(err)
	}
	h.ExpectTip("x7")
	if c, ok := h.Chain.Conflict(); ok {
		t.Errorf("conflict after the operator decided: %+v", c)
	}
}

// TestWorthlessConflict: blocks that a minority makes on an old block are no
// history that anybody has to decide about.
func TestWorthlessConflict(t *testing.T) {
	net := chaintest.NewConsortium(chaintest.ConsortiumOptions{})
	h := chaintest.New(t, chaintest.Options{Consortium: net, Settle: 4})
	alpha := net.Member("alpha")
	h.Next("b").Accept()
	h.Next("a0").Accept()
	h.Next("a1").Accept()
	h.Next("a2").Accept()
	h.Next("a3").Accept()
	h.Next("a4").Accept()
	// Records: who may seal the next blocks is not known before it is tried.
	records := net.Vote([]*chaintest.Member{alpha}, net.Create(chaintest.NewMember("delta"), record.Send))
	h.On("b").Next("x0", chaintest.By(net.Member("gamma")), records).Side()
	stranger := chaintest.NewMember("stranger")
	for _, name := range []string{"x1", "x2", "x3", "x4", "x5"} {
		h.Next(name, chaintest.By(stranger), chaintest.Claim(alpha.Key.Script())).Side()
	}
	h.ExpectTip("a4")
	if c, ok := h.Chain.Conflict(); ok {
		t.Errorf("conflict %+v", c)
	}
}

// TestCircle: three branches, each of which beats one of the others. Whatever
// the order in which they come, the same one is best at the end.
func TestCircle(t *testing.T) {
	net, h := consortium(t, chaintest.ConsortiumOptions{Diversity: 1_000_000, Permissions: "restart_delay = 3600"}) // w is 4
	m := net.Member
	h.Next("b1", chaintest.By(m("alpha")))
	h.Next("b2", chaintest.By(m("beta")))
	branches := map[string][]string{"three": {"b3", "b4", "b5"}, "restart": {"r3"}, "low": {"x2", "x3", "x4"}}
	for i, name := range branches["three"] { // beats low by work
		h.Next(name, chaintest.By(members{m("gamma"), m("delta"), m("alpha")}[i]))
	}
	h.On("b2").Next("r3", chaintest.Restart(members{m("alpha")}, members{m("alpha"), m("beta"), m("gamma")})) // beats three
	h.On("b1")
	for i, name := range branches["low"] { // beats restart by work
		h.Next(name, chaintest.By(members{m("gamma"), m("delta"), m("beta")}[i]))
	}
	for _, order := range [][]string{{"three", "restart", "low"}, {"three", "low", "restart"}, {"restart", "three", "low"},
		{"restart", "low", "three"}, {"low", "three", "restart"}, {"low", "restart", "three"}} {
		other := chaintest.New(t, chaintest.Options{Consortium: net})
		names := []string{"b1", "b2"}
		for _, branch := range order {
			names = append(names, branches[branch]...)
		}
		for _, name := range names {
			if _, err := other.Chain.AcceptBlock(t.Context(), h.Block(name)); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if got := other.Chain.Best().Hash; got != h.Block("x4").Hash {
			t.Errorf("%v: best is %v", order, got)
		}
		other.Close()
		other.Open()
		if got := other.Chain.Best().Hash; got != h.Block("x4").Hash {
			t.Errorf("%v: best after a restart is %v", order, got)
		}
	}
}
