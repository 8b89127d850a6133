package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/charterchain/charter/node/bench"
)

// TestMain lets the test program be the process that a round is measured in.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "bench" && os.Args[2] == roundCommand {
		os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

func TestBench(t *testing.T) {
	args := []string{"bench", "sigs", "import", "--kind", "anyone", "--blocks", "2", "--weight", "10000", "--txs", "8",
		"--rounds", "2", "--u-checks", "2", "--dir", t.TempDir(), "--dbcache", "8"}
	var out, errOut bytes.Buffer
	if code := run(t.Context(), args, &out, &errOut); code != exitOK {
		t.Fatalf("exit code %d\n%s", code, errOut.String())
	}
	for _, want := range []string{"U = ", "import anyone", "BIP340", "per U"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in the table:\n%s", want, out.String())
		}
	}
	out.Reset()
	if code := run(t.Context(), append(args, "--json"), &out, &errOut); code != exitOK {
		t.Fatalf("exit code %d\n%s", code, errOut.String())
	}
	var report bench.Report
	if err := json.Unmarshal(out.Bytes(), &report); err != nil || len(report.Lines) == 0 || report.U.Median <= 0 {
		t.Errorf("the report as JSON: %v\n%s", err, out.String())
	}
}

func TestBenchErrors(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		want int
		says string
	}{
		{"nothing named", []string{"bench"}, exitUsage, "say what to measure, any of import, connect"},
		{"unknown bench", []string{"bench", "imprt"}, exitUsage, `no bench "imprt": there are import, connect`},
		{"unknown flag", []string{"bench", "import", "--round", "1"}, exitUsage, "charterd bench --help lists"},
		{"unknown kind", []string{"bench", "import", "--kind", "p2x", "--dir", t.TempDir(), "--u-checks", "2"}, exitFailed, "p2x"},
		{"too little memory", []string{"bench", "import", "--kind", "anyone", "--weight", "10000", "--blocks", "1", "--dbcache", "1", "--dir", t.TempDir(), "--u-checks", "2"}, exitFailed, "dbcache"},
		{"round fails", []string{"bench", "import", "--kind", "anyone", "--weight", "10000", "--blocks", "1", "--rounds", "1", "--dbcache", "8", "--dir", t.TempDir(), "--u-checks", "2", "--trace", t.TempDir()}, exitFailed, "the process that measures"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			if got := run(t.Context(), tt.args, &out, &out); got != tt.want || !strings.Contains(out.String(), tt.says) {
				t.Errorf("exit code %d, want %d, and that %q is said:\n%s", got, tt.want, tt.says, out.String())
			}
		})
	}
}

// TestBenchStopped: who stops it is told that once, and nothing about where.
func TestBenchStopped(t *testing.T) {
	ctx, stop := context.WithCancelCause(t.Context())
	stop(errors.New("interrupt signal received"))
	args := []string{"bench", "import", "--kind", "anyone", "--weight", "10000", "--blocks", "2", "--rounds", "1", "--dbcache", "8", "--dir", t.TempDir(), "--u-checks", "2"}
	var out bytes.Buffer
	if code := run(ctx, args, &out, &out); code != exitFailed || out.String() != "charterd: stopped: interrupt signal received\n" {
		t.Errorf("exit code %d:\n%s", code, out.String())
	}
}
