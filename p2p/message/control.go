package message

import "fmt"

// Code says why a link ends. Codes of 128 and above are free for private
// use; a node treats a code that it does not know like CodeUnspecified.
type Code uint16

// The disconnect codes. Numbers are never used again for something else.
const (
	CodeUnspecified  Code = 0
	CodeShutdown     Code = 1  // the node stops, or its operator ended the link
	CodeProtocol     Code = 2  // a frame or message breaks the protocol
	CodeVersion      Code = 3  // version or a required feature is not supported
	CodeWrongGenesis Code = 4  // another chain
	CodeWrongRules   Code = 5  // same genesis block, other rules
	CodeNotPermitted Code = 6  // the identity may not connect
	CodeBadIdentity  Code = 7  // signature wrong, or not the expected peer
	CodeSelf         Code = 8  // both ends have the same identity
	CodeDuplicate    Code = 9  // another session of the same two identities is kept
	CodeFull         Code = 10 // no slot is free
	CodeTimeout      Code = 11 // too slow, or silent for too long
	CodeResources    Code = 12 // out of the memory kept for peers
	CodeInvalidData  Code = 13 // sent a block, header or transaction that breaks a rule
	CodeNotServing   Code = 14 // catching up; serves nobody for now
	CodeNotFound     Code = 15 // the chain file asked for is not here
	CodeRevoked      Code = 16 // permission to connect ended
	CodeUnsolicited  Code = 17 // answered what was not asked
)

var codeNames = [...]string{
	CodeUnspecified: "unspecified", CodeShutdown: "shutdown", CodeProtocol: "protocol",
	CodeVersion: "version", CodeWrongGenesis: "wrong-genesis", CodeWrongRules: "wrong-rules",
	CodeNotPermitted: "not-permitted", CodeBadIdentity: "bad-identity", CodeSelf: "self",
	CodeDuplicate: "duplicate", CodeFull: "full", CodeTimeout: "timeout",
	CodeResources: "resources", CodeInvalidData: "invalid-data", CodeNotServing: "not-serving",
	CodeNotFound: "not-found", CodeRevoked: "revoked", CodeUnsolicited: "unsolicited",
}

// String names c for logs and metric labels.
func (c Code) String() string {
	if int(c) < len(codeNames) {
		return codeNames[c]
	}
	return "unknown"
}

// Disconnect ends a link: the sender closes after it, the receiver at once.
//
//	| field  | type   | bytes |
//	| code   | u16    | 2     |
//	| reason | varint length, printable ASCII | up to 256 |
type Disconnect struct {
	Code   Code
	Reason string // for people
}

// Type returns TypeDisconnect.
func (*Disconnect) Type() Type { return TypeDisconnect }

func (m *Disconnect) encode(w *writer) {
	w.u16(uint16(m.Code))
	w.text("reason", m.Reason, MaxReason)
}

func decodeDisconnect(r *reader) Message {
	return &Disconnect{Code: Code(r.u16("code")), Reason: r.text("reason", MaxReason)}
}

func (m *Disconnect) String() string {
	return fmt.Sprintf("%s: %s", m.Code, m.Reason)
}

// Ping asks for a Pong with the same nonce (u64).
type Ping struct{ Nonce uint64 }

// Type returns TypePing.
func (*Ping) Type() Type { return TypePing }

func (m *Ping) encode(w *writer)   { w.u64(m.Nonce) }
func decodePing(r *reader) Message { return &Ping{Nonce: r.u64("nonce")} }

// Pong answers Ping; its only field is the nonce of the Ping (u64).
type Pong struct{ Nonce uint64 }

// Type returns TypePong.
func (*Pong) Type() Type { return TypePong }

func (m *Pong) encode(w *writer)   { w.u64(m.Nonce) }
func decodePong(r *reader) Message { return &Pong{Nonce: r.u64("nonce")} }

// GetChainFile is the first and only message of a node that joins and has
// no chain file yet: it asks for the file whose genesis block has this hash.
// It takes the place of Hello.
//
//	| field        | type | bytes |
//	| genesis hash | hash | 32    |
type GetChainFile struct{ GenesisHash [32]byte }

// Type returns TypeGetChainFile.
func (*GetChainFile) Type() Type { return TypeGetChainFile }

func (m *GetChainFile) encode(w *writer) { w.hash(m.GenesisHash) }
func decodeGetChainFile(r *reader) Message {
	return &GetChainFile{GenesisHash: r.hash("genesis hash")}
}

// ChainFile answers GetChainFile. The signature (see p2p/transport) proves
// to one who knows the sender's identity that the file comes from it; the
// identity itself is not in the message.
//
//	| field     | type   | bytes              |
//	| signature | BIP340 | 64                 |
//	| file      | bytes  | the rest, at least 1 |
type ChainFile struct {
	Signature [64]byte
	File      []byte
}

// Type returns TypeChainFile.
func (*ChainFile) Type() Type { return TypeChainFile }

func (m *ChainFile) encode(w *writer) {
	if len(m.File) == 0 || len(m.File) > MaxChainFile {
		w.fail("file", "%d bytes, must be 1 to %d", len(m.File), MaxChainFile)
		return
	}
	w.b = make([]byte, 0, len(m.Signature)+len(m.File))
	w.bytes(m.Signature[:])
	w.bytes(m.File)
}

func decodeChainFile(r *reader) Message {
	m := &ChainFile{}
	copy(m.Signature[:], r.take("signature", len(m.Signature)))
	m.File = r.rest()
	if len(m.File) == 0 {
		r.fail("file", "is empty")
	}
	return m
}
