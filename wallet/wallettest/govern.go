package wallettest

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/permission"
	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/rpc/client"
)

// Govern makes the node judge by the members and permissions of a chain, whose
// genesis block is the node's, and answer the methods about them. What they
// reply with is worked out from the blocks anew each time.
func (n *Node) Govern(p *params.Params) { n.params = p }

// coin is an unspent output of a best branch.
type coin struct {
	op     wire.OutPoint
	out    *wire.TxOut
	height int32
}

// state returns who may do what after the blocks below a height, and their
// unspent outputs. A block that breaks a rule panics: tests mine what the node
// took.
func (n *Node) state(height int32) (*permission.State, []coin) {
	s := permission.Genesis(n.params)
	var coins []coin
	for h, b := range n.best[:height] {
		var txs []*consensus.Tx
		var spent [][]consensus.Coin
		for i, msg := range b.Transactions {
			if i > 0 {
				var of []consensus.Coin
				of, coins = spend(msg, coins)
				txs, spent = append(txs, consensus.NewTx(msg)), append(spent, of)
			}
			coins = append(coins, outputs(msg, int32(h))...)
		}
		next, _, err := s.Apply(int32(h), txs, spent)
		if err != nil {
			panic(fmt.Sprintf("wallettest: block %d: %v", h, err))
		}
		s = next
	}
	return s, coins
}

func outputs(tx *wire.MsgTx, height int32) []coin {
	var list []coin
	for i, out := range tx.TxOut {
		list = append(list, coin{wire.OutPoint{Hash: tx.TxHash(), Index: uint32(i)}, out, height})
	}
	return list
}

// spend takes what a transaction spends out of coins.
func spend(tx *wire.MsgTx, coins []coin) (spent []consensus.Coin, left []coin) {
	for _, in := range tx.TxIn {
		at := slices.IndexFunc(coins, func(c coin) bool { return c.op == in.PreviousOutPoint })
		if at < 0 {
			spent = append(spent, consensus.Coin{})
			continue
		}
		spent = append(spent, consensus.Coin{Amount: coins[at].out.Value, Script: coins[at].out.PkScript, Height: coins[at].height})
		coins = slices.Delete(slices.Clone(coins), at, at+1)
	}
	return spent, coins
}

// permitted returns the rule that a transaction for the next block breaks.
func (n *Node) permitted(tx *wire.MsgTx) error {
	h := int32(len(n.best))
	s, coins := n.state(h)
	for _, waits := range n.pool {
		coins = append(coins, outputs(waits, h)...)
	}
	spent, _ := spend(tx, coins)
	t := consensus.NewTx(tx)
	if err := s.CheckTx(t, spent, h); err != nil {
		return err
	}
	_, _, err := s.Apply(h, []*consensus.Tx{t}, [][]consensus.Coin{spent})
	return err
}

// governed answers a method about members and permissions.
func (n *Node) governed(name string, args []json.RawMessage) (result any, ok bool, err error) {
	if n.params == nil {
		return nil, false, nil
	}
	switch name {
	case "listmembers":
		h := n.heightArg(args, 0)
		s, _ := n.state(h)
		return n.members(s, h), true, nil
	case "verifypermission":
		result, err = n.verifyPermission(args)
	case "listpending":
		h := int32(len(n.best))
		s, _ := n.state(h)
		result = n.pending(s, h)
	case "simulaterecords":
		result, err = n.simulate(args)
	case "listauthority":
		result, err = n.authority(args)
	default:
		return nil, false, nil
	}
	return result, true, err
}

func (n *Node) heightArg(args []json.RawMessage, at int) int32 {
	h := int32(len(n.best))
	if at < len(args) {
		_ = json.Unmarshal(args[at], &h)
	}
	return h
}

func (n *Node) members(s *permission.State, h int32) *client.MemberList {
	list := &client.MemberList{Height: h, SetupBlocks: n.params.Permissions.SetupBlocks}
	for perm := range record.Permissions.Each() {
		if s.Restricts(perm) {
			list.Restricted = append(list.Restricted, string(perm.Perm()))
		}
	}
	for m := range s.Members() {
		list.Members = append(list.Members, n.member(s, &m, h))
	}
	return list
}

