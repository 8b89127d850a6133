package model_test

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/permission"
	"github.com/charterchain/charter/chain/permission/model"
	"github.com/charterchain/charter/chain/permission/record"
)

const everyRole = "admin,manage,mine,connect,send,receive"

// foundings are the members that sequences begin with.
var foundings = [][]string{
	{"m0 admin k0=" + everyRole, "m1 admin k1=" + everyRole, "m2 admin k2=" + everyRole, "m3 activate k3=activate,manage,mine", "m4 mine,send k4=mine,manage,send"},
	{"m0 admin k0=admin k4=mine,manage w0=send", "m1 admin,mine k1=admin,mine k5=admin", "m2 send k2=mine,send", "m3 - k3=mine"},
	{"m0 admin,mine k0=admin,mine", "m1 admin,mine k1=admin,mine,activate", "m2 admin k2=admin,mine", "m3 admin k3=admin,activate", "m4 mine k4=mine,manage"},
	{"m0 admin k0=" + everyRole},
	{"m0 admin k0=" + everyRole + ",activate", "m1 mine k1=mine,manage", "m2 activate k2=activate", "m3 mine,activate k3=mine,activate,manage", "m4 - w1=send,receive"},
}

var shares = []uint32{1, 333_333, 500_000, 500_001, 666_667, 1_000_000}

// founding is what members a sequence begins with; few of them have so many
// that bounds are near.
func founding(seed uint64) (list []string) {
	list = slices.Clone(foundings[seed%uint64(len(foundings))])
	switch {
	case seed%2501 == 2500:
		for i := len(list); i < permission.MaxMembers-int(seed%2); i++ {
			list = append(list, fmt.Sprintf("x%d - wx%d=send", i, i))
		}
	case seed%249 == 248:
		roles := "admin"
		if seed%2 == 0 {
			roles = "admin,mine"
		}
		list = append(list, "m5 - k6=admin,mine", "m6 - k7=admin,mine", "m7 - k8=admin,mine")
		for i := 4; i < permission.MaxMining; i++ {
			list = append(list, fmt.Sprintf("x%d admin kx%d=%s", i, i, roles))
		}
	case seed%49 == 48:
		for i := range permission.MaxKeys - 3 {
			list[0] += fmt.Sprintf(" wx%d=send", i)
		}
	}
	return list
}

// chainParams is a chain file of one in many.
func chainParams(seed uint64, rng *rand.Rand) *params.Params {
	p := &params.Params{GenesisHash: genesisHash}
	for _, line := range founding(seed) {
		p.Genesis.Members = append(p.Genesis.Members, member(line))
	}
	restricted := record.Permissions
	switch rng.IntN(6) {
	case 0:
		restricted &^= record.Mine
	case 1:
		restricted &^= record.Send | record.Receive
	case 2:
		restricted &^= record.Send | record.Connect
	case 3:
		restricted &^= record.Receive
	}
	p.Permissions = params.Permissions{
		Enabled: true, Restricted: toParams(restricted), SetupBlocks: []int32{0, 0, 5, 20}[rng.IntN(4)],
		MiningDiversity: 500_001, Consensus: map[params.Permission]uint32{},
	}
	if rng.IntN(3) == 0 {
		p.Permissions.MiningDiversity = shares[rng.IntN(len(shares))]
	}
	if len(p.Genesis.Members) > 100 {
		p.Permissions.SetupBlocks = 1000 // else nothing would ever be decided
	}
	for perm := range record.Permissions.Each() {
		if rng.IntN(3) == 0 && perm&(record.Connect|record.Send|record.Receive) != 0 {
			continue // as where the file says nothing
		}
		p.Permissions.Consensus[perm.Perm()] = shares[rng.IntN(len(shares))]
	}
	for _, perm := range []params.Permission{params.PermAdmin, params.PermMine, params.PermKey} {
		p.Permissions.Consensus[perm] = shares[3+rng.IntN(3)]
	}
	return p
}

// mode is what a sequence is most about.
type mode int

const (
	mixed mode = iota
	alone      // activators decide
	spam       // few who vote open many records
	later      // much time passes
	modes
)

// source makes random blocks at height h on a state.
type source struct {
	rng  *rand.Rand
	mode mode
	m    *model.Model
	h    int32
}

func pick[T any](rng *rand.Rand, list ...T) T { return list[rng.IntN(len(list))] }

// one says yes once in n times.
func (s *source) one(n int) bool { return s.rng.IntN(n) == 0 }

func (s *source) identity() []byte { return script(pick(s.rng, identityNames...)) }

// memberID is most often that of a member, else of one that is not there.
func (s *source) memberID() record.MemberID {
	var list []record.MemberID
	for i := range 8 {
		for id, mb := range s.m.Members {
			if mb.Name == fmt.Sprint("m", i) {
				list = append(list, id)
			}
		}
	}
	if len(list) == 0 || s.one(12) {
		name := fmt.Sprint("m", s.rng.IntN(8))
		return record.NewMemberID(name, s.identity())
	}
	return pick(s.rng, list...)
}

