package chain_test

import (
	"bytes"
	"compress/bzip2"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/params"
)

// vector opens a file of published test vectors (CHARTER_VECTORS, else
// ../shared/vectors beside the repository).
func vector(t testing.TB, name string) io.ReadCloser {
	t.Helper()
	dir := os.Getenv("CHARTER_VECTORS")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "vectors")
	}
	f, err := os.Open(filepath.Join(dir, name))
	if os.IsNotExist(err) {
		t.Skipf("test vector %s is not in %s; set CHARTER_VECTORS", name, dir)
	}
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func mainnet(t testing.TB) *params.Params {
	t.Helper()
	file := filepath.Join("..", "configs", "chains", "bitcoin-mainnet.toml")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	p, err := params.Load(data, file)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestMainnetBlocks imports the first blocks of Bitcoin's main chain
// (mainnet-blocks-1-256.bz2, from btcd).
func TestMainnetBlocks(t *testing.T) {
	f := vector(t, "mainnet-blocks-1-256.bz2")
	defer f.Close()
	data, err := io.ReadAll(bzip2.NewReader(f))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1_300_000_000, 0)
	h := chaintest.New(t, chaintest.Options{Params: mainnet(t), Now: func() time.Time { return now }})
	got, err := h.Chain.Import(t.Context(), bytes.NewReader(data), nil)
	if err != nil {
		t.Fatal(err)
	}
	const height = 255
	if got.Height != height || got.Refused != 0 || got.BytesRead != int64(len(data)) {
		t.Errorf("imported %+v of %d bytes, want height %d and nothing refused", got, len(data), height)
	}
	best := h.Chain.Best()
	if s := best.Hash.String(); s != mainnet255 {
		t.Errorf("block %d is %s, want %s", height, s, mainnet255)
	}
	again, err := h.Chain.Import(t.Context(), bytes.NewReader(data), nil)
	if err != nil || again.Accepted != 0 {
		t.Errorf("second import: %+v, %v", again, err)
	}
	assertImportError(t, h, data[:len(data)-1], "the stream ends after")
	assertImportError(t, h, append([]byte{1}, data...), "is the file of another chain?")
}

// mainnet255 is the hash of Bitcoin's block 255.
const mainnet255 = "00000000d0a75c861fabf9ff7b92022f60e4afeed9331fe5aa073d8e4706fe3c"

func assertImportError(t *testing.T, h *chaintest.Harness, data []byte, want string) {
	t.Helper()
	_, err := h.Chain.Import(t.Context(), bytes.NewReader(data), func(chain.ImportProgress) {})
	if err == nil || !bytes.Contains([]byte(err.Error()), []byte(want)) {
		t.Errorf("error %v, want one with %q", err, want)
	}
}
