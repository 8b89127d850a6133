package rpc

import (
	"context"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/consensus"
)

// Snapshots dump and load UTXO snapshots: files on the node's machine, by
// absolute paths.
type Snapshots interface {
	// Dump writes the set of unspent outputs to a file that must not exist.
	Dump(ctx context.Context, path string) (chain.SnapshotDump, error)
	// Load makes a file the chain state. want is the digest that the caller
	// trusts; nil: the chain file has to have it.
	Load(ctx context.Context, path string, want *[32]byte) (chain.LoadedSnapshot, error)
}

// snapshotMethods dump and load UTXO snapshots, and tell of their check.
type snapshotMethods struct {
	chain Chain
	files Snapshots // nil: neither is offered
}

func (m *snapshotMethods) methods() []*method {
	const area = "Blockchain"
	states := &method{
		name: "getchainstates", area: area, run: m.getChainStates,
		summary: "Returns the chain states of this node: after loadtxoutset there are two, until the blocks below the snapshot are checked.",
		result: "An object with headers and chainstates, each {blocks, bestblockhash, bits, target, difficulty, verificationprogress, " +
			"snapshot_blockhash (where it began with a snapshot), coins_tip_cache_bytes (in use), validated, " +
			"error (where its check cannot go on: why)}; the best one last.",
	}
	if m.files == nil {
		return []*method{states}
	}
	return []*method{
		{
			name: "dumptxoutset", area: area, run: m.dump,
			params: []param{
				{name: "path", want: "string", help: "An absolute path on the node's machine, of a file that does not exist."},
				{name: "type", want: "string", fallback: `"latest"`, help: `Only "latest": the set as of the best block.`},
			},
			summary: "Writes the set of unspent outputs to a file, from which another node can start (loadtxoutset). The node goes on working meanwhile.",
			result: "An object: coins_written; base_hash and base_height of the best block; path; txoutset_hash and muhash, as in gettxoutsetinfo; " +
				"nchaintx, the transactions up to that block; digest, by which others may trust the file: in [[snapshot]] of the chain file, or given to loadtxoutset.",
		},
		{
			name: "loadtxoutset", area: area, run: m.load,
			params: []param{
				{name: "path", want: "string", help: "An absolute path on the node's machine."},
				{name: "digest", want: "string, 64 hex digits", fallback: "the chain file's, for that height",
					help: "What dumptxoutset printed, from somebody you trust."},
			},
			summary: "Starts from a file of dumptxoutset: the node is at its block at once, and checks the blocks below it in the background. " +
				"Until that has ended it does not mine; should the file turn out wrong, it stops.",
			result: "An object: coins_loaded; tip_hash and base_height of the snapshot's block; path; digest.",
		},
		states,
	}
}

// file reads the path of a call.
func (m *snapshotMethods) file(c *call) (string, error) {
	path := c.text(0, "")
	if c.err != nil {
		return "", c.err
	}
	if !filepath.IsAbs(path) {
		return "", fail(codeInvalidParam, "%q is no absolute path; the node does not know from which folder you call it", path)
	}
	return filepath.Clean(path), nil
}

func (m *snapshotMethods) dump(ctx context.Context, c *call) (any, error) {
	path, err := m.file(c)
	kind := c.text(1, "latest")
	switch {
	case err != nil:
		return nil, err
	case c.err != nil:
		return nil, c.err
	case kind != "latest" && kind != "":
		return nil, fail(codeInvalidParam, "type %.40q: this node writes the set as of its best block only, \"latest\"", kind)
	}
	d, err := m.files.Dump(ctx, path)
	if err != nil {
		return nil, fail(codeMisc, "%v", err)
	}
	return struct {
		Coins      int64  `json:"coins_written"`
		Hash       string `json:"base_hash"`
		Height     int32  `json:"base_height"`
		Path       string `json:"path"`
		Serialized string `json:"txoutset_hash"`
		MuHash     string `json:"muhash"`
		ChainTxs   int64  `json:"nchaintx"`
		Digest     string `json:"digest"`
	}{d.Coins, d.Block.Hash.String(), d.Block.Height, path, d.Serialized.String(), d.MuHash.String(), d.ChainTxs, hex.EncodeToString(d.Digest[:])}, nil
}

