package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"github.com/syndtr/goleveldb/leveldb"
)

// backupMark is a file in the folder of a backup while that is being made.
// Open refuses such a folder: it lacks an unknown part.
const backupMark = "unfinished-backup"

const (
	backupChunk = 1 << 20  // bytes copied or written at a time
	backupCache = 16 << 20 // memory of a database that is being written
)

// UnfinishedError refuses a folder in which a backup was cut short.
type UnfinishedError struct{ Dir string }

func (e *UnfinishedError) Error() string {
	return fmt.Sprintf("%s holds a backup that was never finished: remove it and use another one", e.Dir)
}

// TargetError refuses a folder for a backup; nothing in it was changed.
type TargetError struct{ Dir, Why string }

func (e *TargetError) Error() string {
	return fmt.Sprintf("no backup can be made in %s: %s", e.Dir, e.Why)
}

// BackupFile is a further file for the folder of a backup.
type BackupFile struct {
	Name string // without a folder
	Data []byte
}

// Backup copies a store that is in use: BeginBackup, Copy, End.
//
// What it copies is consistent without keeping anybody from writing, as it
// is picked up against the order of writes: first a snapshot of the chain
// state, then one of the block index, which holds a row for every block
// that the state knows, then the lengths of the files, which hold the
// records of all these rows. Files are only ever appended to, so they can be
// copied later up to these lengths. What they hold beyond the index is
// found when the copy is opened, as after a kill.
//
// Only RemoveFiles must not be called between BeginBackup and End.
type Backup struct {
	s     *Store
	state *ReadSnapshot
	index *leveldb.Snapshot
	files []FileInfo
	mark  bool // Store.Pruned
	size  int64
}

// CheckBackupDir returns a *TargetError unless a backup can be made in dir:
// it must be empty, or missing in a folder that exists.
func (s *Store) CheckBackupDir(dir string) error {
	_, err := s.checkBackupDir(dir)
	return err
}

// checkBackupDir also reports whether dir has to be made.
func (s *Store) checkBackupDir(dir string) (missing bool, err error) {
	empty, err := s.guard.fs.Empty(dir)
	switch {
	case err == nil && empty:
		return false, nil
	case err == nil:
		return false, &TargetError{dir, "it is not empty"}
	case !notExist(err):
		return false, &TargetError{dir, err.Error()}
	}
	if _, err := s.guard.fs.List(filepath.Dir(filepath.Clean(dir))); err != nil {
		return false, &TargetError{dir, "the folder above it cannot be read: " + err.Error()}
	}
	return true, nil
}

// BeginBackup notes what there is now, and takes no longer than looking at
// the length of every file. End must be called.
func (s *Store) BeginBackup() (*Backup, error) {
	state, err := s.Snapshot()
	if err != nil {
		return nil, err
	}
	b := &Backup{s: s, state: state}
	if err := b.begin(); err != nil {
		b.End()
		return nil, fmt.Errorf("begin a backup: %w", err)
	}
	return b, nil
}

func (b *Backup) begin() error {
	if b.state.best == nil {
		return errors.New("nothing was committed yet")
	}
	var err error
	if b.index, err = b.s.index.GetSnapshot(); err != nil {
		return b.s.index.wrap(err)
	}
	if b.files, err = b.s.Files(); err != nil {
		return err
	}
	if b.mark, err = b.s.Pruned(); err != nil {
		return err
	}
	for _, f := range b.files {
		b.size += f.Size
	}
	for _, db := range []*database{b.s.index, b.s.chainstate} {
		n, err := db.size()
		if err != nil {
			return err
		}
		b.size += n
	}
	return nil
}

// Best is the commit that the backup has.
func (b *Backup) Best() CommitRow { return *b.state.best }

// Size is about how many bytes Copy will write.
func (b *Backup) Size() int64 { return b.size }

// End lets go of the snapshots.
func (b *Backup) End() {
	b.state.Release()
	if b.index != nil {
		b.index.Release()
	}
}

