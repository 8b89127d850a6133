package message

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var update = flag.Bool("update", false, "write testdata/golden.txt anew")

// diff compares messages; whether an absent script is nil is not ours.
func diff(a, b Message) string { return cmp.Diff(a, b, cmpopts.EquateEmpty()) }

func TestRoundTrip(t *testing.T) {
	l := testLimits()
	seen := make(map[Type]bool)
	for name, m := range samples() {
		seen[m.Type()] = true
		t.Run(name, func(t *testing.T) {
			payload, err := Encode(m)
			if err != nil {
				t.Fatalf("Encode: %v", err)
			}
			back, err := Decode(m.Type(), bytes.Clone(payload), l)
			if err != nil {
				t.Fatalf("Decode: %v", err)
			}
			if d := diff(m, back); d != "" {
				t.Errorf("decoded message differs:\n%s", d)
			}
			again, err := Encode(back)
			if err != nil || !bytes.Equal(payload, again) {
				t.Errorf("second encoding = %x, %v, want %x", again, err, payload)
			}
			if _, err := Decode(m.Type(), append(bytes.Clone(payload), 0), l); err == nil && m.Type() != TypeChainFile {
				t.Error("a trailing byte was accepted")
			}
			for cut := range payload {
				if _, err := Decode(m.Type(), bytes.Clone(payload[:cut]), l); err == nil && !(m.Type() == TypeChainFile && cut > 64) {
					t.Errorf("cut to %d of %d bytes: accepted", cut, len(payload))
				}
			}
		})
	}
	for _, typ := range Types() {
		if !seen[typ] {
			t.Errorf("no sample of type %s", typ)
		}
	}
}

// TestGolden fixes the bytes of every message: other nodes rely on them.
func TestGolden(t *testing.T) {
	path := filepath.Join("testdata", "golden.txt")
	var got strings.Builder
	all := samples()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		payload, err := Encode(all[name])
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		fmt.Fprintf(&got, "%s %d %s\n", name, all[name].Type(), hex.EncodeToString(payload))
	}
	if *update {
		if err := os.WriteFile(path, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got.String()); d != "" {
		t.Errorf("encodings changed (-want +got):\n%s", d)
	}
}

// repeat returns n copies of v.
func repeat[T any](v T, n int) []T {
	s := make([]T, n)
	for i := range s {
		s[i] = v
	}
	return s
}

