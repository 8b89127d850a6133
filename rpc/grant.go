package rpc

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/charterchain/charter/chain/permission"
	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/rpc/client"
)

// grantMethods prepare transactions that grant and revoke, for wallets to sign.
type grantMethods struct {
	chain     Chain
	authority *authorityMethods
}

// voteBlocks is for how many blocks a vote made here can be joined.
const voteBlocks = 10_000

func (m *grantMethods) methods() []*method {
	whom := param{name: "addresses", want: "string, or array of strings", help: "Names or ids of members, or addresses of their keys, commas between."}
	perms := param{name: "permissions", want: "string, or array of strings", help: "connect, mine, send, receive, admin, activate, issue, create; commas between."}
	amount := param{name: "native-amount", want: "number", fallback: "0", help: "Must be 0: nothing is paid."}
	comment := []param{
		{name: "comment", want: "string", fallback: "none", help: "Not used."},
		{name: "comment-to", want: "string", fallback: "none", help: "Not used."},
		{name: "options", want: `object {"signers": array of strings}`, fallback: "as many administering members as it takes, by name",
			help: "Whose authority outputs are spent, and who has to sign: names or ids of members, or addresses of keys."},
	}
	const result = "An object {psbt, records, complete, need, have, missing, signers}: the PSBT (version 0, base64) is to be signed by the wallets of the signers, then combined and sent (charter psbt sign, combine, send); " +
		"complete says whether everything takes effect then, else missing are administering members that could still vote."
	const how = " MultiChain's node signs and sends by itself; this node has no keys, and replies with a PSBT. An open vote of equal content is joined. `charter %s` does it all with a wallet."
	return []*method{
		{
			name: "grant", area: areaMembers, run: m.grant,
			params: slices.Concat([]param{whom, perms, amount,
				{name: "startblock", want: "number", fallback: "0, the next block", help: "First block with the permissions."},
				{name: "endblock", want: "number", fallback: "4294967295, for ever", help: "First block without them."}}, comment),
			summary: "Prepares a transaction that grants permissions. An address that is no key of any member yet becomes a member of its own, for send and receive." + fmt.Sprintf(how, "grant"),
			result:  result,
		},
		{
			name: "revoke", area: areaMembers, run: m.revoke, params: slices.Concat([]param{whom, perms, amount}, comment),
			summary: "Prepares a transaction that takes permissions away." + fmt.Sprintf(how, "revoke"),
			result:  result,
		},
	}
}

// grantRequest is what both methods read.
type grantRequest struct {
	whom    []string
	perms   record.Set
	signers []string
}

// request reads what both methods have: options is the place of the last
// parameter.
func (m *grantMethods) request(c *call, options int) (*governed, *grantRequest, error) {
	whom, names, paid := c.words(0, record.MaxPerTx), c.words(1, maxListed), c.amount(2, 0)
	for i := options - 2; i < options; i++ {
		c.text(i, "")
	}
	var more struct {
		Signers []string `json:"signers"`
	}
	c.read(options, kindObject, &more)
	if c.err != nil {
		return nil, nil, c.err
	}
	g, err := governedNext(m.chain)
	if err != nil {
		return nil, nil, err
	}
	if paid != 0 {
		return nil, nil, fail(codeInvalidParam, "native-amount is %v: this pays nothing, send the amount by itself", paid)
	}
	perms, err := permissionSet(names)
	return g, &grantRequest{whom, perms, more.Signers}, err
}

func (m *grantMethods) grant(ctx context.Context, c *call) (any, error) {
	span := record.Range{From: uint32(c.integer(3, 0, 0, math.MaxUint32)), Until: uint32(c.integer(4, int64(record.Forever), 0, math.MaxUint32))}
	g, req, err := m.request(c, 7)
	if err != nil {
		return nil, err
	}
	if span.Empty() {
		return nil, fail(codeInvalidParam, "startblock is %d and endblock %d, want the first below the second; revoke takes permissions away", span.From, span.Until)
	}
	var records []record.Record
	for _, which := range req.whom {
		id, founding, err := g.grantee(which, req.perms)
		if err != nil {
			return nil, err
		}
		if founding != nil {
			records = append(records, *founding)
		}
		records = append(records, record.Grant{Member: id, Permissions: req.perms, Range: span})
	}
	return m.prepare(ctx, g, records, req.signers)
}

