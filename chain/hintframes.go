package chain

import (
	"bytes"
	"fmt"

	"github.com/charterchain/charter/chain/hints"
)

// readHints reads a frame of hints, if one comes next, and reports whether it
// did. Damage costs these hints only: then the next frame is looked for as far
// as this one can reach.
func (f *frameReader) readHints() (found bool, err error) {
	head, _ := f.r.Peek(8)
	if len(head) < 8 || !bytes.Equal(head[:4], f.hinted[:]) || f.hinted == f.magic {
		return false, nil // what it is, and errors, are next's business
	}
	f.hint = hints.Frame{}
	size, err := hints.FrameSize([8]byte(head), f.limit)
	if err == nil {
		var whole []byte
		if whole, err = f.r.Peek(size); err != nil {
			err = fmt.Errorf("hints at byte %d announce %d bytes, the stream ends after %d: %w", f.offset, size, len(whole), err)
		} else if f.hint, err = hints.ParseFrame(whole, f.limit); err == nil {
			return true, f.pass(size)
		}
	}
	f.log.Debug("damaged hints passed over", "at", f.offset, "err", err)
	rest, err := f.r.Peek(hints.MaxFrame(f.limit))
	next := len(rest)
	for _, magic := range [][4]byte{f.magic, f.hinted} {
		if i := bytes.Index(rest[4:], magic[:]); i >= 0 {
			next = min(next, 4+i)
		}
	}
	if next == len(rest) && err == nil {
		return false, fmt.Errorf("byte %d: damaged hints, and no block within %d bytes behind them", f.offset, next)
	}
	return true, f.pass(next)
}

// pass passes over bytes that were looked at.
func (f *frameReader) pass(n int) error {
	n, err := f.r.Discard(n)
	f.offset += int64(n)
	return err
}
