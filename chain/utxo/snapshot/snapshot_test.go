package snapshot

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/utxo"
)

// content is what a snapshot holds.
type content struct {
	Base     Base
	Headers  []wire.BlockHeader
	Points   []wire.OutPoint
	Coins    []consensus.Coin
	Sections []Section
	Digest   [32]byte
}

var testIdentity = Identity{Genesis: [32]byte{1}, Rules: [32]byte{2}}

// sample is a small snapshot with every kind of section.
func sample() content {
	c := content{Digest: [32]byte{9, 9}}
	prev := chainhash.Hash(testIdentity.Genesis)
	for i := range 3 {
		h := wire.BlockHeader{Version: 4, PrevBlock: prev, Timestamp: time.Unix(1_700_000_000+int64(i), 0), Bits: 0x207fffff, Nonce: uint32(i)}
		prev = h.BlockHash()
		c.Headers = append(c.Headers, h)
	}
	c.Base = Base{Hash: prev, Height: 3, ChainTxs: 7}
	for i, index := range []uint32{0, 1, 300, 70_000} {
		c.Points = append(c.Points, wire.OutPoint{Hash: chainhash.Hash{byte(i / 2)}, Index: index})
		c.Coins = append(c.Coins, consensus.Coin{Amount: int64(i) * 1_000_000, Script: bytes.Repeat([]byte{0x51}, i), Height: int32(i), Coinbase: i%2 == 0})
	}
	c.Sections = []Section{{TypePermissions, []byte("who may do what")}, EncodeSealers([][20]byte{{1}, {2}})}
	return c
}

func (c *content) encode(t testing.TB) []byte {
	t.Helper()
	var out bytes.Buffer
	w := NewWriter(&out, testIdentity)
	w.Base(c.Base)
	for i := range c.Headers {
		w.Header(&c.Headers[i])
	}
	for i := range c.Coins {
		w.Coin(&c.Points[i], &c.Coins[i])
	}
	for _, s := range c.Sections {
		w.Section(s)
	}
	n, err := w.Finish(c.Digest)
	if err != nil || n != int64(out.Len()) {
		t.Fatalf("%d bytes of %d, %v", n, out.Len(), err)
	}
	return out.Bytes()
}

func decode(r io.Reader) (c content, err error) {
	end, err := Read(r, testIdentity, Handler{
		Base:   func(b Base) error { c.Base = b; return nil },
		Header: func(_ int32, h *wire.BlockHeader) error { c.Headers = append(c.Headers, *h); return nil },
		Coin: func(op wire.OutPoint, coin consensus.Coin) error {
			c.Points, c.Coins = append(c.Points, op), append(c.Coins, coin)
			return nil
		},
		Section: func(s Section) error {
			c.Sections = append(c.Sections, Section{s.Type, bytes.Clone(s.Data)})
			return nil
		},
	})
	c.Digest = end.Digest
	return c, err
}

