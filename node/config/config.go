package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/spf13/pflag"
)

// Config holds the settings of a node.
type Config struct {
	File    string // the TOML file that was read, if any
	Chain   string // name of a shipped chain, or path of a chain file
	DataDir string

	Listen   []string // addresses for peers; none: the chain's port on all interfaces
	NoListen bool
	Connect  []string
	AddNode  []string
	External []string

	RPCListen string
	RPCUser   string
	RPCPass   string
	RPCAuth   string // file of user:salt$hash lines
	Metrics   string
	PProf     string

	Mine        bool
	MineThreads int
	MineAddress string
	MineEmpty   bool
	MinerKey    string // file; "": miner.key in the chain's folder
	SettleDepth int    // blocks; 0: the chain file's

	// Settled is a block that is known to be in the chain, HEIGHT:HASH; "":
	// none. ParseSettled reads it.
	Settled string

	TxIndex     bool // transactions by id
	AddrIndex   bool // history and coins of addresses
	FilterIndex bool // block filters

	Prune int // MiB; 0: off, 1: only by pruneblockchain

	LoadBlock         []string
	Reindex           bool
	ReindexChainstate bool

	DBCache int // MiB
	Par     int

	MaxMempool int // MiB; 0: the chain file's default

	// BlockFileSize is the size in bytes at which a new block file begins;
	// 0: the usual one. The flag is hidden, for it only serves tests: they
	// have files to prune after kilobytes, and may prune to less.
	BlockFileSize int

	LogLevel  string
	LogFormat string

	home  string          // what ~/ stands for in the settings file and the environment
	given map[string]bool // by Load: what the chain's own file does not change
}

// DefaultDataDir is used where no --datadir is given. home is the user's
// home folder; where that is not known ("") there is no default.
func DefaultDataDir(home string) string {
	if home == "" {
		return ""
	}
	return filepath.Join(home, ".charter")
}

