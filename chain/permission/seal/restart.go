package seal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/permission/record"
)

const restartTag = "charter/restart/v1"

const (
	// MaxRestartMembers is the most members that a certificate lists, and
	// the most that sign it: as many as may mine or administer at all.
	MaxRestartMembers = 256

	memberSize    = len(record.MemberID{})
	signatureSize = memberSize + keySize + sigSize
)

// Certificate is the decision of administering members that, in the block
// which holds it, only the listed members mine from now on.
type Certificate struct {
	Parent  chainhash.Hash
	Miners  []record.MemberID // ascending, each once, 1 to MaxRestartMembers
	Signers []Signature       // ascending by member, each member once, 1 to MaxRestartMembers
}

// Signature is the consent of one administering member.
type Signature struct {
	Member record.MemberID
	Key    [32]byte // x-only, one of the member's keys that administer
	Sig    [64]byte // BIP340, over RestartMessage
}

// NewCertificate sorts copies of miners and signers and checks their number
// and that none is there twice. It checks no signature.
func NewCertificate(parent chainhash.Hash, miners []record.MemberID, signers []Signature) (*Certificate, error) {
	c := &Certificate{Parent: parent, Miners: slices.Clone(miners), Signers: slices.Clone(signers)}
	slices.SortFunc(c.Miners, compareMembers)
	slices.SortFunc(c.Signers, func(a, b Signature) int { return compareMembers(a.Member, b.Member) })
	if err := c.checkForm(); err != nil {
		return nil, fmt.Errorf("restart certificate: %w", err)
	}
	return c, nil
}

// RestartMessage returns what the signers of a certificate sign. The order
// of miners does not matter.
func RestartMessage(genesis, parent chainhash.Hash, miners []record.MemberID) [32]byte {
	miners = slices.Clone(miners)
	slices.SortFunc(miners, compareMembers)
	b := make([]byte, 0, 2*chainhash.HashSize+len(miners)*memberSize)
	b = append(b, genesis[:]...)
	b = append(b, parent[:]...)
	for _, m := range miners {
		b = append(b, m[:]...)
	}
	return *chainhash.TaggedHash([]byte(restartTag), b)
}

// SignRestart makes the consent of member by one of its keys. aux is as for
// Sign.
func SignRestart(genesis, parent chainhash.Hash, miners []record.MemberID, member record.MemberID, key *btcec.PrivateKey, aux [32]byte) (Signature, error) {
	sig, err := Sign(key, aux, RestartMessage(genesis, parent, miners))
	if err != nil {
		return Signature{}, err
	}
	return Signature{Member: member, Key: KeyOf(key), Sig: sig}, nil
}

// CheckSigs checks that each signer's key signed the certificate. Whether
// the keys are those of administering members, and enough of them, is for
// the caller to find out first: this is the expensive part. The error is a
// *consensus.RuleError.
func (c *Certificate) CheckSigs(genesis chainhash.Hash) error {
	msg := RestartMessage(genesis, c.Parent, c.Miners)
	for i := range c.Signers {
		s := &c.Signers[i]
		if !verify(s.Key, s.Sig, msg) {
			return broke(RuleRestartSignature, "key %x of member %v did not sign this restart", s.Key, s.Member)
		}
	}
	return nil
}

// Lists reports whether the certificate lets member mine.
func (c *Certificate) Lists(member record.MemberID) bool {
	_, ok := slices.BinarySearchFunc(c.Miners, member, compareMembers)
	return ok
}

// checkPlace checks what a certificate asks of the block that holds it and
// that its proof shows: its parent, and that there is nothing but the
// coinbase, whose id is then the merkle root.
func (c *Certificate) checkPlace(h *wire.BlockHeader, branch []chainhash.Hash) error {
	if c.Parent != h.PrevBlock {
		return broke(RuleRestartParent, "certificate is for a block on %v, this one is on %v", c.Parent, h.PrevBlock)
	}
	if len(branch) > 0 {
		return broke(RuleRestartBody, "a restart block holds the coinbase only, this one has more transactions")
	}
	return nil
}

// CheckRestartTime checks that a restart block with header h comes at least
// delay after its parent. delay is in whole seconds. The error is a
// *consensus.RuleError.
func CheckRestartTime(h, parent *wire.BlockHeader, delay time.Duration) error {
	at, least := h.Timestamp.Unix(), parent.Timestamp.Unix()+int64(delay/time.Second)
	if at < least {
		return broke(RuleRestartTime, "time %d, a restart after this parent has at least %d", at, least)
	}
	return nil
}

