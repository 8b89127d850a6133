package blocksync

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/google/go-cmp/cmp"
)

func blocks(tag string, from, to int32) []Block {
	var out []Block
	for h := from; h <= to; h++ {
		out = append(out, Block{chainhash.HashH(fmt.Append(nil, tag, h)), h})
	}
	return out
}

func none(Block) bool { return false }

var start = time.Unix(1_700_000_000, 0)

// heights shows requests as a map from peer to heights.
func heights(rs []Request) map[int64][]int32 {
	out := make(map[int64][]int32)
	for _, r := range rs {
		for _, b := range r.Blocks {
			out[r.Peer] = append(out[r.Peer], b.Height)
		}
	}
	return out
}

func want(t *testing.T, got []Request, want map[int64][]int32) {
	t.Helper()
	if diff := cmp.Diff(want, heights(got)); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestAssignSharesLowestFirst(t *testing.T) {
	s := New(Config{FirstShare: 2})
	s.SetPath(blocks("a", 5, 20), func(b Block) bool { return b.Height == 6 })
	s.SetPeer(1, 20)
	s.SetPeer(2, 7)
	s.SetPeer(3, -1)
	want(t, s.Assign(start, 100), map[int64][]int32{1: {5, 8}, 2: {7}})
	if s.Pending() != 15 || s.Asked() != 3 {
		t.Errorf("pending %d, asked %d", s.Pending(), s.Asked())
	}
	want(t, s.Assign(start, 100), map[int64][]int32{})
}

func TestAssignKeepsToRoom(t *testing.T) {
	for room, n := range map[int]int{-1: 0, 0: 0, 1: 1, 3: 3, 100: 4} {
		s := New(Config{})
		s.SetPath(blocks("a", 1, 50), none)
		s.SetPeer(1, 50)
		got := 0
		for _, r := range s.Assign(start, room) {
			got += len(r.Blocks)
		}
		if got != n {
			t.Errorf("room %d: %d blocks, want %d", room, got, n)
		}
	}
}

func TestShareFollowsPace(t *testing.T) {
	s := New(Config{})
	s.SetPath(blocks("a", 1, 1000), none)
	s.SetPeer(1, 1000)
	now := start
	deliver := func(every time.Duration, count int) {
		for range count {
			s.Assign(now, 1000)
			now = now.Add(every)
			lowest := s.InFlight(1)[0]
			if solicited, needed := s.Arrived(1, s.path[lowest-1].Hash, now); !solicited || !needed {
				t.Fatalf("block %d: solicited %v, needed %v", lowest, solicited, needed)
			}
		}
	}
	deliver(10*time.Millisecond, 300) // 200 in two seconds, the bound is 128
	if got := s.peers[1].share; got != 128 {
		t.Errorf("share of a fast peer %d", got)
	}
	deliver(500*time.Millisecond, 50)
	if got := s.peers[1].share; got != 4 {
		t.Errorf("share of a slow peer %d", got)
	}
	deliver(5*time.Second, 20)
	if got := s.peers[1].share; got != 1 {
		t.Errorf("share of a very slow peer %d", got)
	}
}

func TestStalledRequestMovesOn(t *testing.T) {
	s := New(Config{FirstShare: 4})
	s.SetPath(blocks("a", 1, 4), none)
	s.SetPeer(1, 4)
	want(t, s.Assign(start, 10), map[int64][]int32{1: {1, 2, 3, 4}})
	s.SetPeer(2, 4)
	late := start.Add(2*time.Second - 1)
	want(t, s.Assign(late, 10), map[int64][]int32{})
	late = late.Add(1)
	want(t, s.Assign(late, 0), map[int64][]int32{2: {1, 2, 3, 4}})
	if got := s.peers[1].share; got != 1 {
		t.Errorf("share of the peer that kept us waiting: %d", got)
	}
	// It is not asked again for what it owes, and each move waits longer.
	want(t, s.Assign(late.Add(time.Hour), 10), map[int64][]int32{})
	s.SetPeer(3, 4)
	want(t, s.Assign(late.Add(4*time.Second-1), 10), map[int64][]int32{})
	want(t, s.Assign(late.Add(4*time.Second), 10), map[int64][]int32{3: {1, 2, 3, 4}})
	// What comes late is taken, once.
	first := s.path[0].Hash
	if solicited, needed := s.Arrived(1, first, late); !solicited || !needed {
		t.Error("a late block is refused")
	}
	if solicited, needed := s.Arrived(2, first, late); !solicited || needed {
		t.Error("the second copy is needed, or was not asked for")
	}
	if solicited, _ := s.Arrived(2, first, late); solicited {
		t.Error("a third copy counts as asked for")
	}
}

func TestStalledPeersAreReported(t *testing.T) {
	s := New(Config{StallAfter: time.Minute})
	s.SetPath(blocks("a", 1, 9), none)
	s.SetPeer(1, 9)
	s.SetPeer(2, 9)
	s.Assign(start, 10)
	s.Arrived(2, s.path[s.InFlight(2)[0]-1].Hash, start.Add(30*time.Second))
	if got := s.Stalled(start.Add(time.Minute - 1)); got != nil {
		t.Errorf("too early: %v", got)
	}
	if got := s.Stalled(start.Add(time.Minute)); !slices.Equal(got, []int64{1}) {
		t.Errorf("stalled %v", got)
	}
	if got := s.Stalled(start.Add(90 * time.Second)); !slices.Equal(got, []int64{1, 2}) {
		t.Errorf("stalled %v", got)
	}
}

func TestNotFoundIsNotAskedAgainUntilAnnounced(t *testing.T) {
	s := New(Config{FirstShare: 2})
	path := blocks("a", 1, 3)
	s.SetPath(path, none)
	s.SetPeer(1, 3)
	want(t, s.Assign(start, 10), map[int64][]int32{1: {1, 2}})
	if !s.NotFound(1, path[1].Hash) || s.NotFound(1, path[2].Hash) {
		t.Error("what was asked and what was not are confused")
	}
	s.SetPeer(1, 3)
	want(t, s.Assign(start.Add(time.Hour), 10), map[int64][]int32{})
	s.Announced(1)
	want(t, s.Assign(start.Add(time.Hour), 10), map[int64][]int32{1: {2}})
}

func TestPathMovesAndChanges(t *testing.T) {
	s := New(Config{Window: 10, FirstShare: 3})
	a := blocks("a", 1, 30)
	s.SetPath(a, none)
	if _, last, _ := s.Span(); last.Height != 10 {
		t.Errorf("window ends at %d", last.Height)
	}
	s.SetPeer(1, 30)
	s.Assign(start, 10) // 1 to 3
	s.Arrived(1, a[0].Hash, start)
	if b, ok := s.Lead(); !ok || b.Height != 1 {
		t.Errorf("lead %v %v", b, ok)
	}
	s.Advance(1)
	s.Extend(a[10:], none)
	if first, last, _ := s.Span(); first.Height != 2 || last.Height != 11 {
		t.Errorf("path from %d to %d", first.Height, last.Height)
	}
	// A branch that forks after 2: what is known of 2 stays, the rest goes.
	other := append(a[1:2:2], blocks("b", 3, 8)...)
	s.SetPath(other, none)
	if got := s.InFlight(1); !slices.Equal(got, []int32{2}) {
		t.Errorf("in flight %v", got)
	}
	if solicited, needed := s.Arrived(1, a[2].Hash, start); !solicited || needed {
		t.Error("a block of the old branch is needed, or counts as not asked for")
	}
	s.Arrived(1, a[1].Hash, start)
	s.Retry(a[1].Hash, start.Add(time.Second))
	s.Advance(0)
	if _, again := heights(s.Assign(start, 1))[1], s.Asked(); again != 1 {
		t.Errorf("asked %d", again)
	}
	if got := s.InFlight(1); slices.Contains(got, 2) {
		t.Error("retried too early")
	}
	s.RemovePeer(1)
	if s.Asked() != 0 || s.Pending() != 7 {
		t.Errorf("asked %d, pending %d after the peer has gone", s.Asked(), s.Pending())
	}
}

// Whatever peers do, as long as one of them delivers all blocks arrive, no
// peer owes more than the bound, and nothing is needed twice.
func TestRandomPeers(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 0))
		s := New(Config{Window: 64, MaxShare: 16})
		all := blocks("a", 1, 500)
		s.SetPath(all, none)
		s.SetPeer(1, 500) // always delivers
		owed := make(map[int64][]Block)
		got := make(map[chainhash.Hash]bool)
		now := start
		for step := 0; len(got) < len(all); step++ {
			if step > 20000 {
				t.Fatalf("seed %d: stuck with %d blocks", seed, len(got))
			}
			now = now.Add(time.Duration(rng.IntN(300)) * time.Millisecond)
			for _, r := range s.Assign(now, rng.IntN(20)) {
				owed[r.Peer] = append(owed[r.Peer], r.Blocks...)
				if len(owed[r.Peer]) > 16 {
					t.Fatalf("seed %d: peer %d owes %d", seed, r.Peer, len(owed[r.Peer]))
				}
			}
			id := int64(1)
			switch rng.IntN(6) {
			case 0:
				s.SetPeer(2+rng.Int64N(4), int32(rng.IntN(501)))
				continue
			case 1:
				id = 2 + rng.Int64N(4)
				s.RemovePeer(id)
				owed[id] = nil
				continue
			case 2:
				id = 2 + rng.Int64N(4)
			}
			if len(owed[id]) == 0 {
				continue
			}
			b := owed[id][0]
			owed[id] = owed[id][1:]
			if id > 1 && rng.IntN(2) == 0 {
				s.NotFound(id, b.Hash)
				continue
			}
			if _, needed := s.Arrived(id, b.Hash, now); needed {
				if got[b.Hash] {
					t.Fatalf("seed %d: block %d is needed twice", seed, b.Height)
				}
				got[b.Hash] = true
			}
			for {
				lead, ok := s.Lead()
				if !ok {
					break
				}
				s.Advance(lead.Height)
			}
			if _, last, ok := s.Span(); ok {
				s.Extend(all[last.Height:], none)
			} else {
				s.SetPath(all[len(got):], none)
			}
		}
	}
}

