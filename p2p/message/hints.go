package message

import (
	"bytes"
	"fmt"
)

// HintedBlock is a block with hints about its ECDSA signatures, which let
// them be checked in batches. Hints can be wrong: what they say is proven, or
// the signatures are checked without them, so they cost or save time only.
//
//	| field | type | bytes |
//	| hints | varint length, bytes | as HintsSize says
//	| block | block with witnesses | the rest
//
// Bit i of the hints, from the low bit of the first byte on, belongs to input
// i of the block, all inputs after the coinbase's counted in order. Where that
// input is unlocked by one ECDSA signature it is the parity of R's y
// coordinate; everywhere else, and behind the last input, it is 0.
type HintedBlock struct {
	Block
	Hints []byte
}

// Type returns TypeHintedBlock.
func (*HintedBlock) Type() Type { return TypeHintedBlock }

// HintsSize returns how many bytes the hints of a block take that has that
// many inputs after the coinbase's.
func HintsSize(inputs int) int { return (inputs + 7) / 8 }

// minInput is the least bytes of an input: outpoint, script length, sequence.
const minInput = 36 + 1 + 4

// maxHints is the largest hints that a valid block has.
func (l *Limits) maxHints() int { return HintsSize(int(l.chain.BlockSerialized / minInput)) }

func (m *HintedBlock) encode(w *writer) {
	w.blob("hints", m.Hints, maxBlockTxs)
	head := w.b
	m.Block.encode(w)
	if w.err != nil {
		return
	}
	body := w.b
	w.b = append(append(make([]byte, 0, len(head)+len(body)), head...), body...)
	_, inputs, err := measureBlock(body)
	if err != nil {
		w.fail("block", "%v", err)
	} else if err := checkHints(m.Hints, inputs); err != nil {
		w.fail("hints", "%v", err)
	}
}

func decodeHintedBlock(r *reader) Message {
	m := &HintedBlock{Hints: r.blob("hints", r.l.maxHints())}
	inputs, ok := measureBody(r)
	if !ok {
		return nil
	}
	if err := checkHints(m.Hints, inputs); err != nil {
		r.fail("hints", "%v", err)
		return nil
	}
	m.Hints = bytes.Clone(m.Hints) // they may live longer than the payload
	m.Block.Raw = takeBody(r)
	return m
}

// checkHints makes sure that there is one way to write the hints of a block
// with that many inputs.
func checkHints(hints []byte, inputs int) error {
	if len(hints) != HintsSize(inputs) {
		return fmt.Errorf("%d bytes, %d inputs take %d", len(hints), inputs, HintsSize(inputs))
	}
	if rest := inputs % 8; rest > 0 && hints[len(hints)-1]>>rest != 0 {
		return fmt.Errorf("bits behind the last of %d inputs", inputs)
	}
	return nil
}
