package snapshot

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// SectionType says what a section holds.
type SectionType uint8

// The types of sections.
const (
	TypeBase        SectionType = 1
	TypeHeaders     SectionType = 2
	TypeCoins       SectionType = 3
	TypePermissions SectionType = 4
	TypeSealers     SectionType = 5
	TypeEnd         SectionType = 255
)

// Section is a section that this package carries without looking into it: the
// permission state or the sealers.
type Section struct {
	Type SectionType
	Data []byte
}

// kind describes a type of section.
type kind struct {
	name   string
	limit  uint64 // bytes of data
	single bool
}

var kinds = map[SectionType]kind{
	TypeBase:        {"base", baseSize, true},
	TypeHeaders:     {"headers", chunkLimit, false},
	TypeCoins:       {"coins", chunkLimit, false},
	TypePermissions: {"permissions", 64 << 20, true},
	TypeSealers:     {"sealers", chunkLimit, true},
	TypeEnd:         {"end", endSize, true},
}

const (
	magic   = "CHRTSNAP"
	version = 1

	headSize     = len(magic) + 4 + 32 + 32 + 4
	baseSize     = 32 + 4 + 8
	endSize      = 8 + 8 + 32
	headerSize   = 80
	sealerSize   = 20
	sectionStart = 1 + 8
	crcSize      = 4

	chunkLimit = 2 << 20 // largest section of headers or coins
	chunkSize  = 1 << 20 // a writer ends such a section when it has come to this
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Identity names the chain that a snapshot belongs to.
type Identity struct {
	Genesis [32]byte // hash of its genesis block
	Rules   [32]byte // hash of its rules
}

// Base is the block after which the coins are the unspent ones.
type Base struct {
	Hash     chainhash.Hash
	Height   int32
	ChainTxs int64 // transactions up to and with it
}

// End closes a snapshot.
type End struct {
	Headers int64
	Coins   int64
	Digest  [32]byte // as the writer computed it
}

// FormatError reports a file that is no snapshot, is damaged, or belongs to
// another chain.
type FormatError struct {
	Offset int64 // of the head, section or entry that it is about
	What   string
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("snapshot, byte %d: %s", e.Offset, e.What)
}

// Digest is what a snapshot is trusted by; doc.go defines it. permissions is
// the canonical permission state and sealers are those of the last blocks, the
// oldest first; nil and none on a chain without permissions.
func Digest(block chainhash.Hash, height int32, muhash [32]byte, permissions []byte, sealers [][20]byte) [32]byte {
	h := sha256.New()
	h.Write(block[:])
	h.Write(binary.LittleEndian.AppendUint32(nil, uint32(height)))
	h.Write(muhash[:])
	if permissions != nil {
		sum := sha256.Sum256(permissions)
		h.Write(sum[:])
		for i := range sealers {
			h.Write(sealers[i][:])
		}
	}
	return [32]byte(h.Sum(nil))
}

// EncodeSealers returns the section of the sealers.
func EncodeSealers(sealers [][20]byte) Section {
	data := make([]byte, 0, len(sealers)*sealerSize)
	for i := range sealers {
		data = append(data, sealers[i][:]...)
	}
	return Section{TypeSealers, data}
}

// DecodeSealers is the inverse of EncodeSealers.
func DecodeSealers(s Section) ([][20]byte, error) {
	if s.Type != TypeSealers || len(s.Data)%sealerSize != 0 {
		return nil, fmt.Errorf("section of type %d with %d bytes does not list sealers of %d bytes", s.Type, len(s.Data), sealerSize)
	}
	sealers := make([][20]byte, 0, len(s.Data)/sealerSize)
	for b := s.Data; len(b) > 0; b = b[sealerSize:] {
		sealers = append(sealers, [20]byte(b))
	}
	return sealers, nil
}
