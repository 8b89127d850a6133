package permission

import (
	"bytes"
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/permission/record"
)

var update = flag.Bool("update", false, "write the golden vectors anew")

// sample is a chain with something in every part of the state, and the delta
// of its last block.
func sample(t testing.TB) (*params.Params, *State, *Delta) {
	p := chainParams(append(three(t), member(t, "delta - delta=send,manage wpkh-d=receive"), member(t, "echo activate,mine echo=activate,mine"))...)
	w := newWorld(t, p)
	w.h = 10
	signed := w.grant("delta", "mine", 20, 30)
	w.do("alpha beta", w.upgrade("x", 2000), w.grant("delta", "send", 0, forever))
	w.do("echo", w.grant("delta", "connect", 0, forever))
	w.do("alpha", signed, w.rename("delta", "d"))
	short := w.grant("gamma", "issue", 5000, forever)
	short.Lapse = uint32(w.h)
	w.do("alpha", short)
	s, _, err := w.s.Restart(w.h, w.certificate([]string{"alpha", "gamma"}, [2]string{"alpha", "alpha"}, [2]string{"beta", "beta"}))
	if err != nil {
		t.Fatal(err)
	}
	w.s = s
	w.h++
	w.do("alpha beta", w.revoke("delta", "send"), w.upgrade("x", 3000))
	w.do("gamma", signed)
	next, delta, err := w.try(w.spend("echo alpha beta", w.grant("delta", "receive", 0, forever), w.grant("echo", "mine", 0, forever), w.upgrade("y", 4000)),
		w.spend("delta", w.removeKey("delta", "wpkh-d")), w.spend("echo", w.create("foxtrot", "send")))
	if err != nil {
		t.Fatal(err)
	}
	return p, next, delta
}

// golden compares bytes with the lines of testdata/codec.txt.
func golden(t *testing.T, got map[string][]byte) {
	t.Helper()
	path := filepath.Join("testdata", "codec.txt")
	if *update {
		var b strings.Builder
		for _, name := range []string{"state", "delta"} {
			b.WriteString(name + " " + hex.EncodeToString(got[name]) + "\n")
		}
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(file)) {
		name, want, _ := strings.Cut(strings.TrimSpace(line), " ")
		if hex.EncodeToString(got[name]) != want {
			t.Errorf("%s is encoded otherwise than before", name)
		}
	}
}

func TestGolden(t *testing.T) {
	_, s, d := sample(t)
	golden(t, map[string][]byte{"state": s.Encode(), "delta": d.Encode()})
}

// Everything cut short, longer or changed is refused or another state.
func TestDecodeRefuses(t *testing.T) {
	p, s, d := sample(t)
	for name, c := range map[string]struct {
		data   []byte
		decode func([]byte) ([]byte, error)
	}{
		"state": {s.Encode(), func(b []byte) ([]byte, error) {
			s, err := Decode(p, b)
			if err != nil {
				return nil, err
			}
			return s.Encode(), nil
		}},
		"delta": {d.Encode(), func(b []byte) ([]byte, error) {
			d, err := DecodeDelta(b)
			if err != nil {
				return nil, err
			}
			return d.Encode(), nil
		}},
	} {
		for i := range c.data {
			if _, err := c.decode(c.data[:i]); err == nil {
				t.Fatalf("%s: %d of %d bytes were taken", name, i, len(c.data))
			}
			for _, flip := range []byte{1, 0x80}[i%2 : i%2+1] {
				b := bytes.Clone(c.data)
				b[i] ^= flip
				if again, err := c.decode(b); err == nil && !bytes.Equal(again, b) {
					t.Fatalf("%s: byte %d changed has another encoding", name, i)
				}
			}
		}
		if _, err := c.decode(append(bytes.Clone(c.data), 0)); err == nil {
			t.Errorf("%s: trailing bytes were taken", name)
		}
	}
}

// Rows that contradict each other are refused.
func TestDecodeConsistency(t *testing.T) {
	p := chainParams(three(t)...)
	for name, change := range map[string]func(s *State){
		"two names":      func(s *State) { s.byName("beta").Name = "alpha" },
		"two identities": func(s *State) { s.byName("beta").Keys = s.byName("alpha").Keys },
		"key order":      func(s *State) { k := s.byName("beta").Keys[0]; s.byName("beta").Keys = []Key{k, k} },
		"roles":          func(s *State) { s.byName("beta").Keys[0].Roles = 0 },
		"unknown roles":  func(s *State) { s.byName("beta").Keys[0].Roles = 1 << 9 },
		"odd identity":   func(s *State) { s.byName("beta").Keys[0].Identity = make([]byte, 34) },
		"empty range":    func(s *State) { s.byName("beta").Keys[0].Range = record.Range{From: 5, Until: 5} },
		"period":         func(s *State) { s.byName("beta").MineSince = forever },
		"name":           func(s *State) { s.byName("beta").Name = "Beta" },
		"many keys": func(s *State) {
			m := s.byName("beta")
			for i := range MaxKeys {
				m.Keys = append(m.Keys, Key{identity("wpkh-" + string(rune('a'+i))), record.Send, record.Range{Until: 1}})
			}
			slices.SortFunc(m.Keys, compareKeys)
		},
		"lone": func(s *State) { s.setLone(s.byName("beta").ID, []uint32{2, 1}) },
		"many lone": func(s *State) {
			s.setLone(s.byName("beta").ID, make([]uint32, LoneDecisions+1))
		},
		"upgrade":  func(s *State) { s.upgrades = []Scheduled{{"x", 0}} },
		"upgrades": func(s *State) { s.upgrades = []Scheduled{{"x", 1}, {"x", 2}} },
		"ready as vote": func(s *State) {
			s.setVote(voteKey{1}, &vote{rec: record.Ready{Key: xonly("alpha")}, done: true})
		},
		"voters": func(s *State) {
			s.setVote(voteKey{1}, &vote{rec: record.Upgrade{Deployment: "x"}, voters: []Voter{{}, {}}})
		},
	} {
		s := Genesis(p)
		change(s)
		if _, err := Decode(p, s.Encode()); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	huge := append([]byte{1, 0, 0, 0, 0}, 0xff, 0xff, 0xff, 0xff)
	if _, err := Decode(p, huge); err == nil || !strings.Contains(err.Error(), "not enough for 4294967295 members") {
		t.Errorf("%v", err)
	}
	if _, err := Decode(p, []byte{2}); err == nil || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("%v", err)
	}
}

// byName returns the row itself, to be damaged.
func (s *State) byName(name string) *Member {
	m, _ := s.ByName(name)
	return s.member(m.ID)
}

func FuzzDecode(f *testing.F) {
	p, s, _ := sample(f)
	f.Add(s.Encode())
	f.Add(Genesis(p).Encode())
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Decode(p, b)
		if err != nil {
			return
		}
		if !bytes.Equal(s.Encode(), b) {
			t.Fatal("decode and encode is no identity")
		}
		for h := range int32(3) { // nothing in it may panic
			s.Miners(h)
			s.Administrators(h)
			s.Pending(h)
			s.Required(h)
		}
	})
}

func FuzzDecodeDelta(f *testing.F) {
	p, s, d := sample(f)
	f.Add(d.Encode())
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := DecodeDelta(b)
		if err != nil {
			return
		}
		if !bytes.Equal(d.Encode(), b) {
			t.Fatal("decode and encode is no identity")
		}
		s.Undo(d).Encode() // whatever comes out, without a panic
		Genesis(p).Redo(d).Hash()
	})
}
