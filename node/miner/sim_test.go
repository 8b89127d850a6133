package miner

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/permission"
	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/chain/permission/seal"
)

// A world of members that mine, in virtual time: every member decides by the
// same code as a node does, every block is judged by the rules of seals,
// diversity and time, and travels to each other member in its own time.
// Proof of work takes none.
type simWorld struct {
	t       testing.TB
	rng     *rand.Rand
	state   *permission.State
	spacing time.Duration
	latency time.Duration // at most, of a block to one other member
	nodes   []*simNode
	genesis *simBlock
	queue   simQueue
	seq     int
	now     time.Time
	blocks  int // made, those that were lost too
	deepest int // blocks that a member took back at once
}

type simBlock struct {
	parent *simBlock
	height int32
	time   time.Time // in the header: whole seconds
	made   time.Time
	sealer int
	hash   uint64
}

type simNode struct {
	member *chaintest.Member
	key    [32]byte
	skew   time.Duration // its clock against the world's
	up     bool
	died   time.Time
	tip    *simBlock
	held   time.Time
	plan   int // number of the plan that counts: older ones are void
}

// simEvent happens at a moment.
type simEvent struct {
	at  time.Time
	seq int
	do  func()
}

type simQueue []simEvent

func (q simQueue) Len() int { return len(q) }
func (q simQueue) Less(i, j int) bool {
	if !q[i].at.Equal(q[j].at) {
		return q[i].at.Before(q[j].at)
	}
	return q[i].seq < q[j].seq
}
func (q simQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *simQueue) Push(x any)   { *q = append(*q, x.(simEvent)) }
func (q *simQueue) Pop() any {
	old := *q
	e := old[len(old)-1]
	*q = old[:len(old)-1]
	return e
}

// simChains makes each chain file once: keys are dear.
var simChains sync.Map // number of members -> *chaintest.Consortium

func simChain(n int) *chaintest.Consortium {
	if c, ok := simChains.Load(n); ok {
		return c.(*chaintest.Consortium)
	}
	var members []chaintest.Genesis
	for i := range n {
		members = append(members, chaintest.Genesis{Name: fmt.Sprintf("m%d", i), Permissions: "admin"})
	}
	c, _ := simChains.LoadOrStore(n, chaintest.NewConsortium(chaintest.ConsortiumOptions{Members: members, Spacing: 8}))
	return c.(*chaintest.Consortium)
}

func newSim(t testing.TB, n int, seed uint64, latency time.Duration) *simWorld {
	net := simChain(n)
	w := &simWorld{
		t: t, rng: rand.New(rand.NewPCG(seed, uint64(n))), state: permission.Genesis(net.Params),
		spacing: net.Params.PoW.Spacing, latency: latency, now: net.Params.GenesisBlock.Header.Timestamp,
	}
	w.genesis = &simBlock{time: w.now, made: w.now, sealer: -1}
	for _, m := range net.Members {
		w.nodes = append(w.nodes, &simNode{member: m, key: m.SealKey(), tip: w.genesis, skew: time.Duration(w.rng.Int64N(int64(200 * time.Millisecond)))})
	}
	return w
}

func (w *simWorld) after(d time.Duration, do func()) {
	w.seq++
	heap.Push(&w.queue, simEvent{w.now.Add(d), w.seq, do})
}

// run lets things happen until done, and reports false when the time is over
// before that.
func (w *simWorld) run(limit time.Duration, done func() bool) bool {
	end := w.now.Add(limit)
	for !done() {
		if len(w.queue) == 0 || w.queue[0].at.After(end) {
			w.now = end
			return done()
		}
		e := heap.Pop(&w.queue).(simEvent)
		w.now = e.at
		e.do()
	}
	return true
}

func (w *simWorld) start(i int) {
	n := w.nodes[i]
	n.up, n.held = true, w.now
	for _, other := range w.nodes { // they tell each other what they have
		if other != n && other.up {
			w.take(n, other.tip)
			w.send(n.tip, other)
		}
	}
	w.decide(n)
}

