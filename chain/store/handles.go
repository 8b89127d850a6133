package store

import (
	"container/list"
	"errors"
	"sync"
)

// handles keeps a bounded number of files open for reading, the most
// recently used ones. Files in use at the moment do not count as spare, so
// the bound is exceeded by at most the number of concurrent readers.
type handles struct {
	g   *guard
	max int

	mu     sync.Mutex
	closed bool
	byName map[string]*list.Element // guarded by mu; of *handle
	recent list.List                // guarded by mu; front is the newest
}

type handle struct {
	name string
	File
	users int  // guarded by handles.mu
	gone  bool // guarded by handles.mu: close with the last user
}

func newHandles(g *guard, limit int) *handles {
	return &handles{g: g, max: max(limit, 1), byName: make(map[string]*list.Element)}
}

// with runs fn with the file open.
func (h *handles) with(name string, fn func(File) error) error {
	f, err := h.acquire(name)
	if err != nil {
		return err
	}
	err = fn(f.File)
	return errors.Join(err, h.release(f))
}

func (h *handles) acquire(name string) (*handle, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, ErrClosed
	}
	if e, ok := h.byName[name]; ok {
		h.recent.MoveToFront(e)
		f := e.Value.(*handle)
		f.users++
		return f, nil
	}
	file, err := h.g.openRead(name)
	if err != nil {
		return nil, err
	}
	f := &handle{name: name, File: file, users: 1}
	h.byName[name] = h.recent.PushFront(f)
	h.trimLocked()
	return f, nil
}

func (h *handles) release(f *handle) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	f.users--
	if f.users == 0 && f.gone {
		return f.Close()
	}
	return nil
}

func (h *handles) trimLocked() {
	for e := h.recent.Back(); e != nil && h.recent.Len() > h.max; {
		older := e.Prev()
		if e.Value.(*handle).users == 0 {
			h.dropLocked(e)
		}
		e = older
	}
}

func (h *handles) dropLocked(e *list.Element) {
	f := h.recent.Remove(e).(*handle)
	delete(h.byName, f.name)
	f.gone = true
	if f.users == 0 {
		f.Close() // was open for reading only: nothing can be lost
	}
}

// forget drops a file that is about to be removed.
func (h *handles) forget(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if e, ok := h.byName[name]; ok {
		h.dropLocked(e)
	}
}

// close drops all files; those in use close with their last user.
func (h *handles) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for h.recent.Len() > 0 {
		h.dropLocked(h.recent.Back())
	}
}
