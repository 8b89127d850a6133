package chain_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/hints"
	"github.com/charterchain/charter/chain/sigcheck"
	"github.com/charterchain/charter/chain/store"
)

// signedChain extends a chain by b1 to b4, of which b3 and b4 spend outputs of
// all kinds, most of them with ECDSA signatures.
func signedChain(h *chaintest.Harness) {
	h.Next("b1").Accept()
	kinds := []chaintest.Kind{chaintest.P2WPKH, chaintest.P2WPKH, chaintest.P2PKH, chaintest.P2WPKH,
		chaintest.P2TR, chaintest.Multisig, chaintest.P2SHP2WPKH, chaintest.P2WPKH, chaintest.P2WSH}
	var keys []*chaintest.Key
	fan := chaintest.SpendTx(1000, len(kinds), h.Coin("b1"))
	for i, kind := range kinds {
		keys = append(keys, chaintest.NewKey(kind, i))
		fan.TxOut[i].PkScript = keys[i].Script()
	}
	h.Next("b2", chaintest.Tx(fan, 1000)).Accept()
	outs := chaintest.Outputs(fan)
	for _, name := range []string{"b3", "b4"} {
		var txs []chaintest.Option
		for i, key := range keys {
			tx := chaintest.Pay(key, outs[i:i+1], key, 2, 1000)
			again := chaintest.Pay(key, chaintest.Outputs(tx), key, 1, 1000) // two inputs, of the same block
			txs = append(txs, chaintest.Tx(tx, 1000), chaintest.Tx(again, 1000))
			outs[i] = chaintest.Outputs(again)[0]
		}
		h.Next(name, txs...).Accept()
	}
}

var signedNames = []string{"b1", "b2", "b3", "b4"}

// hintsIn returns the hints that a chain knows of blocks, in hex.
func hintsIn(t *testing.T, c *chain.Chain, h *chaintest.Harness) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for _, name := range signedNames {
		known, ok := c.Hints(h.Block(name).Hash)
		if !ok {
			t.Errorf("no hints of %s", name)
		}
		all[name] = hex.EncodeToString(known)
	}
	return all
}

// state returns all that a chain has on disk but the block index: rows of the
// chain state, blocks and undo data.
func state(t *testing.T, h *chaintest.Harness, dir string) map[string]string {
	t.Helper()
	if err := h.Chain.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	all := make(map[string]string)
	snap, err := h.Store.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Release()
	err = snap.Each(nil, func(k, v []byte) error {
		all[hex.EncodeToString(k)] = hex.EncodeToString(v)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "blocks", "*.dat"))
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(name)] = hex.EncodeToString(raw)
	}
	return all
}

// hintFrame writes the frame that stands before a block.
func hintFrame(m *chaintest.Maker, b *consensus.Block, h sigcheck.Hints) []byte {
	f := hints.Frame{Block: b.Hash, Inputs: hints.Inputs(b), Hints: h}
	return f.Append(nil, hints.Magic(m.Params.Network.Magic))
}