// send lets a block, with those below it, arrive at a member some time later.
func (w *simWorld) send(b *simBlock, to *simNode) {
	w.after(time.Duration(w.rng.Int64N(int64(w.latency))), func() {
		if to.up {
			w.take(to, b)
		}
	})
}

func (w *simWorld) stop(i int) {
	n := w.nodes[i]
	n.up, n.died = false, w.now
	n.plan++
}

func (w *simWorld) live() (count int) {
	for _, n := range w.nodes {
		if n.up {
			count++
		}
	}
	return count
}

// better: most work, then the lower hash.
func better(a, b *simBlock) bool {
	return a.height > b.height || a.height == b.height && a.hash < b.hash
}

// take makes b the best block of n if it is better.
func (w *simWorld) take(n *simNode, b *simBlock) {
	if b == n.tip || !better(b, n.tip) {
		return
	}
	w.deepest = max(w.deepest, undone(n.tip, b))
	n.tip = b
	w.decide(n)
}

// undone is how many blocks of a's branch are not on b's.
func undone(a, b *simBlock) (count int) {
	for a != b {
		if a.height >= b.height {
			a = a.parent
			count++
		} else {
			b = b.parent
		}
	}
	return count
}

func (w *simWorld) sealers(tip *simBlock, count int) (ids []record.MemberID) {
	for b := tip; b.sealer >= 0 && len(ids) < count; b = b.parent {
		ids = append(ids, w.nodes[b.sealer].member.ID)
	}
	return ids
}

// decide makes the plan of a member for the next block on its tip.
func (w *simWorld) decide(n *simNode) {
	n.plan++
	plan, tip, clock := n.plan, n.tip, w.now.Add(n.skew)
	o := &outlook{
		state: w.state, height: tip.height + 1, minTime: tip.time.Add(w.spacing), key: n.key, spacing: w.spacing, held: n.held,
		sealers: w.sealers(tip, historyFor(len(w.nodes))),
		present: func(id record.MemberID) bool {
			for _, other := range w.nodes {
				if other.member.ID == id {
					return other.up || !other.died.IsZero() && w.now.Sub(other.died) <= presentWithin*w.spacing
				}
			}
			return false
		},
	}
	switch turn := o.decide(); turn.state {
	case StateMining:
		w.after(max(0, turn.at.Sub(clock)), func() {
			if n.plan == plan {
				w.publish(n)
			}
		})
	case StateBarred: // until another block comes
	default:
		n.held = clock
		w.after(retryAfter, func() {
			if n.plan == plan {
				w.decide(n)
			}
		})
	}
}

// publish seals a block on the tip of n and sends it to the others.
func (w *simWorld) publish(n *simNode) {
	tip := n.tip
	b := &simBlock{
		parent: tip, height: tip.height + 1, time: w.now.Add(n.skew).Truncate(time.Second), made: w.now,
		hash: w.rng.Uint64(), sealer: -1,
	}
	if least := tip.time.Add(w.spacing); b.time.Before(least) {
		b.time = least
	}
	for i := range w.nodes {
		if w.nodes[i] == n {
			b.sealer = i
		}
	}
	w.check(b, n.key)
	w.blocks++
	for _, other := range w.nodes {
		if other != n {
			w.send(b, other)
		}
	}
	w.take(n, b)
}

// check judges a block by the rules.
func (w *simWorld) check(b *simBlock, key [32]byte) {
	member, err := w.state.CheckSealer(key, b.height)
	if err != nil {
		w.t.Fatalf("block %d: %v", b.height, err)
	}
	low := w.state.LookBack(b.height)
	err = seal.CheckDiversity(member, b.height, func(yield func(record.MemberID) bool) {
		for at := b.parent; at.sealer >= 0 && at.height >= low; at = at.parent {
			if !yield(w.nodes[at.sealer].member.ID) {
				return
			}
		}
	})
	if err != nil {
		w.t.Fatalf("block %d: %v", b.height, err)
	}
	if d := b.time.Sub(b.parent.time); d < w.spacing {
		w.t.Fatalf("block %d comes %v after the one before", b.height, d)
	}
	if ahead := b.time.Sub(b.made); ahead > 2*time.Second {
		w.t.Fatalf("block %d is %v ahead of the clock", b.height, ahead)
	}
}

