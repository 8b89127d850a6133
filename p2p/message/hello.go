package message

import (
	"crypto/sha256"
)

// Version is the version of the protocol that this package speaks. Within
// ALPN charter/1 a higher version only adds; both sides use what both know.
const Version uint16 = 1

// Hello opens a session: who speaks, on which chain, bound to the TLS
// session by a signature (p2p/transport).
//
//	| field        | type   | bytes |
//	| version      | u16    | 2     | 1 or more
//	| pinned       | u8     | 1     | 1: the signature names the key expected of the receiver
//	| genesis hash | hash   | 32    |
//	| rules hash   | bytes  | 32    |
//	| key          | x-only | 32    | of the sender
//	| features     | u64    | 8     |
//	| time         | u64    | 8     | unix seconds, clock of the sender
//	| height       | u32    | 4     | of the sender's best block
//	| listen port  | u16    | 2     | 0: takes no connections
//	| addresses    | varint count (at most 4), NetAddr | | where others may dial the sender
//	| user agent   | varint length (at most 64), printable ASCII | |
//	| extensions   | varint count (at most 16), Extension | | types strictly ascending
//	| signature    | BIP340 | 64    |
type Hello struct {
	Version     uint16
	Pinned      bool
	GenesisHash [32]byte
	RulesHash   [32]byte
	Key         [32]byte
	Features    Features
	Time        uint64
	Height      uint32
	ListenPort  uint16
	Addresses   []NetAddr
	UserAgent   string
	Extensions  []Extension
	Signature   [64]byte
}

// Extension is a field of Hello that a later version or a feature bit
// introduces. A node ignores types that it does not know; they are signed
// like the rest.
//
//	| field | type | bytes |
//	| type  | u16  | 2     |
//	| value | varint length, bytes | |
type Extension struct {
	Type  uint16
	Value []byte
}

// Type returns TypeHello.
func (*Hello) Type() Type { return TypeHello }

func (m *Hello) encode(w *writer) {
	m.encodeUnsigned(w)
	w.bytes(m.Signature[:])
	if len(w.b) > MaxHello {
		w.fail("size", "%d bytes, at most %d", len(w.b), MaxHello)
	}
}

func (m *Hello) encodeUnsigned(w *writer) {
	if m.Version == 0 {
		w.fail("version", "is 0")
	}
	w.u16(m.Version)
	w.flag(m.Pinned)
	w.hash(m.GenesisHash)
	w.hash(m.RulesHash)
	w.hash(m.Key)
	w.u64(uint64(m.Features))
	w.u64(m.Time)
	w.u32(m.Height)
	w.u16(m.ListenPort)
	w.count("addresses", len(m.Addresses), MaxHelloAddresses)
	for _, a := range m.Addresses {
		a.encode(w)
	}
	w.text("user agent", m.UserAgent, MaxUserAgent)
	w.count("extensions", len(m.Extensions), MaxExtensions)
	for i, x := range m.Extensions {
		if i > 0 && x.Type <= m.Extensions[i-1].Type {
			w.fail("extensions", "type %d is not above %d", x.Type, m.Extensions[i-1].Type)
		}
		w.u16(x.Type)
		w.blob("extension", x.Value, MaxHello)
	}
}

func decodeHello(r *reader) Message {
	m := &Hello{
		Version:     r.u16("version"),
		Pinned:      r.flag("pinned"),
		GenesisHash: r.hash("genesis hash"),
		RulesHash:   r.hash("rules hash"),
		Key:         r.hash("key"),
		Features:    Features(r.u64("features")),
		Time:        r.u64("time"),
		Height:      r.u32("height"),
		ListenPort:  r.u16("listen port"),
	}
	if m.Version == 0 {
		r.fail("version", "is 0")
	}
	for range r.count("addresses", MaxHelloAddresses, minNetAddr) {
		m.Addresses = append(m.Addresses, decodeNetAddr(r))
	}
	m.UserAgent = r.text("user agent", MaxUserAgent)
	for i := range r.count("extensions", MaxExtensions, 3) {
		x := Extension{Type: r.u16("extension type"), Value: r.blob("extension", MaxHello)}
		if i > 0 && x.Type <= m.Extensions[i-1].Type {
			r.fail("extensions", "type %d is not above %d", x.Type, m.Extensions[i-1].Type)
			break
		}
		m.Extensions = append(m.Extensions, x)
	}
	copy(m.Signature[:], r.take("signature", len(m.Signature)))
	return m
}

// Digest returns the SHA-256 of the payload without the signature: what
// the signature calls "the rest of this Hello".
func (m *Hello) Digest() ([32]byte, error) {
	w := writer{t: TypeHello}
	m.encodeUnsigned(&w)
	return sha256.Sum256(w.b), w.err
}

// Hash returns the SHA-256 of the whole payload, signature included. The
// listener's signature covers the Hash of the dialler's Hello.
func (m *Hello) Hash() ([32]byte, error) {
	p, err := Encode(m)
	return sha256.Sum256(p), err
}
