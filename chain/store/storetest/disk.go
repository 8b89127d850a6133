package storetest

import (
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"sort"
	"strings"
	"sync"

	"github.com/charterchain/charter/chain/store"
)

// ErrStopped is what a Disk answers at and after the change chosen by StopAt.
var ErrStopped = errors.New("disk stopped")

// Disk is a store.FS in memory. Folders need not be made and are always
// durable; names in them are durable after SyncDir, bytes after Sync.
type Disk struct {
	mu      sync.Mutex
	names   map[string]*inode
	durable map[string]*inode
	locked  map[string]bool

	changes int // writes, syncs, truncations, creations, removals, renames so far
	stopAt  int // the change that fails; 0: none
	once    bool
	torn    bool
	stopped bool
	opened  int
}

type inode struct{ data, synced []byte }

var _ store.FS = (*Disk)(nil)

// New returns an empty disk.
func New() *Disk {
	return &Disk{
		names:   make(map[string]*inode),
		durable: make(map[string]*inode),
		locked:  make(map[string]bool),
	}
}

// StopAt makes the k-th change from now on (1 is the next) fail, and every
// one after it. torn: if it is a write, its first half still happens.
func (d *Disk) StopAt(k int, torn bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stopAt, d.torn, d.once = d.changes+k, torn, false
}

// FailOnce makes only the k-th change from now on fail.
func (d *Disk) FailOnce(k int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stopAt, d.torn, d.once = d.changes+k, false, true
}

// Changes is the number of changes so far, failed ones included.
func (d *Disk) Changes() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.changes
}

// OpenFiles is the number of files that are open.
func (d *Disk) OpenFiles() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.opened
}

// Loss says what a crash takes with it.
type Loss int

// What a crash can leave.
const (
	LoseNothing  Loss = iota // the process died, the machine goes on
	LoseUnsynced             // the machine died: only what was synced is there
	TearUnsynced             // the machine died: names and half of the bytes behind the synced ones are there
)

// Crash returns the disk as the next process finds it.
func (d *Disk) Crash(loss Loss) *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	after := New()
	names := d.names
	if loss == LoseUnsynced {
		names = d.durable
	}
	for name, node := range names {
		data := append([]byte(nil), node.data...)
		switch loss {
		case LoseUnsynced:
			data = append([]byte(nil), node.synced...)
		case TearUnsynced:
			if n := len(node.synced); len(data) > n {
				data = data[:n+(len(data)-n)/2]
			}
		}
		after.put(name, data)
	}
	return after
}

func (d *Disk) put(name string, data []byte) {
	node := &inode{data: data, synced: append([]byte(nil), data...)}
	d.names[name], d.durable[name] = node, node
}

// ReadFile returns a copy of a file's bytes, nil if there is none.
func (d *Disk) ReadFile(name string) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	if node := d.names[name]; node != nil {
		return append([]byte{}, node.data...)
	}
	return nil
}

// WriteFile replaces a file, durably and without counting as a change.
func (d *Disk) WriteFile(name string, data []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.put(name, append([]byte(nil), data...))
}

// Names returns the names of all files, sorted.
func (d *Disk) Names() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var names []string
	for name := range d.names {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// changeLocked counts a change and says whether it fails.
func (d *Disk) changeLocked() error {
	d.changes++
	if d.stopped {
		return ErrStopped
	}
	if d.stopAt != 0 && d.changes == d.stopAt {
		d.stopped = !d.once
		return ErrStopped
	}
	return nil
}

func missing(op, name string) error { return &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist} }

// MkdirAll does nothing.
func (d *Disk) MkdirAll(string) error { return nil }

// List implements store.FS.
func (d *Disk) List(dir string) ([]string, error) {
	var names []string
	for _, name := range d.Names() {
		if filepath.Dir(name) == filepath.Clean(dir) {
			names = append(names, filepath.Base(name))
		}
	}
	return names, nil
}