// best is the best block that a live member knows; any member's, if none lives.
func (w *simWorld) best() *simBlock {
	best := w.genesis
	for _, n := range w.nodes {
		if (n.up || w.live() == 0) && better(n.tip, best) {
			best = n.tip
		}
	}
	return best
}

// patience is the longest that a chain of n members takes for a block, as long
// as enough of them live: all those before the last one are gone.
func (w *simWorld) patience() time.Duration {
	return w.spacing + seal.Delay(len(w.nodes), w.spacing) + 2*time.Second + 2*w.latency
}

// TestSimEverySet: from 2 to 9 members, with every set of at least w of them
// alive, the chain goes on; also where blocks travel longer than members wait
// for each other, so that they tie all the time.
func TestSimEverySet(t *testing.T) {
	most := 6
	if simFull() {
		most = 9
	}
	for n := 2; n <= most; n++ {
		for _, latency := range []time.Duration{200 * time.Millisecond, 3 * time.Second} {
			t.Run(fmt.Sprintf("%d members, %v", n, latency), func(t *testing.T) {
				t.Parallel()
				for set := uint(1); set < 1<<n; set++ {
					everySet(t, n, set, latency)
				}
			})
		}
	}
}

func everySet(t *testing.T, n int, set uint, latency time.Duration) {
	w := newSim(t, n, uint64(set), latency)
	need := w.state.Required(1)
	for i := range w.nodes {
		w.start(i)
	}
	// All of them for a while, then the set alone.
	w.run(time.Duration(n+int(set)%3)*w.spacing, func() bool { return false })
	for i := range w.nodes {
		if set>>i&1 == 0 {
			w.stop(i)
		}
	}
	from := w.best().height
	want := from + int32(3*n)
	live := w.live()
	if ok := w.run(time.Duration(3*n)*w.patience(), func() bool { return w.best().height >= want }); ok != (live >= need) {
		if live >= need {
			t.Errorf("%d members, %d live (%b), %d needed: the chain stopped at %d blocks from where it was", n, live, set, need, w.best().height-from)
		} else {
			t.Errorf("%d members, %d live (%b), %d needed: the chain went on", n, live, set, need)
		}
		return
	}
	if live < need && w.best().height-from > int32(need) {
		t.Errorf("%d members, %d live (%b): %d blocks more, %d needed", n, live, set, w.best().height-from, need)
	}
	if w.deepest >= need && need > 1 {
		t.Errorf("%d members, %d live (%b): %d blocks taken back at once", n, live, set, w.deepest)
	}
}

// simFull says that make sim runs, which takes minutes.
func simFull() bool { return os.Getenv("CHARTER_SIM") != "" }

// simSize returns how many seeds and blocks of each to run.
func simSize() (seeds, blocks int) {
	if !simFull() {
		return 20, 150
	}
	seeds, _ = strconv.Atoi(os.Getenv("CHARTER_SIM"))
	return max(seeds, 1), 2000
}

// TestSimChurn: 1 to 20 members that come and go.
func TestSimChurn(t *testing.T) {
	seeds, blocks := simSize()
	var total simFigures
	var mu sync.Mutex
	t.Run("seed", func(t *testing.T) {
		for seed := range seeds {
			t.Run(strconv.Itoa(seed), func(t *testing.T) {
				t.Parallel()
				f := churn(t, uint64(seed), 1+seed%20, blocks)
				mu.Lock()
				defer mu.Unlock()
				total.add(f)
			})
		}
	})
	t.Logf("%d seeds of %d blocks: %v", seeds, blocks, &total)
}

