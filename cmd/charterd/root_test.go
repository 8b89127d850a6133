package main

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"
)

func TestExitCodes(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, tt := range []struct {
		name string
		home string
		args []string
		want int
		says string
	}{
		{"help", "/nowhere", []string{"--help"}, exitOK, "--rpclisten"},
		{"version", "/nowhere", []string{"--version"}, exitOK, "charterd "},
		{"unknown command", "/nowhere", []string{"mine"}, exitUsage, `"mine"`},
		{"unknown flag", "/nowhere", []string{"--mien"}, exitUsage, "--mien"},
		{"no chain", "/nowhere", nil, exitUsage, "charterd dev"},
		{"no home folder", "", []string{"--chain", "open"}, exitUsage, "datadir"},
		{"dev without home folder", "", []string{"dev"}, exitUsage, "datadir"},
		{"negative time", "/nowhere", []string{"dev", "--block-time", "-1s"}, exitUsage, "--block-time"},
		{"chain file that is not there", "/nowhere", []string{"--chain", "./x.toml", "--datadir", "d"}, exitFailed, "x.toml"},
		{"chain that is not there", "/nowhere", []string{"--chain", "x", "--datadir", "d"}, exitFailed, "bitcoin-regtest"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("HOME", tt.home)
			var out bytes.Buffer
			if got := run(t.Context(), append([]string{}, tt.args...), &out, &out); got != tt.want || !strings.Contains(out.String(), tt.says) {
				t.Errorf("exit code %d, want %d, and that %q is said:\n%s", got, tt.want, tt.says, out.String())
			}
		})
	}
}

// stopper ends a run once everything was said.
type stopper struct {
	bytes.Buffer
	stop context.CancelFunc
}

func (s *stopper) Write(b []byte) (int, error) {
	n, err := s.Buffer.Write(b)
	if bytes.Contains(b, []byte("Ctrl-C")) {
		s.stop()
	}
	return n, err
}

func TestDevSaysWhereThingsAre(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "it's here")
	for _, what := range []string{"is new", "goes on"} {
		ctx, cancel := context.WithCancel(t.Context())
		out, errOut := &stopper{stop: cancel}, &bytes.Buffer{}
		code := run(ctx, []string{"dev", "--datadir", dir, "--rpclisten", "127.0.0.1:0", "--metrics", "127.0.0.1:0"}, out, errOut)
		text := out.String()
		if code != exitOK || errOut.Len() > 0 {
			t.Fatalf("exit code %d\n%s", code, errOut)
		}
		if lines := strings.Count(text, "\n"); lines > 10 {
			t.Errorf("%d lines", lines)
		}
		for _, want := range []string{what, "http://127.0.0.1:", "/metrics", dir, `--dev --datadir '` + filepath.Dir(dir) + `/it'\''s here' wallet send dev1`} {
			if !strings.Contains(text, want) {
				t.Errorf("%q is not said:\n%s", want, text)
			}
		}
		cancel()
	}
}
