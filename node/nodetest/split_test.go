package nodetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/charterchain/charter/rpc/client"
)

// side is a part of a network that was split.
type side []*org

// split ends all sessions between the sides, and keeps nodes from dialling
// across.
func (c *consortium) split(sides ...side) {
	c.t.Helper()
	for _, own := range sides {
		for _, m := range own {
			for _, p := range m.peers {
				if !slices.Contains(own, p) {
					m.Call("addnode", nil, p.at(), "remove")
					if err := m.TryCall("disconnectnode", nil, p.P2P); err != nil {
						if code, ok := client.ErrorCode(err); !ok || code != -29 { // the session is one that the other side dialled
							c.t.Fatal(err)
						}
					}
				}
			}
		}
	}
	for _, own := range sides {
		for _, m := range own {
			c.Eventually(m.Name+" is cut off from the other side", func() error {
				var peers []struct{ Identity string }
				m.Call("getpeerinfo", &peers)
				for _, p := range peers {
					if !slices.ContainsFunc(own, func(o *org) bool { return o.self == p.Identity }) {
						return errors.New("connected with " + p.Identity)
					}
				}
				return nil
			})
		}
	}
}

// heal undoes split.
func (c *consortium) heal(sides ...side) {
	c.t.Helper()
	for _, own := range sides {
		for _, m := range own {
			for _, p := range m.peers {
				if !slices.Contains(own, p) {
					m.Call("addnode", nil, p.at(), "add")
				}
			}
		}
	}
}

// stalled waits until the nodes agree on a tip and have had no new block for
// several spacings, and returns its height.
func (c *consortium) stalled(s side) int32 {
	c.t.Helper()
	const quiet = 5 * spacing
	last, since := "", time.Now()
	var height int32
	c.Eventually(fmt.Sprintf("%s stops", s[0].Name), func() error {
		var tips string
		for _, m := range s {
			h, hash := m.Best()
			tips, height = tips+hash, h
		}
		if tips != last {
			last, since = tips, time.Now()
		}
		if time.Since(since) < quiet {
			return fmt.Errorf("its tip of height %d is %v old", height, time.Since(since))
		}
		return nil
	})
	c.SameTip(height, s...)
	return height
}

// SameTip is that of the cluster, for organisations.
func (c *consortium) SameTip(height int32, orgs ...*org) {
	c.t.Helper()
	nodes := make([]*Node, len(orgs))
	for i := range orgs {
		nodes[i] = orgs[i].Node
	}
	c.Cluster.SameTip(height, nodes...)
}

// oneChain waits until all have block hash at height, and are above it.
func (c *consortium) oneChain(height int32, orgs ...*org) {
	c.t.Helper()
	c.Eventually(fmt.Sprintf("one chain up to height %d", height), func() error {
		first := ""
		for _, m := range orgs {
			if h, _ := m.Best(); h < height {
				return fmt.Errorf("%s is at height %d", m.Name, h)
			}
			hash := m.hashAt(height)
			if first == "" {
				first = hash
			}
			if hash != first {
				return fmt.Errorf("%s has another block", m.Name)
			}
		}
		return nil
	})
}

// common is the height up to which two nodes have one chain.
func common(a, b *org) int32 {
	ha, _ := a.Best()
	hb, _ := b.Best()
	height := min(ha, hb)
	for height > 0 && a.hashAt(height) != b.hashAt(height) {
		height--
	}
	return height
}

// highest is the height of the best block that any of the nodes has.
func highest(orgs []*org) int32 {
	best := int32(0)
	for _, m := range orgs {
		h, _ := m.Best()
		best = max(best, h)
	}
	return best
}

// undone is how many of a node's blocks, as they were listed by hash before,
// are not in its chain any more.
func (c *consortium) undone(m *org, from int32, hashes []string) int {
	c.t.Helper()
	lost := 0
	for i, hash := range hashes {
		if m.hashAt(from+int32(i)) != hash {
			lost++
		}
	}
	return lost
}

func (m *org) hashes(from, to int32) []string {
	var list []string
	for h := from; h <= to; h++ {
		list = append(list, m.hashAt(h))
	}
	return list
}

// TestSplitInHalves: of four members that mine three different ones have to
// make three blocks in a row. Two against two nobody goes on for long; joined
// again all have one chain, no payment is lost, and mining goes on.
func TestSplitInHalves(t *testing.T) {
	t.Parallel()
	c := newConsortium(t, 4, time.Minute)
	c.start()
	const w = 3
	left, right := side(c.orgs[:2]), side(c.orgs[2:])
	before := highest(c.orgs)
	c.split(left, right)
	last := highest(c.orgs) // the split began at most here
	paid := []string{left[0].pay(left[1], "1.5"), right[0].pay(right[1], "2.5"), left[1].pay(right[0], "3.5")}
	hl, hr := c.stalled(left), c.stalled(right)
	t.Logf("split between heights %d and %d; the sides stop at %d and %d", before, last, hl, hr)
	for _, h := range []int32{hl, hr} {
		if h > last+w-1 {
			t.Errorf("a side without %d members came to height %d, more than %d blocks above %d", w, h, w-1, last)
		}
	}
	for _, s := range []side{left, right} {
		var status client.MiningStatus
		s[0].Call("getminingstatus", &status)
		if status.Required != w || status.Mining != 4 || status.Seen != 2 || !status.Isolated || status.MayFail != 0 || len(status.Warnings) == 0 {
			t.Errorf("mining status of a side: %+v", status)
		}
	}
	fork := common(left[0], right[0])
	mine := [][]string{left[0].hashes(fork+1, hl), right[0].hashes(fork+1, hr)}

	c.heal(left, right)
	c.oneChain(max(hl, hr)+4, c.orgs...)
	c.allMine(c.orgs...)
	for i, m := range []*org{left[0], right[0]} {
		if lost := c.undone(m, fork+1, mine[i]); lost > w-1 {
			t.Errorf("%s left %d blocks, more than %d", m.Name, lost, w-1)
		}
	}
	for _, txid := range paid {
		for _, m := range []*org{left[0], right[0]} {
			c.confirmed(m, txid, w)
		}
	}
}

// TestSplitThreeToTwo: of five members three are enough. The larger side goes
// on, the smaller one stops and joins it.
func TestSplitThreeToTwo(t *testing.T) {
	t.Parallel()
	c := newConsortium(t, 5, time.Minute)
	c.start()
	const w = 3
	large, small := side(c.orgs[:3]), side(c.orgs[3:])
	c.split(large, small)
	last := highest(c.orgs)
	paid := []string{large[0].pay(small[0], "1.5"), small[0].pay(small[1], "2.5")}
	stop := c.stalled(small)
	if stop > last+w-1 {
		t.Errorf("the smaller side came to height %d, more than %d blocks above %d", stop, w-1, last)
	}
	c.confirmed(large[1], paid[0], w+1)
	c.allMine(large...)
	height := highest(large)
	if height <= stop {
		t.Errorf("the larger side is at height %d, the smaller one at %d", height, stop)
	}
	kept := large[0].hashes(last, height)

	c.heal(large, small)
	c.oneChain(height+3, c.orgs...)
	if lost := c.undone(large[0], last, kept[:len(kept)-1]); lost > 0 {
		t.Errorf("the larger side left %d blocks of its own", lost)
	}
	c.allMine(c.orgs...)
	for _, txid := range paid {
		c.confirmed(small[1], txid, w)
	}
}
