package nodetest

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/params"
)

// crashVariant is how a node under test is run besides a small cache, and what
// is checked of it then: everything that writes beside the chain state
// belongs here.
type crashVariant struct {
	flags    []string
	restarts [][]string // flags for once, with which it is started and killed again
	before   int        // blocks that it has in small files before its first start
	prunes   bool       // pruneblockchain is called
	members  bool       // the chain has permissions
	verify   func(x *crashing)
}

// crashVariants returns the variants that chains take in turn.
func crashVariants() []crashVariant {
	rebuilds := [][]string{nil, {"--reindex"}, {"--reindex-chainstate"}}
	size := fmt.Sprint(crashFileSize)
	return []crashVariant{
		{flags: []string{"--txindex", "--addrindex", "--filterindex"}, restarts: rebuilds, verify: func(x *crashing) {
			x.verifyRebuilt(x.verifyIndexes)
		}},
		{flags: []string{"--prune", "2", "--filterindex", "--block-file-size", size}, restarts: [][]string{nil}, before: chain.MinKeep + 60, verify: (*crashing).verifyPruned},
		{restarts: rebuilds, verify: func(x *crashing) { x.verifyRebuilt(func() {}) }},
		{flags: []string{"--prune", "1", "--filterindex", "--block-file-size", size}, restarts: [][]string{nil}, before: chain.MinKeep + 60, prunes: true, verify: (*crashing).verifyPruned},
		{members: true, restarts: rebuilds, verify: func(x *crashing) {
			x.verifyRebuilt(x.verifyPermissions)
		}},
	}
}

const (
	// crashFileSize is the size of block files of nodes that prune, bytes.
	crashFileSize = 50_000
	// ballast is what each block made before the start holds besides, bytes:
	// all together are more than the target of pruning.
	ballast = 8_000
)

// maxRounds is after how many kills a new chain begins at the latest, so that
// checking does not take ever longer.
const maxRounds = 20

// TestCrash kills a node with SIGKILL at random moments while blocks,
// reorganisations, flushes, index building and pruning are under way, and while
// it recovers or is rebuilt. After each start, without any network: the best
// block is one that was accepted, nothing that was acknowledged is lost, and
// the coins, and the permissions where there are any, are those that follow from
// the blocks, and from the block files alone where none are pruned.
//
// CHARTER_CRASHES is the number of kills, CHARTER_SEED repeats a run (up to
// the timing of the processes).
func TestCrash(t *testing.T) {
	rounds := int(envNumber(t, "CHARTER_CRASHES", 10))
	seed := envNumber(t, "CHARTER_SEED", uint64(time.Now().UnixNano()))
	t.Logf("CHARTER_SEED=%d CHARTER_CRASHES=%d", seed, rounds)
	rng := rand.New(rand.NewPCG(seed, 0))
	c := New(t)
	variants := len(crashVariants())
	perChain := min(maxRounds, (rounds+variants-1)/variants)
	var x *crashing
	for round := range rounds {
		if round%perChain == 0 {
			x = newCrashing(c, rng, round/perChain)
		}
		x.round()
		if last := round+1 == rounds || (round+1)%perChain == 0; last && !t.Failed() {
			x.finish()
		}
		if t.Failed() {
			t.Fatalf("in round %d; repeat with CHARTER_SEED=%d", round, seed)
		}
	}
}

func envNumber(t *testing.T, name string, preset uint64) uint64 {
	text := os.Getenv(name)
	if text == "" {
		return preset
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s = %q is not a number", name, text)
	}
	return n
}

// crashing is a node under test with what was offered to it.
type crashing struct {
	*chaintest.Maker
	t    *testing.T
	c    *Cluster
	rng  *rand.Rand
	node *Node
	name string

	variant crashVariant
	net     *chaintest.Consortium // nil: a chain without permissions

	mu      sync.Mutex
	blocks  map[string]*offeredBlock
	flushed int32 // height that was on disk when gettxoutsetinfo answered

	check  *Node // rebuilds from the block files
	tip    *offeredBlock
	newest *offeredBlock
}

