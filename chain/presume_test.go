package chain_test

import (
	"fmt"
	"testing"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/permission/record"
)

// undone counts the blocks that the best branch leaves from now on.
func undone(t *testing.T, h *chaintest.Harness) *int {
	count := 0
	t.Cleanup(h.Chain.Subscribe(func(ev chain.Event) {
		if ev.Kind == chain.Disconnected {
			count++
		}
	}))
	return &count
}

// upwards is the numbers from one to another, or back.
func upwards(from, to int) (list []int) {
	step := 1
	if from > to {
		step = -1
	}
	for i := from; i != to+step; i += step {
		list = append(list, i)
	}
	return list
}

// TestSealedByNobody: blocks that nobody may seal, on one that a member sealed,
// are never what the tip is left for, in whatever order they come.
func TestSealedByNobody(t *testing.T) {
	for _, tt := range []struct {
		name    string
		records bool // in the member's block
		headers bool // come first
		order   []int
		reopen  bool // before the last
	}{
		{"headers first", false, true, upwards(3, 13), false},
		{"parents first", false, false, upwards(3, 13), false},
		{"parents last", false, true, upwards(13, 3), false},
		{"records, headers first", true, true, upwards(3, 13), false},
		{"records, parents first", true, false, upwards(3, 13), false},
		{"records, parents last", true, true, upwards(13, 3), false},
		{"records, restart", true, true, upwards(3, 13), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			net, h := consortium(t, chaintest.ConsortiumOptions{})
			for i := 1; i <= 12; i++ {
				h.Next(fmt.Sprint("b", i)).Accept()
			}
			var opts []chaintest.Option
			if tt.records {
				opts = append(opts, net.Vote([]*chaintest.Member{net.Member("alpha")}, net.Create(chaintest.NewMember("delta"), record.Send)))
			}
			h.On("b2").Next("x3", opts...) // in turn
			for i := 4; i <= 13; i++ {
				h.Next(fmt.Sprint("x", i), chaintest.By(chaintest.NewMember(fmt.Sprint("nobody", i))))
			}
			for i := 3; i <= 13 && tt.headers; i++ {
				if _, err := offer(h, peer, fmt.Sprint("x", i)); err != nil {
					t.Fatal(i, err)
				}
			}
			count := undone(t, h)
			for k, i := range tt.order {
				if tt.reopen && k == len(tt.order)-1 {
					h.Close()
					h.Open()
					count = undone(t, h)
				}
				// What is said of each depends on what is here already.
				_, _ = h.Chain.AcceptBlock(t.Context(), h.Block(fmt.Sprint("x", i)))
				h.ExpectTip("b12")
			}
			if *count > 0 {
				t.Errorf("%d blocks were undone for a branch by nobody", *count)
			}
		})
	}
}

// TestRecordsTried: where the seals of a branch depend on records, the branch
// is followed if the records are good, and not if their author had no say.
func TestRecordsTried(t *testing.T) {
	for _, forged := range []bool{false, true} {
		net, h := consortium(t, chaintest.ConsortiumOptions{})
		alpha := net.Member("alpha")
		for i := 1; i <= 6; i++ {
			h.Next(fmt.Sprint("b", i)).Accept()
		}
		key := chaintest.NewMember("second").Key
		opts := []chaintest.Option{net.Vote(members{alpha}, net.AddKey(alpha, key, record.Mine))}
		if forged {
			opts = append(opts, chaintest.Unchecked(), chaintest.Change(func(d *chaintest.Draft) {
				tx := d.Block.Transactions[len(d.Block.Transactions)-1]
				tx.TxIn[0].Witness[0][10] ^= 1
			}))
		}
		h.On("b2").Next("x3", append(opts, chaintest.By(net.Member("gamma")))...)
		h.Next("x4", chaintest.By(net.Member("delta")))
		h.Next("x5", chaintest.By(net.Member("beta")))
		sealer := *alpha
		sealer.Key = key
		h.Next("x6", chaintest.By(&sealer), chaintest.Claim(alpha.Key.Script()))
		h.Next("x7", chaintest.By(net.Member("gamma")))
		count := undone(t, h)
		for i := 3; i <= 7; i++ {
			_, err := h.Chain.AcceptBlock(t.Context(), h.Block(fmt.Sprint("x", i)))
			if err != nil && !forged {
				t.Fatalf("block x%d: %v", i, err)
			}
		}
		if forged {
			h.ExpectTip("b6")
		} else {
			h.ExpectTip("x7")
		}
		if want := map[bool]int{true: 0, false: 4}[forged]; *count != want {
			t.Errorf("forged %v: %d blocks were undone, want %d", forged, *count, want)
		}
	}
}
