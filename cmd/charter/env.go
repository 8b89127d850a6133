package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"
)

// defaultRPC is where a node's RPC listens unless told otherwise.
const defaultRPC = "http://127.0.0.1:8431"

// flags are the flags that every command has.
type flags struct {
	dev     bool
	datadir string
	chain   string
	rpc     string
	rpcUser string
	rpcPass string
	json    bool
}

func (f *flags) register(fs *pflag.FlagSet) {
	fs.BoolVar(&f.dev, "dev", false, "use the chain, wallet and node of 'charterd dev' (data folder ~/.charter/dev)")
	fs.StringVar(&f.datadir, "datadir", "", "data folder (default ~/.charter, with --dev ~/.charter/dev)")
	fs.StringVar(&f.chain, "chain", "", "chain file, or the name of a chain in the data folder or one that ships with Charter")
	fs.StringVar(&f.rpc, "rpc", "", "URL of the node's RPC (default "+defaultRPC+")")
	fs.StringVar(&f.rpcUser, "rpcuser", "", "user for the node's RPC (default: the cookie file <datadir>/<chain>/.cookie)")
	fs.StringVar(&f.rpcPass, "rpcpass", "", "password for --rpcuser; other users of this machine can read it")
	fs.BoolVar(&f.json, "json", false, "print the result, and an error, as JSON for programs")
}

// env is what every command works with. It belongs to one run of the
// program and is used by one goroutine.
type env struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	flags          flags
	home           func() (string, error) // the user's home folder

	// started is set once flags and arguments are parsed: an error before
	// that is a usage error.
	started bool
}

func newEnv(stdin io.Reader, stdout, stderr io.Writer) *env {
	return &env{stdin: stdin, stdout: stdout, stderr: stderr, home: os.UserHomeDir}
}

// baseDir is the data folder: of all chains, or with --dev of the
// development chain.
func (e *env) baseDir() (string, error) {
	if e.flags.datadir != "" {
		return e.flags.datadir, nil
	}
	home, err := e.home()
	if err != nil {
		return "", fmt.Errorf("find the home folder (or name a data folder with --datadir): %w", err)
	}
	if e.flags.dev {
		return filepath.Join(home, ".charter", "dev"), nil
	}
	return filepath.Join(home, ".charter"), nil
}

// rpcURL is where the node's RPC is: --rpc, else with --dev what the node
// wrote into its data folder, else the default.
func (e *env) rpcURL() (string, error) {
	if e.flags.rpc != "" {
		return e.flags.rpc, nil
	}
	if !e.flags.dev {
		return defaultRPC, nil
	}
	dir, err := e.baseDir()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "rpc")
	text, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return "", fmt.Errorf("%s is missing: start the development chain first with 'charterd dev', or name its data folder with --datadir", path)
	}
	if err != nil {
		return "", fmt.Errorf("read where the node's RPC is: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// printJSON writes v as one indented JSON document.
func (e *env) printJSON(v any) error {
	enc := json.NewEncoder(e.stdout)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
