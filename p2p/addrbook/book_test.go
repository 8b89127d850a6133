package addrbook

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"testing"
	"time"
)

type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func newBook(change ...func(*Config)) (*Book, *clock) {
	c := &clock{time.Unix(1_700_000_000, 0)}
	cfg := Config{Now: c.Now, Rand: rand.New(rand.NewPCG(1, 2))}
	for _, f := range change {
		f(&cfg)
	}
	return New(cfg), c
}

func at(s string, seen time.Time) Seen {
	return Seen{Addr: Addr{AddrPort: netip.MustParseAddrPort(s)}, Time: seen}
}

func TestAddSkipsWhatNoNodeCanHave(t *testing.T) {
	b, c := newBook()
	for _, s := range []string{"0.0.0.0:1", "[::]:1", "224.0.0.1:1", "[ff02::1]:1", "255.255.255.255:1", "1.2.3.4:0", "[fe80::1%eth0]:5"} {
		if b.Add([32]byte{1}, []Seen{at(s, c.now)}) != 0 {
			t.Errorf("%s was taken", s)
		}
	}
	b.Add([32]byte{1}, []Seen{{Time: c.now}})
	if b.Add([32]byte{1}, []Seen{at("1.2.3.4:1", c.now.Add(-maxAge-time.Second))}) != 0 {
		t.Error("an address last seen long ago was taken")
	}
	if b.Add([32]byte{1}, []Seen{at("1.2.3.4:1", c.now.Add(-maxAge)), at("[::ffff:1.2.3.4]:1", c.now)}) != 1 {
		t.Error("one address in two forms counts as one")
	}
}

func TestBounds(t *testing.T) {
	many := func(group byte, count int, seen time.Time) []Seen {
		var out []Seen
		for i := range count {
			out = append(out, at(fmt.Sprintf("10.%d.%d.%d:1", group, i/250, i%250+1), seen))
		}
		return out
	}
	b, c := newBook(func(cfg *Config) { cfg.MaxPerSource, cfg.MaxPerGroup, cfg.MaxEntries = 10, 25, 40 })
	if got := b.Add([32]byte{1}, many(1, 11, c.now)); got != 10 {
		t.Errorf("one source gave %d", got)
	}
	for i := range byte(5) {
		b.Add([32]byte{2 + i}, many(1, 100, c.now)[int(i)*10+10:])
	}
	if got := b.Len(); got != 25 {
		t.Errorf("one group gave %d", got)
	}
	for i := range byte(5) {
		b.Add([32]byte{20 + i}, many(2+i, 10, c.now))
	}
	if got := b.Len(); got != 40 {
		t.Errorf("the book holds %d", got)
	}
	// A full book takes a newcomer only for one that failed or is old.
	if b.Add([32]byte{99}, many(50, 1, c.now)) != 0 {
		t.Error("a flood turns the book over")
	}
	b.Failed(netip.MustParseAddrPort("10.1.0.1:1"))
	if b.Add([32]byte{99}, many(50, 1, c.now)) != 1 || b.Len() != 40 {
		t.Error("one that failed did not give way")
	}
	// What has answered stays, and no longer counts for who told it.
	b.Good(Addr{AddrPort: netip.MustParseAddrPort("10.1.0.2:1")})
	if b.perSource[[32]byte{1}] != 8 {
		t.Errorf("source counts %d", b.perSource[[32]byte{1}])
	}
}

