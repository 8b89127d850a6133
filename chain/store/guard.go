package store

import (
	"sync"
	"time"
)

// guard stands between the store and the disk. It remembers the first write
// that went wrong and refuses every one after it, so that no retry, of
// LevelDB's own ones for instance, can put half a state on disk.
type guard struct {
	fs      FS
	now     func() time.Time // nil: fsyncs are not timed
	metrics *Metrics

	broken chan struct{} // closed with the first failure

	mu   sync.Mutex
	err  error                     // guarded by mu: the first failure
	open map[*guardedFile]struct{} // guarded by mu: closed at the end at the latest
}

func newGuard(fs FS, now func() time.Time, m *Metrics) *guard {
	return &guard{fs: fs, now: now, metrics: m, broken: make(chan struct{}), open: make(map[*guardedFile]struct{})}
}

// failed returns the first failure, or nil.
func (g *guard) failed() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.err
}

// fail records err, unless there was a failure before, and returns the first.
func (g *guard) fail(err error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err == nil {
		g.err = err
		close(g.broken)
	}
	return g.err
}

// change runs fn, which alters what is on disk.
func (g *guard) change(fn func() error) error {
	if err := g.failed(); err != nil {
		return err
	}
	if err := fn(); err != nil {
		return g.fail(err)
	}
	return nil
}

// track wraps f. closeAll closes what is still open then.
func (g *guard) track(f File) *guardedFile {
	gf := &guardedFile{File: f, g: g}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open[gf] = struct{}{}
	return gf
}

// closeAll closes every open file. Errors are of no use any more: what had
// to be durable was synced.
func (g *guard) closeAll() {
	g.mu.Lock()
	files := make([]*guardedFile, 0, len(g.open))
	for f := range g.open {
		files = append(files, f)
	}
	clear(g.open)
	g.mu.Unlock()
	for _, f := range files {
		f.File.Close()
	}
}

func (g *guard) openRead(name string) (*guardedFile, error) {
	f, err := g.fs.Open(name)
	if err != nil {
		return nil, err
	}
	return g.track(f), nil
}

// openChange is Create or OpenWrite of the FS.
func (g *guard) openChange(how func(string) (File, error), name string) (gf *guardedFile, err error) {
	err = g.change(func() error {
		f, err := how(name)
		if err == nil {
			gf = g.track(f)
		}
		return err
	})
	return gf, err
}

// remove deletes a file; one that is not there is no failure.
func (g *guard) remove(name string) error {
	return g.change(func() error {
		if err := g.fs.Remove(name); err != nil && !notExist(err) {
			return err
		}
		return nil
	})
}

func (g *guard) rename(oldName, newName string) error {
	return g.change(func() error { return g.fs.Rename(oldName, newName) })
}

func (g *guard) mkdirAll(dir string) error {
	return g.change(func() error { return g.fs.MkdirAll(dir) })
}

func (g *guard) syncDir(dir string) error {
	return g.change(func() error { return g.timed(func() error { return g.fs.SyncDir(dir) }) })
}

// timed runs an fsync and measures it.
func (g *guard) timed(fn func() error) error {
	if g.now == nil {
		return fn()
	}
	start := g.now()
	err := fn()
	g.metrics.fsync.Observe(g.now().Sub(start).Seconds())
	return err
}

// guardedFile is a File whose changes go through its guard.
type guardedFile struct {
	File
	g *guard
}

func (f *guardedFile) WriteAt(b []byte, off int64) (n int, err error) {
	err = f.g.change(func() (err error) {
		n, err = f.File.WriteAt(b, off)
		return err
	})
	f.g.metrics.written.Add(float64(n))
	return n, err
}

func (f *guardedFile) Truncate(size int64) error {
	return f.g.change(func() error { return f.File.Truncate(size) })
}

func (f *guardedFile) Sync() error {
	return f.g.change(func() error { return f.g.timed(f.File.Sync) })
}

// Close closes the file once; closing it again does nothing.
func (f *guardedFile) Close() error {
	f.g.mu.Lock()
	_, open := f.g.open[f]
	delete(f.g.open, f)
	f.g.mu.Unlock()
	if !open {
		return nil
	}
	return f.File.Close()
}