// Script returns the output script of a certificate in the form that
// NewCertificate and Find give. Its amount is 0.
func (c *Certificate) Script() []byte {
	data := make([]byte, 0, len(magic)+1+chainhash.HashSize+4+len(c.Miners)*memberSize+len(c.Signers)*signatureSize)
	data = append(data, magic...)
	data = append(data, typeRestart)
	data = append(data, c.Parent[:]...)
	data = binary.LittleEndian.AppendUint16(data, uint16(len(c.Miners)))
	for _, m := range c.Miners {
		data = append(data, m[:]...)
	}
	data = binary.LittleEndian.AppendUint16(data, uint16(len(c.Signers)))
	for i := range c.Signers {
		s := &c.Signers[i]
		data = append(data, s.Member[:]...)
		data = append(data, s.Key[:]...)
		data = append(data, s.Sig[:]...)
	}
	return append(returnHeader(len(data)), data...)
}

// returnHeader starts a script that returns n bytes of data, at least 76, by
// one push in the shortest form.
func returnHeader(n int) []byte {
	if n <= 0xff {
		return []byte{txscript.OP_RETURN, txscript.OP_PUSHDATA1, byte(n)}
	}
	return []byte{txscript.OP_RETURN, txscript.OP_PUSHDATA2, byte(n), byte(n >> 8)}
}

// checkForm checks numbers and order.
func (c *Certificate) checkForm() error {
	if err := checkCount("members that mine", len(c.Miners)); err != nil {
		return err
	}
	if err := checkCount("signers", len(c.Signers)); err != nil {
		return err
	}
	for i := 1; i < len(c.Miners); i++ {
		if compareMembers(c.Miners[i-1], c.Miners[i]) >= 0 {
			return fmt.Errorf("member %v that mines is listed twice or out of order", c.Miners[i])
		}
	}
	for i := 1; i < len(c.Signers); i++ {
		if compareMembers(c.Signers[i-1].Member, c.Signers[i].Member) >= 0 {
			return fmt.Errorf("signer %v is listed twice or out of order", c.Signers[i].Member)
		}
	}
	return nil
}

func checkCount(what string, n int) error {
	if n < 1 || n > MaxRestartMembers {
		return fmt.Errorf("%d %s, allowed are 1 to %d", n, what, MaxRestartMembers)
	}
	return nil
}

// ParseCertificate reads what Script writes.
func ParseCertificate(script []byte) (*Certificate, error) {
	if kind, ok := claim(script); !ok || kind != typeRestart {
		return nil, errors.New("not the script of a restart certificate")
	}
	return restartOf(wire.NewTxOut(0, script))
}

// restartOf reads an output that claims to be a certificate.
func restartOf(out *wire.TxOut) (*Certificate, error) {
	_, data := pushed(out.PkScript[1:])
	c, err := decodeCertificate(data[len(magic)+1:])
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(c.Script(), out.PkScript) {
		return nil, errors.New("certificate is not in its one form")
	}
	if out.Value != 0 {
		return nil, fmt.Errorf("certificate with amount %d; it must be 0", out.Value)
	}
	return c, nil
}

// decodeCertificate reads what follows the type. Counts are checked before
// anything is allocated for them.
func decodeCertificate(data []byte) (*Certificate, error) {
	c := &Certificate{}
	if len(data) < chainhash.HashSize {
		return nil, errors.New("certificate ends within the parent's hash")
	}
	copy(c.Parent[:], data)
	data = data[chainhash.HashSize:]

	n, data, err := list("members that mine", data, memberSize)
	if err != nil {
		return nil, err
	}
	c.Miners = make([]record.MemberID, n)
	for i := range c.Miners {
		copy(c.Miners[i][:], data[i*memberSize:])
	}
	data = data[n*memberSize:]

	n, data, err = list("signers", data, signatureSize)
	if err != nil {
		return nil, err
	}
	if extra := len(data) - n*signatureSize; extra > 0 {
		return nil, fmt.Errorf("%d bytes follow the certificate", extra)
	}
	c.Signers = make([]Signature, n)
	for i := range c.Signers {
		row, s := data[i*signatureSize:], &c.Signers[i]
		copy(s.Member[:], row)
		copy(s.Key[:], row[memberSize:])
		copy(s.Sig[:], row[memberSize+keySize:])
	}
	return c, c.checkForm()
}

// list reads the number of rows of size bytes that follow.
func list(what string, data []byte, size int) (n int, rows []byte, err error) {
	if len(data) < 2 {
		return 0, nil, fmt.Errorf("certificate ends before the number of %s", what)
	}
	n, rows = int(binary.LittleEndian.Uint16(data)), data[2:]
	if err := checkCount(what, n); err != nil {
		return 0, nil, err
	}
	if len(rows) < n*size {
		return 0, nil, fmt.Errorf("%d bytes follow, not enough for %d %s", len(rows), n, what)
	}
	return n, rows, nil
}

func compareMembers(a, b record.MemberID) int { return bytes.Compare(a[:], b[:]) }
