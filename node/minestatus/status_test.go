package minestatus

import (
	"strings"
	"testing"
	"time"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/permission"
	"github.com/charterchain/charter/chain/permission/record"
)

func consortium(names ...string) *chaintest.Consortium {
	var members []chaintest.Genesis
	for _, name := range names {
		members = append(members, chaintest.Genesis{Name: name, Permissions: "admin"})
	}
	return chaintest.NewConsortium(chaintest.ConsortiumOptions{Members: members, SettleDepth: 20, SetupBlocks: 5})
}

// viewOf is of a chain at height 100 whose tip is now, and on which nobody
// was seen.
func viewOf(net *chaintest.Consortium) *View {
	at := time.Unix(1_800_000_000, 0)
	return &View{
		State: permission.Genesis(net.Params), Height: 100, Time: at, Now: at, Spacing: time.Minute,
		SetupBlocks: net.Params.Permissions.SetupBlocks, SettleDepth: net.Params.Policy.SettleDepth, RestartDelay: net.Params.Permissions.RestartDelay,
		Last: map[record.MemberID]Block{},
	}
}

func TestMayFail(t *testing.T) {
	net := consortium("a", "b", "c", "d", "e") // n = 5, w = 3
	tests := []struct {
		name     string
		seen     int // of the five
		mayFail  int
		isolated bool
		warning  string // "": none
	}{
		{"all", 5, 2, false, ""},
		{"one lost", 4, 1, false, "two more"},
		{"two lost", 3, 0, false, "one more"},
		{"too many lost", 2, 0, true, "stands still"},
		{"nobody", 0, 0, true, "missing: a, b, c, d, e"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			v := viewOf(net)
			for _, m := range net.Members[:test.seen] {
				v.Present = append(v.Present, m.SealKey())
			}
			s := Build(v)
			if s.Mining != 5 || s.Required != 3 || s.Seen != test.seen || s.MayFail != test.mayFail || s.Isolated != test.isolated {
				t.Errorf("%+v", s)
			}
			all := strings.Join(s.Warnings, "\n")
			if (test.warning == "") != (all == "") || !strings.Contains(all, test.warning) {
				t.Errorf("warnings %q, want %q", all, test.warning)
			}
		})
	}
}

// A small chain that never could lose anybody has nothing to warn of.
func TestSmallChain(t *testing.T) {
	for _, names := range [][]string{{"a"}, {"a", "b"}, {"a", "b", "c"}} {
		net := consortium(names...)
		v := viewOf(net)
		for _, m := range net.Members {
			v.Present = append(v.Present, m.SealKey())
		}
		if s := Build(v); len(s.Warnings) != 0 || s.MayFail != len(names)-s.Required {
			t.Errorf("%d members: %+v", len(names), s)
		}
	}
}

// Who is this node's, or made a block lately, needs no session to be seen.
func TestSeen(t *testing.T) {
	net := consortium("a", "b", "c", "d")
	v := viewOf(net)
	v.Own = net.Member("a").ID
	v.Last[net.Member("b").ID] = Block{Height: 98, Time: v.Now.Add(-Within(v.Spacing))}
	v.Last[net.Member("c").ID] = Block{Height: 97, Time: v.Now.Add(-Within(v.Spacing) - 1)}
	s := Build(v)
	var seen []bool
	for _, m := range s.Members {
		seen = append(seen, m.Seen)
	}
	if len(seen) != 4 || !seen[0] || !seen[1] || seen[2] || seen[3] || !s.Members[0].Own || s.Members[2].Last.Height != 97 || s.Members[3].Last != nil {
		t.Errorf("members: %+v", s.Members)
	}
}

func TestSettled(t *testing.T) {
	v := viewOf(consortium("a", "b", "c"))
	for _, test := range []struct{ height, depth, want int32 }{{100, 20, 80}, {100, 1, 96}, {100, 99, 5}, {3, 20, 3}, {0, 20, 0}} {
		v.Height, v.SettleDepth = test.height, test.depth
		if s := Build(v); s.Settled != test.want || s.SafeConfirmations != 2 {
			t.Errorf("height %d, depth %d: settled up to %d, want %d", test.height, test.depth, s.Settled, test.want)
		}
	}
}

func TestDoublesAndRestart(t *testing.T) {
	net := consortium("a", "b", "c")
	v := viewOf(net)
	v.Own = net.Member("a").ID
	v.Present = [][32]byte{net.Member("b").SealKey(), net.Member("c").SealKey()}
	v.Doubles = []chain.DoubleSeal{{Member: net.Member("b").ID, Height: 77}}
	s := Build(v)
	if len(s.Warnings) != 1 || !strings.Contains(s.Warnings[0], "b sealed two blocks on one parent at height 77") {
		t.Errorf("warnings: %q", s.Warnings)
	}
	if s.Restart.Need != 2 || len(s.Restart.Administrators) != 3 || !s.Restart.From.Equal(v.Time.Add(net.Params.Permissions.RestartDelay)) {
		t.Errorf("restart: %+v", s.Restart)
	}
}

// Of a real chain: members in turn, one of them not active yet.
func TestRead(t *testing.T) {
	net := consortium("a", "b", "c")
	h := chaintest.New(t, chaintest.Options{Consortium: net})
	a, d := net.Member("a"), chaintest.NewMember("d")
	h.Next("b1", net.Vote([]*chaintest.Member{a}, net.Create(d, chaintest.EveryRole))).Accept()
	for _, name := range []string{"b2", "b3", "b4", "b5", "b6"} {
		h.Next(name).Accept()
	}
	h.Next("b7", net.Vote([]*chaintest.Member{a, net.Member("b")}, net.Grant(d, record.Mine))).Accept()
	v, ok := Read(h.Chain, Options{Now: h.Block("b7").Header.Timestamp})
	if !ok {
		t.Fatal("Read: mining is not restricted")
	}
	s := Build(&v)
	if s.Height != 7 || s.Mining != 3 || s.Seen != 3 || len(s.Members) != 4 || s.Members[3].Active || s.Members[3].Name != "d" {
		t.Errorf("%+v", s)
	}
	if last := s.Members[0].Last; last == nil || last.Height < 4 {
		t.Errorf("the last block of a: %+v", last)
	}
	open := chaintest.New(t, chaintest.Options{})
	if _, ok := Read(open.Chain, Options{}); ok {
		t.Error("Read of a chain where everybody may mine")
	}
}