// TestHintsDecideNothing imports the same blocks with all sorts of hints. What
// comes of it is the same to the last byte, and so are the hints found.
func TestHintsDecideNothing(t *testing.T) {
	from := chaintest.New(t, chaintest.Options{})
	signedChain(from)
	right := func(b *consensus.Block) sigcheck.Hints {
		h, _ := from.Chain.Hints(b.Hash)
		return h
	}
	truth, reference := hintsIn(t, from.Chain, from), stateOneByOne(t, from)
	for _, name := range []string{"b3", "b4"} {
		if !hints.Say(right(from.Block(name))) {
			t.Fatalf("hints of %s: %s", name, truth[name])
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	random := func(b *consensus.Block) []byte {
		h := make(sigcheck.Hints, hints.Size(hints.Inputs(b)))
		for i := range hints.Inputs(b) {
			h[i/8] |= byte(rng.IntN(2)) << (i % 8)
		}
		return hintFrame(from.Maker, b, h)
	}
	sized := func(by int) func(b *consensus.Block) []byte {
		return func(b *consensus.Block) []byte {
			inputs := max(hints.Inputs(b)+by, 0)
			f := hints.Frame{Block: b.Hash, Inputs: inputs, Hints: make(sigcheck.Hints, hints.Size(inputs))}
			copy(f.Hints, bytes.Repeat([]byte{0xff}, inputs/8))
			return f.Append(nil, hints.Magic(from.Params.Network.Magic))
		}
	}
	good := func(b *consensus.Block) []byte { return hintFrame(from.Maker, b, right(b)) }
	changed := func(fn func(frame []byte) []byte) func(*consensus.Block) []byte {
		return func(b *consensus.Block) []byte { return fn(good(b)) }
	}
	for _, tc := range []struct {
		name      string
		frame     func(b *consensus.Block) []byte
		taken     bool // signatures are checked in batches
		wrongOnes bool
	}{
		{name: "none", frame: func(*consensus.Block) []byte { return nil }},
		{name: "right", frame: good, taken: true},
		{name: "right, twice", frame: func(b *consensus.Block) []byte { return append(good(b), good(b)...) }, taken: true},
		{name: "right, after zeros", frame: func(b *consensus.Block) []byte {
			return append(append(make([]byte, 9), good(b)...), make([]byte, 9)...)
		}, taken: true},
		{name: "flipped", wrongOnes: true, frame: func(b *consensus.Block) []byte {
			h := bytes.Clone(right(b))
			for i := range hints.Inputs(b) {
				h[i/8] ^= 1 << (i % 8)
			}
			return hintFrame(from.Maker, b, h)
		}},
		{name: "random", wrongOnes: true, frame: random},
		{name: "random again", wrongOnes: true, frame: random},
		{name: "one input too few", frame: sized(-8)},
		{name: "one input too many", frame: sized(8)},
		{name: "of another block", frame: func(b *consensus.Block) []byte {
			f := hints.Frame{Block: chainhash.Hash{1}, Inputs: hints.Inputs(b), Hints: right(b)}
			return f.Append(nil, hints.Magic(from.Params.Network.Magic))
		}},
		{name: "bad checksum", frame: changed(func(f []byte) []byte { f[len(f)-1] ^= 1; return f })},
		{name: "length of the sky", frame: changed(func(f []byte) []byte { f[7] = 0x7f; return f })},
		{name: "length too small", frame: changed(func(f []byte) []byte { f[4]--; return f })},
		{name: "length too large", frame: changed(func(f []byte) []byte { f[4]++; return f })},
		{name: "later version", frame: changed(func(f []byte) []byte { f[8] = 2; return f })},
		{name: "cut", frame: changed(func(f []byte) []byte { return f[:len(f)-5] })},
		{name: "cut to its head", frame: changed(func(f []byte) []byte { return f[:8] })},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var stream []byte
			for _, name := range signedNames {
				stream = append(append(stream, tc.frame(from.Block(name))...), framed(t, from.Maker, from.Block(name))...)
			}
			dir := t.TempDir()
			h := chaintest.New(t, chaintest.Options{Dir: dir})
			h.Close()
			checker := sigcheck.New(sigcheck.Config{Workers: 2, CacheEntries: 1000})
			if err := h.TryOpenWith(func(_ *store.Config, c *chain.Config) { c.Checker = checker }); err != nil {
				t.Fatal(err)
			}
			got, err := h.Chain.Import(t.Context(), bytes.NewReader(stream), nil)
			want := chain.ImportProgress{BytesRead: int64(len(stream)), Blocks: 4, Accepted: 4, Height: 4}
			if err != nil || got != want {
				t.Fatalf("%+v, %v, want %+v", got, err, want)
			}
			if diff := cmp.Diff(reference, state(t, h, dir)); diff != "" {
				t.Errorf("state (-without +with hints):\n%s", diff)
			}
			if diff := cmp.Diff(truth, hintsIn(t, h.Chain, from)); diff != "" {
				t.Errorf("hints (-found +found from hints):\n%s", diff)
			}
			s := checker.Stats()
			if wrong := s.WrongHints > 0; wrong != tc.wrongOnes || s.Overruled > 0 {
				t.Errorf("%+v", s)
			}
			// Of an input with two signatures nothing can be said.
			if twos := uint64(2 * 2 * 3); s.Singles < twos || tc.taken != (s.Singles == twos) {
				t.Errorf("%d signatures were checked one by one", s.Singles)
			}
		})
	}
}

