package message

import "fmt"

// Type is the type byte of a message: 1 to 127. Bit 7 belongs to the
// framing and is never part of a Type.
type Type byte

// The message types of protocol charter/1. Numbers are never used again
// for something else; later types come with a feature bit.
const (
	TypeHello        Type = 1
	TypeDisconnect   Type = 2
	TypePing         Type = 3
	TypePong         Type = 4
	TypeGetPeers     Type = 5
	TypePeers        Type = 6
	TypeGetHeaders   Type = 7
	TypeHeaders      Type = 8
	TypeInv          Type = 9
	TypeGetData      Type = 10
	TypeNotFound     Type = 11
	TypeTx           Type = 12
	TypeBlock        Type = 13
	TypeCompactBlock Type = 14
	TypeGetBlockTxns Type = 15
	TypeBlockTxns    Type = 16
	TypeGetFilters   Type = 17
	TypeFilters      Type = 18
	TypeGetChainFile Type = 19
	TypeChainFile    Type = 20
	TypePresence     Type = 21
	TypeHintedBlock  Type = 22

	lastType = TypeHintedBlock
)

// Message is one of the message structs of this package, by pointer.
type Message interface {
	Type() Type
	encode(w *writer)
}

// codec describes one type.
type codec struct {
	name    string
	feature Features // bits that the receiver must have announced
	decode  func(r *reader) Message
}

// codecOf returns the description of t, or nil if this version has none.
func codecOf(t Type) *codec {
	if int(t) >= len(codecs) || codecs[t].decode == nil {
		return nil
	}
	return &codecs[t]
}

// codecs is indexed by Type. Constant after start of the program.
var codecs = [...]codec{
	TypeHello:        {"hello", 0, decodeHello},
	TypeDisconnect:   {"disconnect", 0, decodeDisconnect},
	TypePing:         {"ping", 0, decodePing},
	TypePong:         {"pong", 0, decodePong},
	TypeGetPeers:     {"getpeers", 0, decodeGetPeers},
	TypePeers:        {"peers", 0, decodePeers},
	TypeGetHeaders:   {"getheaders", 0, decodeGetHeaders},
	TypeHeaders:      {"headers", 0, decodeHeaders},
	TypeInv:          {"inv", 0, decodeInv},
	TypeGetData:      {"getdata", 0, decodeGetData},
	TypeNotFound:     {"notfound", 0, decodeNotFound},
	TypeTx:           {"tx", 0, decodeTx},
	TypeBlock:        {"block", 0, decodeBlock},
	TypeCompactBlock: {"compactblock", FeatureCompactBlocks, decodeCompactBlock},
	TypeGetBlockTxns: {"getblocktxns", FeatureCompactBlocks, decodeGetBlockTxns},
	TypeBlockTxns:    {"blocktxns", FeatureCompactBlocks, decodeBlockTxns},
	TypeGetFilters:   {"getfilters", FeatureFilters, decodeGetFilters},
	TypeFilters:      {"filters", 0, decodeFilters},
	TypeGetChainFile: {"getchainfile", 0, decodeGetChainFile},
	TypeChainFile:    {"chainfile", 0, decodeChainFile},
	TypePresence:     {"presence", FeaturePresence, decodePresence},
	TypeHintedBlock:  {"hintedblock", FeatureHints, decodeHintedBlock},
}

// String names t for logs and metric labels; unknown types are "unknown",
// so that labels stay a small closed set.
func (t Type) String() string {
	if c := codecOf(t); c != nil {
		return c.name
	}
	return "unknown"
}

// Known reports whether this version has a codec for t.
func (t Type) Known() bool { return codecOf(t) != nil }

// Feature returns the feature bits that the receiver of a message of type t
// must have announced; 0 where every node takes it.
func (t Type) Feature() Features {
	if c := codecOf(t); c != nil {
		return c.feature
	}
	return 0
}

// Types returns all types of this version in ascending order.
func Types() []Type {
	var ts []Type
	for t := range codecs {
		if codecs[t].decode != nil {
			ts = append(ts, Type(t))
		}
	}
	return ts
}

// DecodeError reports a payload that is not a message of its type. It is
// always the sender's fault.
type DecodeError struct {
	Type   Type
	Field  string // what was being read
	Detail string // observed and allowed, for people
}

func (e *DecodeError) Error() string {
	return fmt.Sprintf("%s message: %s: %s", e.Type, e.Field, e.Detail)
}

// EncodeError reports a message that has no encoding because a field is
// out of its range. It is a fault of the caller.
type EncodeError struct {
	Type   Type
	Field  string
	Detail string
}

func (e *EncodeError) Error() string {
	return fmt.Sprintf("encode %s message: %s: %s", e.Type, e.Field, e.Detail)
}

// Encode returns the payload of m. The result may share memory with m (Raw
// fields), so neither may be changed afterwards. The only error is
// *EncodeError; the largest payload is checked by Limits.CheckSize.
func Encode(m Message) ([]byte, error) {
	w := writer{t: m.Type()}
	m.encode(&w)
	if w.err != nil {
		return nil, w.err
	}
	return w.b, nil
}

// Decode reads the payload of a message of type t, to the last byte. The
// message keeps parts of payload, which the caller must not use again. The
// only error is *DecodeError. Safe for concurrent use.
func Decode(t Type, payload []byte, l *Limits) (Message, error) {
	return DecodeWithin(t, payload, l, nil)
}

// DecodeWithin is Decode under a memory budget: before transactions are
// decoded, room is called with about the bytes that they will take (a
// transaction of empty witness items grows 25-fold), possibly many times.
// An error of room ends decoding and is returned as it is.
func DecodeWithin(t Type, payload []byte, l *Limits, room func(bytes int64) error) (Message, error) {
	c := codecOf(t)
	if c == nil {
		return nil, &DecodeError{Type: t, Field: "type", Detail: fmt.Sprintf("%d is not a type of this version", byte(t))}
	}
	if err := l.CheckSize(t, int64(len(payload))); err != nil {
		return nil, err
	}
	r := reader{t: t, b: payload, l: l, room: room}
	m := c.decode(&r)
	r.done()
	if r.err != nil {
		return nil, r.err
	}
	return m, nil
}