// Copy writes the backup into dir, and returns once it is durable. It can be
// opened like any other data directory. progress, if not nil, is told now
// and then how many bytes are done.
//
// After an error, *TargetError or any other, dir is as before; where
// even that failed, or the process was killed, it is one that Open refuses.
// An error of the disk on which dir lies does not concern the store.
func (b *Backup) Copy(ctx context.Context, dir string, extra []BackupFile, progress func(bytes int64)) (bytes int64, err error) {
	missing, err := b.s.checkBackupDir(dir)
	if err != nil {
		return 0, err
	}
	c := &backupCopy{
		Backup: b, ctx: ctx, dir: filepath.Clean(dir), progress: progress,
		g: newGuard(b.s.guard.fs, nil, NewMetrics(nil)),
	}
	if err := c.run(extra); err != nil {
		return 0, errors.Join(fmt.Errorf("backup in %s: %w", dir, err), c.undo(missing))
	}
	return c.bytes, nil
}

// backupCopy is one run of Backup.Copy.
type backupCopy struct {
	*Backup
	ctx      context.Context
	g        *guard // of the copy alone
	dir      string
	bytes    int64
	progress func(int64)
}

// folders are those of a backup, the innermost first.
func (c *backupCopy) folders() []string {
	return []string{c.path(blocksDir), c.path(indexDir), c.path(chainstateDir), c.dir}
}

func (c *backupCopy) path(name string) string { return filepath.Join(c.dir, name) }

func (c *backupCopy) run(extra []BackupFile) error {
	// The mark has to be durable before anything else.
	if err := c.g.mkdirAll(c.dir); err != nil {
		return err
	}
	if err := c.writeFile(backupMark, nil); err != nil {
		return err
	}
	for _, dir := range []string{c.dir, filepath.Dir(c.dir)} {
		if err := c.g.syncDir(dir); err != nil {
			return err
		}
	}
	for _, dir := range c.folders() {
		if err := c.g.mkdirAll(dir); err != nil {
			return err
		}
	}
	if err := c.copyRecords(); err != nil {
		return err
	}
	if err := c.copyDatabases(); err != nil {
		return err
	}
	for _, f := range extra {
		if err := c.writeFile(f.Name, f.Data); err != nil {
			return err
		}
	}
	for _, dir := range c.folders() {
		if err := c.g.syncDir(dir); err != nil {
			return err
		}
	}
	if err := c.g.remove(c.path(backupMark)); err != nil {
		return err
	}
	return c.g.syncDir(c.dir)
}

// done counts bytes and reports whether to go on.
func (c *backupCopy) done(n int) error {
	c.bytes += int64(n)
	if c.progress != nil {
		c.progress(c.bytes)
	}
	if err := c.ctx.Err(); err != nil {
		return err
	}
	return c.s.readable()
}

