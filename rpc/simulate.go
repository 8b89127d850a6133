package rpc

import (
	"context"
	"encoding/hex"
	"math"
	"slices"

	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/permission"
	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/rpc/client"
)

// simulateMethods tell what records would do.
type simulateMethods struct{ chain Chain }

func (m *simulateMethods) methods() []*method {
	return []*method{{
		name: "simulaterecords", area: areaMembers, run: m.simulateRecords,
		params: []param{{name: "request", want: `object {"records": array of hex strings, "identities": array of addresses}`,
			help: "What the record outputs of a transaction push, 1 to 8, and the addresses of the keys that speak in it."}},
		summary: "Tells what the next block would make of records, before anything is signed or sent.",
		result: "An object {height, records, lets_in, cuts_off, miners_before, miners_after, decided, error}: lets_in and cuts_off are members that can do something, with one of their keys, " +
			"that they could not or the other way round, from a height on; decided, where votes are missing, holds lets_in, cuts_off, miners_after and error once they are there; error is the rule for which no block would take it, and then the rest is empty.",
	}}
}

// maxSimulated bounds the identities of one call; more are of no use.
const maxSimulated = 1_000

func (m *simulateMethods) simulateRecords(_ context.Context, c *call) (any, error) {
	var req client.SimulateRequest
	c.read(0, kindObject, &req)
	if c.err != nil {
		return nil, c.err
	}
	g, err := governedNext(m.chain)
	if err != nil {
		return nil, err
	}
	if len(req.Records) == 0 || len(req.Identities) > maxSimulated {
		return nil, fail(codeInvalidParam, "request: %d records and %d identities, want 1 or more records and at most %d identities", len(req.Records), len(req.Identities), maxSimulated)
	}
	records := make([]record.Record, len(req.Records))
	for i, text := range req.Records {
		data, err := hex.DecodeString(text)
		if err == nil {
			records[i], err = record.Decode(data)
		}
		if err != nil {
			return nil, fail(codeDeserialization, "request: record %d: %v", i+1, err)
		}
	}
	scripts := make([][]byte, len(req.Identities))
	for i, text := range req.Identities {
		if scripts[i], err = g.address.Decode(text); err != nil {
			return nil, fail(codeAddressOrKey, "Invalid address: identity %d: %v", i+1, err)
		}
	}
	return g.simulate(records, scripts)
}

// spokenFor is a transaction with records in which these identities speak, with
// what it spends. Its signatures are blank: nobody looks at them.
func spokenFor(records []record.Record, identities [][]byte) (*consensus.Tx, []consensus.Coin, error) {
	tx := wire.NewMsgTx(2)
	coins := make([]consensus.Coin, len(identities))
	for i, script := range identities {
		tx.AddTxIn(wire.NewTxIn(&wire.OutPoint{Index: uint32(i)}, nil, wire.TxWitness{make([]byte, schnorr.SignatureSize)}))
		coins[i].Script = script
	}
	for _, r := range records {
		script, err := record.Script(r)
		if err != nil {
			return nil, nil, err
		}
		tx.AddTxOut(wire.NewTxOut(0, script))
		if k, _, ok := record.Key(r); ok && k.Roles.Any(record.Governing) {
			tx.AddTxOut(wire.NewTxOut(0, k.Identity))
		}
	}
	return consensus.NewTx(tx), coins, nil
}

// simulate puts the records into the next block. Errors are of a kind that
// Decode would have found.
func (g *governed) simulate(records []record.Record, identities [][]byte) (*client.Simulation, error) {
	sim := &client.Simulation{Height: g.height, Records: []client.SimulatedRecord{}, LetsIn: []client.AccessChange{}, CutsOff: []client.AccessChange{}}
	whole, coins, err := spokenFor(records, identities)
	if err != nil {
		return nil, err
	}
	if err := g.CheckTx(whole, coins, g.height); err != nil {
		sim.Error, err = faultOf(err)
		return sim, err
	}
	// One transaction for each: a block takes in records one by one.
	txs, spent := make([]*consensus.Tx, 0, len(records)), make([][]consensus.Coin, 0, len(records))
	before := g.State
	for _, r := range records {
		one, _, err := spokenFor([]record.Record{r}, identities)
		if err != nil {
			return nil, err
		}
		txs, spent = append(txs, one), append(spent, coins)
		after, _, err := g.Apply(g.height, txs, spent)
		if err != nil {
			sim.Records = sim.Records[:0]
			sim.Error, err = faultOf(err)
			return sim, err
		}
		then := &governed{after, g.height, g.address}
		sim.Records = append(sim.Records, then.simulated(r, before))
		before = after
	}
	sim.MinersBefore, sim.MinersAfter = minerCount(g.State, g.height+1), minerCount(before, g.height+1)
	sim.LetsIn, sim.CutsOff = changes(g.State, before, g.height+1)
	sim.Decided, err = g.decided(sim, records, identities)
	return sim, err
}

