package client

import "context"

// JoinInfo is what getjoininfo replies with: how other nodes join the chain by
// this one, and who does not let this one in.
type JoinInfo struct {
	Line      string        `json:"line"`     // what charter join takes
	Identity  string        `json:"identity"` // of this node
	Host      string        `json:"host"`     // host:port in the line
	Local     bool          `json:"local"`    // which only this machine can reach
	Genesis   string        `json:"genesis"`
	Settled   *BlockRef     `json:"settled"` // null: no block is settled yet
	RefusedBy []RefusedPeer `json:"refused_by"`
}

// BlockRef names a block.
type BlockRef struct {
	Height int32  `json:"height"`
	Hash   string `json:"hash"`
}

// RefusedPeer is a peer that this node is to connect with, and why it does not.
type RefusedPeer struct {
	Node    string `json:"node"`
	Problem string `json:"problem"`
}

// JoinInfo calls getjoininfo; host may be "".
func (c *Client) JoinInfo(ctx context.Context, host string) (*JoinInfo, error) {
	out := new(JoinInfo)
	var params []any
	if host != "" {
		params = append(params, host)
	}
	return out, c.Call(ctx, "getjoininfo", params, out)
}
