package index

import (
	"context"
	"errors"
	"math"
	"math/big"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/store"
	"github.com/charterchain/charter/chain/store/storetest"
)

// running starts Run and returns what ends it.
func (s *setup) running() (stop func()) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.set.Run(ctx) }()
	return func() {
		s.t.Helper()
		cancel()
		if err := <-done; err != nil {
			s.t.Errorf("Run: %v", err)
		}
	}
}

// closeInBubble closes the store, and gives LevelDB's goroutines the time
// that they take to end.
func (s *setup) closeInBubble() {
	s.store.Close()
	time.Sleep(time.Minute)
}

// grow adds n random blocks to the best branch.
func (c *fakeChain) grow(n int) {
	rng := rand.New(rand.NewPCG(uint64(c.salt), 9))
	for range n {
		c.setTip(c.randomBlock(rng, c.tip(), 6, 4))
	}
}

// TestMissingData: an index waits for a block whose data is not there, says
// so, and goes on by itself when it is there again.
func TestMissingData(t *testing.T) {
	for name, fault := range map[string]error{
		"not here":   ErrNoData,
		"damaged":    &store.DamageError{File: "blocks/blk00000.dat", What: "checksum does not fit"},
		"disk fault": errors.New("input/output error"),
	} {
		t.Run(name, func(t *testing.T) {
			c := newFakeChain(testParams(t))
			c.grow(8)
			s := newSetup(t, c)
			gone := c.best[5].Hash
			c.missing[gone] = fault
			s.store.Close()
			synctest.Test(t, func(t *testing.T) {
				s.open()
				stop := s.running()
				defer s.closeInBubble()
				defer stop()
				synctest.Wait()
				for _, got := range s.set.Status() {
					if got.Synced || got.Height != 4 || !strings.Contains(got.Message, gone.String()) {
						t.Errorf("status %+v, want to wait for block %v", got, gone)
					}
				}
				var building *NotReadyError
				if err := s.set.Addr().Ready(t.Context()); !errors.As(err, &building) {
					t.Errorf("Ready: %v", err)
				}
				if need, ok := s.set.Needs(); need != 5 || !ok {
					t.Errorf("needs block %d, %v", need, ok)
				}
				c.mu.Lock()
				delete(c.missing, gone)
				c.mu.Unlock()
				if err := s.set.Tx().Ready(t.Context()); err == nil {
					t.Error("ready before it looked again")
				}
				time.Sleep(retryEvery)
				synctest.Wait()
				for _, got := range s.set.Status() {
					if !got.Synced || got.Height != 8 || got.Message != "" {
						t.Errorf("status %+v", got)
					}
				}
			})
		})
	}
}

// TestReadyWaits: a question waits for the last block, and gets an answer
// when the index has it.
func TestReadyWaits(t *testing.T) {
	c := newFakeChain(testParams(t))
	c.grow(3)
	s := newSetup(t, c)
	s.store.Close()
	synctest.Test(t, func(t *testing.T) {
		s.open()
		stop := s.running()
		defer s.closeInBubble()
		defer stop()
		synctest.Wait()
		c.grow(1)
		answer := make(chan error, 1)
		go func() { answer <- s.set.Filter().Ready(t.Context()) }()
		synctest.Wait()
		select {
		case err := <-answer:
			t.Fatalf("ready without the last block: %v", err)
		default:
		}
		s.set.Wake()
		if err := <-answer; err != nil {
			t.Error(err)
		}
		c.grow(1) // nobody wakes the index
		var building *NotReadyError
		if err := s.set.Filter().Ready(t.Context()); !errors.As(err, &building) || building.Status.Height != 4 {
			t.Errorf("Ready: %v", err)
		}
	})
}

