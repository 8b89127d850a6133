package wallet

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/params/scan"
)

// The state file: a line "charter-wallet-state 1 <SHA-256 of the rest, hex>"
// and a JSON document. Hashes are in display order, raw transactions with
// witness. doc.go describes what it is for.
const (
	stateMagic   = "charter-wallet-state 1 "
	maxStateSize = 1 << 30
)

// stateFile is the JSON document.
type stateFile struct {
	Genesis  string      `json:"genesis"` // "" until the first sync
	Account  string      `json:"account"` // extended public key m/86'/coin_type'/0'
	Birthday int64       `json:"birthday"`
	Receive  stateLine   `json:"receive"`
	Change   stateLine   `json:"change"`
	Blocks   []stateMark `json:"blocks"` // ascending height
	Txs      []stateTx   `json:"transactions"`
}

type stateLine struct {
	Used  uint32   `json:"used"`
	Shown uint32   `json:"shown"`
	Keys  []string `json:"keys"`
}

type stateMark struct {
	Height int32  `json:"height"`
	Hash   string `json:"hash"`
}

type stateTx struct {
	Raw      string `json:"raw"`
	Height   int32  `json:"height"` // -1: in no block
	Block    string `json:"block,omitempty"`
	Position int    `json:"position"`
	Time     int64  `json:"time"`
}

// StateError reports a state file that cannot be used. The seed is not in
// it: Rebuild makes a new one.
type StateError struct {
	Path string
	Err  error
}

func (e *StateError) Error() string {
	return fmt.Sprintf("wallet state %s: %v; the seed is not affected: `charter wallet rescan` rebuilds the state from the chain", e.Path, e.Err)
}

func (e *StateError) Unwrap() error { return e.Err }

// encodeState returns the file for a document.
func encodeState(s *stateFile) ([]byte, error) {
	body, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return nil, err
	}
	body = append(body, '\n')
	sum := sha256.Sum256(body)
	head := stateMagic + hex.EncodeToString(sum[:]) + "\n"
	return append([]byte(head), body...), nil
}

// decodeState reads a file. What it returns is consistent in form; whether
// the keys belong to the account is not checked, that would cost a
// multiplication each.
func decodeState(file []byte) (*stateFile, error) {
	head, body, ok := bytes.Cut(file, []byte("\n"))
	if !ok || !bytes.HasPrefix(head, []byte(stateMagic)) {
		return nil, fmt.Errorf("it does not start with %q", stateMagic)
	}
	sum := sha256.Sum256(body)
	if string(head[len(stateMagic):]) != hex.EncodeToString(sum[:]) {
		return nil, fmt.Errorf("its checksum does not fit: the file is damaged")
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	var s stateFile
	if err := dec.Decode(&s); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("data behind the document")
	}
	return &s, nil
}

func (l *line) file() stateLine {
	out := stateLine{Used: l.used, Shown: l.shown, Keys: make([]string, len(l.keys))}
	for i, k := range l.keys {
		out.Keys[i] = hex.EncodeToString(k[:])
	}
	return out
}

func (s *stateLine) line() (line, error) {
	if uint64(len(s.Keys)) != uint64(s.Used)+gapLimit || s.Shown >= s.Used+gapLimit {
		return line{}, fmt.Errorf("%d keys, %d used, %d shown do not fit together", len(s.Keys), s.Used, s.Shown)
	}
	l := line{used: s.Used, shown: s.Shown, keys: make([][32]byte, len(s.Keys))}
	for i, text := range s.Keys {
		b, err := hex.DecodeString(text)
		if err != nil || len(b) != 32 {
			return line{}, fmt.Errorf("key %d is not 32 bytes in hex", i)
		}
		l.keys[i] = [32]byte(b)
	}
	return l, nil
}

func (r *tracked) file() (stateTx, error) {
	var raw bytes.Buffer
	if err := r.msg.Serialize(&raw); err != nil {
		return stateTx{}, fmt.Errorf("encode transaction %v: %w", r.id, err)
	}
	t := stateTx{Raw: hex.EncodeToString(raw.Bytes()), Height: r.height, Position: r.position, Time: r.time}
	if r.height != pending {
		t.Block = r.block.String()
	}
	return t, nil
}

func (t *stateTx) record() (*tracked, error) {
	msg, err := decodeTxHex(t.Raw)
	if err != nil {
		return nil, err
	}
	r := &tracked{id: msg.TxHash(), msg: msg, height: t.Height, position: t.Position, time: t.Time}
	if t.Height < pending || t.Position < 0 {
		return nil, fmt.Errorf("transaction %v: height %d, position %d", r.id, t.Height, t.Position)
	}
	if t.Height != pending {
		if r.block, err = parseHash(t.Block); err != nil {
			return nil, fmt.Errorf("transaction %v: %w", r.id, err)
		}
	}
	return r, nil
}

// marks turns the file's block list around: ascending heights from 0.
func (s *stateFile) marks() ([]blockMark, error) {
	out := make([]blockMark, len(s.Blocks))
	for i, m := range s.Blocks {
		hash, err := parseHash(m.Hash)
		if err != nil {
			return nil, fmt.Errorf("block %d: %w", m.Height, err)
		}
		if i == 0 && m.Height != 0 || i > 0 && m.Height <= out[i-1].height || m.Height == math.MaxInt32 {
			return nil, fmt.Errorf("the list of blocks has height %d at place %d", m.Height, i)
		}
		out[i] = blockMark{m.Height, hash}
	}
	return out, nil
}

func parseHash(text string) (chainhash.Hash, error) {
	var h chainhash.Hash
	if len(text) != 2*chainhash.HashSize {
		return h, fmt.Errorf("%q is no hash: it has %d characters instead of 64", text, len(text))
	}
	if err := chainhash.Decode(&h, text); err != nil {
		return h, fmt.Errorf("%q is no hash: %w", text, err)
	}
	return h, nil
}

func decodeTxHex(text string) (*wire.MsgTx, error) {
	raw, err := hex.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("transaction: %w", err)
	}
	msg, err := scan.DecodeTx(raw)
	if err != nil {
		return nil, fmt.Errorf("transaction: %w", err)
	}
	return msg, nil
}
