package model_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/permission"
	"github.com/charterchain/charter/chain/permission/model"
	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/chain/permission/seal"
)

// A sequence offers tries blocks. Without CHARTER_SEQUENCES there are quick
// of them, cut short.
const (
	tries      = 40
	quick      = 200
	quickTries = 20
)

// TestModel offers random blocks to the state machine and to the model, which
// have to agree on all: what is refused and why, and who may do what afterwards.
func TestModel(t *testing.T) {
	n, long := quick, quickTries
	if s := os.Getenv("CHARTER_SEQUENCES"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatalf("CHARTER_SEQUENCES is no number: %v", err)
		}
		long = tries
	}
	first, _ := strconv.Atoi(os.Getenv("CHARTER_FIRST")) // 0 if not set
	var next atomic.Int64
	next.Store(int64(first))
	var total tally
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for {
				seed := next.Add(1) - 1
				if seed >= int64(first+n) || t.Failed() {
					return
				}
				sequence(t, uint64(seed), long, &total)
			}
		})
	}
	wg.Wait()
	total.check(t, n)
}

// tally counts what sequences came across.
type tally struct {
	sync.Mutex
	good, bad, restarts, undone int
	rules                       map[consensus.Rule]int
	done                        map[record.Op]int
}

func (c *tally) count(fn func()) {
	c.Lock()
	defer c.Unlock()
	if c.rules == nil {
		c.rules, c.done = make(map[consensus.Rule]int), make(map[record.Op]int)
	}
	fn()
}

// check asks that the sequences came across everything, so that agreeing
// means something.
func (c *tally) check(t *testing.T, n int) {
	t.Logf("%d sequences: %d blocks taken, %d refused, %d restarts, %d undone; changes by kind %v; refused by rule:", n, c.good, c.bad, c.restarts, c.undone, c.done)
	for _, rule := range slices.Sorted(maps.Keys(c.rules)) {
		t.Logf("%8d %s", c.rules[rule], rule)
	}
	if n < quick || t.Failed() {
		return
	}
	for op := record.OpCreateMember; op <= record.OpUpgrade; op++ {
		if c.done[op] == 0 {
			t.Errorf("no %s took effect", op)
		}
	}
	for _, rule := range permission.Rules() {
		if c.rules[rule] == 0 && rule != permission.RuleRecordInCoinbase && (n >= 10_000 || !slices.Contains(rare, rule)) {
			t.Errorf("nothing broke %s", rule)
		}
	}
}

// pair is the same state twice.
type pair struct {
	s    *permission.State
	m    *model.Model
	h    int32 // of the next block
	hash [32]byte
}

type run struct {
	t    *testing.T
	seed uint64
	p    *params.Params
	at   pair
	rng  *rand.Rand
	past []step
	mode mode
	last []*model.Tx
	c    *tally
}

type step struct {
	before pair
	delta  *permission.Delta
}

func (r *run) fatalf(format string, args ...any) {
	r.t.Errorf("seed %d (run it alone: CHARTER_FIRST=%d CHARTER_SEQUENCES=1), setup %d, next block %d: %s\nlast offered:\n%s", r.seed, r.seed, r.p.Permissions.SetupBlocks, r.at.h, fmt.Sprintf(format, args...), describe(r.last))
	runtime.Goexit()
}

func sequence(t *testing.T, seed uint64, long int, c *tally) {
	rng := rand.New(rand.NewPCG(seed, 1))
	p := chainParams(seed, rng)
	r := &run{t: t, seed: seed, p: p, rng: rng, c: c, mode: mode(seed % 7 % uint64(modes)), at: pair{s: permission.Genesis(p), m: model.New(p), h: 1}}
	r.at.hash = r.at.s.Hash()
	r.compare()
	if len(p.Genesis.Members) > 1000 {
		long = 10 // slow
	}
	for range long {
		switch {
		case rng.IntN(40) == 0:
			r.restart()
		case rng.IntN(12) == 0 && len(r.past) > 0:
			r.backAndForth()
		default:
			r.block()
		}
		if rng.IntN(10) == 0 {
			r.reload()
		}
	}
}