// TestWayBackLost: the last block of the index left the best branch and its
// data is gone. The index waits while the chain may still come back, and is
// built again once it does not.
func TestWayBackLost(t *testing.T) {
	for name, lose := range map[string]func(*fakeChain, *fakeBlock){
		"data":  func(c *fakeChain, b *fakeBlock) { c.missing[b.Hash] = ErrNoData },
		"block": func(c *fakeChain, b *fakeBlock) { delete(c.blocks, b.Hash) },
	} {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(3, 4))
			c := newFakeChain(testParams(t))
			c.grow(8)
			s := newSetup(t, c)
			s.mustFollow()
			lose(c, c.tip())
			c.setTip(c.best[4])
			for range 3 {
				if err := s.follow(); !errors.Is(err, ErrNoData) {
					t.Fatalf("at height %d: %v", c.tip().height, err)
				}
				c.setTip(c.randomBlock(rng, c.tip(), 6, 4))
			}
			c.setTip(c.randomBlock(rng, c.tip(), 6, 4)) // height 8
			s.mustFollow()
			fresh := newSetup(t, c)
			fresh.mustFollow()
			if diff := cmp.Diff(fresh.rows(), s.rows()); diff != "" {
				t.Errorf("rows (-fresh +rebuilt):\n%s", diff)
			}
		})
	}
}

// TestChainBehind: a chain that is being loaded again does not drag the
// index back.
func TestChainBehind(t *testing.T) {
	c := newFakeChain(testParams(t))
	c.grow(8)
	s := newSetup(t, c)
	s.mustFollow()
	tip := c.tip()
	c.setTip(c.best[2])
	c.syncing = true
	if err := s.follow(); !errors.Is(err, ErrNoData) {
		t.Fatal(err)
	}
	if at := s.set.Status()[0].Height; at != 8 {
		t.Errorf("index at height %d, want 8", at)
	}
	c.syncing = false
	s.mustFollow() // the operator has invalidated blocks
	if at := s.set.Status()[0].Height; at != 2 {
		t.Errorf("index at height %d, want 2", at)
	}
	c.setTip(tip)
	s.mustFollow()
	if at := s.set.Status()[0].Height; at != 8 {
		t.Errorf("index at height %d, want 8", at)
	}
}

// TestDamage: flipped bits in a table are found and named; that index
// stops, the others and the store go on.
func TestDamage(t *testing.T) {
	c := newFakeChain(testParams(t))
	c.grow(30)
	s := newSetup(t, c)
	s.mustFollow()
	s.store.Close()
	s.open() // the journal becomes a table
	s.store.Close()
	hit := 0
	for _, name := range s.disk.Names() {
		if filepath.Dir(name) == filepath.Join("d", "indexes", "addr") && filepath.Ext(name) == ".ldb" {
			b := s.disk.ReadFile(name)
			for i := 40; i < len(b)-100; i += 60 {
				b[i] ^= 0x10
			}
			s.disk.WriteFile(name, b)
			hit++
		}
	}
	if hit == 0 {
		t.Fatal("no table to damage")
	}
	c.grow(2)
	synctest.Test(t, func(t *testing.T) {
		s.open()
		stop := s.running()
		defer s.closeInBubble()
		synctest.Wait()
		stop()
		for _, got := range s.set.Status() {
			broken := got.Name == "addrindex"
			if broken == got.Synced || broken != strings.Contains(got.Message, filepath.Join("indexes", "addr")) {
				t.Errorf("status %+v", got)
			}
		}
		var building *NotReadyError
		if _, err := s.set.Addr().Totals(script(2)); !errors.As(err, &building) {
			t.Errorf("totals: %v", err)
		}
		if err := s.store.Err(); err != nil {
			t.Errorf("the store failed: %v", err)
		}
	})
}

// TestFailedWrite: an index that cannot write ends the node.
func TestFailedWrite(t *testing.T) {
	c := newFakeChain(testParams(t))
	c.grow(3)
	s := newSetup(t, c)
	s.disk.StopAt(1, false)
	if err := s.set.Run(t.Context()); !errors.Is(err, storetest.ErrStopped) {
		t.Errorf("Run: %v", err)
	}
}

