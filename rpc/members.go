package rpc

import (
	"context"
	"encoding/hex"
	"slices"

	"github.com/charterchain/charter/chain/permission"
	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/rpc/client"
)

// memberMethods show members and votes.
type memberMethods struct{ chain Chain }

const areaMembers = "Members"

func (m *memberMethods) methods() []*method {
	return []*method{
		{
			name: "listmembers", area: areaMembers, run: m.listMembers, params: []param{heightHelp()},
			summary: "Lists the members of the chain with their permissions and keys.",
			result:  "An object {height, restricted, setupblocks, members}; a member is as getmember shows it. A range holds from its first height until before its last; 4294967295 is for ever.",
		},
		{
			name: "getmember", area: areaMembers, run: m.getMember,
			params:  []param{{name: "member", want: "string", help: "Its name, its id, or the address of one of its keys."}, heightHelp()},
			summary: "Shows a member of the chain.",
			result:  "An object {id, name, permissions, keys, administers, activates, mining}; permissions are those granted by name: admin includes the others.",
		},
		{
			name: "listpending", area: areaMembers, run: m.listPending,
			summary: "Lists the votes that have not lapsed, those that were decided too.",
			result: "An array of {id, record, operation, description, lapse, have, need, voters, missing, done}: have of the need votes are there, " +
				"missing are administering members that did not vote; have and need are 0 where it is done.",
		},
	}
}

func (m *memberMethods) listMembers(_ context.Context, c *call) (any, error) {
	g, err := governedParam(m.chain, c, 0)
	if err != nil {
		return nil, err
	}
	out := &client.MemberList{
		Height: g.height, Restricted: []string{}, SetupBlocks: m.chain.Params().Permissions.SetupBlocks, Members: []client.Member{},
	}
	for perm := range record.Permissions.Each() {
		if g.Restricts(perm) {
			out.Restricted = append(out.Restricted, string(perm.Perm()))
		}
	}
	miners := g.Miners(g.height)
	for one := range g.Members() {
		out.Members = append(out.Members, g.member(&one, miners))
	}
	return out, nil
}

func (m *memberMethods) getMember(_ context.Context, c *call) (any, error) {
	which := c.text(0, "")
	g, err := governedParam(m.chain, c, 1)
	if err != nil {
		return nil, err
	}
	one, err := g.find(which)
	if err != nil {
		return nil, err
	}
	return g.member(&one, g.Miners(g.height)), nil
}

// member describes m. miners are those that may seal the block.
func (g *governed) member(m *permission.Member, miners []record.MemberID) client.Member {
	h := g.height
	out := client.Member{
		MemberRef: ref(m), Permissions: []client.Permission{}, Keys: []client.Key{},
		Administers: m.May(record.Admin, h), Activates: m.May(record.Activate, h),
	}
	for perm := range record.Permissions.Each() {
		if r := m.Range(perm); !r.Empty() {
			out.Permissions = append(out.Permissions, client.Permission{Permission: string(perm.Perm()), From: r.From, Until: r.Until, InForce: r.In(h)})
		}
	}
	for i := range m.Keys {
		k := &m.Keys[i]
		if k.Until <= uint32(h) {
			continue
		}
		kind, _ := record.Identity(k.Identity)
		out.Keys = append(out.Keys, client.Key{
			Address: g.addr(k.Identity), Script: hex.EncodeToString(k.Identity), Type: kind.String(),
			Roles: k.Roles.Names(), From: k.From, Until: k.Until, InForce: k.In(h),
		})
	}
	if since, needs := g.ReadySince(m.ID, h); needs { // also for a range that began without a record
		out.Mining = &client.MiningMember{ActiveFrom: record.Forever, Since: since, NeedsReady: true}
	} else if m.MineUntil > uint32(h) {
		out.Mining = &client.MiningMember{Active: slices.Contains(miners, m.ID), ActiveFrom: m.ActiveFrom, Since: m.MineSince}
	}
	return out
}

func (m *memberMethods) listPending(context.Context, *call) (any, error) {
	g, err := governedNext(m.chain)
	if err != nil {
		return nil, err
	}
	votes := g.Pending(g.height)
	out := make([]client.PendingVote, len(votes))
	for i := range votes {
		out[i] = g.pending(&votes[i])
	}
	return out, nil
}

func (g *governed) pending(v *permission.Vote) client.PendingVote {
	data, _ := record.Encode(v.Record) // the state holds nothing else
	return client.PendingVote{
		ID: hex.EncodeToString(v.ID[:]), Record: hex.EncodeToString(data), Operation: v.Record.Op().String(),
		Description: g.describe(v.Record), Lapse: v.Lapse, Have: v.Have, Need: v.Need,
		Voters: g.refs(voters(v)), Missing: g.refs(g.missing(v)), Done: v.Done,
	}
}

// voters are the members that voted, each once.
func voters(v *permission.Vote) []record.MemberID {
	list := make([]record.MemberID, len(v.Voters))
	for i := range v.Voters {
		list[i] = v.Voters[i].Member
	}
	return slices.Compact(list)
}

// missing are the administering members that did not vote; none where it is
// decided.
func (g *governed) missing(v *permission.Vote) []record.MemberID {
	if v.Done {
		return nil
	}
	voted := voters(v)
	return slices.DeleteFunc(g.Administrators(g.height), func(id record.MemberID) bool { return slices.Contains(voted, id) })
}
