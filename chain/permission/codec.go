package permission

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/permission/record"
)

// codecVersion begins the encodings of states and deltas.
const codecVersion = 1

// Least sizes of encoded rows, by which counts are checked before anything is
// allocated for them.
const (
	minMember  = 20 + 2 + 3 // id and body
	minKey     = 1 + 22 + 2 + 8
	minVote    = 2 + 5 + 1 + 4
	voterSize  = 20 + 32
	minUpgrade = 2 + 4
	minLone    = 20 + 1 + 4
)

// Encode returns the canonical bytes of the state (doc.go has the table):
// equal states, however they came about, have equal bytes.
func (s *State) Encode() []byte {
	b := []byte{codecVersion}
	b = appendU32(b, s.restart)
	b = appendU32(b, uint32(s.members.len()))
	for _, m := range s.sortedMembers() {
		b = appendMember(append(b, m.ID[:]...), m)
	}
	votes := s.sortedVotes()
	b = appendU32(b, uint32(len(votes)))
	for _, v := range votes {
		b = appendVote(appendRecord(b, v.rec), v)
	}
	b = appendU32(b, uint32(len(s.upgrades)))
	for _, u := range s.upgrades {
		b = appendU32(appendString(b, u.Deployment), u.Height)
	}
	b = appendU32(b, uint32(s.lone.len()))
	for _, id := range s.sortedLone() {
		heights, _ := s.lone.get(memberKey(id))
		b = appendHeights(append(b, id[:]...), heights)
	}
	return b
}

// Hash is the SHA-256 of Encode.
func (s *State) Hash() [32]byte { return sha256.Sum256(s.Encode()) }

func (s *State) sortedLone() []record.MemberID {
	list := make([]record.MemberID, 0, s.lone.len())
	for id := range s.lone.all() {
		list = append(list, record.MemberID(id))
	}
	slices.SortFunc(list, compareIDs)
	return list
}

func appendU32(b []byte, v uint32) []byte { return binary.LittleEndian.AppendUint32(b, v) }

func appendString[T string | []byte](b []byte, s T) []byte {
	return append(append(b, byte(len(s))), s...)
}

func appendRange(b []byte, r record.Range) []byte { return appendU32(appendU32(b, r.From), r.Until) }

func appendHeights(b []byte, list []uint32) []byte {
	b = append(b, byte(len(list)))
	for _, h := range list {
		b = appendU32(b, h)
	}
	return b
}

const (
	flagNoMine = 1 << iota
	flagPeriod
)

// appendMember writes the row of a member without its id.
func appendMember(b []byte, m *Member) []byte {
	var flags, mask byte
	if m.NoMine {
		flags |= flagNoMine
	}
	if m.MineUntil > 0 {
		flags |= flagPeriod
	}
	for i, r := range m.Perms {
		if !r.Empty() {
			mask |= 1 << i
		}
	}
	b = append(appendString(b, m.Name), flags, mask)
	for _, r := range m.Perms {
		if !r.Empty() {
			b = appendRange(b, r)
		}
	}
	if m.MineUntil > 0 {
		b = appendU32(appendU32(appendU32(b, m.MineSince), m.MineUntil), m.ActiveFrom)
	}
	b = append(b, byte(len(m.Keys)))
	for _, k := range m.Keys {
		b = appendString(b, k.Identity)
		b = binary.LittleEndian.AppendUint16(b, uint16(k.Roles))
		b = appendRange(b, k.Range)
	}
	return b
}

// appendRecord writes the data of a record behind its length.
func appendRecord(b []byte, r record.Record) []byte {
	data, err := record.Encode(r)
	if err != nil {
		panic("permission: a record that was decoded cannot be encoded: " + err.Error())
	}
	b = binary.LittleEndian.AppendUint16(b, uint16(len(data)))
	return append(b, data...)
}

// appendVote writes the row of a vote without its record.
func appendVote(b []byte, v *vote) []byte {
	if v.done {
		b = append(b, 1)
	} else {
		b = append(append(b, 0), v.opener[:]...)
	}
	b = appendU32(b, uint32(len(v.voters)))
	for _, voter := range v.voters {
		b = append(append(b, voter.Member[:]...), voter.Key[:]...)
	}
	return b
}

// Decode reads what Encode wrote for a state of this chain. It refuses all
// else: no two inputs give equal states.
func Decode(p *params.Params, data []byte) (*State, error) {
	s := empty(p)
	r := &reader{b: data}
	r.version()
	s.restart = r.u32("restart height")
	r.decodeMembers(s)
	r.decodeVotes(s)
	r.rows("upgrades", minUpgrade, func() []byte {
		name, height := r.name("deployment"), r.u32("height")
		r.refuse(height == 0, "upgrade %s has no height", name)
		s.setUpgrade(name, height)
		return []byte(name)
	})
	r.rows("lone decisions", minLone, func() []byte {
		id, heights := r.member(), r.heights()
		r.refuse(len(heights) == 0, "member %v has no lone decisions", id)
		s.setLone(id, heights)
		return id[:]
	})
	if err := r.end(); err != nil {
		return nil, fmt.Errorf("permission state: %w", err)
	}
	return s, nil
}

func (r *reader) decodeMembers(s *State) {
	identities := 0
	n := r.rows("members", minMember, func() []byte {
		id := r.member()
		m := r.memberRow(id)
		if r.err == nil {
			s.setMember(id, m)
			identities += len(m.Keys)
		}
		return id[:]
	})
	r.refuse(n > MaxMembers, "%d members, at most %d are allowed", n, MaxMembers)
	r.refuse(s.names.len() != s.members.len(), "two members have one name")
	r.refuse(s.identities.len() != identities, "two members have one identity")
}

