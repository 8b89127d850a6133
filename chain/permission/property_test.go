package permission

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/permission/record"
)

// Random blocks keep what holds for every block (checkStep), lead back to
// genesis and forth again, and never leave the chain without government.
func TestRandomBlocks(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			p := chainParams(append(three(t), member(t, "delta activate delta=activate,manage"), member(t, "echo mine,send echo=mine,manage,send"))...)
			p.Permissions.SetupBlocks = int32(seed%2) * 20
			w := newWorld(t, p)
			rng := rand.New(rand.NewPCG(seed, 0))
			var deltas []*Delta
			genesis := w.s.Encode()
			done := 0
			for tries := 0; done < 60 && tries < 1000; tries++ {
				before := w.s.Encode()
				next, delta, err := w.try(w.random(rng))
				if err != nil {
					if consensus.AsRule(err) == nil {
						t.Fatal(err)
					}
					continue
				}
				checkStep(t, p, w.s, before, next, delta)
				checkGoverned(t, next, w.h+1)
				if delta != nil {
					deltas = append(deltas, delta)
				}
				done++
				w.s, w.h = next, w.h+1+int32(rng.IntN(3))
			}
			if done < 60 {
				t.Errorf("only %d blocks were valid", done)
			}
			tip, at := w.s.Hash(), w.s
			for i := len(deltas) - 1; i >= 0; i-- {
				at = at.Undo(deltas[i])
			}
			if string(at.Encode()) != string(genesis) {
				t.Error("undoing all does not lead to genesis")
			}
			for _, d := range deltas {
				at = at.Redo(d)
			}
			if at.Hash() != tip {
				t.Error("redoing all does not lead to the tip")
			}
		})
	}
}

func checkGoverned(t *testing.T, s *State, h int32) {
	t.Helper()
	if len(s.Administrators(h)) == 0 || len(s.Miners(h)) == 0 || len(s.Administrators(1<<30)) == 0 || len(s.Miners(1<<30)) == 0 {
		t.Fatalf("block %d: nobody governs", h)
	}
}

// random is a transaction with a record or two by some speakers.
func (w *world) random(rng *rand.Rand) payment {
	pick := func(list []string) string { return list[rng.IntN(len(list))] }
	speakers := pick([]string{"alpha", "alpha beta", "beta gamma", "alpha beta gamma", "gamma", "delta", "echo", "gamma echo"})
	names := []string{"new1", "new2"}
	for m := range w.s.Members() {
		names = append(names, m.Name)
	}
	var records []record.Record
	for range 1 + rng.IntN(2) {
		if pending := w.s.Pending(w.h); len(pending) > 0 && rng.IntN(3) == 0 {
			records = append(records, pending[rng.IntN(len(pending))].Record)
			continue
		}
		from, until := uint32(w.h)+uint32(rng.IntN(8)), forever
		if rng.IntN(3) == 0 {
			until = from + 1 + uint32(rng.IntN(20))
		}
		name := pick(names)
		key := pick(append([]string{"k1", "k2", "wpkh-1"}, name))
		roles := pick([]string{"send", "receive", "send,receive"})
		var r record.Record
		if since, ok := w.s.ReadySince(w.id("echo"), w.h); ok && rng.IntN(3) == 0 {
			records = append(records, w.ready("echo", "echo", since))
			continue
		}
		switch rng.IntN(9) {
		case 0:
			r = w.create(name, roles)
		case 1:
			r = w.rename(name, pick([]string{"n1", "n2", "n3"}))
		case 2, 3:
			r = w.grant(name, pick([]string{"mine", "admin", "send", "connect,send", "mine,send", "activate"}), from, until)
		case 4:
			r = w.revoke(name, pick([]string{"mine", "admin", "send", "receive,connect"}))
		case 5:
			r = w.addKey(name, key, roles, from, until)
		case 6:
			r = w.changeKey(name, key, roles, from, until)
		case 7:
			r = w.removeKey(name, key)
		default:
			r = w.upgrade(pick([]string{"x", "y"}), uint32(w.h)+MinUpgradeNotice+uint32(rng.IntN(9)))
		}
		if g, ok := r.(record.Grant); ok && rng.IntN(2) == 0 {
			g.Lapse = uint32(w.h) + uint32(rng.IntN(10))
			r = g
		}
		records = append(records, r)
	}
	return w.spend(speakers, records...)
}

// Transactions of a block are checked side by side, while drafts go on.
func TestConcurrentUse(t *testing.T) {
	w := newWorld(t, chainParams(append(three(t), member(t, "payer send,receive payer=send,receive"))...))
	plain, vote := w.pay("payer", [][]byte{identity("payer")}), w.spend("alpha beta", w.grant("payer", "issue", 0, forever))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				if err := w.s.CheckTx(plain.tx, plain.coins, 1); err != nil {
					t.Error(err)
				}
				next, delta, err := w.try(plain, vote)
				if err != nil || next.Undo(delta).Hash() != w.s.Hash() {
					t.Error("a draft went wrong", err)
				}
			}
		})
	}
	wg.Wait()
}