// offeredBlock is a block that was sent to the node.
type offeredBlock struct {
	*consensus.Block
	parent *offeredBlock
	height int32
	bad    bool // breaks a rule
	rule   consensus.Rule
	acked  bool // the node answered that it has it

	replayed *replayed // see replay
}

func newCrashing(c *Cluster, rng *rand.Rand, number int) *crashing {
	variants := crashVariants()
	x := &crashing{
		Maker: chaintest.NewMaker(chaintest.Params(chaintest.ChainFile)), t: c.t.(*testing.T), c: c, rng: rng,
		name: fmt.Sprintf("crash%d", number), variant: variants[number%len(variants)],
	}
	if x.variant.members {
		x.net = crashConsortium()
		x.Maker = x.net.NewMaker()
	}
	genesis := &offeredBlock{Block: consensus.NewBlock(x.Params.GenesisBlock), acked: true}
	x.blocks, x.tip = map[string]*offeredBlock{genesis.Hash.String(): genesis}, genesis
	c.ChainFile = filepath.Join(c.Dir, x.Params.Name+".toml")
	writeFile(x.t, c.ChainFile, string(params.Render(x.Params)))
	x.node = c.prepare(x.name, "http", "127.0.0.1", append([]string{"--dbcache", "4"}, x.variant.flags...)...)
	x.fillBefore()
	x.node.Start()
	return x
}

// fillBefore gives the node the blocks that it has before its first start.
func (x *crashing) fillBefore() {
	if x.variant.before == 0 {
		return
	}
	data := append([]byte{txscript.OP_RETURN}, make([]byte, ballast)...)
	heavy := chaintest.Change(func(d *chaintest.Draft) { d.Coinbase().AddTxOut(wire.NewTxOut(0, data)) })
	var blocks []*consensus.Block
	for range x.variant.before {
		b := &offeredBlock{Block: x.Make(x.tip.Hash, heavy), parent: x.tip, height: x.tip.height + 1, acked: true}
		x.blocks[b.Hash.String()], x.tip = b, b
		blocks = append(blocks, b.Block)
	}
	smallFiles(x.t, x.node.Dir(), crashFileSize, blocks)
}

// finish ends a chain. One that is pruned has to have been.
func (x *crashing) finish() {
	x.t.Helper()
	if x.variant.before > 0 {
		x.c.Eventually("old blocks are pruned", func() error {
			if !x.step() {
				return errors.New("the node is gone")
			}
			x.prune(1 + x.rng.Int32N(x.tip.height))
			if at := x.pruneHeight(); at < 2 {
				return fmt.Errorf("prune height %d", at)
			}
			return nil
		})
		x.t.Logf("%s: at height %d, pruned below %d", x.name, x.tip.height, x.pruneHeight())
	}
	x.node.Kill()
}

// round puts the node under load, kills it, and checks what it comes back to.
func (x *crashing) round() {
	x.t.Helper()
	stop, flushes := make(chan struct{}), rand.New(rand.NewPCG(x.rng.Uint64(), 0))
	// Up to as long as a flush or two take here. From here to the end of the
	// load x.rng is offerAgain's.
	wait := time.After(x.delay(600))
	var load sync.WaitGroup
	load.Go(func() { x.flushAgain(stop, flushes) })
	done := make(chan struct{})
	load.Go(func() { defer close(done); x.offerAgain(stop) })
	select {
	case <-wait:
	case <-done:
	}
	x.node.Kill()
	close(stop)
	load.Wait()
	for x.rng.IntN(3) == 0 {
		x.killAtStart()
	}
	x.node.Start()
	x.verify()
}

func (x *crashing) delay(maxMillis int) time.Duration {
	return time.Duration(x.rng.IntN(maxMillis*1000)) * time.Microsecond
}