func TestBounds(t *testing.T) {
	addr := NetAddr{Network: NetworkName, Address: strings.Repeat("a", MaxHostName), Port: 1}
	entry := HeaderEntry{Header: sampleHeader()}
	extension := func(n int) (xs []Extension) {
		for i := range n {
			xs = append(xs, Extension{Type: uint16(i)})
		}
		return xs
	}
	tests := []struct {
		name     string
		in, over Message
	}{
		{"reason", &Disconnect{Reason: strings.Repeat("x", MaxReason)}, &Disconnect{Reason: strings.Repeat("x", MaxReason+1)}},
		{"reason text", &Disconnect{Reason: " ~"}, &Disconnect{Reason: "\n"}},
		{"peers", &Peers{repeat(PeerAddr{Addr: addr}, MaxPeers)}, &Peers{repeat(PeerAddr{Addr: addr}, MaxPeers+1)}},
		{"locator", &GetHeaders{Locator: repeat(filled(1), MaxLocator)}, &GetHeaders{Locator: repeat(filled(1), MaxLocator+1)}},
		{"headers", &Headers{Entries: repeat(entry, MaxHeaders)}, &Headers{Entries: repeat(entry, MaxHeaders+1)}},
		{"inventory", &Inv{repeat(InvItem{InvTx, filled(1)}, MaxInventory)}, &Inv{repeat(InvItem{InvTx, filled(1)}, MaxInventory+1)}},
		{"kind", &Inv{[]InvItem{{lastInv, filled(1)}}}, &Inv{[]InvItem{{lastInv + 1, filled(1)}}}},
		{"kind 0", &Inv{[]InvItem{{InvTx, filled(1)}}}, &Inv{[]InvItem{{0, filled(1)}}}},
		{"hello addresses", &Hello{Version: 1, Addresses: repeat(NetAddr{1, "abcd", 1}, MaxHelloAddresses)},
			&Hello{Version: 1, Addresses: repeat(NetAddr{1, "abcd", 1}, MaxHelloAddresses+1)}},
		{"user agent", &Hello{Version: 1, UserAgent: strings.Repeat("u", MaxUserAgent)}, &Hello{Version: 1, UserAgent: strings.Repeat("u", MaxUserAgent+1)}},
		{"extensions", &Hello{Version: 1, Extensions: extension(MaxExtensions)}, &Hello{Version: 1, Extensions: extension(MaxExtensions + 1)}},
		{"extension order", &Hello{Version: 1, Extensions: []Extension{{Type: 1}, {Type: 2}}}, &Hello{Version: 1, Extensions: []Extension{{Type: 1}, {Type: 1}}}},
		{"hello size", &Hello{Version: 1, Extensions: []Extension{{Type: 1, Value: make([]byte, MaxHello-helloLeast-5)}}},
			&Hello{Version: 1, Extensions: []Extension{{Type: 1, Value: make([]byte, MaxHello-helloLeast-4)}}}},
		{"hello version", &Hello{Version: math.MaxUint16}, &Hello{}},
		{"port", &Peers{[]PeerAddr{{Addr: NetAddr{NetworkIPv4, "abcd", 1}}}}, &Peers{[]PeerAddr{{Addr: NetAddr{NetworkIPv4, "abcd", 0}}}}},
		{"ipv4 length", &Peers{[]PeerAddr{{Addr: NetAddr{NetworkIPv4, "abcd", 1}}}}, &Peers{[]PeerAddr{{Addr: NetAddr{NetworkIPv4, "abcde", 1}}}}},
		{"mapped ipv6", &Peers{[]PeerAddr{{Addr: NetAddr{NetworkIPv6, "\xfe\x80" + strings.Repeat("\x00", 14), 1}}}},
			&Peers{[]PeerAddr{{Addr: NetAddr{NetworkIPv6, strings.Repeat("\x00", 10) + "\xff\xffabcd", 1}}}}},
		{"name", &Peers{[]PeerAddr{{Addr: NetAddr{NetworkName, "a-1.b", 1}}}}, &Peers{[]PeerAddr{{Addr: NetAddr{NetworkName, "A", 1}}}}},
		{"name is ip", &Peers{[]PeerAddr{{Addr: NetAddr{NetworkName, "1.2.3", 1}}}}, &Peers{[]PeerAddr{{Addr: NetAddr{NetworkName, "1.2.3.4", 1}}}}},
		{"network 0", &Peers{[]PeerAddr{{Addr: NetAddr{255, "x", 1}}}}, &Peers{[]PeerAddr{{Addr: NetAddr{0, "x", 1}}}}},
		{"short id", &CompactBlock{ShortIDs: []ShortID{1<<48 - 1}}, &CompactBlock{ShortIDs: []ShortID{1 << 48}}},
		{"compact without txs", &CompactBlock{Prefilled: []PrefilledTx{{0, sampleTx()}}}, &CompactBlock{}},
		{"prefilled index", &CompactBlock{ShortIDs: []ShortID{1}, Prefilled: []PrefilledTx{{1, sampleTx()}}},
			&CompactBlock{ShortIDs: []ShortID{1}, Prefilled: []PrefilledTx{{2, sampleTx()}}}},
		{"prefilled order", &CompactBlock{Prefilled: []PrefilledTx{{0, sampleTx()}, {1, sampleTx()}}},
			&CompactBlock{Prefilled: []PrefilledTx{{1, sampleTx()}, {0, sampleTx()}}}},
		{"indexes", &GetBlockTxns{Indexes: []uint32{0}}, &GetBlockTxns{}},
		{"blocktxns", &BlockTxns{Txs: []*wire.MsgTx{sampleTx()}}, &BlockTxns{}},
		{"filters", &Filters{Entries: repeat(FilterEntry{}, MaxFilters)}, &Filters{Entries: repeat(FilterEntry{}, MaxFilters+1)}},
		{"chain file", &ChainFile{File: make([]byte, MaxChainFile)}, &ChainFile{File: make([]byte, MaxChainFile+1)}},
		{"chain file empty", &ChainFile{File: []byte{0}}, &ChainFile{}},
		{"presences", &Presence{ascending(MaxPresences)}, &Presence{ascending(MaxPresences + 1)}},
		{"presence order", &Presence{ascending(2)}, &Presence{repeat(PresenceEntry{}, 2)}},
		{"no presence", &Presence{ascending(1)}, &Presence{}},
		{"tx missing", &Tx{Raw: serialized(sampleTx())}, &Tx{}},
		{"hints missing", hinted(9, 0, 0), hinted(9)},
		{"hints short", hinted(9, 0xff, 1), hinted(9, 0xff)},
		{"hints long", hinted(8, 0xff), hinted(8, 0xff, 0)},
		{"hint behind the last input", hinted(3, 7), hinted(3, 8)},
		{"hints of no input", hinted(0), hinted(0, 0)},
		{"hinted block missing", hinted(0), &HintedBlock{}},
		{"block missing", &Block{Block: &wire.MsgBlock{}}, &Block{}},
	}
	l := testLimits()
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			payload, err := Encode(tc.in)
			if err != nil {
				t.Fatalf("inside the bound: %v", err)
			}
			if _, err := Decode(tc.in.Type(), payload, l); err != nil {
				t.Errorf("inside the bound: %v", err)
			}
			_, err = Encode(tc.over)
			var ee *EncodeError
			if !errors.As(err, &ee) {
				t.Errorf("outside the bound: error %v, want *EncodeError", err)
			}
			// What Encode refuses, Decode must refuse as well. The writer
			// goes on after a fault, so its bytes are what a liar would send.
			w := writer{t: tc.over.Type()}
			tc.over.encode(&w)
			if tc.name == "short id" {
				return // on the wire it has no 49th bit
			}
			if _, err := Decode(tc.over.Type(), w.b, l); err == nil && len(w.b) > 0 {
				t.Error("outside the bound: Decode accepted it")
			}
		})
	}
}

