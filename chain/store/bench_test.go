package store_test

import (
	"crypto/rand"
	"path/filepath"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/charterchain/charter/chain/store"
)

func benchStore(b *testing.B) *store.Store {
	b.Helper()
	return open(b, store.Config{Dir: filepath.Join(b.TempDir(), "x"), FS: store.OS(), Magic: magic})
}

const benchBlock = 1 << 20

func BenchmarkAppendBlock(b *testing.B) {
	s := benchStore(b)
	raw := make([]byte, benchBlock)
	rand.Read(raw)
	b.SetBytes(benchBlock)
	for i := 0; b.Loop(); i++ {
		if _, err := s.AppendBlock(hashOf(i), raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadBlock(b *testing.B) {
	s := benchStore(b)
	raw := make([]byte, benchBlock)
	rand.Read(raw)
	loc, err := s.AppendBlock(hashOf(1), raw)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(benchBlock)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.ReadBlock(loc, hashOf(1)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOpen opens a store whose newest block file has 64 MiB.
func BenchmarkOpen(b *testing.B) {
	cfg := store.Config{Dir: filepath.Join(b.TempDir(), "x"), FS: store.OS(), Magic: magic}
	s := open(b, cfg)
	for i := range 64 {
		if _, err := s.AppendBlock(hashOf(i), make([]byte, benchBlock)); err != nil {
			b.Fatal(err)
		}
	}
	s.Close()
	for b.Loop() {
		s, err := store.Open(cfg)
		if err != nil {
			b.Fatal(err)
		}
		s.Close()
	}
}

func BenchmarkWriteIndex(b *testing.B) {
	s := benchStore(b)
	for i := 0; b.Loop(); i++ {
		if err := s.WriteIndex([]store.IndexRow{{Hash: hashOf(i), Value: make([]byte, 150)}}); err != nil {
			b.Fatal(err)
		}
	}
}

// TestMetrics counts what a store does.
func TestMetrics(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	cfg := store.Config{Dir: t.TempDir(), FS: store.OS(), Metrics: store.NewMetrics(reg)}
	s := open(t, cfg)
	if _, err := runSteps(s, 0, 6); err != nil {
		t.Fatal(err)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]float64)
	for _, f := range families {
		got[f.GetName()] = f.GetMetric()[0].GetCounter().GetValue()
		if f.GetHelp() == "" {
			t.Errorf("%s has no help", f.GetName())
		}
	}
	if len(got) != 3 || got["charter_store_commits_total"] != 6/commitEvery || got["charter_store_written_bytes_total"] < 1000 {
		t.Errorf("metrics %v", got)
	}
}
