package chain_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/chain/store"
	"github.com/charterchain/charter/chain/store/storetest"
)

// permTree is a random tree of blocks with votes, grants, revocations, keys
// and restarts in them, some of which break a rule.
type permTree struct {
	net    *chaintest.Consortium
	maker  *chaintest.Maker
	blocks []*consensus.Block // parents first
}

func growPermTree(tb testing.TB, rng *rand.Rand, n int) *permTree {
	t := &permTree{net: chaintest.NewConsortium(chaintest.ConsortiumOptions{
		Permissions: "restart_delay = 61",
		Members: []chaintest.Genesis{{Name: "alpha", Permissions: "admin"}, {Name: "beta", Permissions: "admin"},
			{Name: "gamma", Permissions: "admin"}, {Name: "delta", Permissions: "mine receive"}},
	})}
	t.maker = t.net.NewMaker()
	judge := t.open(tb, 8<<20)
	at := []chainhash.Hash{t.net.Params.GenesisHash}
	for range n {
		parent := judge.Chain.Best().Hash // mostly, so that the tree grows
		if rng.IntN(5) < 2 {
			parent = at[max(0, len(at)-1-rng.IntN(8))]
		}
		opts := t.options(rng)
		if rng.IntN(2) == 0 { // not whose turn it is: he may have lost the permission
			opts = append(opts, chaintest.By(t.net.Members[rng.IntN(len(t.net.Members))]))
		}
		b := t.maker.Make(parent, opts...)
		t.blocks = append(t.blocks, b)
		if _, err := judge.Chain.AcceptBlock(tb.Context(), b); err == nil || rng.IntN(8) == 0 {
			at = append(at, b.Hash) // few stand on a block that breaks a rule
		}
	}
	return t
}

// open returns a new node that undoes any number of blocks.
func (t *permTree) open(tb testing.TB, cache int64) *chaintest.Harness {
	return chaintest.New(tb, chaintest.Options{Consortium: t.net, Settle: 1000, FS: storetest.New(), Dir: "/data", CacheBytes: cache})
}

// options are what happens in a block.
func (t *permTree) options(rng *rand.Rand) []chaintest.Option {
	m := t.net.Member
	admins := members{m("alpha"), m("beta"), m("gamma")}
	rng.Shuffle(len(admins), func(i, j int) { admins[i], admins[j] = admins[j], admins[i] })
	voters := admins[:1+rng.IntN(len(admins))]
	newer := chaintest.NewMember(string(rune('p' + rng.IntN(3))))
	who := []*chaintest.Member{newer, newer, m("delta"), m("gamma")}[rng.IntN(4)]
	what := []record.Set{record.Send, record.Receive, record.Mine, record.Connect, record.Send | record.Receive, record.Admin}[rng.IntN(6)]
	switch n := rng.IntN(40); {
	case n < 12:
		return nil
	case n < 20:
		return []chaintest.Option{t.net.Vote(voters, t.net.Create(newer, record.Send|record.Receive|record.Mine|record.Connect))}
	case n < 31:
		return []chaintest.Option{t.net.Vote(voters, t.net.Grant(who, what))}
	case n < 34:
		return []chaintest.Option{t.net.Vote(voters, t.net.Revoke(who, what))}
	case n < 37:
		return []chaintest.Option{t.net.Vote(voters[:1], t.net.Grant(who, what)), t.net.Vote(voters[:1], t.net.Create(newer, record.Send))}
	case n < 39:
		key := chaintest.NewKey(chaintest.P2TR, 100+rng.IntN(3))
		return []chaintest.Option{t.net.Vote(voters, t.net.AddKey(who, key, record.Send|record.Manage))}
	}
	return []chaintest.Option{chaintest.Restart(members{m("alpha"), m("beta"), m("delta")}, admins[:2])}
}

// offerAll offers the blocks in this order.
func (t *permTree) offerAll(h *chaintest.Harness, order []int) error {
	for _, i := range order {
		if err := t.offer(h, i); err != nil {
			return err
		}
	}
	return nil
}

func (t *permTree) offer(h *chaintest.Harness, i int) error { return t.offerTo(h.Chain, i) }

func (t *permTree) offerTo(c *chain.Chain, i int) error {
	_, err := c.AcceptBlock(context.Background(), t.blocks[i])
	if err != nil && consensus.AsRule(err) == nil && !errors.Is(err, chain.ErrVariant) {
		return fmt.Errorf("block %d: %w", i, err)
	}
	return nil
}

