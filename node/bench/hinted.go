package bench

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain/hints"
	"github.com/charterchain/charter/node/bench/workload"
)

// hinted is the name of the file with the full blocks of c and hints about
// their signatures, as `charter export --hints` writes it.
func hinted(c *workload.Chain) string { return strings.TrimSuffix(c.Blocks, ".dat") + ".hinted.dat" }

// makeHinted makes that file, where it is missing, from what a node finds out.
func (j Job) makeHinted(ctx context.Context, c *workload.Chain) error {
	if _, err := os.Stat(hinted(c)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return j.inScratch(func(dir string) error {
		return j.withNode(ctx, c, dir, func(n *running) error {
			if err := errors.Join(n.load(ctx, c.Funding), n.load(ctx, c.Blocks)); err != nil {
				return err
			}
			return writeHinted(n, c)
		})
	})
}

func writeHinted(n *running, c *workload.Chain) error {
	f, err := os.Create(hinted(c) + ".part")
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	err = errors.Join(appendHinted(w, n, c), w.Flush(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), hinted(c))
}

func appendHinted(w *bufio.Writer, n *running, c *workload.Chain) error {
	magic := c.Params.Network.Magic
	for raw, err := range workload.Read(c.Blocks) {
		if err != nil {
			return err
		}
		hash := chainhash.DoubleHashH(raw[:80])
		b, err := n.Chain().ReadBlock(hash)
		if err != nil {
			return err
		}
		bits, known := n.Chain().Hints(hash)
		if !known {
			return fmt.Errorf("the node has no hints about block %v", hash)
		}
		var out []byte
		if hints.Say(bits) {
			frame := hints.Frame{Block: hash, Inputs: hints.Inputs(b), Hints: bits}
			out = frame.Append(out, hints.Magic(magic))
		}
		out = append(out, magic[:]...)
		out = binary.LittleEndian.AppendUint32(out, uint32(len(raw)))
		if _, err := w.Write(append(out, raw...)); err != nil {
			return err
		}
	}
	return nil
}
