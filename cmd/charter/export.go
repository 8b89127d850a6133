package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/spf13/cobra"

	"github.com/charterchain/charter/chain/hints"
	"github.com/charterchain/charter/chain/params/scan"
	"github.com/charterchain/charter/rpc/client"
)

const (
	// exportAhead is how many blocks are asked for at once.
	exportAhead = 4

	// exportEvery is how often an export says how far it is.
	exportEvery = 5 * time.Second
)

type exportFlags struct {
	from, to int32
	hints    bool
}

func newExportCommand(e *env) *cobra.Command {
	var f exportFlags
	cmd := &cobra.Command{
		Use:   "export FILE",
		Short: "Write the blocks of a running node to a file",
		Long: `Asks the node for the blocks of its best branch and writes them to FILE, which
must not exist: as Bitcoin's bootstrap.dat, each block behind the chain's magic
and its length. charterd --loadblock FILE reads it. FILE appears once it is
whole, or not at all.

--hints writes before a block one bit for each of its ECDSA signatures,
with which charterd checks them faster, in batches. Wrong ones do no harm but
take time. Bitcoin's programs pass over them. Where the node does not have the
hints of a block it checks the block's signatures once more; a block whose undo
data is pruned is written without.`,
		Example: `  charter --chain acme export acme-blocks.dat
  charter --chain acme export --hints acme-blocks.dat
  charter --chain acme export --from 100000 --to 199999 part2.dat
  charterd --chain acme --loadblock acme-blocks.dat`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("export needs one argument, the file to write (%d given)", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return exportBlocks(cmd.Context(), e, &f, args[0])
		},
	}
	cmd.Flags().Int32Var(&f.from, "from", 0, "`height` of the first block")
	cmd.Flags().Int32Var(&f.to, "to", -1, "`height` of the last block (default: the best block)")
	cmd.Flags().BoolVar(&f.hints, "hints", false, "write hints that speed up checking ECDSA signatures")
	return cmd
}

// exported says what an export wrote.
type exported struct {
	File   string `json:"file"`
	From   int32  `json:"from"`
	To     int32  `json:"to"`
	Blocks int32  `json:"blocks"`
	Bytes  int64  `json:"bytes"`

	// Where hints were asked for: blocks that have some, and blocks whose hints
	// the node could not tell. The others have no ECDSA signatures.
	Hinted   *int32 `json:"hinted,omitempty"`
	Unhinted *int32 `json:"unhinted,omitempty"`
}

func exportBlocks(ctx context.Context, e *env, f *exportFlags, file string) error {
	if _, err := os.Lstat(file); err == nil {
		return fmt.Errorf("%s exists already; name another file, or remove it first", file)
	}
	x, err := newExporter(ctx, e, f)
	if err != nil {
		return err
	}
	done, err := x.writeFile(ctx, file)
	if err != nil {
		return err
	}
	if e.flags.json {
		return e.printJSON(done)
	}
	with := ""
	if done.Hinted != nil {
		with = fmt.Sprintf("; %d have hints", *done.Hinted)
		if *done.Unhinted > 0 {
			with += fmt.Sprintf(", of %d the node could not tell them", *done.Unhinted)
		}
	}
	_, err = fmt.Fprintf(e.stdout, "Wrote %d blocks, heights %d to %d, to %s (%d bytes%s).\n", done.Blocks, done.From, done.To, done.File, done.Bytes, with)
	return err
}

// exporter copies blocks from a node to a file.
type exporter struct {
	e        *env
	node     *client.Client
	magic    [4]byte
	from, to int32
	hints    bool
}

// newExporter looks at the node: whether it runs the chain that the flags
// name, and has the blocks.
func newExporter(ctx context.Context, e *env, f *exportFlags) (*exporter, error) {
	p, err := e.params()
	if err != nil {
		return nil, err
	}
	x := &exporter{e: e, magic: p.Network.Magic, from: f.from, to: f.to, hints: f.hints}
	if x.node, err = e.client(); err != nil {
		return nil, err
	}
	genesis, err := x.hashAt(ctx, 0)
	if err != nil {
		return nil, err
	}
	if genesis != p.GenesisHash {
		return nil, fmt.Errorf("the node runs another chain: its genesis block is %v, that of %s is %v", genesis, p.Name, p.GenesisHash)
	}
	var info struct {
		Blocks int32 `json:"blocks"`
	}
	if err := x.node.Call(ctx, "getblockchaininfo", nil, &info); err != nil {
		return nil, asFailure(err)
	}
	if x.to < 0 {
		x.to = info.Blocks
	}
	if x.from < 0 || x.from > x.to || x.to > info.Blocks {
		return nil, usagef("heights %d to %d: the node has blocks 0 to %d", x.from, x.to, info.Blocks)
	}
	return x, nil
}

// writeFile makes the file under another name and renames it at the end.
func (x *exporter) writeFile(ctx context.Context, file string) (done exported, err error) {
	tmp, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".part*")
	if err != nil {
		return done, err
	}
	defer func() {
		if rm := os.Remove(tmp.Name()); rm != nil && !errors.Is(rm, fs.ErrNotExist) {
			err = errors.Join(err, rm)
		}
	}()
	out := bufio.NewWriterSize(tmp, 1<<20)
	done = exported{File: file, From: x.from, To: x.to}
	if x.hints {
		done.Hinted, done.Unhinted = new(int32), new(int32)
	}
	if err = x.copyBlocks(ctx, out, &done); err == nil {
		err = out.Flush()
	}
	if err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return done, err
	}
	return done, publish(tmp.Name(), file)
}