// killAtStart kills the node while it recovers, or is being rebuilt.
func (x *crashing) killAtStart() {
	x.t.Helper()
	flags := x.variant.restarts[x.rng.IntN(len(x.variant.restarts))]
	x.node.launch(flags...)
	select {
	case <-time.After(x.delay(250)):
		x.node.Kill()
	case <-x.node.done:
		x.t.Errorf("the node ended when it was started with %v", flags)
	}
}

// flushAgain asks for the coin set now and then, for which the node flushes.
func (x *crashing) flushAgain(stop <-chan struct{}, rng *rand.Rand) {
	for {
		select {
		case <-stop:
			return
		case <-time.After(time.Duration(rng.IntN(80)) * time.Millisecond):
		}
		var info coinSet
		if x.node.TryCall("gettxoutsetinfo", &info, "none") == nil {
			x.mu.Lock()
			x.flushed = max(x.flushed, info.Height)
			x.mu.Unlock()
			x.prune(1 + rng.Int32N(info.Height+1))
		}
	}
}

// prune calls pruneblockchain where that is part of the load. The node may be
// gone, or have nothing to prune.
func (x *crashing) prune(height int32) {
	if x.variant.prunes {
		_ = x.node.TryCall("pruneblockchain", nil, height)
	}
}

// offerAgain makes blocks and sends them, until the node is gone.
func (x *crashing) offerAgain(stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		if !x.step() {
			return
		}
	}
}

// step offers one or a few blocks. It reports whether the node still answers.
func (x *crashing) step() bool {
	switch dice := x.rng.IntN(20); {
	case dice < 2: // breaks a rule that shows when it is connected
		return x.offer(x.tip, true)
	case dice < 4: // beside the best branch
		return x.tip.parent == nil || x.offer(x.tip.parent, false)
	case dice < 7: // a better branch
		at := x.tip
		depth := x.rng.IntN(6)
		for i := 0; i < depth && at.parent != nil; i++ {
			at = at.parent
		}
		for range depth + 1 {
			last := x.newest
			if !x.offer(at, false) {
				return false
			}
			if x.newest == last {
				break // it breaks a rule of permissions: nothing to build on
			}
			at = x.newest
		}
		return true
	}
	return x.offer(x.tip, false)
}

// offer makes a block on parent and sends it, some with its payment first.
func (x *crashing) offer(parent *offeredBlock, bad bool) bool {
	opts, payments := x.govern(parent)
	if parent.height > 0 && payments {
		tx := x.payment(parent)
		if len(tx.TxOut) == 1 && parent == x.tip && x.rng.IntN(4) == 0 {
			var raw bytes.Buffer
			_ = tx.Serialize(&raw) // a buffer takes everything
			_ = x.node.TryCall("sendrawtransaction", nil, hex.EncodeToString(raw.Bytes()), 0)
		}
		opts = append(opts, chaintest.Tx(tx, 1000))
	}
	if bad {
		// More than what division by the number of outputs leaves over.
		opts = append(opts, chaintest.Change(func(d *chaintest.Draft) { d.Fees += 10_000 }))
	}
	b := &offeredBlock{Block: x.Make(parent.Hash, opts...), parent: parent, height: parent.height + 1, bad: bad, rule: "bad-cb-amount"}
	if rule := x.rule(b); rule != "" && !bad {
		b.bad, b.rule = true, rule
	}
	var raw bytes.Buffer
	_ = b.Msg().Serialize(&raw)
	x.mu.Lock()
	x.blocks[b.Hash.String()] = b
	x.mu.Unlock()
	var verdict string
	if err := x.node.TryCall("submitblock", &verdict, hex.EncodeToString(raw.Bytes())); err != nil {
		return false // killed; verify sees to the rest
	}
	switch {
	case b.bad && verdict != string(b.rule):
		x.t.Errorf("a block that breaks %s: %q", b.rule, verdict)
	case !b.bad && verdict != "" && verdict != "inconclusive":
		x.t.Errorf("good block at height %d: %q", b.height, verdict)
	case !b.bad:
		b.acked, x.newest = true, b
		if b.height > x.tip.height {
			x.tip = b
		}
	}
	return true
}