// block offers one block to both.
func (r *run) block() {
	src := &source{r.rng, r.mode, r.at.m, r.at.h}
	var abstract []*model.Tx
	var list []real
	for range pick(r.rng, 1, 1, 1, 1, 2, 3) {
		tx := src.tx()
		abstract, list = append(abstract, tx), append(list, makeReal(tx, r.at.h))
	}
	r.last = abstract
	m, broken := r.at.m.Block(r.at.h, abstract)
	s, delta, err := r.apply(list)
	r.agree(broken, err)
	if err != nil {
		if r.at.s.Hash() != r.at.hash {
			r.fatalf("a refused block changed the state")
		}
		return
	}
	r.c.count(func() {
		r.c.good++
		for id, v := range m.Votes {
			if old := r.at.m.Votes[id]; v.Done && (old == nil || !old.Done) {
				r.c.done[v.Record.Op()]++
			}
		}
		for _, tx := range abstract {
			for _, rec := range tx.Records {
				if rec.Op() == record.OpReady {
					r.c.done[record.OpReady]++
				}
			}
		}
	})
	if r.rng.IntN(4) == 0 {
		r.draft(src, list, s)
	}
	r.coinbase(src)
	r.advance(s, m, delta)
}

// draft takes the transactions of a valid block in one by one, with others
// in between that have to be refused whole, and comes to the same state.
func (r *run) draft(src *source, list []real, want *permission.State) {
	d := r.at.s.Draft(r.at.h)
	for _, tx := range list {
		for range 3 {
			bad := makeReal(src.tx(), r.at.h)
			if err := r.at.s.CheckTx(bad.tx, bad.coins, r.at.h); err != nil {
				continue
			}
			if err := d.Add(bad.tx, bad.coins); err == nil {
				return // it was good
			}
		}
		if err := d.Add(tx.tx, tx.coins); err != nil {
			r.fatalf("a draft refuses what a block does not: %v", err)
		}
	}
	if s, _ := d.Finish(); s.Hash() != want.Hash() {
		r.fatalf("a draft leads to another state than a block")
	}
}

// coinbase offers the outputs of a coinbase to both.
func (r *run) coinbase(src *source) {
	tx := &model.Tx{}
	src.outputs(tx)
	src.outputs(tx)
	r.agree(r.at.m.CheckCoinbase(tx.Outputs, r.at.h), r.at.s.CheckCoinbase(makeReal(tx, r.at.h).tx, r.at.h))
}

// apply judges a block as a chain does.
func (r *run) apply(list []real) (*permission.State, *permission.Delta, error) {
	var txs []*consensus.Tx
	var coins [][]consensus.Coin
	for _, tx := range list {
		if err := r.at.s.CheckTx(tx.tx, tx.coins, r.at.h); err != nil {
			return nil, nil, err
		}
		txs, coins = append(txs, tx.tx), append(coins, tx.coins)
	}
	return r.at.s.Apply(r.at.h, txs, coins)
}

// agree checks that both take a block, or refuse it for the same reason.
func (r *run) agree(broken model.Rules, err error) {
	rule := consensus.AsRule(err)
	switch {
	case err == nil && broken == nil:
		return
	case err != nil && rule == nil:
		r.fatalf("undecided: %v", err)
	case (err == nil) != (broken == nil) || !slices.Contains(broken, rule.Rule):
		r.fatalf("got %v, the model says %v", err, broken)
	}
	r.c.count(func() { r.c.bad++; r.c.rules[rule.Rule]++ })
}

func short(rec record.Record) string {
	lapse, _ := record.Lapse(rec)
	return fmt.Sprint(record.Describe(rec, nil, func(b []byte) string { return made.names[string(b)] }), " lapse ", lapse)
}

func describe(txs []*model.Tx) (s string) {
	for _, tx := range txs {
		s += "transaction"
		for _, in := range tx.Inputs {
			s += fmt.Sprintf(" %s(%v)", made.names[string(in.Script)], in.Speaks)
		}
		s += "\n"
		for _, rec := range tx.Records {
			s += fmt.Sprintf("  %s\n", short(rec))
		}
		for _, out := range tx.Outputs {
			s += fmt.Sprintf("  output %s %d\n", made.names[string(out.Script)], out.Amount)
		}
	}
	return s
}