func (r *reader) decodeVotes(s *State) {
	r.rows("votes", minVote, func() []byte {
		rec, id := r.record()
		v := r.voteRow(rec)
		if r.err == nil {
			s.setVote(id, v)
		}
		return id[:]
	})
}

// reader takes values off the front of encoded bytes. After the first fault
// it returns zero values.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

func (r *reader) refuse(bad bool, format string, args ...any) {
	if bad {
		r.fail(format, args...)
	}
}

// take returns the next n bytes, nil after a fault.
func (r *reader) take(what string, n int) []byte {
	if r.err == nil && len(r.b) < n {
		r.fail("%s takes %d bytes, %d are left", what, n, len(r.b))
	}
	if r.err != nil {
		return nil
	}
	out := r.b[:n:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) byte(what string) byte {
	if b := r.take(what, 1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) u16(what string) uint16 {
	if b := r.take(what, 2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (r *reader) u32(what string) uint32 {
	if b := r.take(what, 4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// count reads the number of rows that follow.
func (r *reader) count(what string, size int) int {
	n := r.u32("number of " + what)
	if uint64(n)*uint64(size) > uint64(len(r.b)) {
		r.fail("%d bytes follow, not enough for %d %s", len(r.b), n, what)
	}
	if r.err != nil {
		return 0
	}
	return int(n)
}

// rows reads rows in strictly ascending order of their keys.
func (r *reader) rows(what string, size int, row func() (key []byte)) int {
	n := r.count(what, size)
	var last []byte
	for i := 0; i < n && r.err == nil; i++ {
		key := bytes.Clone(row())
		r.refuse(i > 0 && bytes.Compare(last, key) >= 0, "%s are not in ascending order", what)
		last = key
	}
	return n
}

func (r *reader) version() {
	v := r.byte("version")
	r.refuse(v != codecVersion, "version %d, only %d is known", v, codecVersion)
}

func (r *reader) end() error {
	r.refuse(len(r.b) > 0, "%d bytes follow the end", len(r.b))
	return r.err
}

func (r *reader) short(what string) []byte { return r.take(what, int(r.byte("length of "+what))) }

func (r *reader) name(what string) string {
	name := string(r.short(what))
	if err := record.CheckName(name); err != nil {
		r.fail("%s %q %w", what, name, err)
	}
	return name
}

func (r *reader) member() (id record.MemberID) {
	copy(id[:], r.take("member id", len(id)))
	return id
}

// span reads a range that is not empty.
func (r *reader) span() record.Range {
	span := record.Range{From: r.u32("from"), Until: r.u32("until")}
	r.refuse(span.Empty(), "range from %d until %d is empty", span.From, span.Until)
	return span
}

func (r *reader) heights() []uint32 {
	n := int(r.byte("number of heights"))
	r.refuse(n > LoneDecisions, "%d lone decisions, at most %d are allowed", n, LoneDecisions)
	var list []uint32
	for range n {
		if r.err != nil {
			return nil
		}
		list = append(list, r.u32("height"))
	}
	r.refuse(!slices.IsSorted(list), "heights are not in ascending order")
	return list
}

func (r *reader) memberRow(id record.MemberID) *Member {
	m := &Member{ID: id, Name: r.name("name")}
	flags, mask := r.byte("flags"), r.byte("permissions")
	r.refuse(flags&^(flagNoMine|flagPeriod) != 0, "member %v has unknown flags %02x", id, flags)
	m.NoMine = flags&flagNoMine != 0
	for i := range m.Perms {
		if mask&(1<<i) != 0 {
			m.Perms[i] = r.span()
		}
	}
	if flags&flagPeriod != 0 {
		p := r.span()
		m.MineSince, m.MineUntil, m.ActiveFrom = p.From, p.Until, r.u32("active from")
	}
	n := int(r.byte("number of keys"))
	r.refuse(n > MaxKeys || n*minKey > len(r.b), "member %v cannot have %d keys", id, n)
	for i := 0; i < n && r.err == nil; i++ {
		k := r.key()
		r.refuse(i > 0 && compareKeys(m.Keys[i-1], k) >= 0, "keys of member %v are not in ascending order", id)
		m.Keys = append(m.Keys, k)
	}
	return m
}

func (r *reader) key() Key {
	k := Key{Identity: bytes.Clone(r.short("identity")), Roles: record.Set(r.u16("roles")), Range: r.span()}
	_, standard := record.Identity(k.Identity)
	r.refuse(!standard, "identity %x is no script of a standard kind", k.Identity)
	r.refuse(k.Roles == 0 || k.Roles&^record.Roles != 0, "roles %04x are none, or unknown", uint16(k.Roles))
	return k
}

func (r *reader) record() (rec record.Record, id voteKey) {
	data := r.take("record", int(r.u16("length of record")))
	if r.err != nil {
		return nil, id
	}
	rec, err := record.Decode(data)
	if err == nil {
		if _, isVote := record.Lapse(rec); !isVote {
			err = errors.New("the record is no vote")
		}
	}
	if err != nil {
		r.err = err
		return nil, id
	}
	return rec, sha256.Sum256(data)
}

func (r *reader) voteRow(rec record.Record) *vote {
	v := &vote{rec: rec}
	switch done := r.byte("done"); done {
	case 0:
		v.opener = r.member()
	case 1:
		v.done = true
	default:
		r.fail("done is %d, must be 0 or 1", done)
	}
	n := r.count("voters", voterSize)
	for i := 0; i < n && r.err == nil; i++ {
		voter := Voter{Member: r.member()}
		copy(voter.Key[:], r.take("key", len(voter.Key)))
		r.refuse(i > 0 && compareVoters(v.voters[i-1], voter) >= 0, "voters are not in ascending order")
		v.voters = append(v.voters, voter)
	}
	return v
}
