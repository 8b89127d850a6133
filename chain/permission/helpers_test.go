package permission

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/permission/record"
)

const (
	allRoles = "admin,manage,mine,connect,send,receive" // but for activate, so that nobody decides alone
	lapse    = 50_000                                   // of records made by the helpers
)

// private is the key of that name; every test sees the same one.
func private(name string) *btcec.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	key, _ := btcec.PrivKeyFromBytes(seed[:])
	return key
}

// keys remembers what xonly worked out: a multiplication each, slow under the
// race detector.
var keys sync.Map

func xonly(name string) [32]byte {
	if key, ok := keys.Load(name); ok {
		return key.([32]byte)
	}
	key := [32]byte(schnorr.SerializePubKey(private(name).PubKey()))
	keys.Store(name, key)
	return key
}

// identity is the P2TR script of the key of that name, or, for a name that
// begins with "wpkh-", a P2WPKH script.
func identity(name string) []byte {
	if strings.HasPrefix(name, "wpkh-") {
		seed := sha256.Sum256([]byte(name))
		return append([]byte{0, 20}, seed[:20]...)
	}
	return record.KeyScript(xonly(name))
}

func set(t testing.TB, names string) record.Set {
	t.Helper()
	if names == "" {
		return 0
	}
	s, err := record.ParseSet(strings.Split(names, ","))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func toParams(s record.Set) (list []params.Permission) {
	for p := range s.Each() {
		list = append(list, p.Perm())
	}
	return list
}

// member reads "name perms key=roles key=roles ...", perms "-" for none.
func member(t testing.TB, line string) params.Member {
	t.Helper()
	f := strings.Fields(line)
	m := params.Member{Name: f[0]}
	if f[1] != "-" {
		m.Permissions = toParams(set(t, f[1]))
	}
	for _, k := range f[2:] {
		name, roles, _ := strings.Cut(k, "=")
		m.Keys = append(m.Keys, params.MemberKey{Script: identity(name), Roles: toParams(set(t, roles))})
	}
	return m
}

const majority = 500_001

// chainParams has everything restricted and shares as in a chain file without
// [permissions.consensus].
func chainParams(members ...params.Member) *params.Params {
	p := &params.Params{GenesisHash: chainhash.Hash{7}}
	p.Genesis.Members = members
	p.Permissions = params.Permissions{
		Enabled:         true,
		Restricted:      toParams(record.Permissions),
		MiningDiversity: majority,
		Consensus: map[params.Permission]uint32{
			params.PermAdmin: majority, params.PermMine: majority, params.PermKey: majority, params.PermActivate: majority,
			params.PermIssue: majority, params.PermCreate: majority,
		},
	}
	return p
}

// three are members that can do nearly everything with one key each, which bears
// the member's name.
func three(t testing.TB) []params.Member {
	return []params.Member{
		member(t, "alpha admin alpha="+allRoles), member(t, "beta admin beta="+allRoles), member(t, "gamma admin gamma="+allRoles),
	}
}

// world is a chain of states.
type world struct {
	t    testing.TB
	p    *params.Params
	s    *State
	h    int32 // of the next block
	salt uint32
}

func newWorld(t testing.TB, p *params.Params) *world {
	return &world{t: t, p: p, s: Genesis(p), h: 1}
}

func (w *world) nextSalt() (salt [4]byte) {
	w.salt++
	binary.LittleEndian.PutUint32(salt[:], w.salt)
	return salt
}

// id is that of the member with a name; a name that nobody has is the id of a
// member to be created with the key of that name.
func (w *world) id(name string) record.MemberID {
	if m, ok := w.s.ByName(name); ok {
		return m.ID
	}
	return record.NewMemberID(name, identity(name))
}

func (w *world) grant(name, perms string, from, until uint32) record.Grant {
	return record.Grant{Lapse: lapse, Salt: w.nextSalt(), Member: w.id(name), Permissions: set(w.t, perms), Range: record.Range{From: from, Until: until}}
}

func (w *world) revoke(name, perms string) record.Grant { return w.grant(name, perms, 0, 0) }

func (w *world) sign(name string, member record.MemberID, roles record.Set, r record.Range) *[64]byte {
	if !roles.Any(record.NeedsKey) {
		return nil
	}
	return sign(w.t, name, record.KeyMessage(w.p.GenesisHash, member, identity(name), roles, r))
}

func sign(t testing.TB, name string, msg [32]byte) *[64]byte {
	t.Helper()
	sig, err := schnorr.Sign(private(name), msg[:])
	if err != nil {
		t.Fatal(err)
	}
	return (*[64]byte)(sig.Serialize())
}

func (w *world) create(name, roles string) record.CreateMember {
	r := set(w.t, roles)
	id := record.NewMemberID(name, identity(name))
	return record.CreateMember{Lapse: lapse, Salt: w.nextSalt(), Name: name, Identity: identity(name), Roles: r,
		Sig: w.sign(name, id, r, record.Range{Until: forever})}
}

func (w *world) addKey(name, key, roles string, from, until uint32) record.AddKey {
	r, span := set(w.t, roles), record.Range{From: from, Until: until}
	return record.AddKey{Lapse: lapse, Salt: w.nextSalt(), Member: w.id(name), Identity: identity(key), Roles: r, Range: span,
		Sig: w.sign(key, w.id(name), r, span)}
}

func (w *world) changeKey(name, key, roles string, from, until uint32) record.ChangeKey {
	return record.ChangeKey(w.addKey(name, key, roles, from, until))
}

func (w *world) removeKey(name, key string) record.RemoveKey {
	return record.RemoveKey{Lapse: lapse, Salt: w.nextSalt(), Member: w.id(name), Identity: identity(key)}
}

func (w *world) rename(name, to string) record.RenameMember {
	return record.RenameMember{Lapse: lapse, Salt: w.nextSalt(), Member: w.id(name), Name: to}
}

func (w *world) upgrade(name string, height uint32) record.Upgrade {
	return record.Upgrade{Lapse: lapse, Salt: w.nextSalt(), Deployment: name, Height: height}
}

func (w *world) ready(name, key string, since uint32) record.Ready {
	r := record.Ready{Member: w.id(name), Key: xonly(key), Since: since}
	r.Sig = *sign(w.t, key, record.ReadyMessage(w.p.GenesisHash, r.Member, r.Key, since))
	return r
}

// payment is a transaction and what it spends.
type payment struct {
	tx    *consensus.Tx
	coins []consensus.Coin
}

// spend makes a transaction in which the named keys speak, with records and
// the authority outputs that they ask for.
func (w *world) spend(speakers string, records ...record.Record) payment {
	w.t.Helper()
	return w.pay(speakers, nil, records...)
}

// pay is spend with more outputs, of amount 1.
func (w *world) pay(speakers string, to [][]byte, records ...record.Record) payment {
	w.t.Helper()
	msg := wire.NewMsgTx(2)
	var p payment
	for i, name := range strings.Fields(speakers) {
		in := wire.NewTxIn(&wire.OutPoint{Index: uint32(i)}, nil, wire.TxWitness{make([]byte, 64)})
		msg.AddTxIn(in)
		p.coins = append(p.coins, consensus.Coin{Amount: 1000, Script: identity(name), Height: w.h - 1})
	}
	for _, r := range records {
		script, err := record.Script(r)
		if err != nil {
			w.t.Fatal(err)
		}
		msg.AddTxOut(wire.NewTxOut(0, script))
		if k, _, ok := record.Key(r); ok && k.Roles.Any(record.Governing) {
			msg.AddTxOut(wire.NewTxOut(0, k.Identity))
		}
	}
	for _, script := range to {
		msg.AddTxOut(wire.NewTxOut(1, script))
	}
	p.tx = consensus.NewTx(msg)
	return p
}

// try judges a block as a chain does.
func (w *world) try(txs ...payment) (*State, *Delta, error) {
	var list []*consensus.Tx
	var spent [][]consensus.Coin
	for _, p := range txs {
		if err := w.s.CheckTx(p.tx, p.coins, w.h); err != nil {
			return nil, nil, err
		}
		list, spent = append(list, p.tx), append(spent, p.coins)
	}
	return w.s.Apply(w.h, list, spent)
}

// block takes in a valid block, and checks what holds for every block.
func (w *world) block(txs ...payment) {
	w.t.Helper()
	before := w.s.Encode()
	next, delta, err := w.try(txs...)
	if err != nil {
		w.t.Fatalf("block %d: %v", w.h, err)
	}
	checkStep(w.t, w.p, w.s, before, next, delta)
	w.s = next
	w.h++
}

// checkStep checks that a step leads back and forth byte by byte, and that
// all encodings give back what went in.
func checkStep(t testing.TB, p *params.Params, parent *State, before []byte, next *State, delta *Delta) {
	t.Helper()
	if !bytes.Equal(parent.Encode(), before) {
		t.Fatal("a block changed the state of its parent")
	}
	after := next.Encode()
	if (delta == nil) != (next == parent) || (delta == nil) != bytes.Equal(before, after) {
		t.Fatal("the delta does not say whether something changed")
	}
	if delta != nil {
		encoded := delta.Encode()
		decoded, err := DecodeDelta(encoded)
		if err != nil || !bytes.Equal(decoded.Encode(), encoded) {
			t.Fatalf("delta does not survive its encoding: %v", err)
		}
		for _, d := range []*Delta{delta, decoded} {
			undone := next.Undo(d)
			if !bytes.Equal(undone.Encode(), before) {
				t.Fatal("undo does not lead back")
			}
			sameDerived(t, undone, parent)
			redone := undone.Redo(d)
			if !bytes.Equal(redone.Encode(), after) {
				t.Fatal("redo does not lead forth")
			}
			sameDerived(t, redone, next)
		}
	}
	decoded, err := Decode(p, after)
	if err != nil || !bytes.Equal(decoded.Encode(), after) {
		t.Fatalf("state does not survive its encoding: %v", err)
	}
	sameDerived(t, decoded, next)
}

// sameDerived compares what is not in the encoding.
func sameDerived(t testing.TB, a, b *State) {
	t.Helper()
	if a.names.len() != b.names.len() || a.identities.len() != b.identities.len() || a.edges.len() != b.edges.len() {
		t.Fatal("what is derived differs in number")
	}
	for k, v := range a.names.all() {
		if got, _ := b.names.get(k); got != v {
			t.Fatal("names differ")
		}
	}
	for k, v := range a.identities.all() {
		if got, ok := b.identities.get(k); !ok || !got.equal(v) || got != b.member(v.ID) {
			t.Fatal("identities differ")
		}
	}
	for k, v := range a.edges.all() {
		if got, _ := b.edges.get(k); got != v {
			t.Fatal("edges differ")
		}
	}
	everyone := func(*Member) bool { return true }
	if len(a.mining) != len(b.mining) || len(a.governing) != len(b.governing) ||
		len(ids(a.mining, everyone)) != len(ids(b.mining, everyone)) {
		t.Fatal("lists differ")
	}
	for i := range a.mining {
		if !a.mining[i].equal(b.mining[i]) {
			t.Fatal("mining lists differ")
		}
	}
	for i := range a.governing {
		if !a.governing[i].equal(b.governing[i]) {
			t.Fatal("governing lists differ")
		}
	}
}

// do takes in a block with one transaction.
func (w *world) do(speakers string, records ...record.Record) {
	w.t.Helper()
	w.block(w.spend(speakers, records...))
}

// refuse expects a block with one transaction to break a rule.
func (w *world) refuse(rule consensus.Rule, speakers string, records ...record.Record) {
	w.t.Helper()
	w.refuseBlock(rule, w.spend(speakers, records...))
}

func (w *world) refuseBlock(rule consensus.Rule, txs ...payment) {
	w.t.Helper()
	before := w.s.Encode()
	_, _, err := w.try(txs...)
	wantRule(w.t, err, rule)
	if !bytes.Equal(w.s.Encode(), before) {
		w.t.Fatal("a refused block changed the state")
	}
}

func wantRule(t testing.TB, err error, rule consensus.Rule) {
	t.Helper()
	if !errors.Is(err, rule) || consensus.AsRule(err) == nil {
		t.Fatalf("got %v, want the rule %s", err, rule)
	}
}

// may checks what a key may do at the next height.
func (w *world) may(key, perms string, want bool) {
	w.t.Helper()
	if got := w.s.May(identity(key), set(w.t, perms), w.h); got != want {
		w.t.Fatalf("block %d: may %s %s: %v, want %v", w.h, key, perms, got, want)
	}
}
