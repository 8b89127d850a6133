package rpc

import (
	"context"
	"errors"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/chain/permission/seal"
	"github.com/charterchain/charter/rpc/client"
)

// sealMethods are about mining where it is restricted.
type sealMethods struct {
	cfg *Config
}

func (m *sealMethods) methods() []*method {
	return []*method{
		{
			name: "getminingstatus", area: "Mining", run: m.getMiningStatus,
			summary: "Says how mining stands where it is restricted: who mines and was seen lately, how many more members may be lost before the chain stops, from which depth a payment is safe, and what this node's miner does.",
			result: "An object {height, mining, required, seen, may_fail, isolated, safe_confirmations, settle_depth, settled_height, members, own, double_seals, conflicting_history, restart, warnings}: " +
				"mining members of which required different ones have to seal as many blocks in a row.",
		},
		{
			name: "getrestartinfo", area: "Mining", run: m.getRestartInfo,
			summary: "Says what it takes to restart the chain on the present best block if too few of its miners are left.",
			result:  "An object {parent, height, time, from, need, administrators, miners, waiting}: need of the administrators have to sign a certificate, and the restart block cannot come before from.",
		},
		{
			name: "submitrestart", area: "Mining", run: m.submitRestart,
			params:  []param{{name: "certificate", want: "string, hex", help: "The output script of the certificate, signed by enough administering members."}},
			summary: "Gives this node's miner the certificate of a restart, to use it as soon as the chain allows. Its member has to be among those that mine from then on.",
			result:  "null. If another block comes before, the certificate is forgotten.",
		},
	}
}

// restricted fails where mining is everybody's.
func restricted(c Chain) error {
	switch p := c.Params(); {
	case !p.Permissions.Enabled:
		return errNoMembers()
	case !sealed(c):
		return fail(codeMisc, "mining is not restricted on this chain: everybody mines")
	}
	return nil
}

// sealed reports whether blocks of the chain carry seals.
func sealed(c Chain) bool { return c.Params().Permissions.Restricts(params.PermMine) }

func (m *sealMethods) getMiningStatus(context.Context, *call) (any, error) {
	if err := restricted(m.cfg.Chain); err != nil {
		return nil, err
	}
	g, err := governedNext(m.cfg.Chain)
	if err != nil {
		return nil, err
	}
	out, ok := m.cfg.MiningStatus()
	if !ok {
		return nil, fail(codeMisc, "this node does not watch who mines")
	}
	out.Own = g.own(m.cfg.Miner.Status())
	out.Restart = m.restart(g)
	return out, nil
}

// own describes this node's miner.
func (g *governed) own(s MinerStatus) client.OwnMiner {
	out := client.OwnMiner{Mining: s.Mining, State: s.State, Reason: s.Reason, Rank: s.Rank, Next: unix(s.Next), Restart: s.Restart}
	if s.Key == nil {
		return out
	}
	script := record.KeyScript(*s.Key)
	out.Address = g.addr(script)
	if m, _, ok := g.ByIdentity(script); ok {
		r := ref(&m)
		out.Member = &r
	}
	return out
}

func (m *sealMethods) getRestartInfo(context.Context, *call) (any, error) {
	if err := restricted(m.cfg.Chain); err != nil {
		return nil, err
	}
	g, err := governedNext(m.cfg.Chain)
	if err != nil {
		return nil, err
	}
	return m.restart(g), nil
}

// restart says what a restart takes, by the members of the next block.
func (m *sealMethods) restart(g *governed) client.RestartInfo {
	parent, ok := m.cfg.Chain.AtHeight(g.height - 1)
	if !ok {
		parent = m.cfg.Chain.Best() // the best branch became shorter meanwhile
	}
	delay := m.cfg.Chain.Params().Permissions.RestartDelay
	return client.RestartInfo{
		Parent: parent.Hash.String(), Height: parent.Height, Time: parent.Header.Timestamp.Unix(),
		From: parent.Header.Timestamp.Add(delay).Unix(), Need: g.NeedRestart(g.height),
		Administrators: g.refs(g.Administrators(g.height)), Miners: g.refs(g.Miners(g.height)),
		Waiting: m.cfg.Miner.Status().Restart,
	}
}

func (m *sealMethods) submitRestart(_ context.Context, c *call) (any, error) {
	script := c.bytes(0, codeDeserialization)
	if c.err != nil {
		return nil, c.err
	}
	if err := restricted(m.cfg.Chain); err != nil {
		return nil, err
	}
	cert, err := seal.ParseCertificate(script)
	if err != nil {
		return nil, fail(codeDeserialization, "Certificate decode failed: %v", err)
	}
	if err := m.cfg.Miner.SubmitRestart(cert); err != nil {
		return nil, fail(codeVerify, "%v", err)
	}
	return nil, nil
}

// MayNotError says why the miner's key may not seal the next block now.
type MayNotError struct{ Why string }

func (e *MayNotError) Error() string { return e.Why }

// notSealed reports a block on demand that this node may not seal.
func notSealed(err error) (error, bool) {
	var why *MayNotError
	if errors.As(err, &why) {
		return fail(codeMisc, "%s", why.Why), true
	}
	return nil, false
}

// mayTemplate refuses to make templates of blocks that need a seal, which is
// over all of a block but its nonce.
func mayTemplate(c Chain) error {
	if !sealed(c) {
		return nil
	}
	return fail(codeMisc, "blocks of this chain are sealed by members that may mine, and only the node's own miner can seal them: start the node with --mine and its miner key, and see getminingstatus; mode proposal works")
}

// sealerJSON is who sealed a block. The name is the present one. While it is
// open if the key may seal it (undecided), there is no member.
type sealerJSON struct {
	Member  string `json:"member,omitempty"`
	Name    string `json:"name,omitempty"`
	Key     string `json:"key"` // address
	Restart bool   `json:"restart,omitempty"`
}

// sealerOf is nil where blocks carry no seals, and for the genesis block.
func sealerOf(c Chain, info *chain.BlockInfo) *sealerJSON {
	if !info.Sealed {
		return nil
	}
	out := &sealerJSON{Restart: info.Restart}
	out.Key, _ = c.Params().Address.Encode(record.KeyScript(info.SealKey))
	if info.Undecided {
		return out
	}
	out.Member = info.Sealer.String()
	if g, err := governedNext(c); err == nil {
		out.Name = g.name(info.Sealer)
	}
	return out
}