// grantee returns the member that is meant; for the address of nobody the
// record that makes it one.
func (g *governed) grantee(which string, perms record.Set) (id record.MemberID, founding *record.CreateMember, err error) {
	script, notAddress := g.address.Decode(which)
	m, err := g.find(which)
	if err == nil || notAddress != nil {
		return m.ID, nil, err
	}
	if perms.Any(record.NeedsKey) {
		return id, nil, fail(codeAddressOrKey, "the address %s is no key of any member, and a key that acts as %s has to sign for itself: make a key card with `charter key card --new NAME`, and use `charter grant CARD`",
			which, perms&record.NeedsKey)
	}
	name := nameFor(which)
	if err := record.CheckIdentity(script, perms); err != nil {
		return id, nil, fail(codeAddressOrKey, "the address %s: %v", which, err)
	}
	return record.NewMemberID(name, script), &record.CreateMember{Name: name, Identity: script, Roles: perms}, nil
}

// nameFor names a member that is known by an address only, as wallets do: its
// last eight characters.
func nameFor(address string) string {
	name := []byte(strings.ToLower(address[max(0, len(address)-8):]))
	return string(slices.DeleteFunc(name, func(b byte) bool { return record.CheckName(string(b)) != nil }))
}

func (m *grantMethods) revoke(ctx context.Context, c *call) (any, error) {
	g, req, err := m.request(c, 5)
	if err != nil {
		return nil, err
	}
	var records []record.Record
	for _, which := range req.whom {
		one, err := g.find(which)
		if err != nil {
			return nil, err
		}
		for perm := range req.perms.Each() {
			if one.Range(perm).Until <= uint32(g.height) {
				return nil, fail(codeInvalidParam, "the member %s does not hold %s by that name", one.Name, perm)
			}
		}
		records = append(records, record.Grant{Member: one.ID, Permissions: req.perms})
	}
	return m.prepare(ctx, g, records, req.signers)
}

// prepare makes the transaction.
func (m *grantMethods) prepare(ctx context.Context, g *governed, records []record.Record, signers []string) (any, error) {
	if n := len(records); n > record.MaxPerTx {
		return nil, fail(codeInvalidParam, "that takes %d records, a transaction holds at most %d: name fewer members at once", n, record.MaxPerTx)
	}
	votes := g.Pending(g.height)
	for i := range records {
		records[i] = g.asVote(records[i], votes)
	}
	keys, err := g.signerKeys(records, signers, votes)
	if err != nil {
		return nil, err
	}
	coins, err := m.spendable(ctx, g, keys)
	if err != nil {
		return nil, err
	}
	scripts := make([][]byte, len(coins))
	for i := range coins {
		scripts[i] = coins[i].script
	}
	sim, err := g.simulate(records, scripts)
	if err != nil {
		return nil, err
	}
	if sim.Error != nil {
		return nil, fail(codeRejected, "%s: %s", sim.Error.Rule, sim.Error.Detail)
	}
	return g.granted(sim, records, coins)
}

// granted is the reply.
func (g *governed) granted(sim *client.Simulation, records []record.Record, coins []speakingCoin) (any, error) {
	psbt, err := unsigned(records, coins)
	if err != nil {
		return nil, err
	}
	out := &client.GrantResult{PSBT: psbt, Complete: true, Missing: []client.MemberRef{}}
	for i := range sim.Records {
		r := &sim.Records[i]
		out.Records = append(out.Records, r.Description)
		lacks := !r.Completes && len(r.Missing) > 0
		if i == 0 || lacks && (out.Complete || r.Need-r.Have > out.Need-out.Have) {
			out.Need, out.Have, out.Missing = r.Need, r.Have, r.Missing
		}
		out.Complete = out.Complete && !lacks
	}
	for i := range coins {
		m, _, _ := g.ByIdentity(coins[i].script)
		out.Signers = append(out.Signers, client.Signer{MemberRef: ref(&m), Address: g.addr(coins[i].script)})
	}
	return out, nil
}

// asVote is the record of an open vote for the same, else r with a lapse and a
// salt that no vote has.
func (g *governed) asVote(r record.Record, votes []permission.Vote) record.Record {
	blank := func(r record.Record) [32]byte { return record.ID(withVote(r, 0, [4]byte{})) }
	for i := range votes {
		if v := &votes[i]; !v.Done && v.Record.Op() == r.Op() && blank(v.Record) == blank(r) {
			return v.Record
		}
	}
	lapse := uint32(g.height) + voteBlocks
	for salt := [4]byte{}; ; salt[0]++ {
		made := withVote(r, lapse, salt)
		id := record.ID(made)
		if salt[0] == math.MaxUint8 || !slices.ContainsFunc(votes, func(v permission.Vote) bool { return v.ID == id }) {
			return made
		}
	}
}