// TestOtherFormat: rows of an older format are made again, those of a newer
// one are left alone.
func TestOtherFormat(t *testing.T) {
	c := newFakeChain(testParams(t))
	c.grow(3)
	s := newSetup(t, c)
	s.mustFollow()
	want := s.rows()
	write := func(version uint32) {
		for _, f := range s.set.followers {
			var b store.IndexBatch
			b.Put([]byte{rowPosition}, f.position().encode(version))
			if version == 0 {
				b.Put([]byte{rowHistory, 1}, []byte("old"))
			}
			if err := f.db.Write(&b); err != nil {
				t.Fatal(err)
			}
		}
		s.store.Close()
		s.open()
	}
	write(0)
	s.mustFollow()
	if diff := cmp.Diff(want, s.rows()); diff != "" {
		t.Errorf("rows (-want +rebuilt):\n%s", diff)
	}
	write(2)
	for _, got := range s.set.Status() {
		if !strings.Contains(got.Message, "newer version") {
			t.Errorf("status %+v", got)
		}
	}
}

// TestOverwrittenCoinbase: in a block that the chain file excepts from BIP30
// a coinbase takes the place of an older one with the same id.
func TestOverwrittenCoinbase(t *testing.T) {
	c := newFakeChain(testParams(t))
	out := func(n int64) *wire.TxOut { return wire.NewTxOut(n, script(5)) }
	first := c.draft(c.tip())
	first.coinbase(77, out(40))
	c.setTip(c.done(first))
	c.grow(2)
	again := c.draft(c.tip())
	again.coinbase(77, out(40))
	b := c.done(again)
	c.setTip(b)
	c.p.Exceptions = map[chainhash.Hash]params.Exception{b.Hash: {BIP30: true}}
	s := newSetup(t, c)
	s.mustFollow()
	if diff := cmp.Diff(c.wantUnspent(script(5)), s.allUnspent(2, script(5))); diff != "" {
		t.Errorf("coins (-want +got):\n%s", diff)
	}
	var balance int64
	for _, u := range c.wantUnspent(script(5)) {
		balance += u.Amount
	}
	if got, err := s.set.Addr().Totals(script(5)); err != nil || got.Balance != balance {
		t.Errorf("totals %+v, %v, want balance %d", got, err, balance)
	}
	found, ok, err := s.set.Tx().Lookup(b.Txs[0].TxID)
	if err != nil || !ok || found.Block != b.Hash {
		t.Errorf("lookup: %+v, %v, %v, want the later one", found, ok, err)
	}
}

// TestLargeSums: what passes through a script may be more than 64 bits hold.
func TestLargeSums(t *testing.T) {
	c := newFakeChain(testParams(t))
	const amount = math.MaxInt64
	d := c.draft(c.tip())
	d.coinbase(1, wire.NewTxOut(amount, script(4)))
	c.setTip(c.done(d))
	for range 5 {
		d := c.draft(c.tip())
		d.coinbase(c.salt, wire.NewTxOut(0, script(0)))
		d.spend(d.order[len(d.order)-1:], wire.NewTxOut(amount, script(4)))
		c.setTip(c.done(d))
	}
	s := newSetup(t, c)
	s.mustFollow()
	got, err := s.set.Addr().Totals(script(4))
	want := new(big.Int).Mul(big.NewInt(6), big.NewInt(amount))
	if err != nil || got.Received.Cmp(want) != 0 || got.Balance != amount || got.Txs != 6 {
		t.Errorf("totals %+v, %v, want %v received", got, err, want)
	}
	if diff := cmp.Diff(c.wantHistory(script(4)), s.allHistory(Page{Limit: 4}, script(4))); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
}

// TestTxIDsWithOnePrefix: two ids that share what is in the key are told
// apart.
func TestTxIDsWithOnePrefix(t *testing.T) {
	c := newFakeChain(testParams(t))
	c.grow(3)
	s := newSetup(t, c)
	s.mustFollow()
	txid := c.best[2].Txs[0].TxID
	other := txid
	other[31] ^= 1
	if _, ok, err := s.set.Tx().Lookup(other); ok || err != nil {
		t.Errorf("found %v, %v", ok, err)
	}
	// A row for another transaction under the same prefix, before it in the walk.
	var b store.IndexBatch
	wrong := c.best[3].Txs[0]
	b.Put(txKey(&txid, place{3, 0}), []byte{81, byte(wrong.Size)})
	if err := s.set.followers[0].db.Write(&b); err != nil {
		t.Fatal(err)
	}
	if got, ok, err := s.set.Tx().Lookup(txid); !ok || err != nil || got.Height != 2 {
		t.Errorf("found %+v, %v, %v", got, ok, err)
	}
}
