package wallet

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

// slowDisk is a disk on which another process does something just before
// the lock is taken.
type slowDisk struct {
	*memDisk
	before func()
}

func (d slowDisk) Lock(path string) (io.Closer, error) {
	d.before()
	return d.memDisk.Lock(path)
}

// Of two processes that make the same wallet at once, the slower one leaves
// the seed of the other alone: its words were shown already.
func TestCreateBesideAnother(t *testing.T) {
	x := newWorld(t, 5*coin)
	keys, state := "w/"+keysName, "w/"+stateName
	disk := newMemDisk()
	cfg := x.cfg
	cfg.FS = slowDisk{disk, func() {
		for _, name := range []string{keys, state} {
			disk.names[name] = &memFile{data: []byte("of the other")}
		}
	}}
	if _, err := Create(cfg, []byte("p")); err == nil || !strings.Contains(err.Error(), "a wallet in w already") {
		t.Errorf("error %v", err)
	}
	for _, name := range []string{keys, state} {
		if got := disk.names[name].data; !bytes.Equal(got, []byte("of the other")) {
			t.Errorf("%s was replaced by %d bytes", name, len(got))
		}
	}
	if disk.locked["w/"+lockName] {
		t.Error("the lock is still held")
	}
}
