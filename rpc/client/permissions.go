package client

import "context"

// Forever as the end of a range means that the range does not end.
const Forever uint32 = 4294967295

// The results of the methods about members and permissions. Heights are
// those of blocks; a range holds from From (inclusive) until Until
// (exclusive). Everything is judged for one block: the next one unless a
// height was asked for.

// MemberRef names a member.
type MemberRef struct {
	ID   string `json:"id"` // 40 hex digits
	Name string `json:"name"`
}

// MemberList is what listmembers replies with.
type MemberList struct {
	Height      int32    `json:"height"`      // of the block that is judged
	Restricted  []string `json:"restricted"`  // permissions that are not everybody's
	SetupBlocks int32    `json:"setupblocks"` // blocks up to this height belong to the set-up
	Members     []Member `json:"members"`     // ascending by id
}

// Member is what getmember replies with, and a row of listmembers.
type Member struct {
	MemberRef
	Permissions []Permission  `json:"permissions"` // in the order connect, mine, send, …; empty ranges are left out
	Keys        []Key         `json:"keys"`        // those that are over are left out
	Administers bool          `json:"administers"` // holds admin, and a key with that role is in force
	Activates   bool          `json:"activates"`
	Mining      *MiningMember `json:"mining,omitempty"` // of members that may mine now or later
}

// Permission is the range in which a member holds a permission as it was
// granted by name.
type Permission struct {
	Permission string `json:"permission"`
	From       uint32 `json:"from"`
	Until      uint32 `json:"until"`
	InForce    bool   `json:"inforce"` // in the block that is judged
}

// Key is a member's key.
type Key struct {
	Address string   `json:"address"`
	Script  string   `json:"script"` // hex
	Type    string   `json:"type"`   // P2TR, P2WPKH, P2WSH, P2PKH, P2SH
	Roles   []string `json:"roles"`
	From    uint32   `json:"from"`
	Until   uint32   `json:"until"`
	InForce bool     `json:"inforce"`
}

// MiningMember says how a member stands that holds mine.
type MiningMember struct {
	Active     bool   `json:"active"`     // may seal the block that is judged
	ActiveFrom uint32 `json:"activefrom"` // Forever: not declared ready yet
	Since      uint32 `json:"since"`      // the height that a ready record has to name
	NeedsReady bool   `json:"needsready"` // a ready record is to be sent
}

// PendingVote is a row of listpending.
type PendingVote struct {
	ID          string      `json:"id"`        // SHA-256 of the record, hex
	Record      string      `json:"record"`    // the data that its output pushes, hex
	Operation   string      `json:"operation"` // grant, add-key, …
	Description string      `json:"description"`
	Lapse       uint32      `json:"lapse"` // the last height at which it can be voted for
	Have        int         `json:"have"`
	Need        int         `json:"need"`
	Voters      []MemberRef `json:"voters"`  // members that voted for it
	Missing     []MemberRef `json:"missing"` // administering members that did not
	Done        bool        `json:"done"`    // has taken effect; votes do nothing
}

// SimulateRequest is the parameter of simulaterecords: a transaction with
// these records, in which these identities speak.
type SimulateRequest struct {
	Records    []string `json:"records"`    // what each output pushes, hex
	Identities []string `json:"identities"` // addresses
}

// Simulation is what simulaterecords replies with: what the next block would
// make of the transaction.
type Simulation struct {
	Height       int32             `json:"height"`
	Records      []SimulatedRecord `json:"records"` // in the order given
	LetsIn       []AccessChange    `json:"lets_in"`
	CutsOff      []AccessChange    `json:"cuts_off"`
	MinersBefore MinerCount        `json:"miners_before"`
	MinersAfter  MinerCount        `json:"miners_after"`
	Decided      *Decision         `json:"decided,omitempty"` // where votes are missing: what comes of it with them
	Error        *RuleFault        `json:"error,omitempty"`   // why no block would take it
}

// Decision is what comes of records for which all vote that administer.
type Decision struct {
	LetsIn      []AccessChange `json:"lets_in"`
	CutsOff     []AccessChange `json:"cuts_off"`
	MinersAfter MinerCount     `json:"miners_after"`
	Error       *RuleFault     `json:"error,omitempty"` // why no block would take the last vote
}

// SimulatedRecord is what becomes of one record.
type SimulatedRecord struct {
	ID          string      `json:"id"`
	Operation   string      `json:"operation"`
	Description string      `json:"description"`
	Effective   bool        `json:"effective"` // it counts: changes something or adds a vote
	Completes   bool        `json:"completes"` // what it says takes effect with this block
	Have        int         `json:"have"`      // votes with this one
	Need        int         `json:"need"`
	Missing     []MemberRef `json:"missing"` // administering members that could still vote; empty if it completes
}

// AccessChange is what a member can do from a height on, or no longer.
type AccessChange struct {
	MemberRef
	Permissions []string `json:"permissions"`
	From        uint32   `json:"from"`
}

// MinerCount says how many miners there are and how many can be done without.
type MinerCount struct {
	Mining   int `json:"mining"`   // n
	Required int `json:"required"` // w
	MayFail  int `json:"may_fail"` // n - w
}

// RuleFault names a rule that is broken.
type RuleFault struct {
	Rule   string `json:"rule"`
	Detail string `json:"detail"`
}

// AuthorityCoin is a row of listauthority.
type AuthorityCoin struct {
	TxID          string `json:"txid"`
	Vout          uint32 `json:"vout"`
	Address       string `json:"address"`
	AmountSats    int64  `json:"amount_sats"` // smallest unit; 0: an authority output
	Script        string `json:"script"`      // hex
	Confirmations int32  `json:"confirmations"`
}

// Members calls listmembers for a block; at 0 for the next one.
func (c *Client) Members(ctx context.Context, height int32) (*MemberList, error) {
	out := new(MemberList)
	return out, c.Call(ctx, "listmembers", heightParam(nil, height), out)
}

// Member calls getmember: name, id, or an address that is a key of it.
// Where there is none the code of the error is -5.
func (c *Client) Member(ctx context.Context, which string, height int32) (*Member, error) {
	out := new(Member)
	return out, c.Call(ctx, "getmember", heightParam([]any{which}, height), out)
}

func heightParam(params []any, height int32) []any {
	if height > 0 {
		return append(params, height)
	}
	return params
}

// Pending calls listpending.
func (c *Client) Pending(ctx context.Context) ([]PendingVote, error) {
	var out []PendingVote
	err := c.Call(ctx, "listpending", nil, &out)
	return out, err
}

// VerifyPermission calls verifypermission: whether an address may do
// something in a block; at 0 in the next one.
func (c *Client) VerifyPermission(ctx context.Context, address, permission string, height int32) (bool, error) {
	var out bool
	err := c.Call(ctx, "verifypermission", heightParam([]any{address, permission}, height), &out)
	return out, err
}

// SimulateRecords calls simulaterecords.
func (c *Client) SimulateRecords(ctx context.Context, req SimulateRequest) (*Simulation, error) {
	out := new(Simulation)
	return out, c.Call(ctx, "simulaterecords", []any{req}, out)
}

// ListAuthority calls listauthority: the unspent outputs of amount 0 at the
// governing keys of a member (name or id) or at one address; for a key
// without any, its other P2TR coins.
func (c *Client) ListAuthority(ctx context.Context, which string) ([]AuthorityCoin, error) {
	var out []AuthorityCoin
	err := c.Call(ctx, "listauthority", []any{which}, &out)
	return out, err
}
