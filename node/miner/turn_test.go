package miner

import (
	"slices"
	"testing"
	"time"

	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/permission"
	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/chain/permission/seal"
)

// Who starts when: five members, three different ones in a row, and the
// blocks below sealed as the names say, the parent's first.
func TestDecide(t *testing.T) {
	net := simChain(5)
	state := permission.Genesis(net.Params)
	minTime := time.Unix(1_800_000_000, 0)
	tests := []struct {
		name    string
		sealers string
		self    byte
		held    time.Duration // after minTime; 0: never
		rank    int           // -1: barred
		wait    time.Duration // more than the stagger
	}{
		{"first of all", "43210", '0', 0, 0, 0},
		{"second", "43210", '1', 0, 1, 0},
		{"third", "43210", '2', 0, 2, 0},
		{"sealed one but last", "43210", '3', 0, -1, 0},
		{"sealed last", "43210", '4', 0, -1, 0},
		{"held before the time", "43210", '1', -time.Second, 1, 0},
		{"held after it", "43210", '1', time.Second, 1, time.Second},
		{"one never sealed", "321032", '4', 0, 0, 0},
		{"it sleeps", "3210321", '0', 0, 0, 0},
		{"it is awake for itself", "3210321", '4', 0, 0, 0},
		{"and patience is not over", "321032", '0', 0, 1, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := &outlook{state: state, height: int32(len(test.sealers)) + 100, minTime: minTime, spacing: net.Params.PoW.Spacing}
			for _, c := range test.sealers {
				o.sealers = append(o.sealers, net.Members[c-'0'].ID)
			}
			o.key = net.Members[test.self-'0'].SealKey()
			if test.held != 0 {
				o.held = minTime.Add(test.held)
			}
			got := o.decide()
			if test.rank < 0 {
				if got.state != StateBarred || got.reason == "" {
					t.Errorf("%+v, want barred", got)
				}
				return
			}
			want := minTime.Add(test.wait + seal.Delay(test.rank, o.spacing))
			if got.state != StateMining || got.rank != test.rank || !got.at.Equal(want) {
				t.Errorf("%+v, want rank %d at %v", got, test.rank, want)
			}
		})
	}
}

// As many members as a chain needs have to be seen, this one among them.
func TestDecideIsolated(t *testing.T) {
	net := simChain(5)
	for seen := range 5 {
		o := &outlook{state: permission.Genesis(net.Params), height: 1, spacing: time.Second, key: net.Members[0].SealKey()}
		o.present = func(id record.MemberID) bool {
			return slices.ContainsFunc(net.Members[1:1+seen], func(m *chaintest.Member) bool { return m.ID == id })
		}
		if got := o.decide(); (got.state == StateIsolated) != (seen < 2) {
			t.Errorf("%d others seen: %+v", seen, got)
		}
	}
}
