package rpc

import (
	"math"

	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/permission"
	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/rpc/client"
)

// Codes that the methods about members have for their own.
const codeNoMembers = codeMisc

// errNoMembers is the answer on chains where permissions are off.
func errNoMembers() error {
	return fail(codeNoMembers, "this chain has no members: permissions are off")
}

// governed is who may do what in one block, and how to say it.
type governed struct {
	*permission.State
	height  int32 // of the block that is judged
	address params.Address
}

// governedNext judges the next block.
func governedNext(c Chain) (*governed, error) {
	next := c.Next()
	if next.Permissions == nil {
		return nil, errNoMembers()
	}
	return &governed{next.Permissions, next.Height, c.Params().Address}, nil
}

// governedAt judges the block at height: an earlier one by the members of its
// time, a later one as things stand now. 0 is the next one.
func governedAt(c Chain, height int32) (*governed, error) {
	g, err := governedNext(c)
	if err != nil || height == 0 {
		return g, err
	}
	if height < g.height {
		state, ok := c.PermissionsAt(height - 1)
		if !ok {
			return nil, fail(codeMisc, "who could do what at height %d is not known: %s", height, c.Unvalidated())
		}
		g.State = state
	}
	g.height = height
	return g, nil
}

// heightHelp documents the parameter that governedAt takes.
func heightHelp() param {
	return param{name: "height", want: "number", fallback: "0, the next block",
		help: "Judge the block at this height: an earlier one by the members of its time, a later one as things stand now."}
}

// governedParam reads the height at position i.
func governedParam(c Chain, call *call, i int) (*governed, error) {
	height := call.integer(i, 0, 0, math.MaxInt32)
	if call.err != nil {
		return nil, call.err
	}
	return governedAt(c, int32(height))
}

func ref(m *permission.Member) client.MemberRef {
	return client.MemberRef{ID: m.ID.String(), Name: m.Name}
}

// refs names members; one that is not there any more has its id only.
func (g *governed) refs(ids []record.MemberID) []client.MemberRef {
	list := make([]client.MemberRef, 0, len(ids))
	for _, id := range ids {
		list = append(list, g.ref(id))
	}
	return list
}

func (g *governed) ref(id record.MemberID) client.MemberRef {
	return client.MemberRef{ID: id.String(), Name: g.name(id)}
}

func (g *governed) name(id record.MemberID) string {
	m, _ := g.Member(id)
	return m.Name
}

// addr is the address of an identity, all of which have one.
func (g *governed) addr(script []byte) string {
	text, _ := g.address.Encode(script)
	return text
}

func (g *governed) describe(r record.Record) string { return record.Describe(r, g.name, g.addr) }

// find returns the member that a name, an id or the address of a key names.
func (g *governed) find(which string) (permission.Member, error) {
	if m, ok := g.ByName(which); ok {
		return m, nil
	}
	if id, err := record.ParseMemberID(which); err == nil {
		if m, ok := g.Member(id); ok {
			return m, nil
		}
		return permission.Member{}, fail(codeAddressOrKey, "there is no member with the id %s: listmembers lists them", which)
	}
	script, err := g.address.Decode(which)
	if err != nil {
		return permission.Member{}, fail(codeAddressOrKey, "there is no member %.80q, and it is no address of this chain either: listmembers lists the members", which)
	}
	if m, _, ok := g.ByIdentity(script); ok {
		return m, nil
	}
	return permission.Member{}, fail(codeAddressOrKey, "the address %s is no key of any member", which)
}
