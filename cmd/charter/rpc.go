package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/charterchain/charter/rpc/client"
)

// maxNumberText is the longest parameter that may be a number. Hashes can
// consist of digits only, and are longer.
const maxNumberText = 32

// rpcFailure is an error that the node replied with. Its last lines are as
// bitcoin-cli prints them.
type rpcFailure struct{ *client.RPCError }

func (e rpcFailure) Error() string {
	return fmt.Sprintf("the node replied with an error\nerror code: %d\nerror message:\n%s", e.Code, e.Message)
}

func (e rpcFailure) Unwrap() error { return e.RPCError }

type rpcFlags struct {
	named   bool
	strings bool
	follow  bool
}

func newRPCCommand(e *env) *cobra.Command {
	var f rpcFlags
	cmd := &cobra.Command{
		Use:   "rpc [flags] METHOD [PARAM…]",
		Short: "Call a method of the node's RPC",
		Long: `Calls a method of the node's RPC and prints its result: a string as it is,
anything else as indented JSON.

A PARAM that is a JSON number, true, false, null, an array, an object or a
quoted string is sent as that; anything else is sent as a string. To send a
number as a string, quote it twice ('"51"') or give --string. A PARAM that is
a single dash is read from standard input and sent as a string. Flags stand
before METHOD.

With --follow the call goes over a WebSocket connection, and every
notification that comes is printed as one line of JSON, until Ctrl-C.

"charter rpc help" lists the methods, "charter rpc help METHOD" explains one.`,
		Example: `  charter --dev rpc getblockchaininfo
  charter --dev rpc getblock 000000… 2
  charter --dev rpc --named getblock blockhash=000000… verbosity=0
  charter --dev rpc submitblock - < block.hex
  charter --dev rpc --follow notifyblocks`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("rpc needs the name of a method; 'charter rpc help' lists them")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return callRPC(cmd.Context(), e, &f, args[0], args[1:])
		},
	}
	set := cmd.Flags()
	set.BoolVar(&f.named, "named", false, "parameters are NAME=VALUE")
	set.BoolVar(&f.strings, "string", false, "send every parameter as a string")
	set.BoolVar(&f.follow, "follow", false, "stay connected and print notifications (notifyblocks, notifynewtransactions)")
	// A negative number is a parameter.
	set.SetInterspersed(false)
	return cmd
}

func callRPC(ctx context.Context, e *env, f *rpcFlags, method string, args []string) error {
	values := make([]any, len(args))
	named := map[string]any{}
	for i, arg := range args {
		if strings.HasPrefix(arg, "--") && !f.strings {
			return usagef("flags stand before METHOD, and %q is behind it; --string sends it as a parameter", arg)
		}
		name := ""
		if f.named {
			var ok bool
			if name, arg, ok = strings.Cut(arg, "="); !ok || name == "" {
				return usagef("with --named parameters are NAME=VALUE, not %q", args[i])
			}
			if _, twice := named[name]; twice {
				return usagef("parameter %q is given twice", name)
			}
		}
		value, err := rpcParam(arg, f.strings, e.stdin)
		if err != nil {
			return err
		}
		values[i], named[name] = value, value
	}
	if f.follow {
		if f.named {
			return usagef("--follow and --named exclude each other")
		}
		return followRPC(ctx, e, method, values)
	}
	c, err := e.client()
	if err != nil {
		return err
	}
	var result json.RawMessage
	if f.named {
		err = c.CallNamed(ctx, method, named, &result)
	} else {
		err = c.Call(ctx, method, values, &result)
	}
	if err != nil {
		return asFailure(err)
	}
	return printResult(e, result)
}

// asFailure makes an error that the node replied with print as such.
func asFailure(err error) error {
	var failure *client.RPCError
	if errors.As(err, &failure) {
		return rpcFailure{failure}
	}
	return err
}

// followRPC calls method over a WebSocket connection and prints what the
// node sends from then on. It ends without an error when ctx does.
func followRPC(ctx context.Context, e *env, method string, params []any) error {
	a, err := e.rpcAccess()
	if err != nil {
		return err
	}
	ws, err := client.DialWS(ctx, a.url, a.auth, a.opts...)
	if err != nil {
		return err
	}
	defer ws.Close()
	if err := ws.Call(ctx, method, params, nil); err != nil {
		return asFailure(err)
	}
	enc := json.NewEncoder(e.stdout)
	enc.SetEscapeHTML(false)
	for {
		note, err := ws.Next(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		err = enc.Encode(struct {
			Method string            `json:"method"`
			Params []json.RawMessage `json:"params"`
		}{note.Method, note.Params})
		if err != nil {
			return err
		}
	}
}

// rpcParam turns an argument into what is sent.
func rpcParam(arg string, asString bool, stdin io.Reader) (any, error) {
	if arg == "-" {
		text, err := io.ReadAll(io.LimitReader(stdin, client.MaxReply))
		if err != nil {
			return nil, fmt.Errorf("read a parameter from standard input: %w", err)
		}
		return strings.TrimSpace(string(text)), nil
	}
	if asString || arg == "" || !json.Valid([]byte(arg)) {
		return arg, nil
	}
	if len(arg) > maxNumberText && !strings.ContainsAny(arg[:1], `[{"`) {
		return arg, nil
	}
	return json.RawMessage(arg), nil
}

// printResult prints nothing for null, as bitcoin-cli.
func printResult(e *env, result json.RawMessage) error {
	if !e.flags.json && string(result) == "null" {
		return nil
	}
	var text string
	if e.flags.json || json.Unmarshal(result, &text) != nil {
		var b bytes.Buffer
		if err := json.Indent(&b, result, "", "  "); err != nil {
			return fmt.Errorf("the node's result is not JSON: %w", err)
		}
		text = b.String()
	}
	_, err := fmt.Fprintln(e.stdout, text)
	return err
}