// Register defines every setting as a flag of fs, with its default, and
// returns where the values will be.
func Register(fs *pflag.FlagSet, home string) *Config {
	c := &Config{home: home}
	fs.StringVar(&c.Chain, "chain", "", "chain file, or the name of a shipped chain (open, bitcoin-regtest, bitcoin-mainnet)")
	fs.StringVar(&c.DataDir, "datadir", DefaultDataDir(home), "folder for all data; each chain has a folder in it")
	fs.StringVar(&c.File, "config", "", "TOML file with settings (default DATADIR/charterd.toml, if it exists)")

	fs.StringArrayVar(&c.Listen, "listen", nil, "address to accept peers on, host:port (default: all interfaces, the chain's port); may be repeated")
	fs.BoolVar(&c.NoListen, "no-listen", false, "accept no peers")
	fs.StringArrayVar(&c.Connect, "connect", nil, "dial only this peer, [identity@]host:port; may be repeated")
	fs.StringArrayVar(&c.AddNode, "addnode", nil, "keep a connection to this peer, [identity@]host:port; may be repeated")
	fs.StringArrayVar(&c.External, "external", nil, "address under which peers reach this node, host:port, told to them; may be repeated")

	fs.StringVar(&c.RPCListen, "rpclisten", "127.0.0.1:8431", "address of JSON-RPC and /ws; TLS is on unless it is a loopback address")
	fs.StringVar(&c.RPCUser, "rpcuser", "", "RPC user name; prefer the cookie file or --rpcauth")
	fs.StringVar(&c.RPCPass, "rpcpass", "", "RPC password; visible to other users of this machine, prefer --rpcauth")
	fs.StringVar(&c.RPCAuth, "rpcauth", "", "file with lines USER:SALT$HASH, as charter rpcauth makes them (mode 0600)")
	fs.StringVar(&c.Metrics, "metrics", "127.0.0.1:8432", "address of /metrics, /livez and /readyz; empty: none")
	fs.StringVar(&c.PProf, "pprof", "", "loopback address for Go's profiler; empty: none")

	fs.BoolVar(&c.Mine, "mine", false, "mine blocks on the CPU")
	fs.IntVar(&c.MineThreads, "mine-threads", 1, "threads that mine")
	fs.StringVar(&c.MineAddress, "mine-address", "", "address that mined blocks pay to; where mining is restricted it may be left out: then they claim nothing")
	fs.BoolVar(&c.MineEmpty, "mine-empty", true, "mine also when no transaction waits; false: rest once everything in the chain is safe (restricted mining only)")
	fs.StringVar(&c.MinerKey, "miner-key", "", "file with the key that seals blocks where mining is restricted (default miner.key in the chain's folder; charter key new makes one)")
	fs.IntVar(&c.SettleDepth, "settle-depth", 0, "confirmations after which this node never leaves its branch by itself, on chains with restricted mining; 0: the chain file's default")

	fs.StringVar(&c.Settled, "settled", "", "block that is known to be in the chain, HEIGHT:HASH: a chain with another block at that height is not followed")

	fs.BoolVar(&c.TxIndex, "txindex", false, "keep an index of all transactions, for getrawtransaction")
	fs.BoolVar(&c.AddrIndex, "addrindex", false, "keep an index of addresses: balance, history, unspent outputs")
	fs.BoolVar(&c.FilterIndex, "filterindex", false, "keep compact block filters (BIP157, BIP158), for getblockfilter")

	fs.IntVar(&c.Prune, "prune", 0, "remove old block files once all take more than this, MiB, at least 550; 1: only when pruneblockchain is called; 0: keep all")
	fs.StringArrayVar(&c.LoadBlock, "loadblock", nil, "import framed blocks (bootstrap.dat, blk files, also .bz2, .gz) at start; may be repeated")
	fs.BoolVar(&c.Reindex, "reindex", false, "make block index and chain state again from the block files, checking everything")
	fs.BoolVar(&c.ReindexChainstate, "reindex-chainstate", false, "make the chain state again from the stored blocks; scripts of blocks that were valid are not run again")
	fs.IntVar(&c.DBCache, "dbcache", 450, "memory for the UTXO cache and the database, MiB")
	fs.IntVar(&c.Par, "par", 0, "threads that check scripts; 0: one per core")
	fs.IntVar(&c.MaxMempool, "maxmempool", 0, "memory for waiting transactions, MiB; 0: the chain file's default")

	fs.IntVar(&c.BlockFileSize, "block-file-size", 0, "size at which a new block file begins, bytes; 0: 128 MiB; for tests")
	if err := fs.MarkHidden("block-file-size"); err != nil {
		panic(err) // defined in the line above
	}

	fs.StringVar(&c.LogLevel, "log-level", "info", "debug, info, warn or error")
	fs.StringVar(&c.LogFormat, "log-format", "text", "text or json")
	return c
}

