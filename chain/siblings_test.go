package chain_test

import (
	"fmt"
	"testing"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/chaintest"
)

// siblings makes blocks of one member on the named parent.
func siblings(h *chaintest.Harness, by *chaintest.Member, on string, n int) (names []string) {
	for i := range n {
		name := fmt.Sprint(on, "-", by.Name, i)
		h.On(on).Next(name, chaintest.By(by))
		names = append(names, name)
	}
	return names
}

// TestManySiblings: a member may seal as many headers on one parent as he
// likes, and few are decided before they have bodies: those are kept for ever.
func TestManySiblings(t *testing.T) {
	net, h := consortium(t, chaintest.ConsortiumOptions{})
	alpha := net.Member("alpha")
	names := siblings(h, alpha, "genesis", chain.MaxSiblings+3)
	for i, name := range names {
		last, err := offer(h, peer, name)
		if err != nil || last.Undecided != (i >= chain.MaxSiblings) {
			t.Fatalf("header %d: undecided %v, %v", i, last.Undecided, err)
		}
	}
	if n := h.Chain.Undecided(peer); n != 3 {
		t.Errorf("%d headers count for the peer, want 3", n)
	}
	h.On("genesis").Next("of another member", chaintest.By(net.Member("beta")))
	if last, err := offer(h, peer, "of another member"); err != nil || last.Undecided {
		t.Errorf("the header of another member: %+v, %v", last, err)
	}
	if doubles := h.Chain.DoubleSeals(); len(doubles) != 1 || doubles[0].First != h.Block(names[0]).Hash || doubles[0].Second != h.Block(names[1]).Hash {
		t.Errorf("double seals %+v", doubles)
	}
	// A body decides, also one that does not become the tip.
	held := names[chain.MaxSiblings:]
	h.Again("of another member").Accept()
	h.On("of another member").Next("tip").Accept()
	h.Again(held[0]).Side()
	if at, _ := lookup(h, held[0]); at.Undecided || at.Sealer != alpha.ID || !at.HaveData {
		t.Errorf("with its body: %+v", at)
	}
	// A branch on it comes as ever.
	h.On(held[1]).Next("c1")
	h.Next("c2")
	if last, err := offer(h, otherPeer, held[1], "c1", "c2"); err != nil || !last.Undecided {
		t.Errorf("what stands on it: %+v, %v", last, err)
	}
	for _, name := range []string{held[1], "c1", "c2"} {
		if _, err := h.Chain.AcceptBlock(t.Context(), h.Block(name)); err != nil {
			t.Fatal(err)
		}
	}
	h.ExpectTip("c2")
	h.Chain.ForgetSource(peer)
	if _, ok := lookup(h, held[2]); ok {
		t.Error("what nobody offers any more is still there")
	}
	h.Close()
	h.Open()
	h.ExpectTip("c2")
	for i, name := range names {
		if at, ok := lookup(h, name); ok != (name != held[2]) || at.Undecided {
			t.Errorf("header %d after a restart: %+v", i, at)
		}
	}
}

// TestSiblingsDecidedLate: the same where the headers came before their parent
// was validated.
func TestSiblingsDecidedLate(t *testing.T) {
	net, h := consortium(t, chaintest.ConsortiumOptions{})
	h.Next("b1", chaintest.By(net.Member("alpha")))
	names := siblings(h, net.Member("beta"), "b1", chain.MaxSiblings+3)
	for _, name := range names {
		if _, err := offer(h, peer, "b1", name); err != nil {
			t.Fatal(err)
		}
	}
	h.Again(names[3]).Side()
	if _, err := h.Chain.AcceptBlock(t.Context(), h.Block("b1")); err != nil {
		t.Fatal(err)
	}
	h.ExpectTip(names[3])
	open := 0
	for _, name := range names {
		if at, _ := lookup(h, name); at.Undecided {
			open++
		}
	}
	if open != 2 || h.Chain.Undecided(peer) != 2 { // one has its body
		t.Errorf("%d headers undecided, %d count for the peer, want 2", open, h.Chain.Undecided(peer))
	}
}

// TestManyDoubleSeals: who makes many does not hide those of others.
func TestManyDoubleSeals(t *testing.T) {
	net, h := consortium(t, chaintest.ConsortiumOptions{Diversity: 1})
	alpha, beta := net.Member("alpha"), net.Member("beta")
	at := "genesis"
	for i := range chain.MaxMemberDoubles + 4 {
		if i == 1 {
			if _, err := offer(h, peer, siblings(h, beta, at, 1)...); err != nil {
				t.Fatal(err)
			}
			h.On(at).Next("other", chaintest.By(beta))
			if _, err := offer(h, peer, "other"); err != nil {
				t.Fatal(err)
			}
		}
		names := siblings(h, alpha, at, 3)
		for _, name := range names {
			if _, err := offer(h, peer, name); err != nil {
				t.Fatal(err)
			}
		}
		low, _ := lower(h, names[0], names[1])
		h.Again(low).Accept()
		at = low
	}
	count := map[string]int{}
	for _, d := range h.Chain.DoubleSeals() {
		m, _ := h.Chain.Permissions().Member(d.Member)
		count[m.Name]++
	}
	if count["alpha"] != chain.MaxMemberDoubles || count["beta"] != 1 {
		t.Errorf("listed %v", count)
	}
}

// TestHeirs: undecided headers that another source offered too are his when
// the first one goes, as far as he has room.
func TestHeirs(t *testing.T) {
	_, h := consortium(t, chaintest.ConsortiumOptions{})
	names := []string{"b1", "b2", "b3", "b4", "b5", "b6"}
	for _, name := range names {
		h.Next(name)
	}
	if _, err := offer(h, peer, names...); err != nil { // b1 is decided
		t.Fatal(err)
	}
	third, gone := [32]byte{3}, [32]byte{4}
	for _, source := range [][32]byte{gone, otherPeer, third} {
		if _, err := offer(h, source, names[:5]...); err != nil {
			t.Fatal(err)
		}
	}
	h.Chain.ForgetSource(gone)
	h.Chain.SetMaxUndecided(3)
	counts := func(want map[[32]byte]int, last string) {
		t.Helper()
		for source, n := range want {
			if got := h.Chain.Undecided(source); got != n {
				t.Errorf("%d headers count for source %d, want %d", got, source[0], n)
			}
		}
		for i, name := range names {
			if _, ok := lookup(h, name); ok != (names[i] <= last) {
				t.Errorf("%s is there: %v, the last one is %s", name, ok, last)
			}
		}
	}
	counts(map[[32]byte]int{peer: 5, gone: 0, otherPeer: 0, third: 0}, "b6")
	h.Chain.ForgetSource(peer)
	counts(map[[32]byte]int{peer: 0, gone: 0, otherPeer: 3, third: 1}, "b5")
	h.Chain.ForgetSource(third)
	counts(map[[32]byte]int{otherPeer: 3, third: 0}, "b4")
	h.Chain.ForgetSource(otherPeer)
	counts(map[[32]byte]int{otherPeer: 0, third: 0}, "b1")
}