func inOrder(n int) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	return order
}

func permState(t testing.TB, h *chaintest.Harness) []byte {
	t.Helper()
	b, err := permStateOf(h.Chain)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// permStateOf is all that a chain says of permissions and sealers.
func permStateOf(c *chain.Chain) ([]byte, error) {
	var b bytes.Buffer
	best := c.Best()
	b.Write(best.Hash[:])
	for height := range best.Height + 1 {
		state, ok := c.PermissionsAt(height)
		if !ok {
			return nil, fmt.Errorf("no permissions at height %d", height)
		}
		info, _ := c.AtHeight(height)
		hash := state.Hash()
		b.Write(hash[:])
		b.Write(info.Sealer[:])
		b.WriteByte(byte(state.Required(height + 1)))
	}
	b.Write(c.Permissions().Encode())
	return b.Bytes(), nil
}

// TestPermissionsFollowTheBranch: whatever the order in which blocks come, and
// whatever was connected and undone meanwhile, the best branch is the same and
// the permissions are those of a node that saw nothing else.
func TestPermissionsFollowTheBranch(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 11))
			tree := growPermTree(t, rng, 80)
			first := tree.open(t, 8<<20)
			if err := tree.offerAll(first, inOrder(80)); err != nil {
				t.Fatal(err)
			}
			want := permState(t, first)
			t.Logf("height %d, %d changes of permissions, %d restarts", first.Chain.Best().Height, changes(first), first.Chain.Permissions().RestartHeight())

			// Fresh: the best branch alone.
			fresh := tree.open(t, 8<<20)
			for height := int32(1); height <= first.Chain.Best().Height; height++ {
				info, _ := first.Chain.AtHeight(height)
				b, err := first.Chain.ReadBlock(info.Hash)
				if err != nil {
					t.Fatal(err)
				}
				if result, err := fresh.Chain.AcceptBlock(t.Context(), b); err != nil || result != chain.ResultConnected {
					t.Fatalf("block %d: %d, %v", height, result, err)
				}
			}
			if !bytes.Equal(permState(t, fresh), want) {
				t.Error("a fresh node has other permissions")
			}

			for range 2 {
				h := tree.open(t, int64(1+rng.IntN(2)*(8<<20)))
				for _, i := range rng.Perm(80) {
					if err := tree.offer(h, i); err != nil {
						t.Fatal(err)
					}
					disturb(t, h, rng)
				}
				if err := tree.offerAll(h, inOrder(80)); err != nil { // what was dropped as too early
					t.Fatal(err)
				}
				if !bytes.Equal(permState(t, h), want) {
					t.Errorf("another order leads to block %v, want %v", h.Chain.Best().Hash, first.Chain.Best().Hash)
				}
			}
			rebuilds(t, first, want)
		})
	}
}

func changes(h *chaintest.Harness) (n int) {
	last := h.Chain.Permissions()
	for height := h.Chain.Best().Height; height >= 0; height-- {
		state, _ := h.Chain.PermissionsAt(height)
		if state.Hash() != last.Hash() {
			n++
		}
		last = state
	}
	return n
}

// disturb flushes, stops or kills the node now and then.
func disturb(t *testing.T, h *chaintest.Harness, rng *rand.Rand) {
	t.Helper()
	switch rng.IntN(16) {
	case 0:
		if err := h.Chain.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	case 1:
		h.Close()
		h.Open()
	case 2:
		h.Kill()
		h.Open()
	}
}

// rebuilds makes the state again from the files, and checks all of it: what
// each block changed of the permissions is stored again byte by byte.
func rebuilds(t *testing.T, h *chaintest.Harness, want []byte) {
	t.Helper()
	if err := h.Chain.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	stored, _ := permRows(t, h.Store)
	for name, change := range map[string]func(*store.Config, *chain.Config){"reindex-chainstate": dropState, "reindex": dropAll, "restart": nil} {
		h.Close()
		if err := h.TryOpenWith(change); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !bytes.Equal(permState(t, h), want) {
			t.Errorf("%s: other permissions", name)
		}
		if err := h.Chain.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if rows, _ := permRows(t, h.Store); !maps.EqualFunc(rows, stored, bytes.Equal) {
			t.Errorf("%s: other changes of permissions are stored", name)
		}
	}
	report, err := h.Chain.VerifyChain(t.Context(), chain.VerifyConnect, 0, nil)
	if err != nil || !report.Complete {
		t.Errorf("verified %+v, %v, %v", report, report.Fault, err)
	}
}
