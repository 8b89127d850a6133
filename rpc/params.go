package rpc

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"strconv"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain/params"
)

// call is one call under way: its parameters, read by position. The first
// fault is kept, and every reader after it returns zero, so that a method
// reads all its parameters and then looks at err once.
type call struct {
	method *method
	params []json.RawMessage // in the order of the table; nil: not given
	ws     *wsClient         // nil over HTTP
	err    error

	// serving ends when the server stops, and not when the caller leaves: a
	// change of the chain that has begun goes on to its end.
	serving context.Context
}

// has reports whether parameter i was given.
func (c *call) has(i int) bool { return c.params[i] != nil }

func (c *call) name(i int) string { return c.method.params[i].mainName() }

// fault keeps the first error.
func (c *call) fault(code int, format string, args ...any) {
	if c.err == nil {
		c.err = fail(code, format, args...)
	}
}

// read decodes parameter i if its JSON type is want.
func (c *call) read(i int, want kind, into any) bool {
	raw := c.params[i]
	if c.err != nil || raw == nil {
		return false
	}
	if got := kindOf(raw); got != want {
		c.fault(codeType, "Wrong type passed: position %d (%s): JSON value of type %s is not of expected type %s; want %s",
			i+1, c.name(i), got, want, c.method.params[i].want)
		return false
	}
	err := json.Unmarshal(raw, into)
	var field *json.UnmarshalTypeError
	if errors.As(err, &field) && field.Field != "" {
		c.fault(codeType, "%s: JSON value of type %s is not of the expected type for %q; want %s",
			c.name(i), field.Value, field.Field, c.method.params[i].want)
		return false
	}
	if err != nil {
		c.fault(codeType, "%s: %v; want %s", c.name(i), err, c.method.params[i].want)
		return false
	}
	return true
}

func (c *call) text(i int, fallback string) string {
	s := fallback
	c.read(i, kindString, &s)
	return s
}

func (c *call) flag(i int, fallback bool) bool {
	b := fallback
	c.read(i, kindBool, &b)
	return b
}

// integer reads a whole number within [low, high].
func (c *call) integer(i int, fallback, low, high int64) int64 {
	return c.whole(i, fallback, low, high, codeInvalidParam)
}

// whole is integer with the code for a number out of range: codeMisc where
// it does not fit the type that Bitcoin Core reads it into.
func (c *call) whole(i int, fallback, low, high int64, code int) int64 {
	var n json.Number
	if !c.read(i, kindNumber, &n) {
		return fallback
	}
	v, err := strconv.ParseInt(n.String(), 10, 64)
	if err != nil {
		c.fault(codeMisc, "JSON integer out of range: %s is %.40s, want a whole number", c.name(i), n)
		return fallback
	}
	if v < low || v > high {
		c.fault(code, "JSON integer out of range: %s is %d, want %d to %d", c.name(i), v, low, high)
		return fallback
	}
	return v
}

// verbosity reads a level: a number, or a bool for 0 and 1 as in old versions
// of Bitcoin Core.
func (c *call) verbosity(i int, fallback int) int {
	if kindOf(c.params[i]) == kindBool {
		if c.flag(i, false) {
			return 1
		}
		return 0
	}
	return int(c.whole(i, int64(fallback), math.MinInt32, math.MaxInt32, codeMisc))
}

// hash reads a block hash or a transaction id.
func (c *call) hash(i int) chainhash.Hash {
	var s string
	if !c.read(i, kindString, &s) {
		return chainhash.Hash{}
	}
	h, err := parseHash(c.name(i), s)
	if err != nil {
		c.err = err
	}
	return h
}

func parseHash(name, s string) (chainhash.Hash, error) {
	if len(s) != chainhash.MaxHashStringSize {
		return chainhash.Hash{}, fail(codeInvalidParam, "%s must be of length %d (not %d, for '%.80s')",
			name, chainhash.MaxHashStringSize, len(s), s)
	}
	h, err := chainhash.NewHashFromStr(s)
	if err != nil {
		return chainhash.Hash{}, fail(codeInvalidParam, "%s must be hexadecimal string (not '%s')", name, s)
	}
	return *h, nil
}

// bytes reads hex. code is what Bitcoin Core says of anything else here.
func (c *call) bytes(i, code int) []byte {
	var s string
	if !c.read(i, kindString, &s) {
		return nil
	}
	b, err := hex.DecodeString(s)
	if err != nil {
		c.fault(code, "%s must be hexadecimal string (not '%.80s')", c.name(i), s)
		return nil
	}
	return b
}

// amount reads a number of coins that is not negative, as number or string.
func (c *call) amount(i int, fallback Amount) Amount {
	raw := c.params[i]
	if c.err != nil || raw == nil {
		return fallback
	}
	a, err := amountOf(raw)
	if err == nil {
		return a
	}
	what := "Invalid amount"
	if errors.Is(err, errAmountRange) {
		what = "Amount out of range"
	}
	c.fault(codeType, "%s: %s is %s: %v; want %s", what, c.name(i), excerpt(raw), err, c.method.params[i].want)
	return fallback
}

// amountOf reads a JSON number or string exactly.
func amountOf(raw json.RawMessage) (Amount, error) {
	text := string(raw)
	switch kindOf(raw) {
	case kindNumber:
	case kindString:
		if err := json.Unmarshal(raw, &text); err != nil {
			return 0, errAmountSyntax
		}
	default:
		return 0, errAmountSyntax
	}
	a, err := ParseAmount(text)
	if err == nil && a < 0 {
		err = errAmountRange
	}
	return a, err
}

// list reads an array of at most most elements.
func (c *call) list(i, most int) []json.RawMessage {
	raw := c.params[i]
	if kindOf(raw) == kindArray {
		if n := elements(raw); n > most {
			c.fault(codeInvalidParam, "%s has %d elements, at most %d are allowed", c.name(i), n, most)
			return nil
		}
	}
	var l []json.RawMessage
	c.read(i, kindArray, &l)
	return l
}

// address reads an address of this chain and returns its script.
func (c *call) address(i int, prefixes params.Address) []byte {
	var s string
	if !c.read(i, kindString, &s) {
		return nil
	}
	script, err := prefixes.Decode(s)
	if err != nil {
		c.fault(codeAddressOrKey, "Error: Invalid address: %s: %v", c.name(i), err)
		return nil
	}
	return script
}