func BenchmarkAssign(b *testing.B) {
	path := blocks("a", 1, 1024)
	for b.Loop() {
		s := New(Config{})
		s.SetPath(path, none)
		for id := range int64(8) {
			s.SetPeer(id, 1024)
		}
		now := start
		for s.Pending() > 0 {
			for _, r := range s.Assign(now, 1024) {
				for _, blk := range r.Blocks {
					s.Arrived(r.Peer, blk.Hash, now)
				}
			}
			now = now.Add(time.Millisecond)
		}
	}
}

// A peer is relied on once it delivers, until it is late or lacks what it
// claimed.
func TestStanding(t *testing.T) {
	s := New(Config{LateAfter: 10 * time.Second})
	now := time.Unix(1_700_000_000, 0)
	blocks := make([]Block, 8)
	for i := range blocks {
		blocks[i] = Block{Hash: chainhash.Hash{byte(i), 1}, Height: int32(i)}
	}
	want := func(what string, standing Standing) {
		t.Helper()
		if got := s.Standing(1, now); got != standing {
			t.Errorf("%s: standing %d, want %d", what, got, standing)
		}
	}
	want("not known", Fresh)
	s.SetPeer(1, 7)
	s.SetPath(blocks, func(Block) bool { return false })
	now = now.Add(time.Hour)
	want("owes nothing", Fresh)
	s.Assign(now, 2)
	now = now.Add(10*time.Second - 1)
	want("almost late", Fresh)
	now = now.Add(1)
	want("late", Late)
	s.Arrived(1, blocks[0].Hash, now)
	want("delivers after all", Proven)
	s.NotFound(1, blocks[1].Hash)
	want("lacks one", Late)
	s.Announced(1)
	want("announces", Fresh)
}