// hinted returns a block with that many inputs after the coinbase's.
func hinted(inputs int, hints ...byte) *HintedBlock {
	b := &wire.MsgBlock{Header: sampleHeader(), Transactions: []*wire.MsgTx{sampleTx()}}
	for range inputs / 3 {
		b.Transactions = append(b.Transactions, withInputs(3))
	}
	if rest := inputs % 3; rest > 0 {
		b.Transactions = append(b.Transactions, withInputs(rest))
	}
	return &HintedBlock{Block: Block{Block: b}, Hints: hints}
}

func withInputs(n int) *wire.MsgTx {
	tx := sampleTx()
	tx.TxIn = repeat(tx.TxIn[0], n)
	return tx
}

// ascending returns n entries of Presence in the order of their keys.
func ascending(n int) []PresenceEntry {
	out := make([]PresenceEntry, n)
	for i := range out {
		out[i].Key[0], out[i].Key[1] = byte(i>>8), byte(i)
	}
	return out
}

// TestPresenceDigest: what a node signs covers every field and the chain.
func TestPresenceDigest(t *testing.T) {
	e := PresenceEntry{Key: filled(1), Number: 2, Height: 3}
	digest := e.Digest(filled(4))
	const want = "9c68b24050ebc28610c28af313f3168f6f32235c14e7eca9df4d05ec285056cc"
	if got := hex.EncodeToString(digest[:]); got != want {
		t.Errorf("digest %s, want %s", got, want)
	}
	for _, other := range []PresenceEntry{{filled(2), 2, 3, e.Signature}, {e.Key, 3, 3, e.Signature}, {e.Key, 2, 4, e.Signature}} {
		if other.Digest(filled(4)) == digest {
			t.Errorf("%+v has the same digest", other)
		}
	}
	if e.Digest(filled(5)) == digest {
		t.Error("the digest is the same on another chain")
	}
}

// helloLeast is the payload of a Hello without addresses, agent and extensions.
const helloLeast = 2 + 1 + 3*32 + 8 + 8 + 4 + 2 + 3 + 64

func TestDecodeRefuses(t *testing.T) {
	header := strings.Repeat("00", 80)
	hash := strings.Repeat("00", 32)
	coinbase := hex.EncodeToString(serialized(sampleTx([]byte{1})))
	tests := []struct {
		name  string
		t     Type
		hex   string
		field string
	}{
		{"unknown type", 0, "", "type"},
		{"type past the last", 127, "", "type"},
		{"flag of 2", TypeHeaders, "0200", "more"},
		{"long varint", TypeInv, "fd0000", "items"},
		{"announces more than is there", TypeInv, "fde803" + "01" + hash, "items"},
		{"announces 2^64-1", TypeInv, "ffffffffffffffffff", "items"},
		{"short ids announced", TypeCompactBlock, header + strings.Repeat("00", 8) + "fd1027", "short ids"},
		{"seal proof with witness", TypeHeaders, "0001" + header + "01" + fmt.Sprintf("%02x", len(coinbase)/2) + coinbase + "00", "coinbase"},
		{"seal proof without coinbase", TypeHeaders, "0001" + header + "010000", "coinbase"},
		{"index overflow", TypeGetBlockTxns, hash + "02" + "00" + "ffffffffffffffffff", "indexes"},
		{"ten million inputs", TypeTx, "02000000" + "fe80969800" + strings.Repeat("00", 100), "tx"},
		{"block of 2^32 transactions", TypeBlock, header + "ff0000000001000000", "block"},
	}
	l := testLimits()
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			payload, err := hex.DecodeString(tc.hex)
			if err != nil {
				t.Fatal(err)
			}
			_, err = Decode(tc.t, payload, l)
			var de *DecodeError
			if !errors.As(err, &de) || de.Field != tc.field {
				t.Errorf("error %v, want *DecodeError of field %q", err, tc.field)
			}
		})
	}
}

