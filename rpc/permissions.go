package rpc

import (
	"context"
	"encoding/json"
	"math"
	"slices"
	"strings"

	"github.com/charterchain/charter/chain/permission"
	"github.com/charterchain/charter/chain/permission/record"
)

// permissionMethods answer who may do what, by MultiChain's names: there
// addresses hold permissions, here the keys of members do.
type permissionMethods struct {
	chain Chain
	miner Miner
}

// maxListed is how many permissions, addresses or members one call may name.
const maxListed = 1_000

func (m *permissionMethods) methods() []*method {
	return []*method{
		{
			name: "listpermissions", area: areaMembers, run: m.listPermissions,
			params: []param{
				{name: "permissions", want: "string, or array of strings", fallback: `"*"`, help: "Permissions, commas between."},
				{name: "addresses", want: "string, or array of strings", fallback: `"*"`, help: "Addresses of keys, or names or ids of members, commas between."},
				{name: "verbose", want: "boolean", fallback: "false", help: "Show who decided it, and open votes."},
				heightHelp(),
			},
			summary: "Lists which addresses hold which permissions, now or later: the keys that act in a role for a member that holds it. " +
				"Permissions that the chain does not restrict are everybody's, and are listed only where they were granted.",
			result: "An array of {address, for, type, startblock, endblock, member, name}, verbose with admins and pending {startblock, endblock, admins, required}; " +
				"endblock is the first block without it.",
		},
		{
			name: "verifypermission", area: areaMembers, run: m.verifyPermission,
			params: []param{
				{name: "address", want: "string", help: "The address."},
				{name: "permission", want: "string", help: "connect, mine, send, receive, admin, activate, issue or create; or the role manage."},
				heightHelp(),
			},
			summary: "Says whether an address may do something.",
			result:  "true or false. For mine, whether it is its turn or its member is active is not asked.",
		},
		{
			name: "listminers", area: areaMembers, run: m.listMiners,
			params:  []param{{name: "verbose", want: "boolean", fallback: "false", help: "Count the blocks of each in the last 1,000."}},
			summary: "Lists the keys that mine or may mine later.",
			result: "An array of {address, islocal, permitted, diversitywaitblocks, lastmined, blocksmined, chain-state, member, name}; chain-state is mining-permitted, " +
				"waiting-mining-diversity (others have to seal first), not-ready (its member has to send charter ready, or did lately) or not-permitted.",
		},
	}
}

type permissionRow struct {
	Address    string          `json:"address"`
	For        *struct{}       `json:"for"` // always null: no permission is for one thing only
	Type       string          `json:"type"`
	StartBlock uint32          `json:"startblock"`
	EndBlock   uint32          `json:"endblock"`
	Member     string          `json:"member"`
	Name       string          `json:"name"`
	Admins     *[]string       `json:"admins,omitempty"`
	Pending    *[]pendingGrant `json:"pending,omitempty"`
}

type pendingGrant struct {
	StartBlock uint32   `json:"startblock"`
	EndBlock   uint32   `json:"endblock"`
	Admins     []string `json:"admins"`
	Required   int      `json:"required"` // votes that are missing
}

func (m *permissionMethods) listPermissions(_ context.Context, c *call) (any, error) {
	perms, whom, verbose := c.words(0, maxListed), c.words(1, maxListed), c.flag(2, false)
	g, err := governedParam(m.chain, c, 3)
	if err != nil {
		return nil, err
	}
	set := record.Permissions
	if perms != nil && !slices.Contains([]string{"*", "all"}, strings.Join(perms, ",")) {
		if set, err = permissionSet(perms); err != nil {
			return nil, err
		}
	}
	wanted, err := g.selection(whom)
	if err != nil {
		return nil, err
	}
	var votes []permission.Vote
	if verbose {
		votes = g.Pending(g.height)
	}
	rows := []permissionRow{}
	for one := range g.Members() {
		for i := range one.Keys {
			if wanted == nil || wanted(&one, &one.Keys[i]) {
				rows = g.appendRows(rows, &one, &one.Keys[i], set, votes, verbose)
			}
		}
	}
	return rows, nil
}

