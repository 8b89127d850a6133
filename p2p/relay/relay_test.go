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
	}
	for p, st := range tr.peers {
		if st.announced != announced[p] || st.asked != asked[p] || st.announced > 30 || st.asked > 5 {
			t.Fatalf("seed %d: peer %d counts %+v, has %d and %d", seed, p, *st, announced[p], asked[p])
		}
	}
}
