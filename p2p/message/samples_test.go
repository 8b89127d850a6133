package message

import (
	"bytes"
	"net/netip"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/params"
)

// testLimits are those of a chain with blocks of 4,000,000 weight units.
func testLimits() *Limits {
	return NewLimits(params.Limits{
		BlockWeight: 4_000_000, BlockSigOpCost: 80_000, MaxMoney: 21e14,
		TxWeight: 4_000_000, BlockTxs: 16_666, BlockSerialized: 4_000_000,
	})
}

// filled returns 32 bytes of the same value.
func filled(v byte) (h chainhash.Hash) {
	for i := range h {
		h[i] = v
	}
	return h
}

func sampleHeader() wire.BlockHeader {
	return wire.BlockHeader{
		Version: 0x20000000, PrevBlock: filled(1), MerkleRoot: filled(2),
		Timestamp: time.Unix(1_700_000_000, 0), Bits: 0x207fffff, Nonce: 7,
	}
}

// sampleTx spends one output, with a witness of the given items or none.
func sampleTx(witness ...[]byte) *wire.MsgTx {
	return &wire.MsgTx{
		Version: 2,
		TxIn: []*wire.TxIn{{
			PreviousOutPoint: wire.OutPoint{Hash: filled(3), Index: 1},
			SignatureScript:  []byte{}, Sequence: 0xfffffffd, Witness: witness,
		}},
		TxOut:    []*wire.TxOut{{Value: 5_000, PkScript: []byte{0x51}}},
		LockTime: 9,
	}
}

func serialized(tx *wire.MsgTx) []byte {
	var b bytes.Buffer
	if err := tx.Serialize(&b); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func sampleHello() *Hello {
	h := &Hello{
		Version: 1, Pinned: true, GenesisHash: filled(0x11), RulesHash: filled(0x22), Key: filled(0x33),
		Features: FeatureChain | FeatureTxRelay, Time: 1_700_000_000, Height: 123_456, ListenPort: 8430,
		Addresses: []NetAddr{
			NewNetAddr(netip.MustParseAddrPort("192.0.2.1:8430")),
			NewNetAddr(netip.MustParseAddrPort("[2001:db8::1]:8431")),
			{Network: NetworkName, Address: "node.example", Port: 8432},
		},
		UserAgent:  "charterd/1.0",
		Extensions: []Extension{{Type: 1}, {Type: 500, Value: []byte("later")}},
	}
	for i := range h.Signature {
		h.Signature[i] = byte(i)
	}
	return h
}

// samples has at least one message of every type, by name.
func samples() map[string]Message {
	witness := sampleTx([]byte{1, 2, 3}, nil)
	var block bytes.Buffer
	if err := (&wire.MsgBlock{Header: sampleHeader(), Transactions: []*wire.MsgTx{sampleTx(), witness}}).Serialize(&block); err != nil {
		panic(err)
	}
	return map[string]Message{
		"hello":            sampleHello(),
		"hello-least":      &Hello{Version: 1},
		"disconnect":       &Disconnect{Code: CodeWrongRules, Reason: "rules hash is 00, yours 01"},
		"disconnect-empty": &Disconnect{},
		"ping":             &Ping{Nonce: 0x0102030405060708},
		"pong":             &Pong{Nonce: 0x0102030405060708},
		"getpeers":         &GetPeers{},
		"peers": &Peers{Peers: []PeerAddr{
			{Addr: NewNetAddr(netip.MustParseAddrPort("198.51.100.7:1")), Key: filled(4), Features: FeatureChain, LastSeen: 1_700_000_001},
			{Addr: NetAddr{Network: 200, Address: "\x00\xff", Port: 2}},
		}},
		"peers-empty":   &Peers{},
		"getheaders":    &GetHeaders{Locator: []chainhash.Hash{filled(5), filled(6)}, Stop: filled(7)},
		"headers":       &Headers{More: true, Entries: []HeaderEntry{{Header: sampleHeader()}}},
		"headers-proof": &Headers{Entries: []HeaderEntry{{Header: sampleHeader(), Proof: &SealProof{Coinbase: serialized(sampleTx()), Branch: []chainhash.Hash{filled(8)}}}}},
		"headers-empty": &Headers{},
		"inv":           &Inv{Items: []InvItem{{InvWTx, filled(9)}, {InvBlock, filled(10)}}},
		"getdata":       &GetData{Items: []InvItem{{InvTx, filled(9)}, {InvCompactBlock, filled(10)}}},
		"notfound":      &NotFound{Items: []InvItem{{InvBlock, filled(9)}}},
		"tx":            &Tx{Raw: serialized(sampleTx())},
		"tx-witness":    &Tx{Raw: serialized(witness)},
		"block":         &Block{Raw: block.Bytes()},
		"hintedblock":   &HintedBlock{Block: Block{Raw: block.Bytes()}, Hints: []byte{1}},
		"getdata-hints": &GetData{Items: []InvItem{{InvHintedBlock, filled(11)}}},
		"compactblock": &CompactBlock{Header: sampleHeader(), Nonce: 77, ShortIDs: []ShortID{1, 1<<48 - 1, 0x060504030201},
			Prefilled: []PrefilledTx{{0, sampleTx()}, {3, witness}}},
		"getblocktxns":  &GetBlockTxns{Block: filled(12), Indexes: []uint32{0, 1, 5, 300}},
		"blocktxns":     &BlockTxns{Block: filled(12), Txs: []*wire.MsgTx{sampleTx(), witness}},
		"getfilters":    &GetFilters{Start: 100, Stop: filled(13)},
		"filters":       &Filters{Start: 100, Previous: filled(14), Entries: []FilterEntry{{filled(15), []byte{1, 2}}, {filled(16), nil}}},
		"filters-empty": &Filters{},
		"getchainfile":  &GetChainFile{GenesisHash: filled(17)},
		"presence": &Presence{Entries: []PresenceEntry{
			{Key: filled(18), Number: 1_700_000_000_000, Height: 123_456, Signature: [64]byte{1, 2}},
			{Key: filled(19), Signature: [64]byte{63: 3}},
		}},
		"chainfile": &ChainFile{Signature: [64]byte{1, 2}, File: []byte("format = 1\n")},
	}
}
