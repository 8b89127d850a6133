package relay

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
)

func id(i int) chainhash.Hash {
	var h chainhash.Hash
	binary.BigEndian.PutUint64(h[:], uint64(i))
	return h
}

func TestKnownForgetsTheOldest(t *testing.T) {
	k := NewKnown(10)
	for i := range 1000 {
		if !k.Add(id(i)) {
			t.Fatalf("%d was there", i)
		}
		if k.Add(id(i)) {
			t.Fatalf("%d was not there", i)
		}
		for j := max(0, i-9); j <= i; j++ {
			if !k.Has(id(j)) {
				t.Fatalf("after %d: %d is forgotten", i, j)
			}
		}
		if k.Len() > 20 {
			t.Fatalf("holds %d", k.Len())
		}
	}
	k.Clear()
	if k.Len() != 0 || k.Has(id(999)) {
		t.Error("not cleared")
	}
}

func TestOutbox(t *testing.T) {
	known := NewKnown(100)
	known.Add(id(2))
	o := NewOutbox(3, known)
	for i := range 4 {
		if o.Add(id(i)) {
			t.Errorf("%d: dropped one too early", i)
		}
		o.Add(id(i)) // twice is once
	}
	if !o.Add(id(4)) {
		t.Error("dropped nothing beyond the bound")
	}
	if got := o.Take(2); !slices.Equal(got, []chainhash.Hash{id(1), id(3)}) {
		t.Errorf("took %v", got)
	}
	if got := o.Take(2); !slices.Equal(got, []chainhash.Hash{id(4)}) || o.Len() != 0 {
		t.Errorf("took %v, %d left", got, o.Len())
	}
	if o.Add(id(1)); o.Len() != 0 {
		t.Error("announced twice")
	}
}

var start = time.Unix(1_700_000_000, 0)

func (t *Tracker) assign(now time.Time) map[int64][]chainhash.Hash {
	rs, _ := t.Assign(now, 1000)
	out := make(map[int64][]chainhash.Hash)
	for _, r := range rs {
		out[r.Peer] = r.WTxIDs
	}
	return out
}

func TestTrackerAsksOneAfterTheOther(t *testing.T) {
	tr := NewTracker(TrackerConfig{})
	for p := range int64(3) {
		tr.Announced(p+1, id(7))
		tr.Announced(p+1, id(7))
	}
	if got := tr.assign(start); len(got) != 1 || len(got[1]) != 1 {
		t.Fatalf("first %v", got)
	}
	if rs, late := tr.Assign(start.Add(5*time.Second-1), 10); rs != nil || late != nil {
		t.Fatalf("too early: %v %v", rs, late)
	}
	rs, late := tr.Assign(start.Add(5*time.Second), 10)
	if len(rs) != 1 || rs[0].Peer != 2 || !slices.Equal(late, []int64{1}) {
		t.Fatalf("then %v, late %v", rs, late)
	}
	if tr.NotFound(1, id(7)) || !tr.NotFound(2, id(7)) {
		t.Error("not found by whom?")
	}
	if got := tr.assign(start.Add(5 * time.Second)); len(got[3]) != 1 {
		t.Fatalf("last %v", got)
	}
	if tr.UnderWay() != 1 {
		t.Errorf("under way %d", tr.UnderWay())
	}
	if tr.Received(1, id(7)) {
		t.Error("a late transaction counts as asked for")
	}
	if tr.Len() != 0 || tr.UnderWay() != 0 {
		t.Errorf("%d left, %d under way", tr.Len(), tr.UnderWay())
	}
}

func TestTrackerBounds(t *testing.T) {
	tr := NewTracker(TrackerConfig{MaxAnnounced: 10, MaxAsked: 3, MaxPeers: 2})
	for i := range 10 {
		if !tr.Announced(1, id(i)) {
			t.Errorf("%d refused", i)
		}
	}
	if tr.Announced(1, id(10)) {
		t.Error("one peer may announce too much")
	}
	if !tr.Announced(2, id(0)) || tr.Announced(3, id(0)) {
		t.Error("bound of peers per transaction")
	}
	if got := tr.assign(start); len(got[1]) != 3 {
		t.Errorf("asked %d of one peer", len(got[1]))
	}
	if rs, _ := tr.Assign(start, 0); rs != nil {
		t.Errorf("no room, yet %v", rs)
	}
	tr.RemovePeer(1)
	if got := tr.assign(start); tr.Len() != 1 || len(got[2]) != 1 {
		t.Errorf("%d left, asked %v", tr.Len(), got)
	}
	tr.RemovePeer(2)
	tr.RemovePeer(2)
	if tr.Len() != 0 {
		t.Errorf("%d left", tr.Len())
	}
}