// payment spends outputs of parent: its coinbase into many coins now and
// then, so that the cache fills; else many of those into one.
func (x *crashing) payment(parent *offeredBlock) *wire.MsgTx {
	if len(parent.Txs) > 1 {
		if outs := chaintest.Outputs(parent.Txs[1].Msg); len(outs) > 1 {
			return chaintest.SpendTx(1000, 1, outs[:len(outs)/4]...)
		}
	}
	n := 1
	if x.rng.IntN(3) == 0 {
		n = 2 + x.rng.IntN(2500)
	}
	return chaintest.SpendTx(1000, n, chaintest.CoinbaseOutput(parent.Block))
}

// coinSet is what gettxoutsetinfo says.
type coinSet struct {
	Height    int32       `json:"height"`
	BestBlock string      `json:"bestblock"`
	TxOuts    int64       `json:"txouts"`
	MuHash    string      `json:"muhash"`
	Total     json.Number `json:"total_amount"`
}

// verify checks what the node came back to.
func (x *crashing) verify() {
	x.t.Helper()
	want := int32(0)
	for _, b := range x.blocks {
		if b.acked {
			want = max(want, b.height)
		}
	}
	x.c.Eventually("the node is where it was", func() error {
		if height, _ := x.node.Best(); height < want {
			return fmt.Errorf("at height %d, blocks up to %d were acknowledged, up to %d flushed", height, want, x.flushed)
		}
		return nil
	})
	var got coinSet
	x.node.Call("gettxoutsetinfo", &got, "muhash")
	tip := x.blocks[got.BestBlock]
	if tip == nil || tip.bad || tip.height != got.Height {
		x.t.Fatalf("best block %s at height %d is not one that was accepted", got.BestBlock, got.Height)
	}
	x.tip, x.flushed = tip, got.Height
	if want := x.replay(tip); got.MuHash != want.muHash() || got.TxOuts != want.txOuts {
		x.t.Errorf("the node has %+v; the blocks up to its best one make %d coins with hash %s", got, want.txOuts, want.muHash())
	}
	x.verifyBlocks()
	x.variant.verify(x)
}

// verifyBlocks asks for some acknowledged blocks. Where old ones are pruned,
// only those that are, and none of the last ones, may be missing.
func (x *crashing) verifyBlocks() {
	x.t.Helper()
	pruned := x.pruneHeight()
	if kept := x.tip.height - chain.MinKeep + 1; pruned > max(kept, 0) {
		x.t.Errorf("pruned below height %d, blocks from %d on must be kept", pruned, kept)
	}
	asked := 0
	for hash, b := range x.blocks {
		if asked == 10 {
			break
		}
		if !b.acked {
			continue
		}
		asked++
		if err := x.node.TryCall("getblock", nil, hash, 0); err != nil && !(x.variant.before > 0 && strings.Contains(err.Error(), "pruned data")) {
			x.t.Errorf("block %s at height %d, which was acknowledged: %v", hash, b.height, err)
		}
	}
	for b := x.tip; b.height >= pruned && b.height > 0; b = b.parent {
		if x.rng.IntN(10) == 0 {
			x.node.Call("getblock", nil, b.Hash.String(), 0)
		}
	}
}

// pruneHeight is the lowest height from which on the node has all blocks.
func (x *crashing) pruneHeight() int32 {
	x.t.Helper()
	var info struct {
		PruneHeight int32 `json:"pruneheight"`
	}
	x.node.Call("getblockchaininfo", &info)
	return info.PruneHeight
}

// verifyPruned checks what a rebuild would, where there is none: the header of
// the best block's filter depends on all blocks.
func (x *crashing) verifyPruned() {
	x.t.Helper()
	x.indexesFollow(x.node, 1)
	var filter struct {
		Header string `json:"header"`
	}
	x.node.Call("getblockfilter", &filter, x.tip.Hash.String())
	if want := x.replay(x.tip).filter.String(); filter.Header != want {
		x.t.Errorf("filter header %s, the blocks make it %s", filter.Header, want)
	}
}

