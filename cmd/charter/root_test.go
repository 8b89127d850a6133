package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// TestEveryCommandExplainsItself walks the whole tree.
func TestEveryCommandExplainsItself(t *testing.T) {
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		if cmd.Name() == "help" || cmd.Name() == "completion" {
			return
		}
		if cmd.Short == "" || cmd.Example == "" {
			t.Errorf("%q lacks a description or an example", cmd.CommandPath())
		}
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" {
				t.Errorf("%q: --%s has no description", cmd.CommandPath(), f.Name)
			}
		})
		for _, child := range cmd.Commands() {
			walk(child)
		}
	}
	walk(newRootCommand(newEnv(strings.NewReader(""), &bytes.Buffer{}, &bytes.Buffer{})))
}

func TestExitCodes(t *testing.T) {
	x := newWorld(t)
	for _, tt := range []struct {
		args []string
		code int
		out  string // in standard output
		err  string // in standard error
	}{
		{nil, exitOK, "Available Commands", ""},
		{[]string{"--help"}, exitOK, "Available Commands", ""},
		{[]string{"wallet"}, exitOK, "Available Commands", ""},
		{[]string{"wallet", "send", "--help"}, exitOK, "--fee-rate", ""},
		{[]string{"walet"}, exitUsage, "", `unknown command "walet"`},
		{[]string{"wallet", "sent"}, exitUsage, "", `did you mean "send"?`},
		{[]string{"--json", "wallet", "sent"}, exitUsage, "", `{"error":{"message":"`},
		{[]string{"--datadir"}, exitUsage, "", "flag needs an argument"},
		{[]string{"wallet", "balance"}, exitUsage, "", "--chain"},
		{[]string{"--dev", "--rpcpass", "x", "wallet", "balance"}, exitUsage, "", "--rpcuser"},
		{[]string{"--dev", "--rpcuser", "u", "--rpcpass", "x", "wallet", "balance"}, exitFailed, "", "charter: "},
		{[]string{"--dev", "wallet", "send", other, "1.5e3"}, exitUsage, "", "charter: "},
		{[]string{"--dev", "wallet", "send", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "1"}, exitUsage, "", "belongs to another chain"},
		{[]string{"--dev", "wallet", "send", other, "99999999"}, exitFailed, "", "charter: "},
		{[]string{"--dev", "wallet", "balance"}, exitOK, "Spendable", ""},
	} {
		code, stdout, stderr := x.run(tt.args...)
		if code != tt.code || !strings.Contains(stdout, tt.out) || !strings.Contains(stderr, tt.err) || tt.err == "" && stderr != "" {
			t.Errorf("%v: exit %d, want %d\nstdout: %s\nstderr: %s", tt.args, code, tt.code, stdout, stderr)
		}
	}
}
