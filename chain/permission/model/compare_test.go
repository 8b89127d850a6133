package model_test

import (
	"cmp"
	"slices"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/permission"
	"github.com/charterchain/charter/chain/permission/model"
	"github.com/charterchain/charter/chain/permission/record"
)

// rare are rules that few sequences come across: bounds.
var rare = []consensus.Rule{
	permission.RuleTooManyMembers, permission.RuleTooManyMining, permission.RuleTooManyAdmins, permission.RuleTooManyKeys,
	permission.RuleTooManyOpen, permission.RuleTooManyLone,
}

// compare checks that both say the same about everything.
func (r *run) compare() {
	s, m, h := r.at.s, r.at.m, r.at.h
	if s.Count() != len(m.Members) || s.RestartHeight() != m.Restart {
		r.fatalf("members %d, want %d; restart %d, want %d", s.Count(), len(m.Members), s.RestartHeight(), m.Restart)
	}
	for mb := range s.Members() {
		r.compareMember(mb, m.Members[mb.ID])
	}
	for _, h := range []int32{h, h + 1, h + pick(r.rng, int32(2), 3, 5, 8, 13, 5000)} {
		r.comparePeople(h)
	}
	r.compareVotes()
	want := make(map[string]uint32)
	for _, u := range s.Upgrades() {
		want[u.Deployment] = u.Height
	}
	if len(want) != len(m.Upgrades) {
		r.fatalf("upgrades %v, want %v", want, m.Upgrades)
	}
	for name, at := range m.Upgrades {
		if want[name] != at {
			r.fatalf("upgrades %v, want %v", want, m.Upgrades)
		}
	}
}

func (r *run) compareMember(got permission.Member, want *model.Member) {
	if want == nil || got.Name != want.Name {
		r.fatalf("member %s (%s), the model has %+v", got.ID, got.Name, want)
	}
	for perm := range record.Permissions.Each() {
		if got.Range(perm) != want.Perms[perm] {
			r.fatalf("%s has %s %v, want %v", got.Name, perm, got.Range(perm), want.Perms[perm])
		}
	}
	if len(got.Keys) != len(want.Keys) {
		r.fatalf("%s has %d keys, want %d", got.Name, len(got.Keys), len(want.Keys))
	}
	for _, k := range got.Keys {
		if w, ok := want.Keys[string(k.Identity)]; !ok || w.Roles != k.Roles || w.Range != k.Range {
			r.fatalf("%s has the key %+v, want %+v", got.Name, k, w)
		}
	}
	if byName, ok := r.at.s.ByName(got.Name); !ok || byName.ID != got.ID {
		r.fatalf("%s is not found by its name", got.Name)
	}
	h := r.at.h
	since, ok := r.at.s.ReadySince(got.ID, h)
	if wantSince, wantOK := r.at.m.ReadySince(got.ID, h); since != wantSince && ok || ok != wantOK {
		r.fatalf("%s: ready since %d %v, want %d %v", got.Name, since, ok, wantSince, wantOK)
	}
	if n, want := r.at.s.LoneLeft(got.ID, h), r.at.m.LoneLeft(got.ID, h); n != want {
		r.fatalf("%s has %d decisions left, want %d", got.Name, n, want)
	}
	for _, h := range []int32{h, h + 2, h + 9} {
		for perm := range record.Permissions.Each() {
			if got.Holds(perm, h) != want.Holds(perm, h) {
				r.fatalf("%s holds %s at %d: %v, want %v", got.Name, perm, h, got.Holds(perm, h), want.Holds(perm, h))
			}
		}
	}
}