// simFigures are what runs measured.
type simFigures struct {
	stable, settled     time.Duration // sums of intervals without a change; and long after one
	stableN, settledN   int
	made, kept, deepest int
	worst               float64 // mean interval of one seed, as a share of the spacing
	spacing             time.Duration
}

func (f *simFigures) add(g simFigures) {
	f.stable, f.settled = f.stable+g.stable, f.settled+g.settled
	f.stableN, f.settledN = f.stableN+g.stableN, f.settledN+g.settledN
	f.made, f.kept, f.deepest, f.spacing = f.made+g.made, f.kept+g.kept, max(f.deepest, g.deepest), g.spacing
	f.worst = max(f.worst, g.share())
}

// share is the mean interval while membership was stable, over the spacing.
func (f *simFigures) share() float64 {
	if f.stableN == 0 {
		return 1
	}
	return float64(f.stable) / float64(f.stableN) / float64(f.spacing)
}

func (f *simFigures) String() string {
	return fmt.Sprintf("mean interval %.4f of the spacing (worst seed %.4f) over %d blocks; %.4f long after changes; %d of %d blocks lost, %d taken back at most",
		f.share(), f.worst, f.stableN, float64(f.settled)/float64(max(f.settledN, 1))/float64(f.spacing), f.made-f.kept, f.made, f.deepest)
}

// churn runs one world until its chain has so many blocks.
func churn(t *testing.T, seed uint64, n, blocks int) simFigures {
	w := newSim(t, n, seed, 400*time.Millisecond)
	need := w.state.Required(1)
	var changes []time.Time
	change := func(i int, up bool) {
		if w.nodes[i].up == up {
			return
		}
		changes = append(changes, w.now)
		if up {
			w.start(i)
		} else {
			w.stop(i)
		}
	}
	for i := range w.nodes {
		w.start(i)
	}
	// Every now and then members go, sometimes more than may; then come back.
	var shake func()
	shake = func() {
		count := 1 + w.rng.IntN(max(1, n-need+1))
		for _, i := range w.rng.Perm(n)[:min(count, n)] {
			change(i, false)
			w.after(time.Duration(5+w.rng.IntN(60))*w.spacing, func() { change(i, true) })
		}
		w.after(time.Duration(30+w.rng.IntN(90))*w.spacing, shake)
	}
	w.after(time.Duration(20+w.rng.IntN(40))*w.spacing, shake)

	height := int32(0)
	for int(height) < blocks {
		before, known := w.live(), len(changes)
		moved := w.run(w.patience(), func() bool { return w.best().height > height || len(changes) > known })
		switch {
		case w.best().height > height:
			height = w.best().height
		case moved: // somebody came or went: patience starts anew
		case before >= need:
			t.Fatalf("seed %d: %d of %d members live, %d needed: no block after %d within %v", seed, before, n, need, height, w.patience())
		}
	}
	f := simFigures{made: w.blocks, kept: int(height), deepest: w.deepest, spacing: w.spacing}
	f.measure(w.best(), changes, time.Duration(2*n+4)*w.spacing)
	if f.stableN > 100 && (f.share() > 1.10 || f.share() < 1) {
		t.Errorf("seed %d, %d members: mean interval %.3f of the spacing while membership is stable", seed, n, f.share())
	}
	return f
}

// measure sums up the intervals in which nobody came or went, and those of
// them that are longer than settled after the last change.
func (f *simFigures) measure(tip *simBlock, changes []time.Time, settled time.Duration) {
	next := len(changes)
	for b := tip; b.parent != nil; b = b.parent {
		for next > 0 && changes[next-1].After(b.made) {
			next--
		}
		if next > 0 && changes[next-1].After(b.parent.made) {
			continue
		}
		d := b.time.Sub(b.parent.time)
		f.stable, f.stableN = f.stable+d, f.stableN+1
		if next == 0 || b.parent.made.Sub(changes[next-1]) > settled {
			f.settled, f.settledN = f.settled+d, f.settledN+1
		}
	}
}
