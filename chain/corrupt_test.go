package chain_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/store"
	"github.com/charterchain/charter/chain/store/storetest"
)

// TestCorruption damages every kind of file of a stopped node: a flipped bit,
// a stretch of zeros, a missing end. (The journal of the coins is empty.) Each
// time one of three things happens: the chain opens with the coins of its best
// block, and says what is damaged when it is read; it opens at an earlier
// block, from which it goes on when the lost blocks come again; or it names the
// damage. Never does it show other coins. Then --reindex-chainstate or
// --reindex repair it.
//
// CHARTER_FLIPS is the number of flips per kind of file, CHARTER_SEED chooses
// them.
func TestCorruption(t *testing.T) {
	flips, seed := number(t, "CHARTER_FLIPS", 5), number(t, "CHARTER_SEED", uint64(time.Now().UnixNano()))
	t.Logf("CHARTER_SEED=%d CHARTER_FLIPS=%d", seed, flips)
	k := newCorruptible(t)
	for _, kind := range []struct{ name, pattern string }{
		{"blocks", "blocks/blk*.dat"},
		{"undo", "blocks/undo*.dat"},
		{"index tables", "index/*.ldb"},
		{"index journal", "index/*.log"},
		{"index manifest", "index/MANIFEST-*"},
		{"coins tables", "chainstate/*.ldb"},
		{"coins manifest", "chainstate/MANIFEST-*"},
		{"pointer", "*/CURRENT"},
	} {
		t.Run(kind.name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, uint64(len(kind.name))))
			outcomes := make(map[string]int)
			for range flips {
				outcome, err := k.try(rng, kind.pattern)
				if err != nil {
					t.Fatalf("%v; repeat with CHARTER_SEED=%d", err, seed)
				}
				outcomes[outcome]++
			}
			t.Logf("%v", outcomes)
		})
	}
}