// comparePeople compares who may do what at h.
func (r *run) comparePeople(h int32) {
	s, m := r.at.s, r.at.m
	for what, lists := range map[string][2][]record.MemberID{
		"administrators": {s.Administrators(h), m.Administrators(h)},
		"activators":     {s.Activators(h), m.Activators(h)},
		"miners":         {s.Miners(h), m.Miners(h)},
	} {
		if !slices.Equal(lists[0], lists[1]) {
			r.fatalf("%s at %d are %v, want %v", what, h, lists[0], lists[1])
		}
	}
	if s.Required(h) != m.Required(h) || min(h, s.LookBack(h)) != min(h, m.LookBack(h)) || s.NeedRestart(h) != m.NeedRestart(h) {
		r.fatalf("at %d: w %d, want %d; look back to %d, want %d; restart %d, want %d", h,
			s.Required(h), m.Required(h), s.LookBack(h), m.LookBack(h), s.NeedRestart(h), m.NeedRestart(h))
	}
	for perm := range record.Roles.Each() {
		if s.Need(perm, h) != m.Need(perm, h) || s.Restricts(perm) != m.Restricted(perm) {
			r.fatalf("need(%s) at %d is %d, want %d", perm, h, s.Need(perm, h), m.Need(perm, h))
		}
	}
	changes := false
	for _, name := range identityNames {
		id := script(name)
		for perm := range record.Roles.Each() {
			want := m.May(string(id), perm, h)
			if s.May(id, perm, h) != want {
				r.fatalf("%s may %s at %d: %v, want %v", name, perm, h, !want, want)
			}
			changes = changes || h > r.at.h && m.May(string(id), perm, h-1) != want
		}
		if name[0] == 'k' {
			r.compareSealer(id, h)
		}
	}
	changes = changes || h > r.at.h && !slices.Equal(m.Miners(h-1), m.Miners(h))
	if changes && !s.ChangesAt(h) {
		r.fatalf("something changes at %d", h)
	}
}

func (r *run) compareSealer(identity []byte, h int32) {
	id, err := r.at.s.CheckSealer([32]byte(identity[2:]), h)
	want, broken := r.at.m.Sealer(string(identity), h)
	rule := consensus.AsRule(err)
	switch {
	case rule == nil && broken == nil && id == want:
	case rule == nil || !slices.Contains(broken, rule.Rule):
		r.fatalf("sealer %x at %d is %s (%v), want %s %v", identity, h, id, err, want, broken)
	default:
		r.c.count(func() { r.c.rules[rule.Rule]++ })
	}
}

func (r *run) compareVotes() {
	h, n := r.at.h, 0
	for _, v := range r.at.m.Votes {
		if lapse, _ := record.Lapse(v.Record); lapse >= uint32(h) {
			n++
		}
	}
	votes := r.at.s.Pending(h)
	if len(votes) != n {
		r.fatalf("%d votes, want %d", len(votes), n)
	}
	for _, got := range votes {
		want := r.at.m.Votes[got.ID]
		if want == nil || got.Done != want.Done || got.Opener != want.Opener || len(got.Voters) != len(want.Voters) {
			r.fatalf("vote %s: %v %x %v, want %+v", short(got.Record), got.Done, got.Opener, got.Voters, want)
		}
		for _, voter := range got.Voters {
			if !want.Voters[model.Voter{Member: voter.Member, Identity: string(record.KeyScript(voter.Key))}] {
				r.fatalf("vote %s: %v %x %v, want %+v", short(got.Record), got.Done, got.Opener, got.Voters, want)
			}
		}
		if !got.Done && (got.Have != r.at.m.Have(want, h) || got.Need != r.at.m.NeedFor(got.Record, h)) {
			r.fatalf("vote %s: %d of %d, want %d of %d", short(got.Record), got.Have, got.Need, r.at.m.Have(want, h), r.at.m.NeedFor(got.Record, h))
		}
	}
	if !slices.IsSortedFunc(votes, func(a, b permission.Vote) int {
		return cmp.Or(cmp.Compare(a.Lapse, b.Lapse), slices.Compare(a.ID[:], b.ID[:]))
	}) {
		r.fatalf("votes are out of order")
	}
}
