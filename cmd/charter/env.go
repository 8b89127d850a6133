package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/configs"
	"github.com/charterchain/charter/rpc/client"
	"github.com/charterchain/charter/wallet"
	"github.com/charterchain/charter/wallet/keystore"
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
	rpcCert string
	json    bool
}

func (f *flags) register(fs *pflag.FlagSet) {
	fs.BoolVar(&f.dev, "dev", false, "use the chain, node and wallet of 'charterd dev'")
	fs.StringVar(&f.datadir, "datadir", "", "data `folder` (default ~/.charter, with --dev ~/.charter/dev)")
	fs.StringVar(&f.chain, "chain", "", "chain file, or the `name` of a chain in the data folder or of one that ships with Charter")
	fs.StringVar(&f.rpc, "rpc", "", "`URL` of the node's RPC (default: what the node wrote into its data folder, else "+defaultRPC+")")
	fs.StringVar(&f.rpcUser, "rpcuser", "", "`user` for the node's RPC (default: the cookie in <datadir>/<chain name>/.cookie)")
	fs.StringVar(&f.rpcPass, "rpcpass", "", "`password` for --rpcuser; other users of this machine can see it")
	fs.StringVar(&f.rpcCert, "rpccert", "", "certificate `file` to trust the node by, where its RPC is https (default <datadir>/<chain name>/rpc.cert)")
	fs.BoolVar(&f.json, "json", false, "print the result, and an error, as JSON for programs")
}

// env is what every command works with. It belongs to one run of the
// program and is used by one goroutine. The functions are the outside world;
// tests put others in.
type env struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	flags          flags

	home func() (string, error) // the user's home folder
	now  func() time.Time
	rand io.Reader
	disk wallet.FS
	kdf  keystore.Params // costs of new key files; zero: the default

	// started is set once flags and arguments are parsed: an error before
	// that is a usage error.
	started bool

	chain *params.Params // once loaded
}

func newEnv(stdin io.Reader, stdout, stderr io.Writer) *env {
	return &env{
		stdin: stdin, stdout: stdout, stderr: stderr,
		home: os.UserHomeDir, now: time.Now, rand: rand.Reader, disk: wallet.OS(),
	}
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

// chainDir is the data folder of the chain that the flags name.
func (e *env) chainDir() (string, error) {
	base, err := e.baseDir()
	if err != nil || e.flags.dev {
		return base, err
	}
	name := e.flags.chain
	if name == "" {
		return "", usagef("no chain named: give --chain with a chain file or a name, or --dev for the development chain")
	}
	if isPath(name) {
		p, err := e.params()
		if err != nil {
			return "", err
		}
		name = p.Name
	}
	return filepath.Join(base, name), nil
}

// params loads the chain file that the flags name: with --dev the
// development chain's; a file; chain.toml in the chain's data folder; or
// one that ships with Charter.
func (e *env) params() (*params.Params, error) {
	if e.chain != nil {
		return e.chain, nil
	}
	data, name, err := e.chainFile()
	if err != nil {
		return nil, err
	}
	p, err := params.Load(data, name)
	if err != nil {
		return nil, err
	}
	e.chain = p
	return p, nil
}

func (e *env) chainFile() (data []byte, name string, err error) {
	if !e.flags.dev && isPath(e.flags.chain) {
		data, err = os.ReadFile(e.flags.chain)
		if err != nil {
			return nil, "", fmt.Errorf("read the chain file: %w", err)
		}
		return data, e.flags.chain, nil
	}
	dir, err := e.chainDir()
	if err != nil {
		return nil, "", err
	}
	path := filepath.Join(dir, "chain.toml")
	data, err = os.ReadFile(path)
	switch {
	case err == nil:
		return data, path, nil
	case !errors.Is(err, fs.ErrNotExist):
		return nil, "", fmt.Errorf("read the chain file: %w", err)
	case e.flags.dev:
		return nil, "", noDevChain(path)
	}
	if data, ok := configs.Chain(e.flags.chain); ok {
		return data, e.flags.chain + ".toml", nil
	}
	return nil, "", fmt.Errorf("chain %q: there is no %s, and no chain of that name ships with Charter (%s do); give --chain a file", e.flags.chain, path, strings.Join(configs.Chains(), ", "))
}

func noDevChain(path string) error {
	return fmt.Errorf("%s is missing: start the development chain first with `charterd dev`, or name its data folder with --datadir", path)
}

// isPath tells a file from a chain's or wallet's name.
func isPath(s string) bool {
	return strings.ContainsAny(s, `/\`) || strings.HasSuffix(s, ".toml")
}

// client returns access to the node's RPC. It does not connect yet.
func (e *env) client() (*client.Client, error) {
	a, err := e.rpcAccess()
	if err != nil {
		return nil, err
	}
	return client.New(a.url, a.auth, a.opts...)
}

// access is what reaching the node's RPC takes.
type access struct {
	url  string
	auth client.Auth
	opts []client.Option
}

func (e *env) rpcAccess() (access, error) {
	var a access
	var err error
	if a.url, err = e.rpcURL(); err != nil {
		return a, err
	}
	if strings.HasPrefix(a.url, "https://") {
		pem, err := e.rpcCertificate()
		if err != nil {
			return a, err
		}
		a.opts = append(a.opts, client.WithCertificate(pem))
	}
	a.auth = client.Password(e.flags.rpcUser, e.flags.rpcPass)
	if e.flags.rpcUser == "" {
		if e.flags.rpcPass != "" {
			return a, usagef("--rpcpass needs --rpcuser")
		}
		dir, err := e.chainDir()
		if err != nil {
			return a, err
		}
		a.auth = client.CookieFile(filepath.Join(dir, ".cookie"))
	}
	return a, nil
}

func (e *env) rpcCertificate() ([]byte, error) {
	path := e.flags.rpcCert
	if path == "" {
		dir, err := e.chainDir()
		if err != nil {
			return nil, err
		}
		path = filepath.Join(dir, "rpc.cert")
	}
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the node's certificate (copy rpc.cert from its data folder, and name it with --rpccert): %w", err)
	}
	return pem, nil
}

// rpcURL is where the node's RPC is: --rpc, else what a node wrote into the
// chain's data folder, else the default.
func (e *env) rpcURL() (string, error) {
	if e.flags.rpc != "" {
		return e.flags.rpc, nil
	}
	dir, err := e.chainDir()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "rpc")
	text, err := os.ReadFile(path)
	switch {
	case err == nil:
		return strings.TrimSpace(string(text)), nil
	case !errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("read where the node's RPC is: %w", err)
	case e.flags.dev:
		return "", fmt.Errorf("%s is missing: start the development chain first with 'charterd dev', or name its data folder with --datadir", path)
	}
	return defaultRPC, nil
}

// printJSON writes v as one indented JSON document.
func (e *env) printJSON(v any) error {
	enc := json.NewEncoder(e.stdout)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