// theirs is an identity of the member, now and then another one.
func (s *source) theirs(id record.MemberID) []byte {
	var list [][]byte
	if mb := s.m.Members[id]; mb != nil {
		for _, name := range identityNames {
			if _, ok := mb.Keys[string(script(name))]; ok {
				list = append(list, script(name))
			}
		}
	}
	if len(list) == 0 || s.one(8) {
		return s.identity()
	}
	return pick(s.rng, list...)
}

func (s *source) lapse() uint32 {
	h := uint32(s.h)
	switch s.rng.IntN(24) {
	case 0:
		return h - 1
	case 1:
		return h
	case 2:
		return h + 100_000
	case 3:
		return h + 100_001
	case 4, 5, 6, 7:
		return h + 1 + uint32(s.rng.IntN(12))
	}
	return 10_000
}

func (s *source) salt() [4]byte {
	if s.mode == alone || s.mode == spam {
		return [4]byte{byte(s.rng.IntN(256)), 1}
	}
	return [4]byte{byte(s.rng.IntN(2))}
}

// span is a range, most often one without end.
func (s *source) span() record.Range {
	h := uint32(s.h)
	from := pick(s.rng, 0, 0, 0, h-min(h, 2), h, h+1, h+2, h+5)
	if s.one(4) {
		return record.Range{From: from, Until: max(from+1, h+uint32(s.rng.IntN(12)))}
	}
	return record.Range{From: from, Until: forever}
}

// keySpan is a range for keys that sign: few, because signatures are slow.
func (s *source) keySpan() record.Range {
	switch s.rng.IntN(8) {
	case 0:
		return record.Range{Until: 10 + 10*uint32(s.rng.IntN(4))}
	case 1:
		return record.Range{From: 10 + 10*uint32(s.rng.IntN(4)), Until: forever}
	}
	return record.Range{Until: forever}
}

func (s *source) perms() record.Set {
	if len(s.m.Members) > 100 {
		return pick(s.rng, record.Admin, record.Mine, record.Mine|record.Admin)
	}
	list := pick(s.rng, "mine", "mine", "mine", "admin", "send", "connect,send", "receive", "mine,send", "activate", "issue", "admin,mine", "create,connect", "send,receive,activate")
	return set(list)
}

func (s *source) roles(identity []byte) record.Set {
	if identity[0] == 0 || s.one(2) {
		return set(pick(s.rng, "send", "receive", "send,receive"))
	}
	return set(pick(s.rng, everyRole, "admin", "mine", "admin,mine", "activate", "manage", "mine,manage", "issue"))
}

// record is something to vote for, or a declaration. forged says that its
// signature does not fit.
func (s *source) record() (r record.Record, forged bool) {
	if s.mode != spam && s.one(3) || s.one(8) {
		if r := s.pending(); r != nil {
			return r, false
		}
	}
	if s.one(2) {
		if r := s.ready(); r != nil {
			return r, false
		}
	}
	id := s.memberID()
	lapse, salt := s.lapse(), s.salt()
	if s.mode == spam && !s.one(4) {
		return record.Grant{Lapse: 10_000, Salt: salt, Member: id, Permissions: s.perms(), Range: s.span()}, false
	}
	if s.mode == alone && !s.one(4) {
		return record.Grant{Lapse: lapse, Salt: salt, Member: id, Permissions: set(pick(s.rng, "send", "receive", "connect,send")), Range: s.span()}, false
	}
	kind := s.rng.IntN(13)
	if len(s.m.Members) > 1000 {
		kind = pick(s.rng, 0, kind)
	}
	if s.mode == later && s.one(4) {
		kind = 12
	}
	switch kind {
	case 0, 1:
		name, identity := fmt.Sprint("m", s.rng.IntN(8)), s.identity()
		roles := s.roles(identity)
		sig := keySig(record.NewMemberID(name, identity), identity, roles, record.Range{Until: forever})
		return record.CreateMember{Lapse: lapse, Salt: salt, Name: name, Identity: identity, Roles: roles, Sig: sig}, false
	case 2:
		return record.RenameMember{Lapse: lapse, Salt: salt, Member: id, Name: fmt.Sprint("m", s.rng.IntN(8))}, false
	case 3, 4, 5, 6:
		return record.Grant{Lapse: lapse, Salt: salt, Member: id, Permissions: s.perms(), Range: s.span()}, false
	case 7:
		return record.Grant{Lapse: lapse, Salt: salt, Member: id, Permissions: s.perms()}, false
	case 8, 9:
		k, forged := s.key(id, s.identity())
		return k, forged
	case 10:
		k, forged := s.key(id, s.theirs(id))
		return record.ChangeKey(k), forged
	case 11:
		return record.RemoveKey{Lapse: lapse, Salt: salt, Member: id, Identity: s.theirs(id)}, false
	}
	return record.Upgrade{Lapse: lapse, Salt: salt, Deployment: pick(s.rng, "x", "y"), Height: uint32(s.h) + 999 + uint32(s.rng.IntN(6))}, false
}

