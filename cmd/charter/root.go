package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"

	"github.com/spf13/cobra"

	"github.com/charterchain/charter/node/version"
	"github.com/charterchain/charter/rpc/client"
)

// commit is set by the linker.
var commit = "unknown"

// The exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// usageError is a fault in how the command was called, not in what it did.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// usagef returns a usage error: the program ends with exit code 2.
func usagef(format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...)}
}

// run executes one command line and returns its exit code. It uses nothing
// but its arguments, the environment's home folder and what the flags name.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	return newEnv(stdin, stdout, stderr).run(ctx, args)
}

// run is the part of the function run that tests start with an env of
// their own.
func (e *env) run(ctx context.Context, args []string) int {
	root := newRootCommand(e)
	root.SetArgs(append([]string{}, args...)) // nil would mean the process's own
	root.SetIn(e.stdin)
	root.SetOut(e.stdout)
	root.SetErr(e.stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	// Flags are not parsed where parsing them failed.
	asJSON := e.flags.json || slices.Contains(args, "--json")
	// Before a command starts, only its flags and arguments can be wrong.
	var usage *usageError
	isUsage := !e.started || errors.As(err, &usage)
	e.printError(err, asJSON, isUsage)
	if isUsage {
		return exitUsage
	}
	return exitFailed
}

// printError writes err to the standard error.
func (e *env) printError(err error, asJSON, isUsage bool) {
	if asJSON {
		type body struct {
			Code    int    `json:"code,omitempty"` // of the node's RPC
			Message string `json:"message"`
		}
		b := body{Message: err.Error()}
		var failure *client.RPCError
		if errors.As(err, &failure) {
			b = body{failure.Code, failure.Message}
		}
		_ = json.NewEncoder(e.stderr).Encode(map[string]body{"error": b})
		return
	}
	fmt.Fprintf(e.stderr, "charter: %v\n", err)
	if isUsage {
		fmt.Fprintln(e.stderr, "Add --help to the command for its flags and examples.")
	}
}

// newRootCommand builds the command tree over e. A group of commands is
// one file; its constructor is listed here.
func newRootCommand(e *env) *cobra.Command {
	root := &cobra.Command{
		Use:   "charter",
		Short: "Wallet, RPC client and chain set-up for Charter ledgers",
		Long: `charter pays and receives on a Charter chain, calls a node's RPC and sets up
chains. Keys stay in this program: a node only ever sees signed transactions.`,
		Example: `  charter --dev wallet balance
  charter --chain acme wallet send ADDRESS 1.5`,
		Version:       fmt.Sprintf("%s (%s, %s)", version.Number, commit, runtime.Version()),
		SilenceErrors: true,
		SilenceUsage:  true,
		// Cobra runs the nearest one only: a group that sets its own must
		// set e.started too.
		PersistentPreRun: func(*cobra.Command, []string) { e.started = true },
	}
	root.SetVersionTemplate("charter {{.Version}}\n")
	root.CompletionOptions.HiddenDefaultCmd = true
	e.flags.register(root.PersistentFlags())
	root.AddCommand(
		newWalletCommand(e),
		newMemberCommand(e),
		newGrantCommand(e),
		newRevokeCommand(e),
		newKeyCommand(e),
		newPermissionsCommand(e),
		newApproveCommand(e),
		newReadyCommand(e),
		newUpgradeCommand(e),
		newPSBTCommand(e),
		newRestartCommand(e),
		newRPCCommand(e),
		newRPCAuthCommand(e),
		newInitCommand(e),
		newJoinCommand(e),
		newExportCommand(e),
		newBackupCommand(e),
	)
	return root
}

// group makes cmd one that only holds others: alone it prints its help, and
// an unknown name below it is an error (cobra would print the help and
// report success).
func group(cmd *cobra.Command, children ...*cobra.Command) *cobra.Command {
	cmd.AddCommand(children...)
	cmd.SuggestionsMinimumDistance = 2
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		hint := ""
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			hint = fmt.Sprintf("; did you mean %q?", near[0])
		}
		return usagef("%q has no command %q%s", cmd.CommandPath(), args[0], hint)
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	return cmd
}
