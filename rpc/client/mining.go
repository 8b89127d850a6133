package client

import "context"

// MiningStatus is what getminingstatus replies with: how mining stands on a
// chain where it is restricted.
type MiningStatus struct {
	Height            int32            `json:"height"`             // of the best block; all else is about the next one
	Mining            int              `json:"mining"`             // n: members that may mine and are active
	Required          int              `json:"required"`           // w: as many blocks in a row need as many different members
	Seen              int              `json:"seen"`               // of the n, those seen lately
	MayFail           int              `json:"may_fail"`           // how many more may be lost before the chain stops
	Isolated          bool             `json:"isolated"`           // fewer than w were seen
	SafeConfirmations int              `json:"safe_confirmations"` // from so many on a payment is safe
	SettleDepth       int32            `json:"settle_depth"`       // blocks below the best one that this node never leaves by itself
	SettledHeight     int32            `json:"settled_height"`     // up to which that is so
	Members           []MinerPresence  `json:"members"`            // that may mine, ascending by name
	Own               OwnMiner         `json:"own"`
	DoubleSeals       []DoubleSeal     `json:"double_seals"`
	Conflict          *HistoryConflict `json:"conflicting_history,omitempty"`
	Restart           RestartInfo      `json:"restart"`
	Warnings          []string         `json:"warnings"`
}

// MinerPresence is a member that may mine.
type MinerPresence struct {
	MemberRef
	Active     bool   `json:"active"`     // counts: it was declared ready, long enough ago
	ActiveFrom uint32 `json:"activefrom"` // Forever: not declared ready yet
	LastHeight int32  `json:"lastheight"` // of its newest block; -1: none, as far back as was looked
	LastTime   int64  `json:"lasttime"`   // its, in seconds since 1970; 0: none
	Seen       bool   `json:"seen"`       // lately: connected, told of, or it made a block
	Own        bool   `json:"own"`        // it is this node's
}

// OwnMiner is this node's miner.
type OwnMiner struct {
	Address string     `json:"address,omitempty"` // of its key; none: it has no key
	Member  *MemberRef `json:"member,omitempty"`  // whose the key is
	Mining  bool       `json:"mining"`
	State   string     `json:"state"`  // mining, or in one word why not
	Reason  string     `json:"reason"` // the same in words; empty while it mines
	Rank    int        `json:"rank"`   // how many members start before it; -1: it may not seal the next block
	Next    int64      `json:"next"`   // when it may publish its next block, in seconds since 1970; 0: rank is -1
	Restart bool       `json:"restart"`
}

// DoubleSeal is two different blocks that a member sealed on one parent.
type DoubleSeal struct {
	MemberRef
	Height int32  `json:"height"`
	First  string `json:"first"` // block hashes, in the order in which they came
	Second string `json:"second"`
}

// HistoryConflict is a branch that an operator has to decide about.
type HistoryConflict struct {
	Hash       string `json:"hash"` // its last block
	Height     int32  `json:"height"`
	ForkHash   string `json:"forkhash"` // the last block that both branches have
	ForkHeight int32  `json:"forkheight"`
}

// RestartInfo is what getrestartinfo replies with: what it takes to restart a
// chain whose miners are gone.
type RestartInfo struct {
	Parent         string      `json:"parent"` // the best block, which the certificate names
	Height         int32       `json:"height"` // its
	Time           int64       `json:"time"`   // its, in seconds since 1970
	From           int64       `json:"from"`   // the least time of the restart block
	Need           int         `json:"need"`   // administering members that have to sign
	Administrators []MemberRef `json:"administrators"`
	Miners         []MemberRef `json:"miners"`  // that may mine now
	Waiting        bool        `json:"waiting"` // this node's miner has a certificate for this block
}

// GrantResult is what grant and revoke reply with.
type GrantResult struct {
	PSBT     string      `json:"psbt"`     // base64, version 0: to be signed by the wallets of the signers
	Records  []string    `json:"records"`  // in words
	Complete bool        `json:"complete"` // with these signers everything takes effect
	Need     int         `json:"need"`     // of the record that lacks the most votes
	Have     int         `json:"have"`     // with those of the signers
	Missing  []MemberRef `json:"missing"`  // administering members that could still vote
	Signers  []Signer    `json:"signers"`
}

// Signer is a key that a transaction has to be signed with.
type Signer struct {
	MemberRef
	Address string `json:"address"`
}

// MiningStatus calls getminingstatus.
func (c *Client) MiningStatus(ctx context.Context) (*MiningStatus, error) {
	out := new(MiningStatus)
	return out, c.Call(ctx, "getminingstatus", nil, out)
}

// RestartInfo calls getrestartinfo.
func (c *Client) RestartInfo(ctx context.Context) (*RestartInfo, error) {
	out := new(RestartInfo)
	return out, c.Call(ctx, "getrestartinfo", nil, out)
}

// SubmitRestart calls submitrestart with the script of a certificate, hex.
func (c *Client) SubmitRestart(ctx context.Context, certificate string) error {
	return c.Call(ctx, "submitrestart", []any{certificate}, nil)
}
