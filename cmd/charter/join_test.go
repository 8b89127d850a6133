package main

import (
	"strings"
	"testing"
)

func TestJoinUsage(t *testing.T) {
	x := newWorld(t)
	line := "charter://" + x.addr + "@127.0.0.1:1/" + strings.Repeat("0a", 32)
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"nothing":         {[]string{"join"}, "give the line"},
		"line and --show": {[]string{"join", line, "--show"}, "give the line"},
		"no line":         {[]string{"join", "acme"}, "does not begin with charter://"},
		"two names":       {[]string{"join", line, "--name", "a", "--member", "b"}, "one of them"},
		"with a chain":    {[]string{"join", line, "--chain", "acme"}, "leave --chain"},
	} {
		t.Run(name, func(t *testing.T) {
			code, _, stderr := x.run(c.args...)
			if code != exitUsage || !strings.Contains(stderr, c.says) {
				t.Errorf("exit code %d, %q; want it to say %q", code, stderr, c.says)
			}
		})
	}
	if code, _, stderr := x.run("join", line); code != exitFailed || !strings.Contains(stderr, "get the chain file from 127.0.0.1:1") {
		t.Errorf("nobody there: exit code %d, %q", code, stderr)
	}
}
