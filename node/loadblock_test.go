package node

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/store/storetest"
	"github.com/charterchain/charter/node/config"
)

// TestBlockSource reads the same bytes from a plain, a packed and a masked
// file.
func TestBlockSource(t *testing.T) {
	dir := t.TempDir()
	want := bytes.Repeat([]byte("blocks, framed. "), 1000)
	mask := []byte{1, 2, 3, 4, 5, 6, 7, 8}
	masked := bytes.Clone(want)
	for i := range masked {
		masked[i] ^= mask[i%8]
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write(want)
	_ = z.Close()
	for name, data := range map[string][]byte{
		"xor.dat": mask, "blk00000.dat": masked, "bootstrap.dat": want, "bootstrap.dat.gz": packed.Bytes(),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, again := range map[string]bool{"blk00000.dat": true, "bootstrap.dat": true, "bootstrap.dat.gz": false} {
		f, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		src, total, err := blockSource(f)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(src.R)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
		f.Close()
		if (src.At != nil) != again || again && total != int64(len(want)) {
			t.Errorf("%s: readable again %v, %d bytes", name, src.At != nil, total)
		}
		if again {
			part := make([]byte, 13)
			if _, err := src.At.ReadAt(part, 5); err != nil || !bytes.Equal(part, want[5:18]) {
				t.Errorf("%s: at 5: %q, %v", name, part, err)
			}
		}
	}
}

// TestLoadBlockRefused: the operator is warned of blocks that break a rule.
func TestLoadBlockRefused(t *testing.T) {
	h := chaintest.New(t, chaintest.Options{FS: storetest.New(), Dir: "/data"})
	var block bytes.Buffer
	if err := h.Make(h.Chain.Best().Hash).Msg().Serialize(&block); err != nil {
		t.Fatal(err)
	}
	raw := block.Bytes()
	raw[len(raw)-1] ^= 1 // the lock time of its transaction
	magic := h.Chain.Params().Network.Magic
	name := filepath.Join(t.TempDir(), "blocks.dat")
	if err := os.WriteFile(name, append(binary.LittleEndian.AppendUint32(magic[:], uint32(len(raw))), raw...), 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	n := &Node{chain: h.Chain, log: slog.New(slog.NewTextHandler(&log, nil)), opts: Options{
		Now: time.Now, Config: &config.Config{LoadBlock: []string{name}},
	}}
	if err := n.loadBlocks(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := `level=WARN msg="imported files hold blocks that break a rule`; !strings.Contains(log.String(), want) {
		t.Errorf("the log lacks %s:\n%s", want, log.String())
	}
}