func TestLimits(t *testing.T) {
	l := testLimits()
	for _, typ := range Types() {
		most, ok := l.Max(typ)
		if !ok {
			t.Fatalf("%s: no limit", typ)
		}
		if err := l.CheckSize(typ, most); err != nil {
			t.Errorf("%s: largest payload refused: %v", typ, err)
		}
		if err := l.CheckSize(typ, most+1); err == nil {
			t.Errorf("%s: payload above the largest accepted", typ)
		}
	}
	if _, ok := l.Max(0); ok {
		t.Error("type 0 has a limit")
	}
	if got, want := l.Largest(), l.max[TypeHeaders]; got != want {
		t.Errorf("Largest = %d, want %d", got, want)
	}
}

// TestRoom: memory is asked for before transactions are decoded, and a
// refusal comes back as it is.
func TestRoom(t *testing.T) {
	errNone := errors.New("none")
	items := repeat([]byte{}, 10_000) // 1 byte each on the wire, 24 in memory
	tx := sampleTx(items...)
	for _, m := range []Message{
		&Tx{Tx: tx},
		&Block{Block: &wire.MsgBlock{Transactions: []*wire.MsgTx{tx}}},
		&HintedBlock{Block: Block{Block: &wire.MsgBlock{Transactions: []*wire.MsgTx{tx}}}},
		&BlockTxns{Txs: []*wire.MsgTx{tx}},
		&CompactBlock{Prefilled: []PrefilledTx{{0, tx}}},
	} {
		t.Run(m.Type().String(), func(t *testing.T) {
			payload, err := Encode(m)
			if err != nil {
				t.Fatal(err)
			}
			_, err = DecodeWithin(m.Type(), bytes.Clone(payload), testLimits(), func(int64) error { return errNone })
			if err != errNone {
				t.Errorf("error %v, want the one of room", err)
			}
			var asked int64
			_, err = DecodeWithin(m.Type(), payload, testLimits(), func(n int64) error { asked += n; return nil })
			if err != nil || asked < 240_000 {
				t.Errorf("asked for %d bytes, %v; want at least 240,000", asked, err)
			}
		})
	}
}

// TestSipHash: the vector of the reference implementation for the 32-byte
// message 00 01 … 1f and the key 00 01 … 0f.
func TestSipHash(t *testing.T) {
	var m [32]byte
	for i := range m {
		m[i] = byte(i)
	}
	if got := sipHash(0x0706050403020100, 0x0f0e0d0c0b0a0908, &m); got != 0x7127512f72f27cce {
		t.Errorf("sipHash = %#x", got)
	}
}

func TestShortID(t *testing.T) {
	h := sampleHeader()
	wtxid := filled(3)
	a, b := NewShortIDKey(&h, 1), NewShortIDKey(&h, 2)
	if a == b {
		t.Error("the key does not depend on the nonce")
	}
	// Computed apart from this code, from the text of BIP152.
	if id := a.ID(&wtxid); id != 0x41ae3a7d275c {
		t.Errorf("short id %#x", uint64(id))
	}
}

func TestMerkleRoot(t *testing.T) {
	coinbase, other := sampleTx(), sampleTx()
	other.LockTime++
	leaf := other.TxHash()
	proof := SealProof{Coinbase: serialized(coinbase), Branch: append(leafBranch(), leaf)}
	left := coinbase.TxHash()
	want := doubleHash(left[:], leaf[:])
	if got := proof.MerkleRoot(); got != want {
		t.Errorf("MerkleRoot = %s, want %s", got, want)
	}
	if e := (&HeaderEntry{Proof: &proof}); e.EncodedSize() != 81+1+len(proof.Coinbase)+1+32 {
		t.Errorf("EncodedSize = %d", e.EncodedSize())
	}
}

func TestParseNetAddr(t *testing.T) {
	for _, s := range []string{"192.0.2.1:8430", "[2001:db8::1]:1", "node.example:65535"} {
		a, err := ParseNetAddr(s)
		if err != nil {
			t.Errorf("%s: %v", s, err)
		}
		if got := a.String(); got != s {
			t.Errorf("%s became %s", s, got)
		}
	}
	for _, s := range []string{"", "host", "host:0", "host:65536", "Host:1", ":1", "192.0.2.1"} {
		if a, err := ParseNetAddr(s); err == nil {
			t.Errorf("%q was accepted as %s", s, a)
		}
	}
}

// TestRawIsOwn: what Decode leaves encoded is no part of the payload, whose
// memory the link uses again.
func TestRawIsOwn(t *testing.T) {
	for name, m := range samples() {
		switch m.(type) {
		case *Tx, *Block, *HintedBlock:
		default:
			continue
		}
		payload, err := Encode(m)
		if err != nil {
			t.Fatal(err)
		}
		payload = bytes.Clone(payload)
		got, err := Decode(m.Type(), payload, testLimits())
		if err != nil {
			t.Fatal(err)
		}
		clear(payload)
		if diff := cmp.Diff(m, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}