// Empty implements store.FS. A folder in which nothing lies does not exist.
func (d *Disk) Empty(dir string) (bool, error) {
	prefix := filepath.Clean(dir) + string(filepath.Separator)
	for _, name := range d.Names() {
		if strings.HasPrefix(name, prefix) {
			return false, nil
		}
	}
	return false, missing("open", dir)
}

// Open implements store.FS.
func (d *Disk) Open(name string) (store.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	node := d.names[name]
	if node == nil {
		return nil, missing("open", name)
	}
	d.opened++
	return &file{d: d, node: node}, nil
}

// OpenWrite implements store.FS.
func (d *Disk) OpenWrite(name string) (store.File, error) {
	if f, err := d.Open(name); err == nil {
		return f, nil
	}
	return d.Create(name)
}

// Create implements store.FS.
func (d *Disk) Create(name string) (store.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.changeLocked(); err != nil {
		return nil, err
	}
	node := new(inode)
	d.names[name] = node
	d.opened++
	return &file{d: d, node: node}, nil
}

// Remove implements store.FS.
func (d *Disk) Remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.changeLocked(); err != nil {
		return err
	}
	if d.names[name] == nil {
		return missing("remove", name)
	}
	delete(d.names, name)
	return nil
}

// Rename implements store.FS.
func (d *Disk) Rename(oldName, newName string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.changeLocked(); err != nil {
		return err
	}
	if d.names[oldName] == nil {
		return missing("rename", oldName)
	}
	d.names[newName] = d.names[oldName]
	delete(d.names, oldName)
	return nil
}

// SyncDir implements store.FS.
func (d *Disk) SyncDir(dir string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.changeLocked(); err != nil {
		return err
	}
	dir = filepath.Clean(dir)
	for name := range d.durable {
		if filepath.Dir(name) == dir && d.names[name] == nil {
			delete(d.durable, name)
		}
	}
	for name, node := range d.names {
		if filepath.Dir(name) == dir {
			d.durable[name] = node
		}
	}
	return nil
}

// Lock implements store.FS.
func (d *Disk) Lock(name string) (io.Closer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.locked[name] {
		return nil, &store.LockedError{Dir: filepath.Dir(name), Holder: "another test"}
	}
	d.locked[name] = true
	return unlocker{d, name}, nil
}

type unlocker struct {
	d    *Disk
	name string
}

func (u unlocker) Close() error {
	u.d.mu.Lock()
	defer u.d.mu.Unlock()
	u.d.locked[u.name] = false
	return nil
}

// file is an open file; Disk.mu guards it.
type file struct {
	d      *Disk
	node   *inode
	closed bool
}

func (f *file) ReadAt(b []byte, off int64) (int, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if f.closed {
		return 0, fs.ErrClosed
	}
	if off >= int64(len(f.node.data)) {
		return 0, io.EOF
	}
	n := copy(b, f.node.data[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (f *file) WriteAt(b []byte, off int64) (int, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if f.closed {
		return 0, fs.ErrClosed
	}
	err := f.d.changeLocked()
	if err != nil {
		if !f.d.torn || f.d.changes != f.d.stopAt {
			return 0, err
		}
		b = b[:len(b)/2]
	}
	if end := off + int64(len(b)); end > int64(len(f.node.data)) {
		f.node.data = append(f.node.data, make([]byte, end-int64(len(f.node.data)))...)
	}
	return copy(f.node.data[off:], b), err
}

func (f *file) Truncate(size int64) error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.d.changeLocked(); err != nil {
		return err
	}
	f.node.data = f.node.data[:size]
	return nil
}

func (f *file) Size() (int64, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	return int64(len(f.node.data)), nil
}

func (f *file) Sync() error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if f.closed {
		return fs.ErrClosed
	}
	if err := f.d.changeLocked(); err != nil {
		return err
	}
	f.node.synced = append(f.node.synced[:0], f.node.data...)
	return nil
}

func (f *file) Close() error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if f.closed {
		return fs.ErrClosed
	}
	f.closed = true
	f.d.opened--
	return nil
}