func (n *Node) member(s *permission.State, m *permission.Member, h int32) client.Member {
	out := client.Member{MemberRef: ref(m), Administers: m.May(record.Admin, h), Activates: m.May(record.Activate, h)}
	for perm := range record.Permissions.Each() {
		if r := m.Range(perm); !r.Empty() {
			out.Permissions = append(out.Permissions, client.Permission{
				Permission: string(perm.Perm()), From: r.From, Until: r.Until, InForce: r.In(h),
			})
		}
	}
	for _, k := range m.Keys {
		kind, _ := record.Identity(k.Identity)
		out.Keys = append(out.Keys, client.Key{
			Address: n.address(k.Identity), Script: hex.EncodeToString(k.Identity), Type: kind.String(),
			Roles: k.Roles.Names(), From: k.From, Until: k.Until, InForce: k.In(h),
		})
	}
	if since, needs := s.ReadySince(m.ID, h); needs {
		out.Mining = &client.MiningMember{ActiveFrom: record.Forever, Since: since, NeedsReady: true}
	} else if m.MineUntil > uint32(h) {
		out.Mining = &client.MiningMember{Active: slices.Contains(s.Miners(h), m.ID), ActiveFrom: m.ActiveFrom, Since: m.MineSince}
	}
	return out
}

func ref(m *permission.Member) client.MemberRef {
	return client.MemberRef{ID: m.ID.String(), Name: m.Name}
}

func refs(s *permission.State, ids []record.MemberID) []client.MemberRef {
	list := []client.MemberRef{}
	for _, id := range ids {
		m, _ := s.Member(id)
		list = append(list, ref(&m))
	}
	return list
}

func (n *Node) address(script []byte) string {
	text, _ := n.params.Address.Encode(script)
	return text
}

func (n *Node) verifyPermission(args []json.RawMessage) (any, error) {
	var address, perm string
	if err := n.arg(args, 0, &address); err != nil {
		return nil, err
	}
	if err := n.arg(args, 1, &perm); err != nil {
		return nil, err
	}
	script, err := n.params.Address.Decode(address)
	if err != nil {
		return nil, n.Refuse(-5, err.Error())
	}
	set, err := record.ParseSet([]string{perm})
	if err != nil {
		return nil, n.Refuse(-8, err.Error())
	}
	h := n.heightArg(args, 2)
	s, _ := n.state(h)
	return s.May(script, set, h), nil
}

func (n *Node) pending(s *permission.State, h int32) []client.PendingVote {
	list := []client.PendingVote{}
	for _, v := range s.Pending(h) {
		list = append(list, n.vote(s, v, h))
	}
	return list
}

func (n *Node) vote(s *permission.State, v permission.Vote, h int32) client.PendingVote {
	data, _ := record.Encode(v.Record)
	voted := make([]record.MemberID, 0, len(v.Voters))
	for _, voter := range v.Voters {
		voted = append(voted, voter.Member)
	}
	voted = slices.Compact(voted)
	missing := slices.DeleteFunc(s.Administrators(h), func(id record.MemberID) bool { return slices.Contains(voted, id) })
	return client.PendingVote{
		ID: hex.EncodeToString(v.ID[:]), Record: hex.EncodeToString(data), Operation: v.Record.Op().String(),
		Description: n.describe(s, v.Record), Lapse: v.Lapse, Have: v.Have, Need: v.Need,
		Voters: refs(s, voted), Missing: refs(s, missing), Done: v.Done,
	}
}

func (n *Node) describe(s *permission.State, r record.Record) string {
	namer := func(id record.MemberID) string { m, _ := s.Member(id); return m.Name }
	return record.Describe(r, namer, n.address)
}

// simulate puts the records into a transaction of coins at the identities.
func (n *Node) simulate(args []json.RawMessage) (any, error) {
	var req client.SimulateRequest
	if err := n.arg(args, 0, &req); err != nil {
		return nil, err
	}
	tx := wire.NewMsgTx(2)
	var spent []consensus.Coin
	for i, address := range req.Identities {
		script, err := n.params.Address.Decode(address)
		if err != nil {
			return nil, n.Refuse(-5, err.Error())
		}
		tx.AddTxIn(wire.NewTxIn(&wire.OutPoint{Index: uint32(i)}, nil, [][]byte{make([]byte, 64)}))
		spent = append(spent, consensus.Coin{Script: script})
	}
	var records []record.Record
	for _, text := range req.Records {
		data, _ := hex.DecodeString(text)
		r, err := record.Decode(data)
		if err != nil {
			return nil, n.Refuse(-22, err.Error())
		}
		records = append(records, r)
		script, _ := record.Script(r)
		tx.AddTxOut(wire.NewTxOut(0, script))
		if k, _, ok := record.Key(r); ok && k.Roles.Any(record.Governing) {
			tx.AddTxOut(wire.NewTxOut(0, k.Identity))
		}
	}
	return n.simulated(consensus.NewTx(tx), spent, records)
}