// TestGolden: the bytes of the format never change.
func TestGolden(t *testing.T) {
	want := sample()
	raw := want.encode(t)
	path := filepath.Join("testdata", "sample.hex")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	golden, err := hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(raw, golden) {
		t.Errorf("the encoding has changed; it is now\n%x", raw)
	}
	got, err := decode(iotest.OneByteReader(bytes.NewReader(golden)))
	if err != nil {
		t.Fatal(err)
	}
	for i := range got.Headers { // times are compared as instants
		got.Headers[i].Timestamp = got.Headers[i].Timestamp.In(want.Headers[i].Timestamp.Location())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	sealers, err := DecodeSealers(got.Sections[1])
	if err != nil || len(sealers) != 2 || sealers[1] != [20]byte{2} {
		t.Errorf("sealers %v, %v", sealers, err)
	}
}

// TestDigest: a chain without permissions leaves their parts out.
func TestDigest(t *testing.T) {
	seen := map[[32]byte]string{}
	for name, d := range map[string][32]byte{
		"plain":         Digest(chainhash.Hash{1}, 5, [32]byte{2}, nil, nil),
		"other block":   Digest(chainhash.Hash{2}, 5, [32]byte{2}, nil, nil),
		"other height":  Digest(chainhash.Hash{1}, 6, [32]byte{2}, nil, nil),
		"other coins":   Digest(chainhash.Hash{1}, 5, [32]byte{3}, nil, nil),
		"empty state":   Digest(chainhash.Hash{1}, 5, [32]byte{2}, []byte{}, nil),
		"other state":   Digest(chainhash.Hash{1}, 5, [32]byte{2}, []byte{0}, nil),
		"sealer":        Digest(chainhash.Hash{1}, 5, [32]byte{2}, []byte{0}, [][20]byte{{1}}),
		"other sealers": Digest(chainhash.Hash{1}, 5, [32]byte{2}, []byte{0}, [][20]byte{{1}, {1}}),
	} {
		if before, ok := seen[d]; ok {
			t.Errorf("%s and %s have the same digest", name, before)
		}
		seen[d] = name
	}
	// SHA-256 of the 68 bytes 01, 31 zeros, 05 00 00 00, 02, 31 zeros.
	const want = "f5a760c02870ae2787c6f4e81a4e3839b5b2d46dbcb1f0dce4d606bfbfb038a0"
	plain := Digest(chainhash.Hash{1}, 5, [32]byte{2}, nil, nil)
	if got := hex.EncodeToString(plain[:]); got != want {
		t.Errorf("digest %s, want %s", got, want)
	}
}

// TestEveryByte: a file that is cut off, longer, or has one flipped bit, is
// refused with the place; nothing else goes wrong.
func TestEveryByte(t *testing.T) {
	c := sample()
	raw := c.encode(t)
	refused := func(what string, at int, b []byte) {
		t.Helper()
		var bad *FormatError
		if _, err := decode(bytes.NewReader(b)); !errors.As(err, &bad) {
			t.Fatalf("%s at byte %d: %v", what, at, err)
		} else if bad.Offset > int64(len(b)) {
			t.Fatalf("%s at byte %d is reported at byte %d of %d", what, at, bad.Offset, len(b))
		}
	}
	for i := range raw {
		refused("cut off", i, raw[:i])
		for bit := range 8 {
			b := bytes.Clone(raw)
			b[i] ^= 1 << bit
			refused("flipped bit", i, b)
		}
	}
	refused("longer", len(raw), append(bytes.Clone(raw), 0))
}

// build writes a file of raw sections with good checksums.
func build(id Identity, sections ...Section) []byte {
	var out bytes.Buffer
	NewWriter(&out, id)
	for _, s := range sections {
		b := binary.LittleEndian.AppendUint64([]byte{byte(s.Type)}, uint64(len(s.Data)))
		b = append(b, s.Data...)
		out.Write(binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli)))
	}
	return out.Bytes()
}

func coins(count uint32, entries ...[]byte) Section {
	return Section{TypeCoins, append(binary.LittleEndian.AppendUint32(nil, count), bytes.Join(entries, nil)...)}
}

func entry(txid byte, index uint32, coin consensus.Coin) []byte {
	return utxo.AppendEntry(nil, &wire.OutPoint{Hash: chainhash.Hash{txid}, Index: index}, &coin)
}