func (m *snapshotMethods) load(_ context.Context, c *call) (any, error) {
	path, err := m.file(c)
	if err != nil {
		return nil, err
	}
	want, err := wantedDigest(c)
	if err != nil {
		return nil, err
	}
	// A caller who leaves does not end it.
	l, err := m.files.Load(c.serving, path, want)
	if err != nil {
		return nil, fail(codeMisc, "%v", err)
	}
	return struct {
		Coins  int64  `json:"coins_loaded"`
		Hash   string `json:"tip_hash"`
		Height int32  `json:"base_height"`
		Path   string `json:"path"`
		Digest string `json:"digest"`
	}{l.Coins, l.Base.Hash.String(), l.Base.Height, path, hex.EncodeToString(l.Digest[:])}, nil
}

// wantedDigest reads the digest of a call; nil: there is none. Unlike block
// hashes it is not shown in reverse.
func wantedDigest(c *call) (*[32]byte, error) {
	text := c.text(1, "")
	switch {
	case c.err != nil:
		return nil, c.err
	case text == "":
		return nil, nil
	}
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != 32 {
		return nil, fail(codeInvalidParam, "digest %.80q: want 64 hex digits", text)
	}
	return (*[32]byte)(raw), nil
}

type chainStateJSON struct {
	Blocks      int32      `json:"blocks"`
	BestHash    string     `json:"bestblockhash"`
	Bits        string     `json:"bits"`
	Target      string     `json:"target"`
	Difficulty  realNumber `json:"difficulty"`
	Progress    realNumber `json:"verificationprogress"`
	Snapshot    string     `json:"snapshot_blockhash,omitempty"`
	CacheInUse  int64      `json:"coins_tip_cache_bytes"`
	IsValidated bool       `json:"validated"`
	Error       string     `json:"error,omitempty"`
}

func chainState(at, end *chain.BlockInfo) chainStateJSON {
	return chainStateJSON{
		Blocks:      at.Height,
		BestHash:    at.Hash.String(),
		Bits:        fmt.Sprintf("%08x", at.Header.Bits),
		Target:      targetHex(at.Header.Bits),
		Difficulty:  realNumber(consensus.Difficulty(at.Header.Bits)),
		Progress:    progress(at, end),
		IsValidated: true,
	}
}

func (m *snapshotMethods) getChainStates(context.Context, *call) (any, error) {
	b, unchecked := m.chain.Background()
	best, headers := m.chain.Best(), m.chain.BestHeader()
	var states []chainStateJSON
	active := chainState(&best, &headers)
	active.CacheInUse = m.chain.Stats().CacheBytes
	if unchecked {
		below := chainState(&b.Checked, &b.Base)
		below.CacheInUse, below.Error = b.CacheBytes, b.Halt
		states = append(states, below)
		active.Snapshot, active.IsValidated = b.Base.Hash.String(), false
	}
	return struct {
		Headers int32            `json:"headers"`
		States  []chainStateJSON `json:"chainstates"`
	}{headers.Height, append(states, active)}, nil
}

// backgroundJSON is in getblockchaininfo while blocks below a snapshot are
// checked, as in Bitcoin Core.
type backgroundJSON struct {
	SnapshotHeight int32      `json:"snapshotheight"`
	Blocks         int32      `json:"blocks"`
	BestBlockHash  string     `json:"bestblockhash"`
	MedianTime     int64      `json:"mediantime"`
	Progress       realNumber `json:"verificationprogress"`
	ChainWork      string     `json:"chainwork"`
}

func backgroundOf(c Chain) *backgroundJSON {
	b, ok := c.Background()
	if !ok {
		return nil
	}
	return &backgroundJSON{
		b.Base.Height, b.Checked.Height, b.Checked.Hash.String(), b.Checked.MedianTime.Unix(), progress(&b.Checked, &b.Base), bigHex(b.Checked.Work),
	}
}

// warnings says what an operator has to look at, the chain's matters first.
func (cfg *Config) warnings() string {
	list := cfg.Chain.Warnings()
	if why := cfg.Chain.Unvalidated(); why != "" {
		list = append([]string{why}, list...)
	}
	if status, ok := cfg.MiningStatus(); ok {
		list = append(list, status.Warnings...)
	}
	if more := cfg.Warnings(); more != "" {
		list = append(list, more)
	}
	return strings.Join(list, "; ")
}

// mayMine refuses methods that make blocks while the chain state is not one to
// build on.
func mayMine(c Chain) error {
	if why := c.Unvalidated(); why != "" {
		return fail(codeInSync, "%s", why)
	}
	return nil
}