func TestPickWaitsAfterFailures(t *testing.T) {
	b, c := newBook()
	ap := netip.MustParseAddrPort("10.0.0.1:1")
	b.Add([32]byte{1}, []Seen{at("10.0.0.1:1", c.now)})
	picked := func() bool { _, ok := b.Pick(nil); return ok }
	if !picked() {
		t.Fatal("a fresh address is not picked")
	}
	for i, wait := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute} {
		b.Failed(ap)
		c.now = c.now.Add(wait - 1)
		if picked() {
			t.Errorf("picked too early after failure %d", i+1)
		}
		c.now = c.now.Add(1)
		if !picked() {
			t.Errorf("not picked after failure %d and its wait", i+1)
		}
	}
	if _, ok := b.Pick(func(Addr) bool { return true }); ok {
		t.Error("skip was not asked")
	}
	for range maxFails {
		b.Failed(ap)
	}
	if b.Len() != 0 {
		t.Error("an address that never answers is kept for ever")
	}
	b.Good(Addr{AddrPort: ap, Key: [32]byte{7}})
	for range 100 {
		b.Failed(ap)
	}
	if b.Len() != 1 {
		t.Error("an address that answered lately was dropped")
	}
	if len(b.Sample(10)) != 0 {
		t.Error("an address that fails is told to others")
	}
}

// memory is a file system whose operations fail from the k-th on, and which
// loses what was not synced.
type memory struct {
	files map[string][]byte
	left  int // operations that still work; -1: all
}

var errDisk = errors.New("disk full")

func (m *memory) step() error {
	if m.left == 0 {
		return errDisk
	}
	m.left--
	return nil
}

func (m *memory) ReadFile(name string) ([]byte, error) {
	data, ok := m.files[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return data, nil
}

func (m *memory) WriteFile(name string, data []byte) error {
	if err := m.step(); err != nil {
		m.files[name] = data[:len(data)/2] // torn
		return err
	}
	m.files[name] = data
	return nil
}

func (m *memory) Rename(from, to string) error {
	if err := m.step(); err != nil {
		return err
	}
	m.files[to] = m.files[from]
	delete(m.files, from)
	return nil
}

func (m *memory) SyncDir(string) error { return m.step() }

func TestSaveSurvivesAFailureAnywhere(t *testing.T) {
	for k := range 4 {
		files := &memory{files: map[string][]byte{}, left: -1}
		open := func() *Book {
			b, c := newBook(func(cfg *Config) { cfg.Path, cfg.Files = "dir/peers", files })
			if err := b.Load(); err != nil {
				t.Fatalf("k=%d: %v", k, err)
			}
			_ = c
			return b
		}
		b := open()
		b.Add([32]byte{1}, []Seen{at("10.0.0.1:1", b.cfg.Now())})
		if err := b.Save(); err != nil {
			t.Fatal(err)
		}
		b.Add([32]byte{1}, []Seen{at("10.0.0.2:1", b.cfg.Now())})
		files.left = k
		err := b.Save()
		if (err == nil) != (k == 3) {
			t.Fatalf("k=%d: %v", k, err)
		}
		files.left = -1
		if n := open().Len(); n != 1 && n != 2 || k == 3 && n != 2 {
			t.Errorf("k=%d: %d addresses after a restart", k, n)
		}
		if err := b.Save(); err != nil || open().Len() != 2 {
			t.Errorf("k=%d: the next save does not make up for it: %v", k, err)
		}
	}
}

func TestDamagedFileIsSetAside(t *testing.T) {
	files := &memory{files: map[string][]byte{"peers": []byte("CHAB and then nonsense")}, left: -1}
	b, _ := newBook(func(cfg *Config) { cfg.Path, cfg.Files = "peers", files })
	err := b.Load()
	if !errors.Is(err, ErrDamaged) || files.files["peers.damaged"] == nil || files.files["peers"] != nil {
		t.Errorf("%v, files %v", err, files.files)
	}
	if b.Len() != 0 {
		t.Error("something was loaded")
	}
}

func TestOSFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "peers")
	b, c := newBook(func(cfg *Config) { cfg.Path, cfg.Files = path, OS() })
	if err := b.Load(); err != nil {
		t.Fatal(err)
	}
	b.Add([32]byte{1}, []Seen{at("10.0.0.1:1", c.now), at("[2001:db8::1]:2", c.now)})
	if err := b.Save(); err != nil {
		t.Fatal(err)
	}
	again, _ := newBook(func(cfg *Config) { cfg.Path, cfg.Files = path, OS() })
	if err := again.Load(); err != nil || again.Len() != 2 {
		t.Errorf("%d addresses, %v", again.Len(), err)
	}
}
