package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/syndtr/goleveldb/leveldb/filter"
	"github.com/syndtr/goleveldb/leveldb/opt"
)

// Numbers of BenchmarkOptions: rows as of P2TR coins, in transactions as of
// a cache that is flushed again and again.
const (
	optionRows    = 3_000_000
	optionFlush   = 300_000 // changes of one transaction
	optionFlushes = 8       // measured ones, two of three changes are new rows
	optionReads   = 30_000
)

// BenchmarkOptions measures LevelDB with options other than stateOptions', one
// at a time. doc.go has what came out. It takes half a minute for each:
//
//	go test ./chain/store -run - -bench Options/preset -benchtime 1x
func BenchmarkOptions(b *testing.B) {
	for _, v := range []struct {
		name   string
		change func(o *opt.Options)
	}{
		{"preset", func(*opt.Options) {}},
		{"block 16K", func(o *opt.Options) { o.BlockSize = 16 << 10 }},
		{"block 32K", func(o *opt.Options) { o.BlockSize = 32 << 10 }},
		{"block 4K", func(o *opt.Options) { o.BlockSize = 4 << 10 }},
		{"no compression", func(o *opt.Options) { o.Compression = opt.NoCompression }},
		{"snappy", func(o *opt.Options) { o.Compression = opt.SnappyCompression }},
		{"no filter", func(o *opt.Options) { o.Filter = nil }},
		{"filter 16", func(o *opt.Options) { o.Filter = filter.NewBloomFilter(16) }},
		{"write 1M", func(o *opt.Options) { o.WriteBuffer = 1 << 20 }},
		{"write 4M", func(o *opt.Options) { o.WriteBuffer = 4 << 20 }},
		{"write 8M", func(o *opt.Options) { o.WriteBuffer = 8 << 20 }},
		{"tables 2M", func(o *opt.Options) { o.CompactionTableSize = 2 << 20 }},
		{"tables 4M", func(o *opt.Options) { o.CompactionTableSize = 4 << 20 }},
		{"tables 16M", func(o *opt.Options) { o.CompactionTableSize = 16 << 20 }},
		{"level 10M", func(o *opt.Options) { o.CompactionTotalSize = 10 << 20 }},
		{"level 32M", func(o *opt.Options) { o.CompactionTotalSize = 32 << 20 }},
		{"level 64M", func(o *opt.Options) { o.CompactionTotalSize = 64 << 20 }},
		{"level 128M", func(o *opt.Options) { o.CompactionTotalSize = 128 << 20 }},
		{"trigger 4", func(o *opt.Options) { o.CompactionL0Trigger = 4 }},
		{"trigger 8", func(o *opt.Options) { o.CompactionL0Trigger = 8 }},
		{"trigger 16", func(o *opt.Options) { o.CompactionL0Trigger = 16 }},
		{"trigger 64", func(o *opt.Options) { o.CompactionL0Trigger = 64 }},
		{"trigger 32", func(o *opt.Options) { o.CompactionL0Trigger = 32 }},
		{"no cache", func(o *opt.Options) { o.DisableBlockCache = true }},
		{"cache 32M", func(o *opt.Options) { o.BlockCacheCapacity = 32 << 20 }},
		{"pool", func(o *opt.Options) { o.DisableBufferPool = false }},
		{"seeks", func(o *opt.Options) { o.DisableSeeksCompaction = false }},
	} {
		b.Run(v.name, func(b *testing.B) {
			for range b.N {
				benchOptions(b, v.change)
			}
		})
	}
}

// optionKey is the key of a row like a coin's.
func optionKey(buf []byte, i uint64) []byte {
	id := sha256.Sum256(binary.LittleEndian.AppendUint64(nil, i))
	return append(append(append(buf, 'C'), id[:]...), 0)
}

// optionState follows which rows there are.
type optionState struct {
	rng  *rand.Rand
	rows []uint64
	made uint64
}