// pending is a record that was voted for before.
func (s *source) pending() record.Record {
	var ids [][32]byte
	for id := range s.m.Votes {
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		return nil
	}
	least := ids[0]
	start := [1]byte{byte(s.rng.IntN(256))}
	for _, id := range ids {
		if (id[0]-start[0]) < (least[0]-start[0]) || id[0] == least[0] && string(id[:]) < string(least[:]) {
			least = id
		}
	}
	return s.m.Votes[least].Record
}

func (s *source) key(id record.MemberID, identity []byte) (k record.AddKey, forged bool) {
	k = record.AddKey{Lapse: s.lapse(), Salt: s.salt(), Member: id, Identity: identity, Roles: s.roles(identity), Range: s.span()}
	if !k.Roles.Any(record.NeedsKey) {
		return k, false
	}
	k.Range = s.keySpan()
	k.Sig = keySig(id, identity, k.Roles, k.Range)
	if s.one(16) {
		bad := *k.Sig
		bad[40] ^= 1
		k.Sig = &bad
		return k, true
	}
	return k, false
}

// ready is most often a declaration that a member has to make, nil where
// nobody has to.
func (s *source) ready() record.Record {
	var list []record.MemberID
	for i := range 8 {
		for id, mb := range s.m.Members {
			if _, ok := s.m.ReadySince(id, s.h); ok && mb.Name == fmt.Sprint("m", i) && s.mineKey(mb) != nil {
				list = append(list, id)
			}
		}
	}
	if len(list) == 0 {
		return nil
	}
	id := pick(s.rng, list...)
	if s.one(20) {
		id = s.memberID()
	}
	since, _ := s.m.ReadySince(id, s.h)
	if s.one(20) {
		since++
	}
	identity := script("k9")
	if k := s.mineKey(s.m.Members[id]); k != nil && !s.one(20) {
		identity = k
	}
	r := record.Ready{Member: id, Key: [32]byte(identity[2:]), Since: since}
	r.Sig = *signed(identity, record.ReadyMessage(genesisHash, id, r.Key, since))
	return r
}

// mineKey is a key with which the member could mine.
func (s *source) mineKey(mb *model.Member) []byte {
	if mb == nil {
		return nil
	}
	for _, name := range identityNames[:10] {
		if k := mb.Keys[string(script(name))]; k.Roles.Has(record.Mine) && k.In(s.h) {
			return script(name)
		}
	}
	return nil
}

// tx is a transaction with a few records by some speakers.
func (s *source) tx() *model.Tx {
	t := &model.Tx{}
	seen := make(map[string]bool)
	for range pick(s.rng, 1, 1, 1, 2, 2, 3) {
		in := model.Input{Script: s.speaker()}
		in.Speaks = in.Script[0] == 0x51 && !s.one(50)
		if !seen[string(in.Script)] {
			t.Inputs = append(t.Inputs, in)
		}
		seen[string(in.Script)] = true
	}
	n := pick(s.rng, 0, 1, 1, 1, 1, 1, 2, 2, 3)
	if s.mode == spam {
		n = pick(s.rng, 1, 4, 8)
	} else if s.one(200) {
		n = 9
	}
	for range n {
		r, forged := s.record()
		t.Records = append(t.Records, r)
		t.Forged = t.Forged || forged
		if k, _, ok := record.Key(r); ok && k.Roles.Any(record.Governing) && !s.one(24) {
			t.Outputs = append(t.Outputs, model.Output{Script: k.Identity})
		}
	}
	s.outputs(t)
	return t
}

// speaker is most often a key that votes, or, by the mode, decides alone.
func (s *source) speaker() []byte {
	role := record.Admin
	if s.mode == alone && !s.one(6) || s.one(12) {
		role = record.Activate
	} else if s.one(8) {
		role = record.Manage
	}
	var list [][]byte
	for _, name := range identityNames[:10] {
		for _, mb := range s.m.Members {
			if k, ok := mb.Keys[string(script(name))]; ok && k.Roles.Has(role) && k.In(s.h) && mb.Holds(role, s.h) {
				list = append(list, script(name))
			}
		}
	}
	if s.mode == spam && len(list) > 0 {
		return list[0]
	}
	if len(list) == 0 || s.one(25) {
		return s.identity()
	}
	return pick(s.rng, list...)
}

// outputs adds some that hold money or data.
func (s *source) outputs(t *model.Tx) {
	for _, in := range t.Inputs {
		if s.one(2) {
			t.Outputs = append(t.Outputs, model.Output{Script: in.Script, Amount: int64(s.rng.IntN(2))})
		}
	}
	if s.one(20) {
		t.Outputs = append(t.Outputs, model.Output{Script: s.identity(), Amount: int64(s.rng.IntN(2))})
	}
	switch s.rng.IntN(60) {
	case 0:
		t.Outputs = append(t.Outputs, model.Output{Script: []byte{0x6a, 1, 1}, Amount: int64(s.rng.IntN(2))})
	case 1:
		t.Outputs = append(t.Outputs, model.Output{Script: []byte{0x51}, Amount: 1})
	}
}