// stateOneByOne is the state of a chain that got the blocks of signedChain one
// by one, without hints.
func stateOneByOne(t *testing.T, from *chaintest.Harness) map[string]string {
	t.Helper()
	dir := t.TempDir()
	h := chaintest.New(t, chaintest.Options{Dir: dir})
	h.Close()
	h.Open() // as the chain that is compared with
	for _, name := range signedNames {
		if _, err := h.Chain.AcceptBlock(t.Context(), from.Block(name)); err != nil {
			t.Fatal(err)
		}
	}
	return state(t, h, dir)
}

// TestHintsOfInvalidBlock: whatever is said of a block with a bad signature,
// the verdict and its words are the same.
func TestHintsOfInvalidBlock(t *testing.T) {
	from := chaintest.New(t, chaintest.Options{})
	signedChain(from)
	key := chaintest.NewKey(chaintest.P2WPKH, 0)
	outs := chaintest.Outputs(from.Block("b4").Txs[2].Msg)
	good := chaintest.Pay(key, outs[:1], key, 2, 1000)
	more := chaintest.Pay(key, chaintest.Outputs(good), key, 1, 1000)
	more.TxIn[1].Witness[0] = bytes.Clone(more.TxIn[1].Witness[0])
	more.TxIn[1].Witness[0][40] ^= 1 // in s
	bad := from.Make(from.Block("b4").Hash, chaintest.Tx(good, 1000), chaintest.Tx(more, 1000))

	verdict := func(offer func(h *chaintest.Harness)) string {
		h := chaintest.New(t, chaintest.Options{})
		for _, name := range signedNames {
			if _, err := h.Chain.AcceptBlock(t.Context(), from.Block(name)); err != nil {
				t.Fatal(err)
			}
		}
		offer(h)
		_, err := h.Chain.AcceptBlock(t.Context(), bad)
		if rule := consensus.AsRule(err); rule == nil || rule.Rule != consensus.RuleBlockScript {
			t.Fatalf("verdict %v", err)
		}
		if h.Chain.Best().Hash != from.Block("b4").Hash {
			t.Error("the bad block is the tip")
		}
		if known, ok := h.Chain.Hints(bad.Hash); ok {
			t.Errorf("hints %x of the bad block are kept", known)
		}
		return err.Error()
	}
	want := verdict(func(*chaintest.Harness) {})
	for _, bits := range []byte{0, 3, 4, 7} {
		for name, offer := range map[string]func(h *chaintest.Harness){
			"offered": func(h *chaintest.Harness) { h.Chain.OfferHints(bad.Hash, sigcheck.Hints{bits}) },
			"ahead":   func(h *chaintest.Harness) { h.Chain.Ahead(bad, sigcheck.Hints{bits}) },
		} {
			if got := verdict(offer); got != want {
				t.Errorf("bits %03b %s: %s\nwant %s", bits, name, got, want)
			}
		}
	}
}