// Peers that announce much and send nothing do not keep others from being
// asked: within a few time-outs they are asked for one at a time.
func TestTrackerSilentPeers(t *testing.T) {
	const most = 1000 // requests under way
	tr := NewTracker(TrackerConfig{})
	for p := range int64(20) {
		for i := range 4000 {
			tr.Announced(1+p, id(int(p)*4000+i))
		}
	}
	tr.Assign(start, most)
	if tr.UnderWay() != most {
		t.Fatalf("%d under way, want %d", tr.UnderWay(), most)
	}
	tr.Announced(99, id(1_000_000))
	now := start.Add(5 * time.Second)
	rs, _ := tr.Assign(now, most)
	if !slices.ContainsFunc(rs, func(r Request) bool { return r.Peer == 99 }) {
		t.Error("the peer that announces little waits for those that never send")
	}
	for range 8 {
		now = now.Add(5 * time.Second)
		tr.Assign(now, most-tr.UnderWay())
	}
	if got := tr.UnderWay(); got != 20 {
		t.Errorf("%d are asked of 20 silent peers, want one of each", got)
	}
	for p := range int64(20) {
		for h, it := range tr.items { // one delivers all it is asked for
			if it.peer == 1+p && p == 0 {
				tr.Received(1, h)
			}
		}
	}
	rs, _ = tr.Assign(now, most-tr.UnderWay())
	if len(rs) != 1 || rs[0].Peer != 1 || len(rs[0].WTxIDs) != 2 {
		t.Errorf("asked %v of the peer that delivered one, want two", rs)
	}
}

// Transactions that keep being announced and not found do not keep other
// requests from timing out.
func TestTrackerNotFoundAgainAndAgain(t *testing.T) {
	tr := NewTracker(TrackerConfig{})
	tr.Announced(1, id(0))
	tr.Announced(1, id(1))
	tr.Assign(start, 10)
	tr.Announced(2, id(2))
	now := start
	for i := range 20 {
		now = now.Add(time.Second)
		tr.NotFound(1, id(i%2))
		tr.Announced(1, id(i%2))
		_, late := tr.Assign(now, 10)
		if len(late) > 0 {
			if at := now.Sub(start); at != 6*time.Second || !slices.Equal(late, []int64{2}) {
				t.Errorf("%v late after %s, want [2] after 6s", late, at)
			}
			return
		}
	}
	t.Error("a request never timed out")
}

// What others deliver leaves nothing behind with a peer that is not asked.
func TestTrackerForgetsWhatOthersDeliver(t *testing.T) {
	tr := NewTracker(TrackerConfig{MaxAnnounced: 10, MaxAsked: 1})
	tr.Announced(1, id(-1)) // never sent
	tr.Assign(start, 1)
	for i := range 10_000 {
		tr.Announced(1, id(i))
		tr.Announced(2, id(i))
		tr.Assign(start, 1)
		if !tr.Received(2, id(i)) {
			t.Fatalf("%d was not asked of the peer that delivers", i)
		}
		if n := len(tr.peers[1].todo); n > 20 {
			t.Fatalf("%d are left with the silent peer", n)
		}
	}
}

// Whatever happens, the counts stay those of the items, and everything that
// some peer delivers when asked arrives or is forgotten in the end.
func TestTrackerRandom(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 0))
		tr := NewTracker(TrackerConfig{MaxAnnounced: 30, MaxAsked: 5, MaxPeers: 3})
		now := start
		for range 3000 {
			now = now.Add(time.Duration(rng.IntN(500)) * time.Millisecond)
			p, h := 1+rng.Int64N(6), id(rng.IntN(40))
			switch rng.IntN(10) {
			case 0, 1, 2, 3, 4:
				tr.Announced(p, h)
			case 5, 6:
				tr.Assign(now, rng.IntN(20))
			case 7:
				tr.Received(p, h)
			case 8:
				tr.NotFound(p, h)
			case 9:
				if rng.IntN(5) == 0 {
					tr.RemovePeer(p)
				}
			}
			check(t, seed, tr)
		}
		for range 50 {
			now = now.Add(5 * time.Second)
			tr.Assign(now, 1000)
		}
		if tr.Len() != 0 || tr.UnderWay() != 0 {
			t.Fatalf("seed %d: %d never end", seed, tr.Len())
		}
	}
}

func check(t *testing.T, seed uint64, tr *Tracker) {
	t.Helper()
	announced, asked := make(map[int64]int), make(map[int64]int)
	for h, it := range tr.items {
		for _, p := range it.announcers {
			announced[p]++
		}
		if it.peer != 0 {
			announced[it.peer]++
			asked[it.peer]++
		}
		if it.peer == 0 && len(it.announcers) == 0 {
			t.Fatalf("seed %d: %s belongs to nobody", seed, h)
		}
		for _, p := range it.announcers {
			if it.peer == 0 && !slices.Contains(tr.peers[p].todo, h) {
				t.Fatalf("seed %d: %s will never be asked of peer %d", seed, h, p)
			}
		}
	}
	for p, st := range tr.peers {
		if st.announced != announced[p] || st.asked != asked[p] || st.announced > 30 || st.asked > 5 {
			t.Fatalf("seed %d: peer %d counts %+v, has %d and %d", seed, p, *st, announced[p], asked[p])
		}
	}
}
