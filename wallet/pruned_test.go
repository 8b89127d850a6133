package wallet

import (
	"context"
	"errors"
	"strings"
	"testing"
)

func TestPrunedNodeIsNamed(t *testing.T) {
	x := newWorld(t, 10*coin)
	x.node.MineEmpty(3)
	x.node.OnCall = func(method string) error {
		if method == "getblock" {
			return &RPCError{-1, "Block not available (pruned data)"}
		}
		return nil
	}
	_, err := x.w.Sync(context.Background(), x.node, nil)
	var refusal *RPCError
	if !errors.As(err, &refusal) || !strings.Contains(err.Error(), "a node that keeps old blocks") {
		t.Errorf("got %v", err)
	}
	x.node.OnCall = nil
	x.sync()
	x.wantBalance("from another node", Balance{Confirmed: 10 * coin})
}
