package minestatus

import (
	"time"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/permission/record"
)

// Chain is what Read needs of the chain.
type Chain interface {
	Params() *params.Params
	Next() chain.NextBlock
	AtHeight(height int32) (chain.BlockInfo, bool)
	Sealers(n int) []chain.Sealing
	DoubleSeals() []chain.DoubleSeal
	Conflict() (chain.Conflict, bool)
}

// Options are what a node adds to what its chain knows.
type Options struct {
	Now     time.Time
	Present [][32]byte      // keys of nodes seen Within; nil: not known
	Own     record.MemberID // whose miner this node is; zero: nobody's

	SettleDepth int32 // as the settings have it; 0: the chain file's
}

// lookBack is how many blocks Read goes back for the last one of each member,
// at least, and for each member that mines.
const (
	lookBack       = 1_000
	lookBackMember = 8
)

// Read takes the view of a chain; ok is false where mining is not restricted.
func Read(c Chain, o Options) (v View, ok bool) {
	p := c.Params()
	next := c.Next()
	if !p.Permissions.Restricts(params.PermMine) || next.Permissions == nil {
		return View{}, false
	}
	v = View{
		State: next.Permissions, Height: next.Prev.Height, Time: next.Prev.Header.Timestamp, Now: o.Now,
		Spacing: p.PoW.Spacing, SetupBlocks: p.Permissions.SetupBlocks, SettleDepth: o.SettleDepth, RestartDelay: p.Permissions.RestartDelay,
		Last: make(map[record.MemberID]Block), Present: o.Present, Own: o.Own, Doubles: c.DoubleSeals(),
	}
	if v.SettleDepth == 0 {
		v.SettleDepth = p.Policy.SettleDepth
	}
	if f, ok := c.Conflict(); ok {
		v.Forked = &f
	}
	n := len(next.Permissions.Miners(next.Height))
	for _, s := range c.Sealers(max(lookBack, lookBackMember*n)) {
		if _, known := v.Last[s.Member]; known || s.Height > v.Height {
			continue
		}
		if info, ok := c.AtHeight(s.Height); ok && info.Hash == s.Hash {
			v.Last[s.Member] = Block{s.Height, s.Hash, info.Header.Timestamp}
		}
	}
	return v, true
}