// permissionSet reads permissions, and not the role manage.
func permissionSet(names []string) (record.Set, error) {
	set, err := record.ParseSet(names)
	if err != nil || set.Any(record.Manage) || set == 0 {
		return 0, fail(codeInvalidParam, "permissions: %q, want of %s, commas between", strings.Join(names, ","), record.Permissions)
	}
	return set, nil
}

// selection tells which keys are asked for; nil: all. A valid address of
// nobody selects nothing.
func (g *governed) selection(whom []string) (func(*permission.Member, *permission.Key) bool, error) {
	if whom == nil || slices.Equal(whom, []string{"*"}) {
		return nil, nil
	}
	members, keys := map[record.MemberID]bool{}, map[string]bool{}
	for _, which := range whom {
		if script, err := g.address.Decode(which); err == nil {
			keys[string(script)] = true
			continue
		}
		m, err := g.find(which)
		if err != nil {
			return nil, err
		}
		members[m.ID] = true
	}
	return func(m *permission.Member, k *permission.Key) bool { return members[m.ID] || keys[string(k.Identity)] }, nil
}

// appendRows adds what a key can do by the permissions of its member, and with
// verbose what is being voted on.
func (g *governed) appendRows(rows []permissionRow, m *permission.Member, k *permission.Key, set record.Set, votes []permission.Vote, verbose bool) []permissionRow {
	for perm := range (set & k.Roles).Each() {
		span := meet(heldAs(m, perm), k.Range)
		if span.Until <= uint32(g.height) {
			span = record.Range{}
		}
		row := permissionRow{
			Address: g.addr(k.Identity), Type: string(perm.Perm()), StartBlock: span.From, EndBlock: span.Until,
			Member: m.ID.String(), Name: m.Name,
		}
		if verbose {
			admins, pending := g.grants(m, perm, votes)
			row.Admins, row.Pending = &admins, &pending
		}
		if !span.Empty() || row.Pending != nil && len(*row.Pending) > 0 {
			rows = append(rows, row)
		}
	}
	return rows
}

// heldAs is the range in which a member holds a permission: as it was granted
// by name, else by what includes it.
func heldAs(m *permission.Member, perm record.Set) record.Range {
	by := []record.Set{perm, record.Admin}
	switch {
	case perm == record.Mine && m.NoMine:
		by = by[:1]
	case perm == record.Connect:
		by = append(by, record.Mine)
	}
	for _, p := range by {
		if r := m.Range(p); !r.Empty() {
			return r
		}
	}
	return record.Range{}
}

// meet is what two ranges have in common.
func meet(a, b record.Range) record.Range {
	r := record.Range{From: max(a.From, b.From), Until: min(a.Until, b.Until)}
	if r.Empty() {
		return record.Range{}
	}
	return r
}

// grants sorts the votes about a permission of a member: by which keys it was
// decided, as far as that has not lapsed, and what is open.
func (g *governed) grants(m *permission.Member, perm record.Set, votes []permission.Vote) (admins []string, open []pendingGrant) {
	admins, open = []string{}, []pendingGrant{}
	for i := range votes {
		v := &votes[i]
		r, ok := v.Record.(record.Grant)
		if !ok || r.Member != m.ID || !r.Permissions.Any(perm) {
			continue
		}
		keys := make([]string, len(v.Voters))
		for j := range v.Voters {
			keys[j] = g.addr(record.KeyScript(v.Voters[j].Key))
		}
		switch {
		case !v.Done:
			open = append(open, pendingGrant{r.From, r.Until, keys, max(0, v.Need-v.Have)})
		case r.Until == m.Range(perm).Until:
			admins = keys
		}
	}
	return admins, open
}

func (m *permissionMethods) verifyPermission(_ context.Context, c *call) (any, error) {
	script, name := c.address(0, m.chain.Params().Address), c.text(1, "")
	height := c.integer(2, 0, 0, math.MaxInt32)
	if c.err != nil {
		return nil, c.err
	}
	g, err := governedAt(m.chain, int32(height))
	if err != nil {
		return nil, err
	}
	set, err := record.ParseSet([]string{name})
	if err != nil {
		return nil, fail(codeInvalidParam, "permission: %v", err)
	}
	return g.May(script, set, g.height), nil
}