// TestHintsAreKept over a stop, a kill and a rebuild, and are made again where
// they were lost; those of a proposal are not.
func TestHintsAreKept(t *testing.T) {
	dir := t.TempDir()
	h := chaintest.New(t, chaintest.Options{Dir: dir})
	signedChain(h)
	want := hintsIn(t, h.Chain, h)
	check := func(when string) {
		t.Helper()
		if diff := cmp.Diff(want, hintsIn(t, h.Chain, h)); diff != "" {
			t.Errorf("%s (-before +after):\n%s", when, diff)
		}
	}
	h.Close()
	h.Open()
	check("after a stop")
	h.Kill()
	h.Open()
	check("after a kill")
	h.Close()
	if err := h.TryOpenWith(func(sc *store.Config, _ *chain.Config) { sc.DropIndex = true }); err != nil {
		t.Fatal(err)
	}
	check("after a rebuild of everything")
	h.Close()
	if err := h.TryOpenWith(func(sc *store.Config, _ *chain.Config) { sc.DropChainstate = true }); err != nil {
		t.Fatal(err)
	}
	check("after a rebuild of the chain state")

	lost := h.Block("b3").Hash
	for name, spoil := range map[string]store.IndexRows{
		"removed": {DropHints: [][32]byte{lost}},
		"damaged": {Hints: []store.IndexRow{{Hash: lost, Value: []byte{1, 2, 3}}}},
		"version": {Hints: []store.IndexRow{{Hash: lost, Value: []byte{9, 1, 0, 0, 0}}}},
	} {
		if err := h.Chain.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := h.Store.ChangeIndex(spoil); err != nil {
			t.Fatal(err)
		}
		if got, ok := h.Chain.Hints(lost); ok {
			t.Errorf("%s: hints %x", name, got)
		}
		f, err := h.Chain.MakeHints(t.Context(), lost)
		if err != nil || hex.EncodeToString(f.Hints) != want["b3"] || f.Inputs != hints.Inputs(h.Block("b3")) {
			t.Errorf("%s: made %x of %d inputs, %v", name, f.Hints, f.Inputs, err)
		}
		check(name)
	}

	proposal := h.Make(h.Block("b4").Hash, h.Spend("b4"))
	if err := h.Chain.CheckProposal(t.Context(), proposal); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := h.Store.Hints(proposal.Hash); ok || err != nil || chain.HintRowsWaiting(h.Chain, proposal.Hash) {
		t.Error("hints of a proposal are kept", err)
	}
}

// TestHintsAreMadeInSteps: a block of more inputs than are checked at a time.
func TestHintsAreMadeInSteps(t *testing.T) {
	h := chaintest.New(t, chaintest.Options{})
	signedChain(h)
	lost, want := h.Block("b4").Hash, hintsIn(t, h.Chain, h)["b4"]
	for _, step := range []int{1, 3, 7, 8, 9, 1000} {
		if err := errorsOf(h.Chain.Flush(t.Context()), h.Store.ChangeIndex(store.IndexRows{DropHints: [][32]byte{lost}})); err != nil {
			t.Fatal(err)
		}
		pauses := 0
		f, err := chain.MakeHintsBy(h.Chain, t.Context(), lost, step, func() { pauses++ })
		if err != nil || hex.EncodeToString(f.Hints) != want {
			t.Errorf("in steps of %d: %x, %v, want %s", step, f.Hints, err, want)
		}
		if step == 1 && pauses < 10 || step == 1000 && pauses != 1 {
			t.Errorf("%d pauses with steps of %d", pauses, step)
		}
	}
}

func errorsOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// TestWantedHintsAreMade by Run, while the list of those wanted is bounded.
func TestWantedHintsAreMade(t *testing.T) {
	h := chaintest.New(t, chaintest.Options{})
	signedChain(h)
	lost, want := h.Block("b3").Hash, hintsIn(t, h.Chain, h)["b3"]
	if err := errorsOf(h.Chain.Flush(t.Context()), h.Store.ChangeIndex(store.IndexRows{DropHints: [][32]byte{lost}})); err != nil {
		t.Fatal(err)
	}
	h.Chain.WantHints(chainhash.Hash{1}) // which nobody knows
	h.Chain.WantHints(h.Block("genesis").Hash)
	if n := chain.HintsWanted(h.Chain); n != 0 {
		t.Errorf("%d blocks wait in vain", n)
	}
	h.Chain.WantHints(lost)
	for i := range 2 * chain.MaxHintWork {
		name := fmt.Sprint("e", i)
		h.Next(name).Accept()
		h.Chain.WantHints(h.Block(name).Hash)
		h.Chain.WantHints(lost)
	}
	if n := chain.HintsWanted(h.Chain); n != chain.MaxHintWork {
		t.Errorf("%d blocks wait, want %d", n, chain.MaxHintWork)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		chain.RunHints(h.Chain, ctx, func() { cancel() })
	}()
	<-ended
	if got, ok := h.Chain.Hints(lost); !ok || hex.EncodeToString(got) != want {
		t.Errorf("hints %x, %v, want %s", got, ok, want)
	}
}

