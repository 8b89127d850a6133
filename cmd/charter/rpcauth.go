package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/charterchain/charter/rpc"
)

func newRPCAuthCommand(e *env) *cobra.Command {
	var passwordFile string
	cmd := &cobra.Command{
		Use:   "rpcauth USER",
		Short: "Make a line for the node's --rpcauth file",
		Long: `Prints a line USER:SALT$HASH for the file that the node's --rpcauth names: it
lets USER in without holding the password. The password is made here and shown
once, unless --password-file gives one.`,
		Example: `  charter rpcauth alice >> ~/.charter/rpcauth
  charter rpcauth alice --password-file secret`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("rpcauth needs one argument, the name of the user (%d given)", len(args))
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			return makeRPCAuth(e, args[0], passwordFile)
		},
	}
	cmd.Flags().StringVar(&passwordFile, "password-file", "", "read the password from this file of mode 0600")
	return cmd
}

// makeRPCAuth prints the line to the standard output, and a password that was
// made here to the standard error: the output can be appended to a file.
func makeRPCAuth(e *env, user, passwordFile string) error {
	made := passwordFile == ""
	var password string
	if made {
		var err error
		if password, err = rpc.NewPassword(e.rand); err != nil {
			return err
		}
	} else {
		secret, err := readSecret(passwordFile, "password")
		if err != nil {
			return err
		}
		password = string(secret)
	}
	line, err := rpc.RPCAuthLine(user, password, e.rand)
	if err != nil {
		return err
	}
	if e.flags.json {
		out := struct {
			Line     string `json:"rpcauth"`
			Password string `json:"password,omitempty"`
		}{Line: line}
		if made {
			out.Password = password
		}
		return e.printJSON(out)
	}
	if made {
		fmt.Fprintf(e.stderr, "Password, shown only now: %s\n", password)
	}
	_, err = fmt.Fprintln(e.stdout, line)
	return err
}