func withVote(r record.Record, lapse uint32, salt [4]byte) record.Record {
	switch r := r.(type) {
	case record.Grant:
		r.Lapse, r.Salt = lapse, salt
		return r
	case record.CreateMember:
		r.Lapse, r.Salt = lapse, salt
		return r
	}
	return r
}

// signer is a member with the keys by one of which it is to speak.
type signer struct {
	member permission.Member
	keys   [][]byte
}

// signerKeys finds who is to speak: those named, else the administering
// members that did not vote for all of it.
func (g *governed) signerKeys(records []record.Record, named []string, votes []permission.Vote) ([]signer, error) {
	var list []signer
	for _, which := range named {
		m, err := g.find(which)
		if err != nil {
			return nil, err
		}
		keys := g.speaking(&m)
		if script, err := g.address.Decode(which); err == nil {
			keys = slices.DeleteFunc(keys, func(k []byte) bool { return string(k) != string(script) })
		}
		if len(keys) == 0 {
			return nil, fail(codeInvalidParam, "signer %s: the member %s neither administers nor activates by such a key", which, m.Name)
		}
		list = append(list, signer{m, keys})
	}
	if named != nil {
		return list, nil
	}
	for _, id := range g.Administrators(g.height) {
		if m, _ := g.Member(id); !g.votedForAll(id, records, votes) {
			list = append(list, signer{member: m, keys: g.speaking(&m)})
		}
	}
	slices.SortFunc(list, func(a, b signer) int { return strings.Compare(a.member.Name, b.member.Name) })
	return list[:min(len(list), g.lacking(records, votes))], nil
}

// speaking lists the keys by which a member administers, else activates.
func (g *governed) speaking(m *permission.Member) [][]byte {
	switch {
	case m.May(record.Admin, g.height):
		return g.inForce(m, record.Admin)
	case m.May(record.Activate, g.height):
		return g.inForce(m, record.Activate)
	}
	return nil
}

func (g *governed) votedForAll(id record.MemberID, records []record.Record, votes []permission.Vote) bool {
	for _, r := range records {
		v, ok := rowOf(r, votes)
		if !ok || !slices.Contains(voters(v), id) {
			return false
		}
	}
	return true
}

// lacking is how many more votes the records take.
func (g *governed) lacking(records []record.Record, votes []permission.Vote) int {
	most := 1
	for _, r := range records {
		need := g.NeedFor(r, g.height)
		if v, ok := rowOf(r, votes); ok {
			need -= v.Have
		}
		most = max(most, need)
	}
	return most
}

func rowOf(r record.Record, votes []permission.Vote) (*permission.Vote, bool) {
	id := record.ID(r)
	i := slices.IndexFunc(votes, func(v permission.Vote) bool { return v.ID == id })
	if i < 0 {
		return nil, false
	}
	return &votes[i], true
}

// spendable finds a coin for each signer.
func (m *grantMethods) spendable(ctx context.Context, g *governed, signers []signer) ([]speakingCoin, error) {
	var scripts [][]byte
	for i := range signers {
		scripts = append(scripts, signers[i].keys...)
	}
	found, err := m.authority.coins(ctx, scripts)
	if err != nil {
		return nil, err
	}
	var list []speakingCoin
	for i := range signers {
		s := &signers[i]
		at := slices.IndexFunc(s.keys, func(k []byte) bool { return len(found[string(k)]) > 0 })
		if at < 0 {
			return nil, fail(codeMisc, "no key of %s has an output to speak by: if one is on its way wait for a block, else name other signers, or have somebody pay %s a small amount",
				s.member.Name, g.addr(s.keys[0]))
		}
		coin := found[string(s.keys[at])][0]
		if !slices.ContainsFunc(list, func(c speakingCoin) bool { return c.op == coin.op }) {
			list = append(list, coin)
		}
	}
	if len(list) == 0 {
		return nil, fail(codeInvalidParam, "options: no signers: somebody has to ask for it")
	}
	return list, nil
}