// publish gives a finished file its name, unless another has taken it. A
// link does both in one step, where the file system has links.
func publish(tmp, file string) error {
	err := os.Link(tmp, file)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	if _, err := os.Lstat(file); err == nil {
		return fmt.Errorf("%s: %w", file, fs.ErrExist)
	}
	return os.Rename(tmp, file)
}

// fetched is a block of the node's best branch.
type fetched struct {
	raw  []byte
	hint []byte // frame to write before it, if any
	mute bool   // the node could not tell hints that were asked for
	err  error
}

// copyBlocks writes the blocks in order of height, and checks that each
// stands on the one before.
func (x *exporter) copyBlocks(ctx context.Context, out *bufio.Writer, done *exported) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	queue := make(chan chan fetched, exportAhead)
	go func() {
		defer close(queue)
		for height := x.from; height <= x.to; height++ {
			slot := make(chan fetched, 1)
			select {
			case queue <- slot:
				go func() {
					slot <- x.fetch(ctx, height)
				}()
			case <-ctx.Done():
				return
			}
		}
	}()
	var last chainhash.Hash
	said := x.e.now()
	for slot := range queue {
		got := <-slot
		height := x.from + done.Blocks
		if got.err != nil {
			return fmt.Errorf("block at height %d: %w", height, got.err)
		}
		header, err := scan.DecodeHeader(got.raw[:headerSize])
		if err != nil {
			return fmt.Errorf("block at height %d: %w", height, err)
		}
		if done.Blocks > 0 && header.PrevBlock != last {
			return fmt.Errorf("the best branch changed below height %d while it was copied; start again", height)
		}
		last = header.BlockHash()
		n, err := x.writeFrame(out, got)
		if err != nil {
			return err
		}
		done.Blocks++
		done.Bytes += n
		switch {
		case got.hint != nil:
			*done.Hinted++
		case got.mute:
			*done.Unhinted++
		}
		if now := x.e.now(); now.Sub(said) >= exportEvery {
			said = now
			fmt.Fprintf(x.e.stderr, "%d of %d blocks, %d MiB\n", done.Blocks, x.to-x.from+1, done.Bytes>>20)
		}
	}
	return ctx.Err()
}

func (x *exporter) writeFrame(out *bufio.Writer, got fetched) (size int64, err error) {
	head := binary.LittleEndian.AppendUint32(x.magic[:], uint32(len(got.raw)))
	for _, part := range [][]byte{got.hint, head, got.raw} {
		n, err := out.Write(part)
		size += int64(n)
		if err != nil {
			return size, err
		}
	}
	return size, nil
}

const headerSize = 80

// fetch asks for what is to be written of the block at a height.
func (x *exporter) fetch(ctx context.Context, height int32) (got fetched) {
	hash, err := x.hashAt(ctx, height)
	if err == nil {
		got.raw, err = x.block(ctx, hash)
	}
	if err == nil && x.hints {
		got.hint, got.mute, err = x.hintFrame(ctx, hash)
	}
	got.err = err
	return got
}

// hintFrame returns the frame with the hints of a block, nil if they would say
// nothing. mute: the node cannot tell them.
func (x *exporter) hintFrame(ctx context.Context, hash chainhash.Hash) (frame []byte, mute bool, err error) {
	var answer *struct {
		Inputs int    `json:"inputs"`
		Hints  string `json:"hints"`
	}
	if err := x.node.Call(ctx, "getblockhints", []any{hash.String()}, &answer); err != nil {
		return nil, false, asFailure(err)
	}
	if answer == nil {
		return nil, true, nil
	}
	bits, err := hex.DecodeString(answer.Hints)
	f := hints.Frame{Block: hash, Inputs: answer.Inputs, Hints: bits}
	if err != nil || answer.Inputs < 0 || !hints.Fit(f.Hints, f.Inputs) {
		return nil, false, errors.New("the node's answer is no hints")
	}
	if !hints.Say(f.Hints) {
		return nil, false, nil
	}
	return f.Append(nil, hints.Magic(x.magic)), false, nil
}

// block returns a block, checked against its hash.
func (x *exporter) block(ctx context.Context, hash chainhash.Hash) ([]byte, error) {
	var text string
	if err := x.node.Call(ctx, "getblock", []any{hash.String(), 0}, &text); err != nil {
		return nil, asFailure(err)
	}
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) < headerSize {
		return nil, errors.New("the node's answer is no block")
	}
	if got := chainhash.DoubleHashH(raw[:headerSize]); got != hash {
		return nil, fmt.Errorf("the node sent block %v for %v", got, hash)
	}
	return raw, nil
}

func (x *exporter) hashAt(ctx context.Context, height int32) (chainhash.Hash, error) {
	var text string
	if err := x.node.Call(ctx, "getblockhash", []any{height}, &text); err != nil {
		return chainhash.Hash{}, asFailure(err)
	}
	hash, err := chainhash.NewHashFromStr(text)
	if err != nil {
		return chainhash.Hash{}, fmt.Errorf("the node's answer is no hash: %w", err)
	}
	return *hash, nil
}
