package sigcheck

import "slices"

const (
	// batchInputs is about how many inputs a worker collects before it checks
	// their signatures. More make a batch hardly cheaper.
	batchInputs = 4096

	// sliceInputs is about how many a worker takes at once: between two
	// slices it sees whether it is still wanted.
	sliceInputs = 256

	// shareInputs is how many inputs are worth another worker.
	shareInputs = 8
)

// slice is a run of inputs of one Pending that a worker took.
type slice struct {
	p  *Pending
	at place
	n  int
}

// enqueue queues p and starts workers. If the caller wants to help and there
// is room he is one of them, and it returns true; he must call leave.
func (c *Checker) enqueue(p *Pending, help bool) (helps bool) {
	if p.waiting == 0 { // nobody else knows p yet
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queue = append(c.queue, p)
	c.queued += p.waiting
	if helps = help && c.running < c.workers; helps {
		c.running++
	}
	c.startLocked(helps)
	return helps
}

// join puts p before all that nobody waits for, and makes the caller a worker
// if he is of use: p still waits, and there is room. He must call leave.
func (c *Checker) join(p *Pending) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p.waiting == 0 {
		return false
	}
	if i := slices.Index(c.queue, p); i > 0 {
		copy(c.queue[1:], c.queue[:i])
		c.queue[0] = p
	}
	if c.running >= c.workers {
		return false
	}
	c.running++
	return true
}

// startLocked starts as many workers as there is room and work for. helped
// says that one who was just counted will take part of what is queued.
func (c *Checker) startLocked(helped bool) {
	useful := (c.queued + shareInputs - 1) / shareInputs
	if helped {
		useful--
	}
	for range min(useful, c.workers-c.running) {
		c.running++
		go c.work()
	}
}

// work is a worker's life: it ends when nothing is queued.
func (c *Checker) work() {
	w := c.worker()
	for w.turn(nil) {
	}
	c.leave(w)
}

// leave ends the work of w. What came in the meantime is for another.
func (c *Checker) leave(w *worker) {
	w.forget()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.idle = append(c.idle, w)
	c.running--
	c.startLocked(false)
}

func (c *Checker) worker() *worker {
	c.mu.Lock()
	defer c.mu.Unlock()
	if last := len(c.idle) - 1; last >= 0 {
		w := c.idle[last]
		c.idle = c.idle[:last]
		return w
	}
	return &worker{c: c, batch: c.verify.NewBatch()}
}

// take gives a slice of the Pending that comes first, and the share of all
// that is queued which is fair for one worker.
func (c *Checker) take() (s slice, share int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.queue) == 0 {
		return s, 0
	}
	share = max(shareInputs, min(batchInputs, (c.queued+c.workers-1)/c.workers))
	p := c.queue[0]
	s = slice{p: p, at: p.next}
	for want := min(share, sliceInputs); s.n < want && p.waiting > 0; {
		rest := len(p.spend(p.todo[p.next.todo]).Coins) - p.next.input
		n := want - s.n
		if rest <= n+shareInputs { // rather a few more than half a transaction
			n = rest
		}
		s.n += n
		p.waiting -= n
		if p.next.input += n; n == rest {
			p.next = place{todo: p.next.todo + 1}
		}
	}
	c.queued -= s.n
	if p.waiting == 0 {
		c.queue = slices.Delete(c.queue, 0, 1)
	}
	return s, share
}

// unqueue takes p out of the queue, and gives how many of its inputs nobody
// took.
func (c *Checker) unqueue(p *Pending) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := p.waiting
	if i := slices.Index(c.queue, p); i >= 0 {
		c.queue = slices.Delete(c.queue, i, i+1)
		c.queued -= n
	}
	p.waiting = 0
	return n
}
