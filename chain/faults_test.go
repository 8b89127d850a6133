package chain

import (
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain/consensus"
)

func TestFaults(t *testing.T) {
	number := func(i int) (h chainhash.Hash) {
		binary.LittleEndian.PutUint32(h[:], uint32(i))
		return h
	}
	var f faults
	start := time.Unix(1_700_000_000, 0)
	for i := range maxFaults {
		f.note(number(i), errors.New("disk"), -1, start)
	}
	f.note(number(0), errors.New("disk"), -1, start.Add(time.Minute)) // the youngest now
	f.note(number(maxFaults), errors.New("disk"), -1, start)
	if _, ok := f.get(number(1)); ok || f.order.Len() != maxFaults || len(f.byHash) != maxFaults {
		t.Errorf("%d faults, %d by hash, want the oldest forgotten", f.order.Len(), len(f.byHash))
	}
	want := Fault{Err: "disk", At: start.Add(time.Minute), Times: 2, VerifyLevel: -1}
	if got, ok := f.get(number(0)); !ok || got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	f.note(number(0), errors.New("other"), 2, start)
	if got, _ := f.get(number(0)); got.Times != 1 {
		t.Errorf("another fault is counted with the one before: %+v", got)
	}
	f.accepting(number(0), ResultConnected, nil, start)
	f.settle(number(0), 1)
	if _, ok := f.get(number(0)); !ok {
		t.Error("a fault of level 2 is forgotten by a check up to level 1")
	}
	f.settle(number(0), 2)
	if _, ok := f.get(number(0)); ok {
		t.Error("a fault of level 2 outlives a check up to level 2")
	}

	f.accepting(number(5), ResultDuplicate, nil, start)
	if _, ok := f.get(number(5)); !ok {
		t.Error("a duplicate, which is not looked at, makes a fault be forgotten")
	}
	f.accepting(number(5), ResultSide, nil, start)
	if _, ok := f.get(number(5)); ok {
		t.Error("the fault of an accepted block is kept")
	}
	f.accepting(number(5), 0, &consensus.RuleError{Rule: consensus.RuleHighHash}, start)
	if _, ok := f.get(number(5)); ok {
		t.Error("a header without proof of work takes a place")
	}
}