// TestWellFormedButWrong: checksums fit, the content does not.
func TestWellFormedButWrong(t *testing.T) {
	c := sample()
	var header bytes.Buffer
	c.Headers[0].Serialize(&header)
	one := c.Headers[0].BlockHash()
	base := func(height uint32, txs uint64) Section {
		b := binary.LittleEndian.AppendUint32(one[:len(one):len(one)], height)
		return Section{TypeBase, binary.LittleEndian.AppendUint64(b, txs)}
	}
	end := func(headers, coins uint64) Section {
		b := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, headers), coins)
		return Section{TypeEnd, append(b, make([]byte, 32)...)}
	}
	good, h := base(1, 2), Section{TypeHeaders, header.Bytes()}
	a := entry(1, 0, consensus.Coin{Amount: 1, Height: 1})
	b := entry(1, 1, consensus.Coin{Amount: 1, Height: 1})
	tests := []struct {
		name string
		id   Identity
		file []Section
		want string
	}{
		{name: "good", file: []Section{good, h, coins(2, a, b), end(1, 2)}},
		{name: "no coins", file: []Section{good, h, end(1, 0)}},
		{name: "two sections of coins", file: []Section{good, h, coins(1, a), coins(1, b), end(1, 2)}},
		{name: "another chain", id: Identity{Genesis: [32]byte{7}, Rules: testIdentity.Rules}, file: []Section{good, h, end(1, 0)}, want: "another chain"},
		{name: "other rules", id: Identity{Genesis: testIdentity.Genesis, Rules: [32]byte{7}}, file: []Section{good, h, end(1, 0)}, want: "other rules"},
		{name: "unknown type", file: []Section{good, h, {6, nil}, end(1, 0)}, want: "does not know"},
		{name: "no base", file: []Section{h, end(1, 0)}, want: "not the base"},
		{name: "two bases", file: []Section{good, good, h, end(1, 0)}, want: "base section behind"},
		{name: "coins before headers", file: []Section{good, coins(1, a), h, end(1, 1)}, want: "0 headers"},
		{name: "no headers", file: []Section{good, end(0, 0)}, want: "0 headers"},
		{name: "empty headers", file: []Section{good, {TypeHeaders, nil}, h, end(1, 0)}, want: "headers section of 0 bytes"},
		{name: "too few headers", file: []Section{base(2, 3), h, end(1, 0)}, want: "1 headers"},
		{name: "too many headers", file: []Section{good, h, h, end(2, 0)}, want: "does not follow"},
		{name: "height 0", file: []Section{base(0, 2), end(0, 0)}, want: "height 0"},
		{name: "height above 2^31", file: []Section{base(1<<31, 1<<40), h, end(1, 0)}, want: "height"},
		{name: "fewer transactions than blocks", file: []Section{base(1, 1), h, end(1, 0)}, want: "1 transactions"},
		{name: "short base", file: []Section{{TypeBase, good.Data[:40]}, h, end(1, 0)}, want: "base section of 40"},
		{name: "order of coins", file: []Section{good, h, coins(2, b, a), end(1, 2)}, want: "order is wrong"},
		{name: "the same coin twice", file: []Section{good, h, coins(1, a), coins(1, a), end(1, 2)}, want: "order is wrong"},
		{name: "coin above the base", file: []Section{good, h, coins(1, entry(1, 0, consensus.Coin{Height: 2})), end(1, 1)}, want: "above the base"},
		{name: "unspendable", file: []Section{good, h, coins(1, entry(1, 0, consensus.Coin{Script: []byte{0x6a}})), end(1, 1)}, want: "never be spent"},
		{name: "sum of amounts", file: []Section{good, h, coins(2, entry(1, 0, consensus.Coin{Amount: 1<<63 - 1}), b), end(1, 2)}, want: "2^63"},
		{name: "count too large", file: []Section{good, h, coins(1<<30, a), end(1, 1)}, want: "1073741824 coins"},
		{name: "count too small", file: []Section{good, h, coins(1, a, b), end(1, 1)}, want: "behind the last coin"},
		{name: "count 0", file: []Section{good, h, coins(0), end(1, 0)}, want: "0 coins"},
		{name: "end counts coins", file: []Section{good, h, coins(1, a), end(1, 2)}, want: "counts"},
		{name: "end counts headers", file: []Section{good, h, end(2, 0)}, want: "counts"},
		{name: "odd sealers", file: []Section{good, h, {TypeSealers, make([]byte, 21)}, end(1, 0)}, want: "multiple of 20"},
		{name: "permissions twice", file: []Section{good, h, {TypePermissions, nil}, {TypePermissions, nil}, end(1, 0)}, want: "permissions section behind"},
		{name: "something behind the end", file: []Section{good, h, end(1, 0), end(1, 0)}, want: "behind the end"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			id := tt.id
			if id == (Identity{}) {
				id = testIdentity
			}
			_, err := decode(bytes.NewReader(build(id, tt.file...)))
			var bad *FormatError
			switch {
			case tt.want == "" && err != nil:
				t.Error(err)
			case tt.want != "" && (!errors.As(err, &bad) || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

// TestLengthIsNoPromise: memory follows what arrives, not what is announced.
func TestLengthIsNoPromise(t *testing.T) {
	raw := build(testIdentity)
	raw = binary.LittleEndian.AppendUint64(append(raw, byte(TypeBase)), 1<<60)
	if _, err := decode(bytes.NewReader(raw)); err == nil || !strings.Contains(err.Error(), "at most 44") {
		t.Error(err)
	}
	c := sample()
	var permissions bytes.Buffer
	w := NewWriter(&permissions, testIdentity)
	w.Base(c.Base)
	for i := range c.Headers {
		w.Header(&c.Headers[i])
	}
	w.flush()
	raw = binary.LittleEndian.AppendUint64(append(permissions.Bytes(), byte(TypePermissions)), 64<<20)
	bytesPerRun := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			decode(bytes.NewReader(raw))
		}
	}).AllocedBytesPerOp()
	if bytesPerRun > 1<<20 {
		t.Errorf("%d bytes taken for a section that announces 64 MiB and has none", bytesPerRun)
	}
}

// TestManyCoins goes over the size of a section.
func TestManyCoins(t *testing.T) {
	c := sample()
	c.Points, c.Coins = nil, nil
	for i := range 50_000 {
		var op wire.OutPoint
		binary.BigEndian.PutUint32(op.Hash[:], uint32(i))
		c.Points = append(c.Points, op)
		c.Coins = append(c.Coins, consensus.Coin{Amount: int64(i), Script: bytes.Repeat([]byte{1}, 20), Height: 2})
	}
	raw := c.encode(t)
	got, err := decode(bytes.NewReader(raw))
	if err != nil || len(got.Coins) != 50_000 || got.Coins[49_999].Amount != 49_999 {
		t.Errorf("%d coins, %v", len(got.Coins), err)
	}
}

func FuzzRead(f *testing.F) {
	c := sample()
	f.Add(c.encode(f))
	f.Add(build(testIdentity))
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, raw []byte) {
		// Checksums would keep a fuzzer out: they are made right.
		got, err := decode(bytes.NewReader(mendSums(raw)))
		if err != nil {
			return
		}
		again := got.encode(t)
		back, err := decode(bytes.NewReader(again))
		if err != nil {
			t.Fatalf("what was read cannot be written and read again: %v", err)
		}
		if diff := cmp.Diff(got, back); diff != "" {
			t.Fatal(diff)
		}
	})
}

// mendSums sets the checksums of a file as far as its structure goes.
func mendSums(raw []byte) []byte {
	b := bytes.Clone(raw)
	if len(b) < headSize {
		return b
	}
	sum := func(part []byte) {
		binary.LittleEndian.PutUint32(part[len(part)-crcSize:], crc32.Checksum(part[:len(part)-crcSize], castagnoli))
	}
	sum(b[:headSize])
	for rest := b[headSize:]; len(rest) >= sectionStart+crcSize; {
		n := binary.LittleEndian.Uint64(rest[1:])
		if n > uint64(len(rest)-sectionStart-crcSize) {
			break
		}
		size := sectionStart + int(n) + crcSize
		sum(rest[:size])
		rest = rest[size:]
	}
	return b
}
