package chain_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/consensus"
)

// framed writes blocks as Bitcoin's block files have them.
func framed(t testing.TB, m *chaintest.Maker, blocks ...*consensus.Block) []byte {
	t.Helper()
	var out bytes.Buffer
	for _, b := range blocks {
		out.Write(m.Params.Network.Magic[:])
		out.Write(binary.LittleEndian.AppendUint32(nil, uint32(b.Size())))
		if err := b.Msg().Serialize(&out); err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

// story makes blocks up to a tip, with a side branch and its reorganisation.
func story(m *chaintest.Maker) (blocks []*consensus.Block) {
	at := consensus.NewBlock(m.Params.GenesisBlock).Hash
	for range 40 {
		b := m.Make(at)
		blocks = append(blocks, b)
		if len(blocks)%7 == 0 {
			blocks = append(blocks, m.Make(at)) // beside b
		}
		at = b.Hash
	}
	return blocks
}

// onlyReader hides that a stream can be read again.
type onlyReader struct{ io.Reader }

func TestImportOrder(t *testing.T) {
	m := chaintest.NewMaker(chaintest.Params(chaintest.ChainFile))
	genesis := consensus.NewBlock(m.Params.GenesisBlock)
	blocks := story(m)
	tip := blocks[len(blocks)-1]
	shuffled := append([]*consensus.Block{genesis}, blocks...)
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	reversed := make([]*consensus.Block, 0, len(blocks))
	for i := range blocks {
		reversed = append(reversed, blocks[len(blocks)-1-i])
	}
	for _, tt := range []struct {
		name   string
		blocks []*consensus.Block
	}{
		{"without genesis", blocks},
		{"with genesis", append([]*consensus.Block{genesis}, blocks...)},
		{"shuffled", shuffled},
		{"reversed", reversed},
		{"twice", append(reversed[:len(reversed):len(reversed)], blocks...)},
	} {
		for _, again := range []bool{true, false} {
			h := chaintest.New(t, chaintest.Options{})
			data := framed(t, m, tt.blocks...)
			data = append(data, make([]byte, 100)...) // blk files end in zeros
			var r io.Reader = bytes.NewReader(data)
			if !again {
				r = onlyReader{r}
			}
			got, err := h.Chain.Import(t.Context(), r, nil)
			if err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			want := chain.ImportProgress{BytesRead: int64(len(data)), Blocks: len(tt.blocks), Accepted: len(blocks),
				Known: len(tt.blocks) - len(blocks), Height: 40}
			if got != want {
				t.Errorf("%s: %+v, want %+v", tt.name, got, want)
			}
			if h.Chain.Best().Hash != tip.Hash {
				t.Errorf("%s: tip at height %d", tt.name, h.Chain.Best().Height)
			}
		}
	}
}

// TestImportFiles: parents lie in a later file; and a second run passes over
// all that is here.
func TestImportFiles(t *testing.T) {
	m := chaintest.NewMaker(chaintest.Params(chaintest.ChainFile))
	blocks := story(m)
	half := len(blocks) / 2
	files := [][]byte{framed(t, m, blocks[half:]...), framed(t, m, blocks[:half]...)}
	h := chaintest.New(t, chaintest.Options{})
	for run := range 2 {
		im := h.Chain.NewImporter(nil)
		for i, data := range files {
			r := bytes.NewReader(data)
			if err := im.Read(t.Context(), chain.ImportSource{Name: "file", R: r, At: r}); err != nil {
				t.Fatal(err)
			}
			if got := im.Progress(); run == 0 && i == 0 && (got.Waiting != len(blocks)-half || got.Height != 0) {
				t.Errorf("after the first file: %+v", got)
			}
		}
		got := im.Progress()
		want := chain.ImportProgress{BytesRead: int64(len(files[1])), Blocks: len(blocks), Height: 40}
		if run == 0 {
			want.Accepted = len(blocks)
		} else {
			want.Known = len(blocks)
		}
		if got != want {
			t.Errorf("run %d: %+v, want %+v", run, got, want)
		}
	}
}

// TestImportRefuses: a bad block, and what stands on it, are counted; the
// rest is imported.
func TestImportRefuses(t *testing.T) {
	h := chaintest.New(t, chaintest.Options{})
	g := consensus.NewBlock(h.Params.GenesisBlock).Hash
	b1 := h.Make(g)
	bad := h.Make(b1.Hash, chaintest.Change(func(d *chaintest.Draft) { d.Fees++ }))
	onBad := h.Make(bad.Hash)
	b2 := h.Make(b1.Hash)
	data := framed(t, h.Maker, onBad, bad, b1, b2)
	got, err := h.Chain.Import(t.Context(), bytes.NewReader(data), nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := (chain.ImportProgress{BytesRead: int64(len(data)), Blocks: 4, Accepted: 2, Refused: 2, Height: 2}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	for _, cut := range []int{len(data) - 1, len(data) - 100, 5} {
		for _, r := range []io.Reader{bytes.NewReader(data[:cut]), onlyReader{bytes.NewReader(data[:cut])}} {
			if _, err := h.Chain.Import(t.Context(), r, nil); err == nil || !strings.Contains(err.Error(), "byte") {
				t.Errorf("cut at %d: %v", cut, err)
			}
		}
	}
}

// TestImportErrorNumber: an error counts the blocks of its own source, the one
// in which a frame does not begin well included.
func TestImportErrorNumber(t *testing.T) {
	h := chaintest.New(t, chaintest.Options{})
	first := h.Make(h.Chain.Best().Hash)
	second := h.Make(first.Hash)
	third := h.Make(second.Hash)
	im := h.Chain.NewImporter(nil)
	if err := im.Read(t.Context(), chain.ImportSource{Name: "one", R: bytes.NewReader(framed(t, h.Maker, first, second))}); err != nil {
		t.Fatal(err)
	}
	data := append(framed(t, h.Maker, third), "rubbish, no frame"...)
	err := im.Read(t.Context(), chain.ImportSource{Name: "two", R: bytes.NewReader(data)})
	if err == nil || !strings.HasPrefix(err.Error(), "block 2, before byte ") {
		t.Errorf("%v, want one about block 2", err)
	}
}
