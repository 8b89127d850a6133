package mempool

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain/consensus"
)

// dumpMagic starts the file: seven letters, then the version.
const dumpMagic = "CHPOOL\x00\x01"

// Sizes of the parts of the file; see the package documentation.
const (
	dumpHead    = len(dumpMagic) + chainhash.HashSize + 8
	dumpRecord  = 8 + 4 // time and size
	leastTx     = 10    // bytes: version, two counts, locktime
	maxDumpSize = 4 << 30
)

// ErrDump is wrapped by errors about the content of a pool file. The file is
// of no use then; nothing was taken from it.
var ErrDump = errors.New("pool file")

// Save writes all transactions.
func (p *Pool) Save(w io.Writer) error {
	entries := p.Entries()
	sum := sha256.New()
	out := bufio.NewWriter(w)
	if err := writeDump(io.MultiWriter(out, sum), p.params.GenesisHash, entries); err != nil {
		return fmt.Errorf("save the pool: %w", err)
	}
	if err := finishDump(out, sum); err != nil {
		return fmt.Errorf("save the pool: %w", err)
	}
	return nil
}

func writeDump(w io.Writer, genesis chainhash.Hash, entries []Entry) error {
	head := append([]byte(dumpMagic), genesis[:]...)
	head = binary.LittleEndian.AppendUint64(head, uint64(len(entries)))
	if _, err := w.Write(head); err != nil {
		return err
	}
	for i := range entries {
		e := &entries[i]
		record := binary.LittleEndian.AppendUint64(nil, uint64(e.Time.Unix()))
		record = binary.LittleEndian.AppendUint32(record, uint32(e.Tx.Size))
		buf := bytes.NewBuffer(record)
		if err := e.Tx.Msg.Serialize(buf); err != nil {
			return err
		}
		if _, err := w.Write(buf.Bytes()); err != nil {
			return err
		}
	}
	return nil
}

func finishDump(out *bufio.Writer, sum hash.Hash) error {
	if _, err := out.Write(sum.Sum(nil)); err != nil {
		return err
	}
	return out.Flush()
}

// LoadResult says what became of the transactions of a file.
type LoadResult struct {
	Accepted int
	Expired  int // had waited too long
	Refused  int // did not fit the chain, the pool or the policy any more
}

// Load judges the transactions of a file that Save wrote, and takes in what
// still fits, with the old times of arrival. An error that wraps ErrDump says
// that the file is damaged, of another chain or of another version; other
// errors are those of r, ctx, or the chain.
func (p *Pool) Load(ctx context.Context, r io.Reader) (LoadResult, error) {
	var res LoadResult
	data, err := io.ReadAll(io.LimitReader(r, maxDumpSize))
	if err != nil {
		return res, fmt.Errorf("load the pool: %w", err)
	}
	list, err := decodeDump(data, p.params.GenesisHash)
	if err != nil {
		return res, err
	}
	oldest := p.now().Add(-p.policy.MempoolExpiry)
	for _, d := range list {
		if p.policy.MempoolExpiry > 0 && d.arrived.Before(oldest) {
			res.Expired++
			continue
		}
		_, err := p.accept(ctx, d.tx, d.arrived)
		switch {
		case err == nil:
			res.Accepted++
		case reasonOf(err) != "":
			res.Refused++
		default:
			return res, fmt.Errorf("load the pool: transaction %v: %w", d.tx.TxID, err)
		}
	}
	return res, nil
}

// dumped is a transaction of a file.
type dumped struct {
	tx      *consensus.Tx
	arrived time.Time
}

// decodeDump reads a whole file of the chain with the given genesis block.
func decodeDump(data []byte, genesis chainhash.Hash) ([]dumped, error) {
	if len(data) < dumpHead+sha256.Size {
		return nil, fmt.Errorf("%w: %d bytes are less than its head and checksum", ErrDump, len(data))
	}
	if !bytes.HasPrefix(data, []byte(dumpMagic)) {
		return nil, fmt.Errorf("%w: starts with %x, not %x: another kind or version", ErrDump, data[:len(dumpMagic)], dumpMagic)
	}
	body, sum := data[:len(data)-sha256.Size], data[len(data)-sha256.Size:]
	if got := sha256.Sum256(body); !bytes.Equal(got[:], sum) {
		return nil, fmt.Errorf("%w: checksum does not match: it is damaged", ErrDump)
	}
	rest := body[len(dumpMagic):]
	if !bytes.HasPrefix(rest, genesis[:]) {
		return nil, fmt.Errorf("%w: is of the chain with genesis block %v, this is %v", ErrDump, chainhash.Hash(rest[:chainhash.HashSize]), genesis)
	}
	count := binary.LittleEndian.Uint64(rest[chainhash.HashSize:])
	rest = rest[chainhash.HashSize+8:]
	if count > uint64(len(rest)/(dumpRecord+leastTx)) {
		return nil, fmt.Errorf("%w: announces %d transactions in %d bytes", ErrDump, count, len(rest))
	}
	list := make([]dumped, 0, count)
	for i := range count {
		d, n, err := decodeRecord(rest)
		if err != nil {
			return nil, fmt.Errorf("%w: transaction %d of %d: %w", ErrDump, i+1, count, err)
		}
		list, rest = append(list, d), rest[n:]
	}
	if len(rest) != 0 {
		return nil, fmt.Errorf("%w: %d bytes after the last transaction", ErrDump, len(rest))
	}
	return list, nil
}

// decodeRecord reads one transaction and returns how many bytes it took.
func decodeRecord(b []byte) (dumped, int, error) {
	if len(b) < dumpRecord {
		return dumped{}, 0, io.ErrUnexpectedEOF
	}
	arrived := int64(binary.LittleEndian.Uint64(b))
	size := int64(binary.LittleEndian.Uint32(b[8:]))
	if int64(len(b)) < dumpRecord+size {
		return dumped{}, 0, fmt.Errorf("size %d is more than the %d bytes left", size, len(b)-dumpRecord)
	}
	tx, err := consensus.DecodeTx(bytes.Clone(b[dumpRecord : dumpRecord+size])) // so that it does not keep the file
	if err != nil {
		return dumped{}, 0, err
	}
	return dumped{tx: tx, arrived: time.Unix(arrived, 0)}, dumpRecord + int(size), nil
}