func (n *Node) simulated(tx *consensus.Tx, spent []consensus.Coin, records []record.Record) (*client.Simulation, error) {
	h := int32(len(n.best))
	s, _ := n.state(h)
	sim := &client.Simulation{Height: h, Records: []client.SimulatedRecord{}, LetsIn: []client.AccessChange{}, CutsOff: []client.AccessChange{}}
	err := s.CheckTx(tx, spent, h)
	next := s
	if err == nil {
		next, _, err = s.Apply(h, []*consensus.Tx{tx}, [][]consensus.Coin{spent})
	}
	if err != nil {
		broken, ok := err.(*consensus.RuleError)
		if !ok {
			return nil, err
		}
		sim.Error = &client.RuleFault{Rule: string(broken.Rule), Detail: broken.Detail}
		return sim, nil
	}
	for _, r := range records {
		sim.Records = append(sim.Records, n.simulatedRecord(s, next, r, h))
	}
	sim.MinersBefore, sim.MinersAfter = miners(s, h+1), miners(next, h+1)
	for m := range next.Members() {
		before, _ := s.Member(m.ID)
		sim.LetsIn = appendChange(sim.LetsIn, &m, &m, &before, h+1)
		sim.CutsOff = appendChange(sim.CutsOff, &m, &before, &m, h+1)
	}
	return sim, nil
}

func miners(s *permission.State, h int32) client.MinerCount {
	count, w := len(s.Miners(h)), s.Required(h)
	return client.MinerCount{Mining: count, Required: w, MayFail: count - w}
}

// appendChange adds what a has at a height and b has not.
func appendChange(list []client.AccessChange, who, a, b *permission.Member, h int32) []client.AccessChange {
	var set record.Set
	for perm := range record.Permissions.Each() {
		if a.Range(perm).In(h) && !b.Range(perm).In(h) {
			set |= perm
		}
	}
	if set == 0 {
		return list
	}
	return append(list, client.AccessChange{MemberRef: ref(who), Permissions: set.Names(), From: uint32(h)})
}

func (n *Node) simulatedRecord(before, after *permission.State, r record.Record, h int32) client.SimulatedRecord {
	id := record.ID(r)
	find := func(s *permission.State) (client.PendingVote, bool) {
		for _, v := range s.Pending(h) {
			if v.ID == id {
				return n.vote(s, v, h), true
			}
		}
		return client.PendingVote{}, false
	}
	was, open := find(before)
	now, is := find(after)
	out := client.SimulatedRecord{
		ID: hex.EncodeToString(id[:]), Operation: r.Op().String(), Description: n.describe(after, r), Missing: []client.MemberRef{},
		Have: now.Have, Need: before.NeedFor(r, h), Completes: !is || now.Done && !was.Done,
	}
	out.Effective = out.Completes || !open || now.Have > was.Have
	if !out.Completes {
		out.Missing = now.Missing
	}
	return out
}

func (n *Node) authority(args []json.RawMessage) (any, error) {
	var which string
	if err := n.arg(args, 0, &which); err != nil {
		return nil, err
	}
	h := int32(len(n.best))
	s, coins := n.state(h)
	var scripts [][]byte
	if script, err := n.params.Address.Decode(which); err == nil {
		scripts = append(scripts, script)
	}
	for m := range s.Members() {
		for _, k := range m.Keys {
			if (m.Name == which || strings.EqualFold(m.ID.String(), which)) && k.Roles.Any(record.Governing) {
				scripts = append(scripts, k.Identity)
			}
		}
	}
	list := []client.AuthorityCoin{}
	for _, c := range coins {
		if !slices.ContainsFunc(scripts, func(s []byte) bool { return bytes.Equal(s, c.out.PkScript) }) {
			continue
		}
		list = append(list, client.AuthorityCoin{
			TxID: c.op.Hash.String(), Vout: c.op.Index, Address: n.address(c.out.PkScript), AmountSats: c.out.Value,
			Script: hex.EncodeToString(c.out.PkScript), Confirmations: h - c.height,
		})
	}
	slices.SortStableFunc(list, func(a, b client.AuthorityCoin) int { return int(min(a.AmountSats, 1) - min(b.AmountSats, 1)) })
	return list, nil
}