// verifyRebuilt compares the node's coins with those that a node makes of its
// block files alone, and what else is to be compared with that one.
func (x *crashing) verifyRebuilt(more func()) {
	x.t.Helper()
	x.rebuild(x.tip.height)
	defer x.check.Kill()
	var got, rebuilt coinSet
	x.node.Call("gettxoutsetinfo", &got, "muhash")
	x.check.Call("gettxoutsetinfo", &rebuilt, "muhash")
	if rebuilt != got {
		x.t.Errorf("the node has %+v, its block files say %+v", got, rebuilt)
	}
	more()
}

// rebuild starts a node that has a copy of the block files and nothing else.
func (x *crashing) rebuild(height int32) {
	x.t.Helper()
	if x.check == nil {
		x.check = x.c.prepare(x.name+"-check", "http", "127.0.0.1", x.variant.flags...)
	}
	if err := os.RemoveAll(x.check.DataDir); err != nil {
		x.t.Fatal(err)
	}
	from, to := filepath.Join(x.node.Dir(), "blocks"), filepath.Join(x.check.Dir(), "blocks")
	copyFiles(x.t, from, to)
	x.check.Start()
	x.c.Eventually("the copy is rebuilt", func() error {
		if h, _ := x.check.Best(); h < height {
			return fmt.Errorf("at height %d of %d", h, height)
		}
		return nil
	})
}

// verifyIndexes compares what the indexes of the node and of its rebuilt copy
// say of the whole chain.
func (x *crashing) verifyIndexes() {
	x.t.Helper()
	_, tip := x.node.Best()
	address, _ := x.Params.Address.Encode(chaintest.AnyoneCanSpend())
	b := x.blocks[tip]
	for range x.rng.IntN(int(b.height) + 1) {
		b = b.parent
	}
	var answers [2][]json.RawMessage
	for i, n := range []*Node{x.node, x.check} {
		x.indexesFollow(n, 3)
		for _, q := range [][]any{
			{"getblockfilter", tip}, // its header depends on all filters
			{"getaddressbalance", map[string]any{"addresses": []string{address}}},
			{"getrawtransaction", b.Txs[len(b.Txs)-1].TxID.String(), 1},
		} {
			if b.height == 0 && q[0] == "getrawtransaction" {
				continue // the genesis transaction cannot be asked for, as with Bitcoin Core
			}
			var answer json.RawMessage
			n.Call(q[0].(string), &answer, q[1:]...)
			answers[i] = append(answers[i], answer)
		}
	}
	for i := range answers[0] {
		if !bytes.Equal(answers[0][i], answers[1][i]) {
			x.t.Errorf("the node answers %s, its rebuilt copy %s", answers[0][i], answers[1][i])
		}
	}
}

// indexesFollow waits until all indexes of n, that many, are at the tip.
func (x *crashing) indexesFollow(n *Node, count int) {
	x.t.Helper()
	x.c.Eventually("the indexes follow", func() error {
		var info map[string]struct {
			Synced bool  `json:"synced"`
			Height int32 `json:"best_block_height"`
		}
		n.Call("getindexinfo", &info)
		for name, index := range info {
			if !index.Synced || index.Height != x.tip.height {
				return fmt.Errorf("%s of %s is at height %d of %d", name, n.Name, index.Height, x.tip.height)
			}
		}
		if len(info) != count {
			return fmt.Errorf("%d indexes", len(info))
		}
		return nil
	})
}

func copyFiles(t *testing.T, from, to string) {
	t.Helper()
	entries, err := os.ReadDir(from)
	if err == nil {
		err = os.MkdirAll(to, 0o700)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(from, e.Name()))
		if err == nil {
			err = os.WriteFile(filepath.Join(to, e.Name()), data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