// flush commits n changes, in the order of keys, as Frozen.Each does.
func (s *optionState) flush(b *testing.B, d *database, puts, dels int) {
	type change struct {
		key [34]byte
		del bool
	}
	changes := make([]change, 0, puts+dels)
	for range dels {
		j := s.rng.IntN(len(s.rows))
		changes = append(changes, change{[34]byte(optionKey(nil, s.rows[j])), true})
		s.rows[j] = s.rows[len(s.rows)-1]
		s.rows = s.rows[:len(s.rows)-1]
	}
	for range puts {
		s.made++
		s.rows = append(s.rows, s.made)
		changes = append(changes, change{key: [34]byte(optionKey(nil, s.made))})
	}
	slices.SortFunc(changes, func(a, b change) int { return bytes.Compare(a.key[:], b.key[:]) })
	b.StartTimer()
	defer b.StopTimer()
	tr, err := d.OpenTransaction()
	if err != nil {
		b.Fatal(err)
	}
	value := make([]byte, 38)
	for i := range changes {
		c := &changes[i]
		if c.del {
			err = tr.Delete(c.key[:], nil)
		} else {
			for j := range value {
				value[j] = ^c.key[1+j*5%32] // no run of bytes that is in the key too
			}
			err = tr.Put(c.key[:], value, nil)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := tr.Commit(); err != nil {
		b.Fatal(err)
	}
}

func cpuSeconds() float64    { return usedBy(syscall.RUSAGE_SELF) }
func threadSeconds() float64 { return usedBy(syscall.RUSAGE_THREAD) }

// usedBy is the CPU time of the process or this thread.
func usedBy(who int) float64 {
	var u syscall.Rusage
	if syscall.Getrusage(who, &u) != nil {
		return 0
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

func benchOptions(b *testing.B, change func(*opt.Options)) {
	b.StopTimer()
	options := stateOptions(12<<20, 128)
	change(options)
	m := NewMetrics(prometheus.NewRegistry())
	d, err := openDB(newGuard(OS(), nil, m), b.TempDir(), "", options)
	if err != nil {
		b.Fatal(err)
	}
	defer d.close()
	written := func() float64 {
		var out dto.Metric
		if err := m.written.Write(&out); err != nil {
			b.Fatal(err)
		}
		return out.GetCounter().GetValue()
	}
	s := &optionState{rng: rand.New(rand.NewPCG(1, 2))}
	for len(s.rows) < optionRows {
		s.flush(b, d, optionFlush, 0)
	}
	b.ResetTimer()
	wrote, cpu, began := written(), cpuSeconds(), time.Now()
	for range optionFlushes {
		s.flush(b, d, optionFlush*2/3, optionFlush/3)
	}
	quiet(written)
	n := float64(optionFlushes * optionFlush)
	b.ReportMetric((written()-wrote)/n, "written-B/change")
	b.ReportMetric((cpuSeconds()-cpu)*1e6/n, "cpu-us/change")
	b.ReportMetric(time.Since(began).Seconds()*1e6/n, "us/change")
	size, _ := d.size()
	b.ReportMetric(float64(size)/float64(len(s.rows)), "disk-B/row")
	b.ReportMetric(readTime(b, d, func(int) uint64 { return s.rows[s.rng.IntN(len(s.rows))] }, true), "get-us")
	b.ReportMetric(readTime(b, d, func(i int) uint64 { return 1<<40 + uint64(i) }, false), "absent-us")
	var mem runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&mem)
	b.ReportMetric(float64(mem.HeapAlloc-8*uint64(cap(s.rows)))/1e6, "heap-MB")
}

// quiet waits until LevelDB has written nothing for a second.
func quiet(written func() float64) {
	for last := -1.0; last != written(); {
		last = written()
		time.Sleep(time.Second)
	}
}

// readTime is the CPU time of one read, in microseconds.
func readTime(b *testing.B, d *database, row func(i int) uint64, want bool) float64 {
	keys := make([][]byte, optionReads)
	for i := range keys {
		keys[i] = optionKey(nil, row(i))
	}
	wrong := 0
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cpu := threadSeconds()
	for _, key := range keys {
		if _, ok, err := d.get(d, key); err != nil || ok != want {
			wrong++
		}
	}
	took := (threadSeconds() - cpu) * 1e6 / optionReads
	if wrong > 0 {
		b.Errorf("%d wrong answers", wrong)
	}
	return took
}