// Validate reports everything that is wrong with the settings, each with
// its name, value and what is allowed.
func (c *Config) Validate() error {
	var errs []error
	bad := func(name string, value any, want string) {
		errs = append(errs, fmt.Errorf("%s = %q: %s", name, fmt.Sprint(value), want))
	}
	between := func(name string, value, low, high int) {
		if value < low || value > high {
			bad(name, value, fmt.Sprintf("must be between %d and %d", low, high))
		}
	}
	address := func(name, value string) {
		if err := checkAddress(value); err != nil {
			bad(name, value, err.Error())
		}
	}
	if c.Chain == "" {
		bad("chain", c.Chain, "name a chain file or a shipped chain; `charter init NAME` makes a chain file, `charterd dev` needs none")
	}
	if c.DataDir == "" {
		bad("datadir", c.DataDir, "name a folder: the home folder is not known, so there is no default")
	}
	for _, a := range c.Listen {
		address("listen", a)
	}
	for _, a := range c.External {
		address("external", a)
	}
	address("rpclisten", c.RPCListen)
	if c.Metrics != "" {
		address("metrics", c.Metrics)
	}
	if c.PProf != "" {
		address("pprof", c.PProf)
		if !IsLoopback(c.PProf) {
			bad("pprof", c.PProf, "the profiler shows memory of the process: only a loopback address is allowed")
		}
	}
	if (c.RPCUser == "") != (c.RPCPass == "") {
		bad("rpcuser", c.RPCUser, "--rpcuser and --rpcpass go together")
	}
	if c.NoListen && len(c.Listen) > 0 {
		bad("no-listen", c.NoListen, "--no-listen and --listen exclude each other")
	}
	c.validatePrune(bad)
	between("mine-threads", c.MineThreads, 1, 1024)
	between("settle-depth", c.SettleDepth, 0, 1_000_000)
	if _, _, err := ParseSettled(c.Settled); err != nil {
		bad("settled", c.Settled, err.Error())
	}
	between("dbcache", c.DBCache, 4, 1<<20)
	between("par", c.Par, 0, 1024)
	between("block-file-size", c.BlockFileSize, 0, 128<<20)
	if c.MaxMempool != 0 {
		between("maxmempool", c.MaxMempool, 5, 1<<20)
	}
	if _, err := c.Level(); err != nil {
		bad("log-level", c.LogLevel, "must be debug, info, warn or error")
	}
	if c.LogFormat != "text" && c.LogFormat != "json" {
		bad("log-format", c.LogFormat, "must be text or json")
	}
	return errors.Join(errs...)
}

// ParseSettled reads HEIGHT:HASH; for "" the height is 0.
func ParseSettled(text string) (height int32, hash chainhash.Hash, err error) {
	if text == "" {
		return 0, hash, nil
	}
	first, second, _ := strings.Cut(text, ":")
	n, err := strconv.ParseUint(first, 10, 31)
	if err != nil || n == 0 || len(second) != chainhash.MaxHashStringSize || chainhash.Decode(&hash, second) != nil {
		return 0, chainhash.Hash{}, errors.New("must be the height of a block, a colon and its hash of 64 hexadecimal digits")
	}
	return int32(n), hash, nil
}

// minPrune is the least target of automatic pruning, MiB: as in Bitcoin Core,
// so that the last blocks, their undo data and the files that grow have room.
const minPrune = 550

func (c *Config) validatePrune(bad func(name string, value any, want string)) {
	least := minPrune
	if c.BlockFileSize != 0 {
		least = 2
	}
	if c.Prune != 0 && c.Prune != 1 && (c.Prune < least || c.Prune > 1<<30) {
		bad("prune", c.Prune, fmt.Sprintf("must be 0 (keep all), 1 (only by pruneblockchain) or %d and more (MiB)", minPrune))
	}
	if c.Prune == 0 {
		return
	}
	const reads = "reads old blocks whenever it is asked, --prune removes them: they exclude each other"
	if c.TxIndex {
		bad("txindex", c.TxIndex, reads)
	}
	if c.AddrIndex {
		bad("addrindex", c.AddrIndex, reads)
	}
	if c.ReindexChainstate {
		bad("reindex-chainstate", c.ReindexChainstate, "needs all blocks, --prune removes old ones: they exclude each other; --reindex can be used before anything was pruned")
	}
}

// Level is the log level as slog has it.
func (c *Config) Level() (slog.Level, error) {
	var l slog.Level
	err := l.UnmarshalText([]byte(c.LogLevel))
	return l, err
}

func checkAddress(s string) error {
	_, port, err := net.SplitHostPort(s)
	if err != nil {
		return errors.New("must be host:port (an IPv6 host in brackets)")
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return errors.New("the port must be a number between 0 and 65535")
	}
	return nil
}

// IsLoopback reports whether the host of addr is this machine only.
func IsLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