type minerRow struct {
	Address     string `json:"address"`
	IsLocal     bool   `json:"islocal"`
	Permitted   bool   `json:"permitted"`
	WaitBlocks  int32  `json:"diversitywaitblocks"` // that others have to seal first
	LastMined   *int32 `json:"lastmined,omitempty"` // height
	BlocksMined *int   `json:"blocksmined,omitempty"`
	ChainState  string `json:"chain-state"`
	Member      string `json:"member"`
	Name        string `json:"name"`
}

// minersLookBack is how many blocks listminers looks at.
const minersLookBack = 1_000

func (m *permissionMethods) listMiners(_ context.Context, c *call) (any, error) {
	verbose := c.flag(0, false)
	if c.err != nil {
		return nil, c.err
	}
	g, err := governedNext(m.chain)
	if err != nil {
		return nil, err
	}
	last, count := map[record.MemberID]int32{}, map[[32]byte]int{}
	lastBy := map[[32]byte]int32{}
	for _, s := range m.chain.Sealers(minersLookBack) {
		last[s.Member], lastBy[s.Key] = max(last[s.Member], s.Height), max(lastBy[s.Key], s.Height)
		count[s.Key]++
	}
	own := m.miner.Status()
	rows := []minerRow{}
	for one := range g.Members() {
		for i := range one.Keys {
			key, ok := record.ScriptKey(one.Keys[i].Identity)
			span := meet(heldAs(&one, record.Mine), one.Keys[i].Range)
			if !ok || !one.Keys[i].Roles.Has(record.Mine) || span.Until <= uint32(g.height) {
				continue
			}
			row := g.minerRow(&one, key, last)
			row.IsLocal = own.Key != nil && *own.Key == key
			if at, ok := lastBy[key]; ok {
				row.LastMined = &at
			}
			if n := count[key]; verbose {
				row.BlocksMined = &n
			}
			rows = append(rows, row)
		}
	}
	return rows, nil
}

// minerRow says whether a key may seal the next block. last are the heights of
// the newest block of each member.
func (g *governed) minerRow(m *permission.Member, key [32]byte, last map[record.MemberID]int32) minerRow {
	row := minerRow{Address: g.addr(record.KeyScript(key)), Member: m.ID.String(), Name: m.Name}
	_, err := g.CheckSealer(key, g.height)
	row.Permitted = g.May(record.KeyScript(key), record.Mine, g.height)
	if at, ok := last[m.ID]; ok {
		row.WaitBlocks = max(0, at-g.LookBack(g.height)+1)
	}
	switch {
	case !row.Permitted:
		row.ChainState = "not-permitted"
	case err != nil:
		row.ChainState = "not-ready"
	case row.WaitBlocks > 0:
		row.ChainState = "waiting-mining-diversity"
	default:
		row.ChainState = "mining-permitted"
	}
	return row
}

// words reads a string of words with commas between, or an array of such
// strings; nil if it was not given.
func (c *call) words(i, most int) []string {
	if c.err != nil || !c.has(i) {
		return nil
	}
	list := []json.RawMessage{c.params[i]}
	if kindOf(c.params[i]) == kindArray {
		list = c.list(i, most)
	}
	out := []string{}
	for _, raw := range list {
		var text string
		if kindOf(raw) != kindString || json.Unmarshal(raw, &text) != nil {
			c.fault(codeType, "%s: %s is not a string; want %s", c.name(i), excerpt(raw), c.method.params[i].want)
			return nil
		}
		for word := range strings.SplitSeq(text, ",") {
			out = append(out, strings.TrimSpace(word))
		}
	}
	if len(out) > most {
		c.fault(codeInvalidParam, "%s has %d elements, at most %d are allowed", c.name(i), len(out), most)
	}
	return out
}
