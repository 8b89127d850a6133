package nodetest

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/params"
)

// maxResident is the most memory that a node with --dbcache 100 may take.
const maxResident = 300 << 20

// TestMemory imports a chain of two million transactions with --dbcache 100
// and looks at the most memory that the process ever had. It runs where
// CHARTER_LONG is set (make test-memory).
func TestMemory(t *testing.T) {
	if os.Getenv("CHARTER_LONG") == "" {
		t.Skip("imports two million transactions: set CHARTER_LONG=1")
	}
	const blocks, perBlock = 2000, 1000
	c := New(t)
	p := chaintest.Params(chaintest.ChainFile)
	c.ChainFile = filepath.Join(c.Dir, p.Name+".toml")
	writeFile(t, c.ChainFile, string(params.Render(p)))
	file := filepath.Join(c.Dir, "blocks.dat")
	writeChain(t, p, file, blocks, perBlock)

	n := c.Node("n", "--dbcache", "100", "--loadblock", file)
	c.EventuallyWithin(10*Patience, "the chain is imported", func() error {
		var height int
		n.Call("getblockcount", &height)
		if height < blocks+1 {
			return fmt.Errorf("height %d", height)
		}
		return nil
	})
	n.Call("gettxoutsetinfo", nil, "none") // flushes
	peak := peakMemory(t, n.cmd.Process.Pid)
	t.Logf("peak resident memory: %d MiB", peak>>20)
	if peak > maxResident {
		t.Errorf("peak resident memory %d MiB, limit %d MiB", peak>>20, maxResident>>20)
	}
}

// writeChain makes a chain whose blocks hold perBlock transactions each, with
// one input and two outputs, and writes it as framed blocks.
func writeChain(t *testing.T, p *params.Params, file string, blocks, perBlock int) {
	t.Helper()
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	m := chaintest.NewMaker(p)
	put := func(b *consensus.Block) chainhash.Hash {
		w.Write(p.Network.Magic[:])
		w.Write(binary.LittleEndian.AppendUint32(nil, uint32(b.Size())))
		if err := b.Msg().Serialize(w); err != nil {
			t.Fatal(err)
		}
		return b.Hash
	}
	first := m.Make(p.GenesisHash)
	tip := put(first)
	// Each block spends one output of every payment of the one before and
	// leaves the other: the set grows to as many coins as transactions.
	spend := []chaintest.Output{chaintest.CoinbaseOutput(first)}
	for range blocks {
		var opts []chaintest.Option
		var next []chaintest.Output
		outs := 2
		if len(spend) == 1 {
			outs = perBlock
		}
		for _, from := range spend {
			tx := chaintest.SpendTx(0, outs, from)
			opts = append(opts, chaintest.Tx(tx, 0))
			made := chaintest.Outputs(tx)
			if outs == 2 {
				made = made[:1]
			}
			next = append(next, made...)
		}
		b := m.Make(tip, opts...)
		tip, spend = put(b), next
		m.Forget(b.Header.PrevBlock)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// peakMemory is the most resident memory that the process has had, in bytes.
func peakMemory(t *testing.T, pid int) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skipf("this system does not tell the memory of a process: %v", err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	t.Fatal("no VmHWM in the process's status")
	return 0
}