func (c *backupCopy) writeFile(name string, data []byte) (err error) {
	f, err := c.g.openChange(c.g.fs.Create, c.path(name))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if len(data) > 0 {
		if _, err := f.WriteAt(data, 0); err != nil {
			return err
		}
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return c.done(len(data))
}

// copyRecords copies block and undo files up to the lengths noted.
func (c *backupCopy) copyRecords() error {
	if c.mark {
		if err := c.writeFile(filepath.Join(blocksDir, prunedName), nil); err != nil {
			return err
		}
	}
	buf := make([]byte, backupChunk)
	for _, f := range c.files {
		set := c.s.set(f.Kind)
		err := c.s.handles.with(set.path(f.Number), func(from File) error {
			return c.copyFile(from, f.Size, filepath.Join(blocksDir, set.base(f.Number)), buf)
		})
		if notExist(err) {
			return fmt.Errorf("%s was removed meanwhile: start the backup again", set.base(f.Number))
		}
		if err != nil {
			return fmt.Errorf("copy %s: %w", set.base(f.Number), err)
		}
	}
	return nil
}

func (c *backupCopy) copyFile(from File, size int64, name string, buf []byte) (err error) {
	to, err := c.g.openChange(c.g.fs.Create, c.path(name))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	for pos := int64(0); pos < size; {
		b := buf[:min(int64(len(buf)), size-pos)]
		n, err := from.ReadAt(b, pos)
		switch {
		case n < len(b) && errors.Is(err, io.EOF):
			return &DamageError{File: name, Offset: pos + int64(n), What: "file ended while it was copied"}
		case n < len(b):
			return err
		}
		if _, err := to.WriteAt(b, pos); err != nil {
			return err
		}
		pos += int64(len(b))
		if err := c.done(len(b)); err != nil {
			return err
		}
	}
	return to.Sync()
}

func (c *backupCopy) copyDatabases() error {
	err := c.copyDatabase(c.s.index, c.index, func(k, v []byte) error {
		_, err := checkedRow(k, v)
		return err
	})
	if err != nil {
		return err
	}
	return c.copyDatabase(c.s.chainstate, c.state.snap, func(_, _ []byte) error { return nil })
}

// copyDatabase writes the rows of a snapshot into a new database of the same name.
func (c *backupCopy) copyDatabase(from *database, snap reader, check func(k, v []byte) error) error {
	to, err := openDB(c.g, c.dir, from.name, dbOptions(backupCache, indexOpenFiles))
	if err != nil {
		return err
	}
	w := backupWriter{c: c, to: to}
	err = from.each(snap, nil, func(k, v []byte) error {
		if err := check(k, v); err != nil {
			return err
		}
		return w.put(k, v)
	})
	if err == nil {
		err = w.finish()
	}
	err = errors.Join(err, to.close())
	if failed := c.g.failed(); failed != nil && err != nil {
		err = failed // LevelDB's error keeps its text only
	}
	if err != nil {
		return fmt.Errorf("copy the database %s: %w", from.name, err)
	}
	return nil
}

// backupWriter writes rows in batches, which are not durable before finish.
type backupWriter struct {
	c     *backupCopy
	to    *database
	batch leveldb.Batch
	size  int
}

func (w *backupWriter) put(k, v []byte) error {
	w.batch.Put(k, v)
	if w.size += len(k) + len(v); w.size < backupChunk {
		return nil
	}
	return w.flush()
}

func (w *backupWriter) flush() error {
	if err := w.to.write(func() error { return w.to.Write(&w.batch, nil) }); err != nil {
		return err
	}
	size := w.size
	w.batch.Reset()
	w.size = 0
	return w.c.done(size)
}

// finish makes all rows durable: before a transaction begins, LevelDB puts
// what is in its journals into tables, which it syncs.
func (w *backupWriter) finish() error {
	if err := w.flush(); err != nil {
		return err
	}
	tr, err := w.to.OpenTransaction()
	if err != nil {
		return err
	}
	tr.Discard()
	return nil
}

// undoTries is how often undo begins anew: a database that failed is not
// waited for, and may have made its last file while others were removed.
const undoTries = 3

// undo removes what a copy made.
func (c *backupCopy) undo(dirToo bool) (err error) {
	c.g.fail(ErrClosed)
	c.g.closeAll()
	for range undoTries {
		if err = c.removeAll(dirToo); err == nil {
			return nil
		}
	}
	return fmt.Errorf("remove what there is of the backup: %w", err)
}

// removeAll removes files and folders, and the mark once the rest is gone
// for good.
func (c *backupCopy) removeAll(dirToo bool) error {
	remove := func(path string) error {
		if err := c.g.fs.Remove(path); err != nil && !notExist(err) {
			return err
		}
		return nil
	}
	folders := c.folders()
	for i, dir := range folders {
		names, err := c.g.fs.List(dir)
		if err != nil && !notExist(err) {
			return err
		}
		for _, name := range names {
			if name == backupMark {
				continue
			}
			if err := remove(filepath.Join(dir, name)); err != nil {
				return err
			}
		}
		if err := c.g.fs.SyncDir(dir); err != nil && !notExist(err) {
			return err
		}
		if err := remove(filepath.Join(dir, backupMark)); err != nil {
			return err
		}
		if i < len(folders)-1 || dirToo {
			if err := remove(dir); err != nil {
				return err
			}
		}
	}
	return nil
}

// refuseUnfinished looks for the mark of a backup that was cut short.
func refuseUnfinished(cfg Config) error {
	names, err := cfg.FS.List(cfg.Dir)
	if err == nil && slices.Contains(names, backupMark) {
		err = &UnfinishedError{cfg.Dir}
	}
	return err
}
