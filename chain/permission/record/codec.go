package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/txscript/v2"
)

// magic and version begin the data of every record.
const (
	magic   = "CHR"
	version = 1
)

// codec reads or writes operands in order, so that each record states its
// layout once. After the first fault of reading it does nothing more.
type codec struct {
	reading bool
	b       []byte // reading: what is left; writing: what was written
	err     error
}

// bytes moves the bytes of v one way or the other.
func (c *codec) bytes(what string, v []byte) {
	switch {
	case c.err != nil:
	case !c.reading:
		c.b = append(c.b, v...)
	case len(c.b) < len(v):
		c.err = fmt.Errorf("%s: takes %d bytes, %d are left", what, len(v), len(c.b))
	default:
		copy(v, c.b)
		c.b = c.b[len(v):]
	}
}

func (c *codec) u32(what string, v *uint32) {
	b := binary.LittleEndian.AppendUint32(nil, *v)
	c.bytes(what, b)
	*v = binary.LittleEndian.Uint32(b)
}

func (c *codec) set(what string, v *Set) {
	b := binary.LittleEndian.AppendUint16(nil, uint16(*v))
	c.bytes(what, b)
	*v = Set(binary.LittleEndian.Uint16(b))
}

// short is a byte string of at most 255 bytes behind its length.
func (c *codec) short(what string, v *[]byte) {
	n := [1]byte{byte(len(*v))}
	c.bytes(what, n[:])
	if c.reading {
		*v = make([]byte, n[0])
	}
	c.bytes(what, *v)
}

func (c *codec) str(what string, v *string) {
	b := []byte(*v)
	c.short(what, &b)
	*v = string(b)
}

func (c *codec) vote(lapse *uint32, salt *[4]byte) {
	c.u32("lapse", lapse)
	c.bytes("salt", salt[:])
}

func (c *codec) heights(r *Range) {
	c.u32("from", &r.From)
	c.u32("until", &r.Until)
}

// sig is there iff the roles ask for it.
func (c *codec) sig(roles Set, v **[64]byte) {
	if !roles.Any(NeedsKey) {
		return
	}
	if c.reading {
		*v = new([64]byte)
	}
	c.bytes("signature", (*v)[:])
}

func (r *CreateMember) code(c *codec) {
	c.vote(&r.Lapse, &r.Salt)
	c.str("name", &r.Name)
	c.short("identity", &r.Identity)
	c.set("roles", &r.Roles)
	c.sig(r.Roles, &r.Sig)
}

func (r *RenameMember) code(c *codec) {
	c.vote(&r.Lapse, &r.Salt)
	c.bytes("member", r.Member[:])
	c.str("name", &r.Name)
}

func (r *Grant) code(c *codec) {
	c.vote(&r.Lapse, &r.Salt)
	c.bytes("member", r.Member[:])
	c.set("permissions", &r.Permissions)
	c.heights(&r.Range)
}

func (r *AddKey) code(c *codec) {
	c.vote(&r.Lapse, &r.Salt)
	c.bytes("member", r.Member[:])
	c.short("identity", &r.Identity)
	c.set("roles", &r.Roles)
	c.heights(&r.Range)
	c.sig(r.Roles, &r.Sig)
}

func (r *ChangeKey) code(c *codec) { (*AddKey)(r).code(c) }

func (r *RemoveKey) code(c *codec) {
	c.vote(&r.Lapse, &r.Salt)
	c.bytes("member", r.Member[:])
	c.short("identity", &r.Identity)
}

func (r *Ready) code(c *codec) {
	c.bytes("member", r.Member[:])
	c.bytes("key", r.Key[:])
	c.u32("since", &r.Since)
	c.bytes("signature", r.Sig[:])
}

func (r *Upgrade) code(c *codec) {
	c.vote(&r.Lapse, &r.Salt)
	c.str("deployment", &r.Deployment)
	c.u32("height", &r.Height)
}

