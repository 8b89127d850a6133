package wallet

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/permission/record"
)

// Card is a key card: a key agrees to act for a member. It carries what a
// record that adds or changes the key needs, and proves that whoever made it
// has the private key. As text it is one line:
//
//	charter-key:<member>:<address>:<roles>:<from>:<until>:<signature>
//
//	member     id of the member, 40 hex digits, or new=NAME
//	address    the key's identity, P2TR
//	roles      names with commas between them, in the order of record.Set
//	from       height
//	until      height, or forever
//	signature  BIP340 over record.KeyMessage, 128 hex digits
//
// The card of a new member's first key goes from 0 for ever.
type Card struct {
	Terms record.KeyTerms
	New   string // name of the member that the key founds; "": it exists
	Sig   [64]byte
}

// cardPrefix begins the text of a card.
const cardPrefix = "charter-key:"

// IsCard reports whether a text means to be a key card.
func IsCard(text string) bool { return strings.HasPrefix(text, cardPrefix) }

// MakeCard signs a card with a key whose x-only form is the identity's
// program. founder is the name of the member that the key is to found, or ""
// where terms.Member exists; then terms.Member is not looked at.
func MakeCard(genesis chainhash.Hash, key *btcec.PrivateKey, founder string, terms record.KeyTerms) (*Card, error) {
	xonly := [32]byte(schnorr.SerializePubKey(key.PubKey()))
	if terms.Identity == nil {
		terms.Identity = record.KeyScript(xonly)
	}
	if program, ok := record.ScriptKey(terms.Identity); !ok || program != xonly {
		return nil, errors.New("the private key is not that of the identity")
	}
	c := &Card{Terms: terms, New: founder}
	if founder != "" {
		if terms.Range != (record.Range{Until: record.Forever}) {
			return nil, errors.New("the first key of a new member is in force from the start for ever: leave the range out, and change the key later")
		}
		c.Terms.Member = record.NewMemberID(founder, terms.Identity)
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	msg := record.KeyMessage(genesis, c.Terms.Member, c.Terms.Identity, c.Terms.Roles, c.Terms.Range)
	sig, err := schnorr.Sign(key, msg[:])
	if err != nil {
		return nil, fmt.Errorf("sign the key card: %w", err)
	}
	c.Sig = [64]byte(sig.Serialize())
	return c, nil
}

// Card signs a card with one of the wallet's own identities, terms.Identity,
// for the chain of a genesis block.
func (w *Wallet) Card(keys *Keys, genesis chainhash.Hash, founder string, terms record.KeyTerms) (*Card, error) {
	key, err := w.identity(terms.Identity, keys)
	if err != nil {
		return nil, err
	}
	defer key.Zero()
	return MakeCard(genesis, key, founder, terms)
}

// check reports what is wrong with the terms.
func (c *Card) check() error {
	if c.New != "" {
		if err := record.CheckName(c.New); err != nil {
			return fmt.Errorf("the name %q %w", c.New, err)
		}
	}
	if c.Terms.Roles == 0 || c.Terms.Roles&^record.Roles != 0 {
		return errors.New("the key has no role: name some of " + strings.Join(record.Roles.Names(), ", "))
	}
	if c.Terms.Range.Empty() {
		return fmt.Errorf("from block %d until before block %d the key would never be in force", c.Terms.Range.From, c.Terms.Range.Until)
	}
	return record.CheckIdentity(c.Terms.Identity, c.Terms.Roles)
}

// RecordSig is the signature as records carry it: nil where the roles ask for
// none.
func (c *Card) RecordSig() *[64]byte {
	if !c.Terms.Roles.Any(record.NeedsKey) {
		return nil
	}
	sig := c.Sig
	return &sig
}

// Text writes the card.
func (c *Card) Text(a params.Address) string {
	member := c.Terms.Member.String()
	if c.New != "" {
		member = "new=" + c.New
	}
	until := "forever"
	if c.Terms.Range.Until != record.Forever {
		until = strconv.FormatUint(uint64(c.Terms.Range.Until), 10)
	}
	return fmt.Sprintf("%s%s:%s:%s:%d:%s:%x", cardPrefix, member, addressOf(a, c.Terms.Identity), c.Terms.Roles, c.Terms.Range.From, until, c.Sig)
}

// ParseCard reads a card and checks its signature for the chain of a genesis
// block.
func ParseCard(text string, a params.Address, genesis chainhash.Hash) (*Card, error) {
	c, err := parseCard(text, a)
	if err != nil {
		return nil, fmt.Errorf("key card: %w", err)
	}
	k := &c.Terms
	if !record.VerifyKeySig(genesis, k.Member, k.Identity, k.Roles, k.Range, &c.Sig) {
		return nil, errors.New("key card: its signature does not fit: it was changed, or it is for another chain or member; have a new one made with `charter key card`")
	}
	return c, nil
}

func parseCard(text string, a params.Address) (*Card, error) {
	fields := strings.Split(strings.TrimSpace(text), ":")
	const count = 7
	if !IsCard(text) || len(fields) != count {
		return nil, fmt.Errorf("it is not of the form charter-key:MEMBER:ADDRESS:ROLES:FROM:UNTIL:SIGNATURE (%d parts instead of %d)", len(fields), count)
	}
	c := new(Card)
	k := &c.Terms
	var err error
	if k.Identity, err = a.Decode(fields[2]); err != nil {
		return nil, err
	}
	if k.Roles, err = record.ParseSet(strings.Split(fields[3], ",")); err != nil {
		return nil, err
	}
	if k.Range, err = ParseRange(fields[4], fields[5]); err != nil {
		return nil, err
	}
	if name, ok := strings.CutPrefix(fields[1], "new="); ok {
		c.New, k.Member = name, record.NewMemberID(name, k.Identity)
		if k.Range != (record.Range{Until: record.Forever}) {
			return nil, errors.New("the first key of a new member goes from 0 until forever")
		}
		if name == "" {
			return nil, errors.New("the name of the new member is missing behind new=")
		}
	} else if k.Member, err = record.ParseMemberID(fields[1]); err != nil {
		return nil, err
	}
	sig, err := hex.DecodeString(fields[6])
	if err != nil || len(sig) != len(c.Sig) {
		return nil, fmt.Errorf("its signature has %d characters instead of %d hex digits", len(fields[6]), 2*len(c.Sig))
	}
	c.Sig = [64]byte(sig)
	return c, c.check()
}

// ParseRange reads the heights of a range; until may be "forever".
func ParseRange(from, until string) (record.Range, error) {
	var r record.Range
	first, err := strconv.ParseUint(from, 10, 31)
	if err != nil {
		return r, fmt.Errorf("from %q is no height", from)
	}
	r = record.Range{From: uint32(first), Until: record.Forever}
	if until == "forever" {
		return r, nil
	}
	last, err := strconv.ParseUint(until, 10, 31)
	if err != nil {
		return r, fmt.Errorf("until %q is no height: give one, or forever", until)
	}
	if r.Until = uint32(last); r.Empty() {
		return r, fmt.Errorf("from block %d until before block %d is no range: nothing would be in force", r.From, r.Until)
	}
	return r, nil
}

// NameFor makes a name for a member that is known by an address only: its last
// eight characters, without what names must not have.
func NameFor(address string) string {
	name := []byte(strings.ToLower(address[max(0, len(address)-8):]))
	return string(slices.DeleteFunc(name, func(b byte) bool { return record.CheckName(string(b)) != nil }))
}
