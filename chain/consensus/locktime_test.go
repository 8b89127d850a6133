package consensus

import (
	"testing"

	"github.com/charterchain/charter/chain/params"
)

func TestIsFinal(t *testing.T) {
	const seconds = lockTimeThreshold
	for _, c := range []struct {
		name     string
		lock     uint32
		sequence uint32
		height   int32
		unix     int64
		want     bool
	}{
		{"no locktime", 0, 0, 0, 0, true},
		{"height passed", 9, 0, 10, 0, true},
		{"height reached", 10, 0, 10, 0, false},
		{"height reached, but final", 10, 0xffffffff, 10, 0, true},
		{"height reached, almost final", 10, 0xfffffffe, 10, 0, false},
		{"highest height", seconds - 1, 0, 1<<31 - 1, 0, true},
		{"the first time, passed", seconds, 0, 1<<31 - 1, seconds + 1, true},
		{"the first time, reached", seconds, 0, 1<<31 - 1, seconds, false},
		{"the last time", 1<<32 - 1, 0, 0, 1 << 32, true},
	} {
		msg := payment(0)
		msg.LockTime, msg.TxIn[0].Sequence = c.lock, c.sequence
		if got := IsFinal(NewTx(msg), c.height, c.unix); got != c.want {
			t.Errorf("%s: got %v", c.name, got)
		}
	}
	two := payment(0)
	two.LockTime = 10
	two.TxIn = append(two.TxIn, payment(1).TxIn...)
	two.TxIn[1].Sequence = 0
	if IsFinal(NewTx(two), 10, 0) {
		t.Error("one input that is not final suffices")
	}
}

func TestSequenceLocks(t *testing.T) {
	// 101 blocks, ten minutes apart from time 0: the parent has height 100,
	// the median time after block h is (h-5)*600 for h >= 10.
	parent := spaced(101, 0, 600, 0)
	const byTime = sequenceIsTime
	for _, c := range []struct {
		name     string
		version  int32
		sequence uint32
		coin     int32 // height
		want     SequenceLock
		allowed  bool
	}{
		{"no age", 2, 0, 50, SequenceLock{49, -1}, true},
		{"just old enough", 2, 51, 50, SequenceLock{100, -1}, true},
		{"a block too young", 2, 52, 50, SequenceLock{101, -1}, false},
		{"version 1 does not ask", 1, 0xffff, 50, SequenceLock{-1, -1}, true},
		{"version -1 is a large one", -1, 52, 50, SequenceLock{101, -1}, false},
		{"switched off", 2, sequenceDisabled | 0xffff, 50, SequenceLock{-1, -1}, true},
		{"bits without meaning", 2, 0x003f0000 | 51, 50, SequenceLock{100, -1}, true},
		{"largest age", 2, 0xffff, 50, SequenceLock{50 + 65535 - 1, -1}, false},
		{"coin of the same block", 2, 0, 101, SequenceLock{100, -1}, true},
		{"coin of the same block must be older", 2, 1, 101, SequenceLock{101, -1}, false},

		// Block 49 has the median time 26,400; the parent 57,000: 30,600 s.
		{"time: just old enough", 2, byTime | 59, 50, SequenceLock{-1, 26_400 + 59*512 - 1}, true},
		{"time: too young", 2, byTime | 60, 50, SequenceLock{-1, 26_400 + 60*512 - 1}, false},
		{"time: no age", 2, byTime, 101, SequenceLock{-1, 57_000 - 1}, true},
		{"time: coin of genesis", 2, byTime, 0, SequenceLock{-1, -1}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			msg := payment(0)
			msg.Version, msg.TxIn[0].Sequence = c.version, c.sequence
			tx, coins := NewTx(msg), []Coin{{Height: c.coin}}
			got, err := SequenceLocks(tx, coins, parent, mainnet())
			if err != nil || got != c.want {
				t.Errorf("got %+v, %v; want %+v", got, err, c.want)
			}
			rule := RuleNonFinal
			if c.allowed {
				rule = ""
			}
			wantRule(t, CheckSequenceLocks(tx, coins, parent, mainnet()), rule, false)

			before := mainnet()
			before.Deployments.CSV = 102
			wantRule(t, CheckSequenceLocks(tx, coins, parent, before), "", false)
			before.Deployments.CSV = 101
			wantRule(t, CheckSequenceLocks(tx, coins, parent, before), rule, false)
			before.Deployments.CSV = params.Never
			wantRule(t, CheckSequenceLocks(tx, coins, parent, before), "", false)
		})
	}
}

func TestSequenceLockAllows(t *testing.T) {
	parent := spaced(101, 0, 600, 0) // height 100, median time 57,000
	for lock, want := range map[SequenceLock]bool{
		{-1, -1}: true, {100, 56_999}: true, {101, -1}: false, {-1, 57_000}: false,
	} {
		if got := lock.Allows(parent); got != want {
			t.Errorf("%+v: got %v", lock, got)
		}
	}
}

func TestSequenceLocksOfSeveralInputs(t *testing.T) {
	parent := spaced(101, 0, 600, 0)
	msg := payment(0)
	msg.Version = 2
	msg.TxIn[0].Sequence = 20
	for n := uint32(1); n <= 3; n++ {
		msg.TxIn = append(msg.TxIn, payment(n).TxIn...)
	}
	msg.TxIn[1].Sequence = 5
	msg.TxIn[2].Sequence = sequenceIsTime | 3
	coins := []Coin{{Height: 10}, {Height: 60}, {Height: 50}, {Height: 100}}
	got, err := SequenceLocks(NewTx(msg), coins, parent, mainnet())
	if want := (SequenceLock{Height: 64, Time: 26_400 + 3*512 - 1}); err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	if _, err := SequenceLocks(NewTx(msg), coins[:2], parent, mainnet()); err == nil || AsRule(err) != nil {
		t.Errorf("missing coins: got %v", err)
	}
	coins[2].Height = 102
	if _, err := SequenceLocks(NewTx(msg), coins, parent, mainnet()); err == nil || AsRule(err) != nil {
		t.Errorf("a coin from the future: got %v", err)
	}
}
