package rpc

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/consensus"
)

func blockHex(b *consensus.Block) string {
	return hex.EncodeToString(encodeWith(b.Size(), b.Msg().Serialize))
}

// make builds a block on the best one and does not add it.
func (f *fixture) make(opts ...chaintest.Option) *consensus.Block {
	return f.Make(f.Chain.Best().Hash, opts...)
}

func TestSubmitBlock(t *testing.T) {
	f := newFixture(t)
	story(f)
	submit := func(name, hex, want string) {
		t.Helper()
		if got := string(f.get("submitblock", `["`+hex+`"]`)); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	good := f.make()
	submit("good", blockHex(good), `null`)
	if f.Chain.Best().Hash != good.Hash {
		t.Error("it is not the best block")
	}
	submit("again", blockHex(good), `"duplicate"`)
	submit("on another branch", blockHex(f.Make(f.Block("b1").Hash)), `"inconclusive"`)
	submit("stored, never connected", blockHex(f.Block("side")), `"duplicate-inconclusive"`)
	bad := f.make(chaintest.Change(func(d *chaintest.Draft) { d.Coinbase().TxOut[0].Value++ }))
	submit("too much money", blockHex(bad), `"bad-cb-amount"`)
	submit("too much money, again", blockHex(bad), `"duplicate-invalid"`)
	late := f.make(chaintest.Time(f.Params.GenesisBlock.Header.Timestamp))
	submit("too old", blockHex(late), `"time-too-old"`)
	soon := f.make(chaintest.Time(f.now.Add(3 * time.Hour)))
	submit("too early", blockHex(soon), `"time-too-new"`)
	orphan := f.Make(f.make().Hash)
	submit("no parent", blockHex(orphan), `"prev-blk-not-found"`)
	if f.Chain.Best().Hash != good.Hash {
		t.Error("a bad block changed the chain")
	}
}

// TestSubmitWithoutReserved: miners leave the coinbase's witness away, as
// templates invite them to.
func TestSubmitWithoutReserved(t *testing.T) {
	f := newFixture(t)
	story(f)
	block := f.make(chaintest.Tx(chaintest.SpendTx(0, 1, f.Coin("b2")), 0)).Msg()
	coinbase := block.Transactions[0].Copy()
	if !coinbase.HasWitness() {
		t.Fatal("the block has no commitment")
	}
	coinbase.TxIn[0].Witness = nil
	block.Transactions[0] = coinbase
	f.expect("submitblock", `["`+blockHex(consensus.NewBlock(block))+`"]`, `null`)
}

func TestProposal(t *testing.T) {
	f := newFixture(t)
	story(f)
	propose := func(name string, b *consensus.Block, want string) {
		t.Helper()
		if got := string(f.get("getblocktemplate", `[{"mode": "proposal", "data": "`+blockHex(b)+`", "rules": ["segwit"]}]`)); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	noWork := f.make(chaintest.Change(func(d *chaintest.Draft) { d.NoSolve = true }))
	propose("good", noWork, `null`)
	propose("not on the best", f.Make(f.Block("b1").Hash), `"inconclusive-not-best-prevblk"`)
	propose("known", f.Block("b3"), `"duplicate"`)
	propose("known, never connected", f.Block("side"), `"duplicate-inconclusive"`)
	propose("too much money", f.make(chaintest.Change(func(d *chaintest.Draft) { d.Coinbase().TxOut[0].Value++ })), `"bad-cb-amount"`)
	if f.Chain.Best().Hash != f.Block("b3").Hash {
		t.Error("a proposal changed the chain")
	}
}

// template makes one on the best block with a payment and one that spends it.
func (f *fixture) template() *Template {
	first := chaintest.SpendTx(1000, 2, f.Coin("b2"))
	second := chaintest.SpendTx(500, 1, chaintest.Outputs(first)...)
	block := f.make(chaintest.Tx(first, 1000), chaintest.Tx(second, 500)).Msg()
	return &Template{
		Block: block, Fees: []int64{0, 1000, 500}, SigOpCosts: []int64{0, 0, 0},
		Height: f.Chain.Best().Height + 1, MinTime: f.Chain.Next().MinTime, CoinbaseValue: 50_0000_1500,
	}
}

func TestBlockTemplate(t *testing.T) {
	f := newFixture(t)
	story(f)
	f.miner.template = f.template()
	tx := f.miner.template.Block.Transactions
	coinbase := tx[0]
	one := func(msg *wire.MsgTx, depends string, fee int) string {
		full := consensus.NewTx(msg)
		return fmt.Sprintf(`{"data": "%x", "txid": "%v", "hash": "%v", "depends": %s, "fee": %d, "sigops": 0, "weight": %d}`,
			encodeTx(msg), full.TxID, full.WTxID, depends, fee, full.Weight)
	}
	commitment := coinbase.TxOut[consensus.FindWitnessCommitment(coinbase)].PkScript
	best := f.Chain.Best().Hash
	want := fmt.Sprintf(`{"capabilities": ["proposal"], "version": %d, "rules": ["csv", "!segwit", "taproot"], "vbavailable": {}, "vbrequired": 0,
		"previousblockhash": "%v", "transactions": [%s, %s], "coinbaseaux": {}, "coinbasevalue": 5000001500, "longpollid": "%v0",
		"target": "7fffff0000000000000000000000000000000000000000000000000000000000", "mintime": %d,
		"mutable": ["time", "transactions", "prevblock"], "noncerange": "00000000ffffffff", "sigoplimit": 80000, "sizelimit": 4000000,
		"weightlimit": 4000000, "curtime": %d, "bits": "207fffff", "height": 4, "default_witness_commitment": "%x"}`,
		f.miner.template.Block.Header.Version, best, one(tx[1], "[]", 1000), one(tx[2], "[1]", 500), best, f.Chain.Next().MinTime, f.now.Unix(), commitment)
	f.expect("getblocktemplate", `[{"rules": ["segwit"]}]`, want)
}

// TestTemplateAge: a new template is made for a new block at once, for a changed
// pool after some seconds, and else never.
func TestTemplateAge(t *testing.T) {
	f := newFixture(t)
	story(f)
	ask := func(want int, when string) {
		t.Helper()
		f.get("getblocktemplate", `[{"rules": ["segwit"]}]`)
		if f.miner.made != want {
			t.Errorf("%s: %d templates, want %d", when, f.miner.made, want)
		}
	}
	f.miner.template = f.template()
	ask(1, "at first")
	f.now = f.now.Add(time.Hour)
	ask(1, "nothing new")
	f.pool.sequence.Add(1)
	ask(2, "old, and the pool changed")
	f.pool.sequence.Add(1)
	f.now = f.now.Add(templateAge - 1)
	ask(2, "the pool changed just now")
	f.now = f.now.Add(1)
	ask(3, "the pool changed")
	f.Next("b4").Accept()
	f.miner.template = f.template()
	ask(4, "a new block")

	f.Next("b5").Accept()
	f.miner.err = errors.New("disk on fire")
	f.fails("getblocktemplate", `[{"rules": ["segwit"]}]`, codeInternal, "could not decide: make a block template: disk on fire")
}

func TestLongPoll(t *testing.T) {
	f := newFixture(t)
	story(f)
	f.miner.template = f.template()
	best := f.Chain.Best()
	for name, c := range map[string]struct {
		id   string
		act  func()
		want time.Duration
	}{
		"other block":  {strings.Repeat("00", 32) + "0", func() {}, 0},
		"nonsense":     {"x", func() {}, 0},
		"new block":    {longPollID(best.Hash, 0), func() { f.settle(f.Block("b2").Hash[:]) }, 5 * time.Second},
		"pool changed": {longPollID(best.Hash, 7), func() {}, longPollFirst},
		"pool changes": {longPollID(best.Hash, 0), func() {
			time.Sleep(longPollFirst)
			f.pool.sequence.Add(1)
		}, longPollFirst + longPollNext},
		"shutdown": {longPollID(best.Hash, 0), func() { _ = f.server.Shutdown(context.Background()) }, 5 * time.Second},
	} {
		f.pool.sequence.Store(0)
		synctest.Test(t, func(t *testing.T) {
			f.serve()
			began := time.Now()
			done := make(chan struct{})
			go func() {
				f.post(`{"id":1,"method":"getblocktemplate","params":[{"rules":["segwit"],"longpollid":"` + c.id + `"}]}`)
				close(done)
			}()
			time.Sleep(5 * time.Second)
			select {
			case <-done:
				if c.want != 0 {
					t.Errorf("%s: answered at once", name)
				}
				return
			default:
			}
			c.act()
			<-done
			if took := time.Since(began); took != c.want {
				t.Errorf("%s: answered after %v, want %v", name, took, c.want)
			}
		})
	}
}

// settle tells the server that another block is best.
func (f *fixture) settle(hash []byte) {
	info := f.Chain.Best()
	copy(info.Hash[:], hash)
	f.server.HandleChainEvent(chain.Event{Kind: chain.Settled, Info: info})
}

func TestMiningInfo(t *testing.T) {
	f := newFixture(t)
	story(f)
	f.pool.info.Count, f.pool.info.TemplateWeight, f.pool.info.TemplateTxs = 5, 4000, 2
	var got map[string]json.RawMessage
	if err := json.Unmarshal(f.get("getmininginfo", `[]`), &got); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		"blocks": "3", "currentblockweight": "4000", "currentblocktx": "2", "pooledtx": "5", "chain": `"test"`, "bits": `"207fffff"`, "warnings": `""`,
		"next": `{"height":4,"bits":"207fffff","difficulty":4.656542373906925e-10,"target":"7fffff0000000000000000000000000000000000000000000000000000000000"}`,
	} {
		if string(got[key]) != want {
			t.Errorf("%s: got %s, want %s", key, got[key], want)
		}
	}
	// Three blocks of work 2 in the time from genesis to the last.
	span := f.Block("b3").Header.Timestamp.Sub(f.Block("genesis").Header.Timestamp).Seconds()
	if want, _ := realNumber(6 / span).MarshalJSON(); string(got["networkhashps"]) != string(want) {
		t.Errorf("networkhashps: got %s, want %s", got["networkhashps"], want)
	}
}

// A block that was handed over is taken in, even if who brought it leaves.
func TestSubmitBlockOfLeavingCaller(t *testing.T) {
	f := newFixture(t)
	story(f)
	block := f.make()
	gone, leave := context.WithCancel(context.Background())
	leave()
	req := request{method: "submitblock", params: json.RawMessage(`["` + blockHex(block) + `"]`)}
	if result, err := f.server.table.call(gone, &req, nil); result != nil || err != nil {
		t.Fatalf("submitblock: %v, %v", result, err)
	}
	if got := f.Chain.Best().Hash; got != block.Hash {
		t.Errorf("best block is %v, want %v", got, block.Hash)
	}
}