// decided says what comes of the records if those who are missing vote for them
// too; nil where nobody is.
func (g *governed) decided(sim *client.Simulation, records []record.Record, identities [][]byte) (*client.Decision, error) {
	if !slices.ContainsFunc(sim.Records, func(r client.SimulatedRecord) bool { return r.Effective && !r.Completes }) {
		return nil, nil
	}
	identities = slices.Concat(identities, g.administering())
	var txs []*consensus.Tx
	var spent [][]consensus.Coin
	for _, r := range records {
		tx, coins, err := spokenFor([]record.Record{r}, identities)
		if err != nil {
			return nil, err
		}
		txs, spent = append(txs, tx), append(spent, coins)
	}
	out := &client.Decision{LetsIn: []client.AccessChange{}, CutsOff: []client.AccessChange{}}
	after, _, err := g.Apply(g.height, txs, spent)
	if err != nil {
		out.Error, err = faultOf(err)
		return out, err
	}
	out.MinersAfter = minerCount(after, g.height+1)
	out.LetsIn, out.CutsOff = changes(g.State, after, g.height+1)
	return out, nil
}

// administering returns the keys by which members administer the next block.
func (g *governed) administering() (list [][]byte) {
	for _, id := range g.Administrators(g.height) {
		m, _ := g.Member(id)
		for i := range m.Keys {
			if k := &m.Keys[i]; k.Roles.Has(record.Admin) && k.In(g.height) {
				list = append(list, k.Identity)
			}
		}
	}
	return list
}

func faultOf(err error) (*client.RuleFault, error) {
	broken := consensus.AsRule(err)
	if broken == nil {
		return nil, err
	}
	return &client.RuleFault{Rule: string(broken.Rule), Detail: broken.Detail}, nil
}

func minerCount(s *permission.State, h int32) client.MinerCount {
	n, w := len(s.Miners(h)), s.Required(h)
	return client.MinerCount{Mining: n, Required: w, MayFail: n - w}
}

// voteOn returns the row of a record, if there is one.
func voteOn(s *permission.State, r record.Record, h int32) (permission.Vote, bool) {
	id := record.ID(r)
	list := s.Pending(h)
	at := slices.IndexFunc(list, func(v permission.Vote) bool { return v.ID == id })
	if at < 0 {
		return permission.Vote{}, false
	}
	return list[at], true
}

// simulated says what became of a record: g is after it. What leaves no row was
// no vote, and took effect.
func (g *governed) simulated(r record.Record, before *permission.State) client.SimulatedRecord {
	id := record.ID(r)
	out := client.SimulatedRecord{
		ID: hex.EncodeToString(id[:]), Operation: r.Op().String(), Description: g.describe(r), Missing: []client.MemberRef{},
	}
	was, open := voteOn(before, r, g.height)
	now, is := voteOn(g.State, r, g.height)
	if !is {
		out.Effective, out.Completes = true, true
		return out
	}
	out.Have, out.Need = now.Have, before.NeedFor(r, g.height)
	if now.Done {
		out.Have = len(voters(&now))
	}
	out.Completes = now.Done && !was.Done
	out.Effective = out.Completes || !now.Done && (!open || now.Have > was.Have)
	out.Missing = g.refs(g.missing(&now))
	return out
}

// changes lists what members can do from first on or later, and could not, and
// the other way round. A member can do something if it holds the permission and
// one of its keys has the role.
func changes(before, after *permission.State, first int32) (gained, lost []client.AccessChange) {
	gained, lost = []client.AccessChange{}, []client.AccessChange{}
	for m := range after.Members() { // no member ever goes
		old, _ := before.Member(m.ID)
		if sameMember(&old, &m) {
			continue
		}
		heights := edges(first, &old, &m)
		gained = appendChanges(gained, &m, heights, func(perm record.Set, h int32) bool { return m.May(perm, h) && !old.May(perm, h) })
		lost = appendChanges(lost, &m, heights, func(perm record.Set, h int32) bool { return old.May(perm, h) && !m.May(perm, h) })
	}
	return gained, lost
}

func sameMember(a, b *permission.Member) bool {
	return a.ID == b.ID && a.Perms == b.Perms && a.MineSince == b.MineSince && a.MineUntil == b.MineUntil && a.NoMine == b.NoMine &&
		slices.EqualFunc(a.Keys, b.Keys, func(x, y permission.Key) bool {
			return x.Roles == y.Roles && x.Range == y.Range && string(x.Identity) == string(y.Identity)
		})
}

// edges lists, ascending, the heights from first on at which what the members
// can do may change.
func edges(first int32, members ...*permission.Member) []int32 {
	list := []int32{first}
	add := func(r record.Range) {
		for _, h := range []uint32{r.From, r.Until} {
			if h > uint32(first) && h <= math.MaxInt32 {
				list = append(list, int32(h))
			}
		}
	}
	for _, m := range members {
		add(record.Range{From: m.MineSince, Until: m.MineUntil})
		for _, r := range m.Perms {
			add(r)
		}
		for i := range m.Keys {
			add(m.Keys[i].Range)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// appendChanges adds the permissions of which is says so, by the first height
// at which it does.
func appendChanges(list []client.AccessChange, m *permission.Member, heights []int32, is func(record.Set, int32) bool) []client.AccessChange {
	var seen record.Set
	for _, h := range heights {
		var now record.Set
		for perm := range (record.Permissions &^ seen).Each() {
			if is(perm, h) {
				now |= perm
			}
		}
		if seen |= now; now != 0 {
			list = append(list, client.AccessChange{MemberRef: ref(m), Permissions: now.Names(), From: uint32(h)})
		}
	}
	return list
}