// restart offers a restart block to both.
func (r *run) restart() {
	var miners []record.MemberID
	for mb := range r.at.s.Members() {
		if r.rng.IntN(2) == 0 && len(miners) < seal.MaxRestartMembers {
			miners = append(miners, mb.ID)
		}
	}
	if len(miners) == 0 || r.rng.IntN(8) == 0 {
		miners = append(miners[:min(len(miners), seal.MaxRestartMembers-1)], record.MemberID{1})
	}
	var sigs []seal.Signature
	var signers []model.Signer
	for mb := range r.at.s.Members() {
		for _, k := range mb.Keys {
			if k.Identity[0] == 0x51 && (k.Roles.Has(record.Admin) || r.rng.IntN(12) == 0) && r.rng.IntN(8) > 0 && len(sigs) < seal.MaxRestartMembers {
				sig := signed(k.Identity, seal.RestartMessage(genesisHash, chainhash.Hash{}, miners))
				sigs = append(sigs, seal.Signature{Member: mb.ID, Key: [32]byte(k.Identity[2:]), Sig: *sig})
				signers = append(signers, model.Signer{Member: mb.ID, Identity: string(k.Identity)})
				break
			}
		}
	}
	if len(sigs) == 0 {
		return
	}
	cert, err := seal.NewCertificate(chainhash.Hash{}, miners, sigs)
	if err != nil {
		r.fatalf("certificate: %v", err)
	}
	m, broken := r.at.m.RestartBlock(r.at.h, miners, signers)
	s, delta, err := r.at.s.Restart(r.at.h, cert)
	r.agree(broken, err)
	if err == nil {
		r.c.count(func() { r.c.restarts++ })
		r.advance(s, m, delta)
	}
}

// advance goes on to the next block, at times far ahead.
func (r *run) advance(s *permission.State, m *model.Model, delta *permission.Delta) {
	r.past = append(r.past, step{r.at, delta})
	if (delta == nil) != (s.Hash() == r.at.hash) {
		r.fatalf("the delta does not say whether something changed")
	}
	r.at = pair{s: s, m: m, h: r.at.h + 1, hash: s.Hash()}
	switch {
	case r.rng.IntN(6) == 0:
		r.at.h += int32(r.rng.IntN(6))
	case r.rng.IntN(40) == 0 || r.mode == later && r.rng.IntN(5) == 0:
		r.at.h += 990 + int32(r.rng.IntN(20))
	}
	r.compare()
}

// backAndForth undoes some blocks and then does them again, or goes on from
// there by another branch.
func (r *run) backAndForth() {
	tip, n := r.at, 1+r.rng.IntN(min(6, len(r.past)))
	back := r.past[len(r.past)-n:]
	s := r.at.s
	for i := len(back) - 1; i >= 0; i-- {
		if back[i].delta != nil {
			s = s.Undo(back[i].delta)
		}
		if s.Hash() != back[i].before.hash {
			r.fatalf("undo does not lead back")
		}
	}
	r.at = back[0].before
	r.at.s = s
	r.compare()
	r.c.count(func() { r.c.undone += n })
	if r.rng.IntN(2) == 0 {
		r.past = r.past[:len(r.past)-n]
		return
	}
	for _, b := range back {
		if b.delta != nil {
			d, err := permission.DecodeDelta(b.delta.Encode())
			if err != nil {
				r.fatalf("delta: %v", err)
			}
			s = s.Redo(d)
		}
	}
	r.at = tip
	r.at.s = s
	if s.Hash() != tip.hash {
		r.fatalf("redo does not lead forth")
	}
	r.compare()
}

// reload goes on with what the canonical bytes say.
func (r *run) reload() {
	data := r.at.s.Encode()
	s, err := permission.Decode(r.p, data)
	if err != nil || !bytes.Equal(s.Encode(), data) {
		r.fatalf("the state does not survive its encoding: %v", err)
	}
	r.at.s = s
	r.compare()
}