func (r CreateMember) write(c *codec) { r.code(c) }
func (r RenameMember) write(c *codec) { r.code(c) }
func (r Grant) write(c *codec)        { r.code(c) }
func (r AddKey) write(c *codec)       { r.code(c) }
func (r ChangeKey) write(c *codec)    { r.code(c) }
func (r RemoveKey) write(c *codec)    { r.code(c) }
func (r Ready) write(c *codec)        { r.code(c) }
func (r Upgrade) write(c *codec)      { r.code(c) }

// Encode returns the data of a record, without OP_RETURN and push. The error
// says which field cannot be written.
func Encode(r Record) ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, fmt.Errorf("%s record: %w", r.Op(), err)
	}
	return encode(r), nil
}

// encode is Encode for a record that was checked.
func encode(r Record) []byte {
	c := codec{b: append([]byte(magic), version, byte(r.Op()))}
	r.write(&c)
	return c.b
}

// Script returns the output script of a record; its amount has to be 0. The
// error says which field cannot be written.
func Script(r Record) ([]byte, error) {
	data, err := Encode(r)
	if err != nil {
		return nil, err
	}
	return script(data), nil
}

// script is OP_RETURN and the one minimal push of data, which has 5 to 520
// bytes, so that no small-number opcode comes into question.
func script(data []byte) []byte {
	b := []byte{txscript.OP_RETURN}
	switch n := len(data); {
	case n <= txscript.OP_DATA_75:
		b = append(b, byte(n))
	case n <= 255:
		b = append(b, txscript.OP_PUSHDATA1, byte(n))
	default:
		b = append(b, txscript.OP_PUSHDATA2, byte(n), byte(n>>8))
	}
	return append(b, data...)
}

// Decode reads the data of a record, without OP_RETURN and push. Its only
// error is a *consensus.RuleError of RuleMalformed. The record holds no part
// of data.
func Decode(data []byte) (Record, error) {
	r, err := decode(data)
	if err != nil {
		return nil, broke(RuleMalformed, "%v", err)
	}
	return r, nil
}

func decode(data []byte) (Record, error) {
	switch {
	case len(data) > MaxSize:
		return nil, fmt.Errorf("record of %d bytes, at most %d are allowed", len(data), MaxSize)
	case !bytes.HasPrefix(data, []byte(magic)):
		return nil, errors.New("no record: it does not begin with CHR")
	case len(data) < len(magic)+2:
		return nil, fmt.Errorf("record of %d bytes ends before its operation", len(data))
	case data[len(magic)] != version:
		return nil, fmt.Errorf("record of version %d, only %d is known", data[len(magic)], version)
	}
	op, c := Op(data[len(magic)+1]), codec{reading: true, b: data[len(magic)+2:]}
	r := readOperands(op, &c)
	if r == nil {
		return nil, fmt.Errorf("record of unknown operation %d", byte(op))
	}
	if c.err == nil && len(c.b) > 0 {
		c.err = fmt.Errorf("%d bytes follow its operands", len(c.b))
	}
	if c.err == nil {
		c.err = r.check()
	}
	if c.err != nil {
		return nil, fmt.Errorf("%s record: %w", op, c.err)
	}
	return r, nil
}

// readOperands returns nil where the operation is unknown.
func readOperands(op Op, c *codec) Record {
	switch op {
	case OpCreateMember:
		return read[CreateMember](c)
	case OpRenameMember:
		return read[RenameMember](c)
	case OpGrant:
		return read[Grant](c)
	case OpAddKey:
		return read[AddKey](c)
	case OpChangeKey:
		return read[ChangeKey](c)
	case OpRemoveKey:
		return read[RemoveKey](c)
	case OpReady:
		return read[Ready](c)
	case OpUpgrade:
		return read[Upgrade](c)
	}
	return nil
}

func read[T Record, P interface {
	*T
	code(c *codec)
}](c *codec) Record {
	var r T
	P(&r).code(c)
	return r
}
