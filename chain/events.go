package chain

import "sync"

// events hands every change of the best branch to the subscribers.
type events struct {
	mu   sync.Mutex
	next int
	subs []subscriber // in order of subscription
}

type subscriber struct {
	id int
	fn func(Event)
}

// Subscribe calls fn for every event from now on, in chain order, from the
// goroutine that changes the chain, while its change lock is held: fn may
// read the chain but must not change it, and must be quick (queue what is
// slow). cancel ends it; a call that is under way may still finish.
func (c *Chain) Subscribe(fn func(Event)) (cancel func()) {
	e := &c.events
	e.mu.Lock()
	defer e.mu.Unlock()
	id := e.next
	e.next++
	e.subs = append(e.subs[:len(e.subs):len(e.subs)], subscriber{id, fn})
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		var rest []subscriber
		for _, s := range e.subs {
			if s.id != id {
				rest = append(rest, s)
			}
		}
		e.subs = rest
	}
}

// emit calls the subscribers. change held, mu not held.
func (c *Chain) emit(ev Event) {
	c.events.mu.Lock()
	subs := c.events.subs
	c.events.mu.Unlock()
	for _, s := range subs {
		s.fn(ev)
	}
}
