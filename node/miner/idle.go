package miner

import (
	"fmt"
	"time"

	"github.com/charterchain/charter/mempool"
)

// openSafe is the number of blocks after which a payment counts as safe on
// chains where mining is not restricted.
const openSafe = 6

// idlePoll is how often a miner that makes no empty blocks looks whether
// something waits.
const idlePoll = 200 * time.Millisecond

// needless reports whether t is a block that nobody needs: it holds nothing,
// and neither did so many blocks before it that the last one which did is
// safe, and that whoever was declared ready in it may seal the next one.
func (m *Miner) needless(p *prospect, t *mempool.Template) (reason string, idle bool) {
	if !m.cfg.SkipEmpty || len(t.Txs) > 0 || p.restart != nil {
		return "", false
	}
	at := p.parent
	for range p.safe {
		if at.Height == 0 {
			break
		}
		if at.TxCount > 1 || at.Restart {
			return "", false
		}
		parent, ok := m.cfg.Chain.Lookup(at.Header.PrevBlock)
		if !ok {
			break
		}
		at = parent
	}
	return fmt.Sprintf("nothing waits, and %d empty blocks confirm all that came before; empty blocks are not wanted", p.safe), true
}
