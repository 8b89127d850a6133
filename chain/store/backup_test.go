package store_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/charterchain/charter/chain/store"
	"github.com/charterchain/charter/chain/store/storetest"
)

// backup makes one in the folder "copy".
func backup(ctx context.Context, s *store.Store, extra ...store.BackupFile) error {
	b, err := s.BeginBackup()
	if err != nil {
		return err
	}
	defer b.End()
	_, err = b.Copy(ctx, "copy", extra, nil)
	return err
}

// copyConfig opens the backup.
func copyConfig(d store.FS) store.Config {
	cfg := config(d)
	cfg.Dir = "copy"
	return cfg
}

func copied(d *storetest.Disk) (names []string) {
	for _, name := range d.Names() {
		if strings.HasPrefix(name, "copy"+string(filepath.Separator)) {
			names = append(names, name)
		}
	}
	return names
}

// TestBackupUnderWrites makes backups while steps and commits go on, loses
// what was not synced, and goes on from each copy.
func TestBackupUnderWrites(t *testing.T) {
	const from, to = 30, 120
	d := storetest.New()
	s := open(t, config(d))
	if _, err := runSteps(s, 0, from); err != nil {
		t.Fatal(err)
	}
	written := make(chan error, 1)
	go func() {
		_, err := runSteps(s, from, to)
		written <- err
	}()
	heights := make(map[string]int32)
	for i, busy := 0, true; busy; i++ {
		dir := fmt.Sprint("copy", i)
		b, err := s.BeginBackup()
		if err != nil {
			t.Fatal(err)
		}
		heights[dir] = b.Best().Height
		bytes, err := b.Copy(t.Context(), dir, []store.BackupFile{{Name: "chain.toml", Data: []byte("x")}}, nil)
		b.End()
		if err != nil || bytes == 0 {
			t.Fatalf("%d bytes, %v", bytes, err)
		}
		select {
		case err := <-written:
			if err != nil {
				t.Fatal(err)
			}
			busy = false
		default:
		}
	}
	t.Logf("%d backups", len(heights))
	after := d.Crash(storetest.LoseUnsynced)
	for dir, height := range heights {
		if got := string(after.ReadFile(dir + "/chain.toml")); got != "x" {
			t.Errorf("chain.toml is %q", got)
		}
		cfg := config(after)
		cfg.Dir = dir
		restored := open(t, cfg)
		best, _ := restored.Best()
		if best.Height != height || height < from {
			t.Errorf("%s is at %d, the backup was made at %d", dir, best.Height, height)
		}
		p := progress{synced: int(height), indexed: int(height), committed: int(height), begun: int(height)}
		step, err := checkState(restored, p)
		if err != nil {
			t.Fatalf("%s: %v", dir, err)
		}
		if step%commitEvery == 0 && step == int(height) {
			if _, err := runSteps(restored, step, step+4); err != nil {
				t.Error(err)
			}
		}
		mustClose(t, restored)
	}
}

// TestBackupPruned: the copy of a pruned store knows that it is one.
func TestBackupPruned(t *testing.T) {
	d := storetest.New()
	s := open(t, config(d))
	if _, err := runSteps(s, 0, 30); err != nil {
		t.Fatal(err)
	}
	files, err := s.Files()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.RemoveFiles(files[:1]); err != nil {
		t.Fatal(err)
	}
	if err := backup(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	restored := open(t, copyConfig(d))
	if pruned, err := restored.Pruned(); err != nil || !pruned {
		t.Errorf("pruned: %v, %v", pruned, err)
	}
}

// TestBackupRefuses: folders that hold anything stay as they are.
func TestBackupRefuses(t *testing.T) {
	d := filled(t, 4)
	s := open(t, config(d))
	d.WriteFile("copy/sub/file", nil)
	before := len(d.Names())
	var target *store.TargetError
	if err := backup(t.Context(), s); !errors.As(err, &target) {
		t.Errorf("a folder that is in use: %v", err)
	}
	if err := s.CheckBackupDir("copy"); !errors.As(err, &target) {
		t.Errorf("a folder that is in use: %v", err)
	}
	if len(d.Names()) != before {
		t.Error("files were made or removed")
	}
	if err := d.Remove("copy/sub/file"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := backup(ctx, s); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if left := copied(d); len(left) != 0 {
		t.Errorf("cancelled, and left behind: %v", left)
	}
	mustClose(t, s)
	if _, err := s.BeginBackup(); !errors.Is(err, store.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	empty := open(t, config(storetest.New()))
	if _, err := empty.BeginBackup(); err == nil {
		t.Error("a backup of nothing")
	}
}

// TestBackupMissingFile: a file that goes while it is to be copied.
func TestBackupMissingFile(t *testing.T) {
	d := filled(t, 30)
	s := open(t, config(d))
	b, err := s.BeginBackup()
	if err != nil {
		t.Fatal(err)
	}
	defer b.End()
	files, err := s.Files()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.RemoveFiles(files[:1]); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Copy(t.Context(), "copy", nil, nil); err == nil || !strings.Contains(err.Error(), "start the backup again") {
		t.Errorf("error %v", err)
	}
	if left := copied(d); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestBackupFaults lets every single write of a backup fail, once and for
// good. The store goes on; the copy is whole, gone, or refused.
func TestBackupFaults(t *testing.T) {
	const steps = 12
	d := filled(t, steps)
	base := open(t, config(d.Crash(storetest.LoseNothing)))
	mustClose(t, base)
	for k := 1; ; k++ {
		failed := false
		for _, once := range []bool{true, false} {
			d := d.Crash(storetest.LoseNothing)
			s := open(t, config(d))
			if once {
				d.FailOnce(k)
			} else {
				d.StopAt(k, true)
			}
			err := backup(t.Context(), s, store.BackupFile{Name: "chain.toml", Data: []byte("x")})
			if err == nil {
				continue
			}
			failed = true
			if !errors.Is(err, storetest.ErrStopped) {
				t.Errorf("write %d: %v", k, err)
			}
			if once {
				if left := copied(d); len(left) != 0 {
					t.Errorf("write %d failed, left behind: %v", k, left)
				}
				if _, err := runSteps(s, steps, steps+2); err != nil {
					t.Errorf("write %d: the store went with the backup: %v", k, err)
				}
				mustClose(t, s)
				continue
			}
			for _, loss := range []storetest.Loss{storetest.LoseNothing, storetest.LoseUnsynced, storetest.TearUnsynced} {
				checkCut(t, k, steps, d.Crash(loss))
			}
		}
		if !failed {
			t.Logf("%d writes", k-1)
			return
		}
	}
}

// checkCut opens what is left of a backup after a crash.
func checkCut(t *testing.T, k, steps int, d *storetest.Disk) {
	t.Helper()
	if len(copied(d)) == 0 {
		return
	}
	s, err := store.Open(copyConfig(d))
	var unfinished *store.UnfinishedError
	if errors.As(err, &unfinished) {
		return
	}
	if err != nil {
		t.Fatalf("write %d: %v", k, err)
	}
	defer mustClose(t, s)
	// The mark is gone: then nothing may lack.
	if _, err := checkState(s, progress{synced: steps, indexed: steps, committed: steps, begun: steps}); err != nil {
		t.Errorf("write %d: %v", k, err)
	}
}
