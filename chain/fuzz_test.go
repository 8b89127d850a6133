package chain_test

import (
	"bytes"
	"testing"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/store"
	"github.com/charterchain/charter/chain/store/storetest"
	"github.com/charterchain/charter/chain/utxo"
)

// FuzzConnectDisconnect makes a valid block of the input, connects it and
// disconnects it. All rows of the chain state, its statistics and MuHash, and
// the index rows of all other blocks, must then be what they were before; and
// when it is connected again, what they were in between.
func FuzzConnectDisconnect(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0, 2, 1, 0, 1, 1}) // coinbase outputs at the length up to which they are kept, and one more
	f.Fuzz(func(t *testing.T, data []byte) {
		in := input{data: data}
		flushBetween := in.number(2) == 0
		h := chaintest.New(t, chaintest.Options{FS: storetest.New(), Dir: "data"})
		r := randomBlock{in: &in, pool: fuzzBase(h)}
		before := stateOf(t, h, nil)

		step := h.Next("random", r.options()...)
		step.Accept()
		var connected map[string]string
		if flushBetween {
			connected = stateOf(t, h, step.Block)
		}
		if err := h.Chain.Invalidate(t.Context(), step.Hash); err != nil {
			t.Fatal(err)
		}
		h.ExpectTip("b4")
		if diff := cmp.Diff(before, stateOf(t, h, step.Block)); diff != "" {
			t.Errorf("state after connect and disconnect (-before +after):\n%s", diff)
		}
		if err := h.Chain.Reconsider(t.Context(), step.Hash); err != nil {
			t.Fatal(err)
		}
		h.ExpectTip("random")
		if diff := cmp.Diff(connected, stateOf(t, h, step.Block)); flushBetween && diff != "" {
			t.Errorf("state after it was connected again (-first +then):\n%s", diff)
		}
	})
}

// stateOf flushes and returns what is on disk of the chain state, and of the
// index but for one block.
func stateOf(t *testing.T, h *chaintest.Harness, but *consensus.Block) map[string]string {
	t.Helper()
	sum, err := h.Chain.SummariseCoins(t.Context(), utxo.WithMuHash) // flushes
	if err != nil {
		t.Fatal(err)
	}
	snap, err := h.Store.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Release()
	row, _ := snap.Best()
	state := map[string]string{"statistics": string(row.Meta), "best": string(row.Best[:]), "muhash": string(sum.MuHash[:])}
	err = snap.Each(nil, func(k, v []byte) error {
		if k[0] >= 0x10 { // what is below are the store's commit rows, which go on
			state["row "+string(k)] = string(v)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	err = h.Store.EachIndex(func(row store.IndexRow) error {
		if but == nil || row.Hash != but.Hash {
			state["block "+string(row.Hash[:])] = string(row.Value)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return state
}

// spendable is an output and the key that spends it.
type spendable struct {
	chaintest.Output
	key *chaintest.Key
}

// fuzzBase makes a chain that ends at b4, with a coin of each kind and some
// that anyone can spend, and returns what can be spent on top of it.
func fuzzBase(h *chaintest.Harness) []spendable {
	anyone := chaintest.NewKey(chaintest.Anyone, 0)
	kinds := chaintest.Kinds()
	h.Next("b1").Accept()
	h.Next("b2").Accept()
	h.Next("b3").Accept()
	keys := make([]*chaintest.Key, 2*len(kinds))
	tx := chaintest.SpendTx(0, len(keys), h.Coin("b1"))
	for i := range keys {
		keys[i] = anyone
		if i < len(kinds) {
			keys[i] = chaintest.NewKey(kinds[i], i)
		}
		tx.TxOut[i].PkScript = keys[i].Script()
	}
	h.Next("b4", chaintest.Tx(tx, 0)).Accept()
	pool := []spendable{{h.Coin("b2"), anyone}, {h.Coin("b3"), anyone}, {h.Coin("b4"), anyone}}
	for i, out := range chaintest.Outputs(tx) {
		pool = append(pool, spendable{out, keys[i]})
	}
	return pool
}

// input hands out the bytes of a fuzz input, and zeros behind its end.
type input struct{ data []byte }

func (in *input) take(n int) []byte {
	n = min(n, len(in.data))
	b := in.data[:n]
	in.data = in.data[n:]
	return b
}

// number returns a number below n, which is at most 256.
func (in *input) number(n int) int {
	if b := in.take(1); len(b) == 1 {
		return int(b[0]) % n
	}
	return 0
}

// randomBlock makes transactions of what is in the pool.
type randomBlock struct {
	in   *input
	pool []spendable
}

func (r *randomBlock) options() []chaintest.Option {
	var opts []chaintest.Option
	extra := r.scripts(r.in.number(3))
	opts = append(opts, chaintest.Change(func(d *chaintest.Draft) {
		for _, script := range extra {
			d.Coinbase().AddTxOut(wire.NewTxOut(0, script))
		}
	}))
	for n := 0; n < 12 && len(r.in.data) > 0 && len(r.pool) > 0; n++ {
		opts = append(opts, r.transaction())
	}
	return opts
}

// transaction spends up to three coins of one key, and adds its outputs to
// the pool.
func (r *randomBlock) transaction() chaintest.Option {
	by := r.pool[r.in.number(len(r.pool))].key
	var from []chaintest.Output
	total := int64(0)
	most := 1 + r.in.number(3)
	rest := r.pool[:0:0]
	for _, coin := range r.pool {
		if coin.key == by && len(from) < most {
			from = append(from, coin.Output)
			total += coin.Amount
		} else {
			rest = append(rest, coin)
		}
	}
	kinds := chaintest.Kinds()
	number := r.in.number(len(kinds))
	to := chaintest.NewKey(kinds[number], number)
	n := 1 + r.in.number(4)
	fee := total * int64(r.in.number(256)) / 255
	fee += (total - fee) % int64(n)
	tx := chaintest.Pay(by, from, to, n, fee)
	if bytes.Equal(by.Script(), chaintest.AnyoneCanSpend()) { // no signature that covers the outputs
		for _, script := range r.scripts(r.in.number(3)) {
			tx.AddTxOut(wire.NewTxOut(0, script))
		}
	}
	for _, out := range chaintest.Outputs(tx)[:n] {
		rest = append(rest, spendable{out, to})
	}
	r.pool = rest
	return chaintest.Tx(tx, fee)
}

// scripts returns n output scripts that nobody spends.
func (r *randomBlock) scripts(n int) [][]byte {
	var scripts [][]byte
	for range n {
		switch r.in.number(4) {
		case 0:
			scripts = append(scripts, append([]byte{txscript.OP_RETURN}, r.in.take(4)...))
		case 1:
			scripts = append(scripts, make([]byte, 10_000+r.in.number(2))) // the longest that is kept, and one more
		case 2:
			scripts = append(scripts, []byte{})
		case 3:
			scripts = append(scripts, append([]byte{}, r.in.take(40)...))
		}
	}
	return scripts
}
