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

// A Fault is how a disk fails at one change, and unless Once at those after.
type Fault struct {
	Err  error // what is answered, as an *fs.PathError
	Torn bool  // of the first write that fails the first half happens
	Once bool  // only one change fails
	Done bool  // what fails happens all the same, except syncs
	Room bool  // only what takes room fails: writes and new files

	// LosesDirty: after a sync that fails, the bytes that it was to make
	// durable never are, whatever later syncs say.
	LosesDirty bool
}

// Disk is a store.FS in memory. Folders need not be made and are always
// durable; names in them are durable after SyncDir, bytes after Sync.
type Disk struct {
	mu      sync.Mutex
	names   map[string]*inode
	durable map[string]*inode
	locked  map[string]bool

	changes int // writes, syncs, truncations, creations, removals, renames so far
	failAt  int // the first change that fails; 0: none
	fault   Fault
	struck  int // changes that failed
	opened  int
}

type inode struct {
	data, synced []byte
	stuck        bool // what is not synced never will be
}

var _ store.FS = (*Disk)(nil)

// New returns an empty disk.
func New() *Disk {
	return &Disk{
		names:   make(map[string]*inode),
		durable: make(map[string]*inode),
		locked:  make(map[string]bool),
	}
}

// FailAt makes the k-th change from now on (1 is the next) fail.
func (d *Disk) FailAt(k int, how Fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failAt, d.fault, d.struck = d.changes+k, how, 0
}

// StopAt makes the k-th change from now on fail, and every one after it.
// torn: if it is a write, its first half still happens.
func (d *Disk) StopAt(k int, torn bool) { d.FailAt(k, Fault{Err: ErrStopped, Torn: torn}) }

// FailOnce makes only the k-th change from now on fail.
func (d *Disk) FailOnce(k int) { d.FailAt(k, Fault{Err: ErrStopped, Once: true}) }

// Failed is the number of changes that failed so far.
func (d *Disk) Failed() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.struck
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
		switch {
		case loss == LoseUnsynced || node.stuck:
			data = append([]byte(nil), node.synced...)
		case loss == TearUnsynced:
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

// changeLocked counts a change and says whether it fails, and whether it
// happens all the same. room: it takes room.
func (d *Disk) changeLocked(op, name string, room bool) (done bool, err error) {
	d.changes++
	if d.failAt == 0 || d.changes < d.failAt || d.fault.Room && !room || d.fault.Once && d.struck > 0 {
		return true, nil
	}
	d.struck++
	return d.fault.Done, &fs.PathError{Op: op, Path: name, Err: d.fault.Err}
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
	return &file{d: d, node: node, name: name}, nil
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
	done, err := d.changeLocked("create", name, true)
	node := new(inode)
	if done {
		d.names[name] = node
	}
	if err != nil {
		return nil, err
	}
	d.opened++
	return &file{d: d, node: node, name: name}, nil
}

// Remove implements store.FS.
func (d *Disk) Remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	done, err := d.changeLocked("remove", name, false)
	if !done {
		return err
	}
	if d.names[name] == nil {
		return missing("remove", name)
	}
	delete(d.names, name)
	return err
}

// Rename implements store.FS.
func (d *Disk) Rename(oldName, newName string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	done, err := d.changeLocked("rename", oldName, false)
	if !done {
		return err
	}
	if d.names[oldName] == nil {
		return missing("rename", oldName)
	}
	d.names[newName] = d.names[oldName]
	delete(d.names, oldName)
	return err
}

// SyncDir implements store.FS.
func (d *Disk) SyncDir(dir string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, err := d.changeLocked("sync", dir, false); err != nil {
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
	name   string
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
	done, err := f.d.changeLocked("write", f.name, true)
	switch {
	case err != nil && f.d.fault.Torn && f.d.struck == 1:
		b = b[:len(b)/2]
	case !done:
		return 0, err
	}
	if end := off + int64(len(b)); end > int64(len(f.node.data)) {
		f.node.data = append(f.node.data, make([]byte, end-int64(len(f.node.data)))...)
	}
	return copy(f.node.data[off:], b), err
}

func (f *file) Truncate(size int64) error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	done, err := f.d.changeLocked("truncate", f.name, false)
	if done {
		f.node.data = f.node.data[:size]
	}
	return err
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
	if _, err := f.d.changeLocked("sync", f.name, false); err != nil {
		f.node.stuck = f.node.stuck || f.d.fault.LosesDirty
		return err
	}
	if f.node.stuck {
		return nil
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