// TestPrunedHints go with the block.
func TestPrunedHints(t *testing.T) {
	h := chaintest.New(t, chaintest.Options{})
	h.Close()
	err := h.TryOpenWith(func(sc *store.Config, cc *chain.Config) { sc.FileSize, cc.Prune = 4096, true })
	if err != nil {
		t.Fatal(err)
	}
	signedChain(h)
	const count = chain.MinKeep + 60
	for i := range count {
		h.Next(fmt.Sprint("e", i)).Accept()
	}
	if err := h.Chain.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	hash := h.Block("b3").Hash
	if _, ok, err := h.Store.Hints(hash); !ok || err != nil {
		t.Fatal("no row before", ok, err)
	}
	if _, err := h.Chain.PruneTo(t.Context(), count); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Chain.ReadBlock(hash); err == nil {
		t.Fatal("the block is not pruned")
	}
	if _, ok, err := h.Store.Hints(hash); ok || err != nil {
		t.Errorf("row left: %v, %v", ok, err)
	}
	if got, ok := h.Chain.Hints(hash); ok {
		t.Errorf("hints %x", got)
	}
	if _, err := h.Chain.MakeHints(t.Context(), hash); err == nil {
		t.Error("made of nothing")
	}
}

// TestManyHintRows: more of them than wait in memory, large and small.
func TestManyHintRows(t *testing.T) {
	for _, size := range []int{0, 60_000} {
		h := chaintest.New(t, chaintest.Options{})
		most := 0
		for i := range 2 * chain.HintBatch / (size + 64) {
			row := hints.AppendRow(nil, bytes.Repeat([]byte{0xff}, size), 8*size)
			waiting, err := chain.PutHints(h.Chain, chainhash.Hash{1, byte(i), byte(i >> 8)}, row)
			if err != nil {
				t.Fatal(err)
			}
			most = max(most, waiting)
		}
		if most >= chain.HintBatch || most < chain.HintBatch/2 {
			t.Errorf("up to %d bytes waited, at most %d may", most, chain.HintBatch)
		}
		if _, ok, err := h.Store.Hints(chainhash.Hash{1}); !ok || err != nil {
			t.Errorf("the first one is on disk: %v, %v", ok, err)
		}
		if err := h.Chain.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		row := hints.AppendRow(nil, sigcheck.Hints{1}, 1)
		if waiting, err := chain.PutHints(h.Chain, chainhash.Hash{1}, row); err != nil || waiting != len(row)+128 {
			t.Errorf("%d bytes wait after a flush and one row, %v", waiting, err)
		}
	}
}

// TestOffersAreBounded: the oldest make room.
func TestOffersAreBounded(t *testing.T) {
	h := chaintest.New(t, chaintest.Options{})
	name := func(i int) chainhash.Hash { return chainhash.Hash{byte(i), byte(i >> 8), 1} }
	for i := range 3 * chain.MaxOffers {
		h.Chain.OfferHints(name(i), sigcheck.Hints{1})
		h.Chain.OfferHints(name(i), sigcheck.Hints{2}) // the first counts
	}
	if n, bytes := chain.Offers(h.Chain); n != chain.MaxOffers || bytes != n {
		t.Errorf("%d offers of %d bytes", n, bytes)
	}
	if chain.OfferOf(h.Chain, name(2*chain.MaxOffers-1)) != nil || !bytes.Equal(chain.OfferOf(h.Chain, name(2*chain.MaxOffers)), sigcheck.Hints{1}) {
		t.Error("the wrong ones made room")
	}
	large := make(sigcheck.Hints, chain.MaxOfferedSize/2+1)
	for i := range 3 {
		h.Chain.OfferHints(name(10000+i), large)
	}
	if n, bytes := chain.Offers(h.Chain); n != 1 || bytes != len(large) {
		t.Errorf("%d offers of %d bytes", n, bytes)
	}
	h.Chain.OfferHints(name(1), make(sigcheck.Hints, chain.MaxOfferedSize+1))
	if n, _ := chain.Offers(h.Chain); n != 1 {
		t.Errorf("%d offers after one that is too large", n)
	}
}