func number(t *testing.T, name string, preset uint64) uint64 {
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

// corruptible is the data folder of a stopped node, and what is true of it.
type corruptible struct {
	*chaintest.Harness
	disk   *storetest.Disk
	blocks []*consensus.Block // of the best branch, by height
	coins  map[chainhash.Hash]map[wire.OutPoint]consensus.Coin
}

const corruptDir = "data"

// newCorruptible makes a chain whose coins fill tables, with a side branch,
// and a journal of the index that is not empty.
func newCorruptible(t *testing.T) *corruptible {
	k := &corruptible{disk: storetest.New()}
	k.Harness = chaintest.New(t, chaintest.Options{FS: k.disk, Dir: corruptDir})
	k.blocks = []*consensus.Block{k.Block("genesis")}
	set := make(map[wire.OutPoint]consensus.Coin)
	k.coins = map[chainhash.Hash]map[wire.OutPoint]consensus.Coin{k.blocks[0].Hash: clone(set)}
	for i := 1; i <= 24; i++ {
		name := fmt.Sprint("b", i)
		if i == 1 {
			k.Next(name).Accept()
		} else {
			k.Next(name, chaintest.Tx(chaintest.SpendTx(1000, 40, k.Coin(fmt.Sprint("b", i-1))), 1000)).Accept()
		}
		b := k.Block(name)
		applyTo(set, b, int32(i))
		k.blocks = append(k.blocks, b)
		k.coins[b.Hash] = clone(set)
		if i%4 == 0 {
			if err := k.Chain.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	// Opening turns the journal of the index into a table; the side block is
	// the beginning of a new journal.
	k.Close()
	k.Open()
	k.On("b20").Next("side").Side()
	// The best block where the body of one above b20 is lost.
	side := k.Block("side")
	k.coins[side.Hash] = clone(k.coins[k.Block("b20").Hash])
	applyTo(k.coins[side.Hash], side, 21)
	k.Close()
	return k
}

func applyTo(set map[wire.OutPoint]consensus.Coin, b *consensus.Block, height int32) {
	for i, tx := range b.Txs {
		for _, in := range tx.Msg.TxIn {
			delete(set, in.PreviousOutPoint)
		}
		for n, out := range tx.Msg.TxOut {
			if len(out.PkScript) > 0 && out.PkScript[0] == 0x6a {
				continue // cannot be spent
			}
			op := wire.OutPoint{Hash: tx.TxID, Index: uint32(n)}
			set[op] = consensus.Coin{Amount: out.Value, Script: out.PkScript, Height: height, Coinbase: i == 0}
		}
	}
}

func clone(set map[wire.OutPoint]consensus.Coin) map[wire.OutPoint]consensus.Coin {
	out := make(map[wire.OutPoint]consensus.Coin, len(set))
	for op, c := range set {
		out[op] = c
	}
	return out
}

// try damages one file of a copy and says how it ended.
func (k *corruptible) try(rng *rand.Rand, pattern string) (string, error) {
	disk := k.disk.Crash(storetest.LoseNothing)
	var files []string
	for _, name := range disk.Names() {
		if ok, _ := filepath.Match(filepath.Join(corruptDir, pattern), name); ok {
			files = append(files, name)
		}
	}
	if len(files) == 0 {
		return "", fmt.Errorf("no file %s in %v", pattern, disk.Names())
	}
	file := files[rng.IntN(len(files))]
	data := disk.ReadFile(file)
	if len(data) == 0 {
		return "", fmt.Errorf("%s is empty", file)
	}
	at := rng.IntN(len(data))
	how := "bit flipped"
	switch rng.IntN(6) {
	case 0:
		how = "cut off"
		data = data[:at]
	case 1:
		how = "zeros"
		clear(data[at:min(at+64, len(data))])
	default:
		data[at] ^= 1 << rng.IntN(8)
	}
	disk.WriteFile(file, data)
	where := fmt.Sprintf("%s, %s at byte %d", file, how, at)
	outcome, err := k.use(disk)
	if err != nil {
		return "", fmt.Errorf("%s: %w", where, err)
	}
	// What a process left that met damage is what a start finds after it.
	if err := k.repair(disk.Crash(storetest.LoseNothing)); err != nil {
		return "", fmt.Errorf("%s: %w", where, err)
	}
	return outcome, nil
}

// open opens the chain on disk.
func (k *corruptible) open(disk *storetest.Disk, drop func(*store.Config, *chain.Config)) (*node, error) {
	return openDir(corruptDir, k.Maker, func(s *store.Config, c *chain.Config) {
		s.FS = disk
		if drop != nil {
			drop(s, c)
		}
	})
}

// use opens a damaged folder and asks it for everything.
func (k *corruptible) use(disk *storetest.Disk) (outcome string, err error) {
	n, err := k.open(disk, nil)
	var damage *store.DamageError
	if errors.As(err, &damage) {
		return "named at start", nil
	}
	if err != nil {
		return "", fmt.Errorf("open: %w", err)
	}
	// What is found later must not lead to anything wrong on disk either.
	defer func() { _ = n.close() }()
	if err := k.compare(n); errors.As(err, &damage) {
		return "named when coins are read", nil
	} else if err != nil {
		return "", err
	}
	began := n.Best().Height
	found := 0
	for _, b := range k.blocks[:n.Best().Height+1] {
		_, blockErr := n.ReadRawBlock(b.Hash)
		_, undoErr := n.ReadSpent(b.Hash)
		for _, err := range []error{blockErr, undoErr} {
			if err != nil && !errors.As(err, &damage) && !strings.Contains(err.Error(), "not available") {
				return "", fmt.Errorf("block %v: %w", b.Hash, err)
			}
			if err != nil {
				found++
			}
		}
	}
	if began < int32(len(k.blocks)-1) {
		return "earlier block", k.again(n)
	}
	if found > 0 {
		return "named when read", nil
	}
	return "no harm", nil
}

// again offers all blocks a second time, as peers would.
func (k *corruptible) again(n *node) error {
	for _, b := range k.blocks[1:] {
		if _, err := n.AcceptBlock(context.Background(), b); err != nil {
			return fmt.Errorf("block %v comes again: %w", b.Hash, err)
		}
	}
	if got := n.Best().Height; got != int32(len(k.blocks)-1) {
		return fmt.Errorf("at height %d after all blocks came again", got)
	}
	return k.compare(n)
}

// compare checks the coins against those of the best block.
func (k *corruptible) compare(n *node) error {
	got := make(map[wire.OutPoint]consensus.Coin)
	at, err := n.EachCoin(context.Background(), func(op wire.OutPoint, c consensus.Coin) error {
		got[op] = c
		return nil
	})
	if err != nil {
		return fmt.Errorf("read coins: %w", err)
	}
	want := k.coins[at.Hash]
	if want == nil {
		return fmt.Errorf("WRONG: best block is %v at height %d, of which nobody has heard", at.Hash, at.Height)
	}
	if len(got) != len(want) {
		return fmt.Errorf("WRONG: %d coins at height %d, want %d", len(got), at.Height, len(want))
	}
	for op, c := range want {
		if g, ok := got[op]; !ok || g.Amount != c.Amount || g.Height != c.Height || g.Coinbase != c.Coinbase || string(g.Script) != string(c.Script) {
			return fmt.Errorf("WRONG: coin %v at height %d is %+v, want %+v", op, at.Height, g, c)
		}
	}
	return nil
}

// repair rebuilds with the flag that the damage calls for: where the lighter
// one meets damage of the index, the other. Blocks that are lost come again.
func (k *corruptible) repair(disk *storetest.Disk) error {
	var damage *store.DamageError
	n, err := k.open(disk, dropState)
	if errors.As(err, &damage) {
		n, err = k.open(disk, dropAll)
	}
	if err != nil {
		return fmt.Errorf("repair: %w", err)
	}
	err = k.compare(n)
	if err == nil && n.Best().Height < int32(len(k.blocks)-1) {
		err = k.again(n)
	}
	if err == nil {
		err = k.disconnectAll(n)
	}
	if err = errors.Join(err, n.close()); err != nil {
		return fmt.Errorf("after the repair: %w", err)
	}
	return nil
}

// disconnectAll goes back to the first block and forth again: all undo data
// is there and right.
func (k *corruptible) disconnectAll(n *node) error {
	first := chainhash.Hash(k.blocks[1].Hash)
	if err := n.Invalidate(context.Background(), first); err != nil {
		return fmt.Errorf("disconnect: %w", err)
	}
	if err := k.compare(n); err != nil {
		return err
	}
	if err := n.Reconsider(context.Background(), first); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	return k.compare(n)
}
