package transport

import (
	"encoding/binary"

	"github.com/charterchain/charter/p2p/message"
)

// A frame on the wire:
//
//	| field   | type | bytes | content
//	| length  | u32, little-endian | 4 | bytes of the body, at most 65,531
//	| type    | u8   | 1     | message type in bits 0 to 6; bit 7: more follows
//	| body    |      | length | a whole payload, or a part of one
//
// A payload of at most maxBody bytes is one frame. A longer one is a bulk
// message: its first body is the total payload size (u32, little-endian)
// and the first bytes; every body but the last is full; the last is not
// empty and its frame has bit 7 clear.
const (
	frameHeader = 5
	maxFrame    = 64 << 10
	maxBody     = maxFrame - frameHeader
	bulkHeader  = 4
	moreFollows = 0x80
)

func appendHeader(b []byte, t byte, body int) []byte {
	return append(binary.LittleEndian.AppendUint32(b, uint32(body)), t)
}

// isBulk reports whether a payload of this size takes several frames.
func isBulk(size int) bool { return size > maxBody }

// bodySize returns the size of the next body of a payload of size bytes, of
// which off are sent.
func bodySize(size, off int) int {
	if isBulk(size) && off == 0 {
		return maxBody
	}
	return min(size-off, maxBody)
}

// appendFrame appends the next frame of a payload, of which off bytes are
// sent, and returns the new offset; the payload is done when it is its size.
func appendFrame(b []byte, t message.Type, payload []byte, off int) ([]byte, int) {
	body := bodySize(len(payload), off)
	data := body
	first := isBulk(len(payload)) && off == 0
	if first {
		data -= bulkHeader
	}
	flags := byte(0)
	if off+data < len(payload) {
		flags = moreFollows
	}
	b = appendHeader(b, byte(t)|flags, body)
	if first {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(payload)))
	}
	return append(b, payload[off:off+data]...), off + data
}
