package node

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/node/miner"
	"github.com/charterchain/charter/node/minestatus"
	"github.com/charterchain/charter/rpc"
	"github.com/charterchain/charter/rpc/client"
)

func TestRPCMining(t *testing.T) {
	a, b := record.MemberID{1}, record.MemberID{2}
	one, two := chainhash.Hash{1}, chainhash.Hash{2}
	s := &minestatus.Status{
		Height: 9, Mining: 2, Required: 2, Seen: 1, MayFail: 0, Isolated: true, SafeConfirmations: 2, SettleDepth: 100, Settled: 3,
		Members: []minestatus.Member{
			{ID: a, Name: "a", Active: true, Seen: true, Own: true, Last: &minestatus.Block{Height: 9, Time: time.Unix(1_700_000_000, 0)}},
			{ID: b, Name: "b", From: record.Forever},
		},
		Doubles:  []chain.DoubleSeal{{Member: b, Height: 7, First: one, Second: two}},
		Forked:   &chain.Conflict{Other: chain.BlockInfo{Hash: one, Height: 12}, Fork: chain.BlockInfo{Hash: two, Height: 1}},
		Warnings: []string{"beware"},
	}
	names := map[record.MemberID]string{a: "a", b: "b"}
	refA, refB := client.MemberRef{ID: a.String(), Name: "a"}, client.MemberRef{ID: b.String(), Name: "b"}
	want := &client.MiningStatus{
		Height: 9, Mining: 2, Required: 2, Seen: 1, Isolated: true, SafeConfirmations: 2, SettleDepth: 100, SettledHeight: 3,
		Members: []client.MinerPresence{
			{MemberRef: refA, Active: true, Seen: true, Own: true, LastHeight: 9, LastTime: 1_700_000_000},
			{MemberRef: refB, ActiveFrom: client.Forever, LastHeight: -1},
		},
		DoubleSeals: []client.DoubleSeal{{MemberRef: refB, Height: 7, First: one.String(), Second: two.String()}},
		Conflict:    &client.HistoryConflict{Hash: one.String(), Height: 12, ForkHash: two.String(), ForkHeight: 1},
		Warnings:    []string{"beware"},
	}
	got := rpcMining(s, func(id record.MemberID) string { return names[id] })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	empty := rpcMining(&minestatus.Status{}, nil)
	if empty.Conflict != nil || empty.Members == nil || empty.DoubleSeals == nil || empty.Warnings == nil {
		t.Errorf("of nothing: %+v", empty)
	}
}

// That a block is not for this node to make is no failure.
func TestMinerError(t *testing.T) {
	for _, test := range []struct {
		err    error
		mayNot bool
	}{
		{nil, false},
		{errors.New("disk on fire"), false},
		{miner.ErrNoKey, true},
		{fmt.Errorf("%w: others come first", miner.ErrMayNot), true},
	} {
		var why *rpc.MayNotError
		if got := minerError(test.err); errors.As(got, &why) != test.mayNot || got != nil && got.Error() != test.err.Error() {
			t.Errorf("%v: %v", test.err, got)
		}
	}
}
