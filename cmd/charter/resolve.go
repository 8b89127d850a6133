package main

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/rpc/client"
	"github.com/charterchain/charter/wallet"
)

// roster is the members of the chain as the node lists them, and how people
// name them.
type roster struct {
	*client.MemberList
	chain *params.Params
}

// lookup finds a member by name, id, or the address of one of its keys.
func (r *roster) lookup(which string) (*client.Member, bool) {
	for i := range r.Members {
		m := &r.Members[i]
		if m.Name == which || strings.EqualFold(m.ID, which) ||
			slices.ContainsFunc(m.Keys, func(k client.Key) bool { return k.Address == which }) {
			return m, true
		}
	}
	return nil, false
}

// member is lookup for somebody who has to exist.
func (r *roster) member(which string) (*client.Member, record.MemberID, error) {
	if wallet.IsCard(which) {
		card, err := r.card(which)
		if err != nil {
			return nil, record.MemberID{}, err
		}
		which = card.Terms.Member.String()
	}
	m, ok := r.lookup(which)
	if !ok {
		return nil, record.MemberID{}, r.unknown(which)
	}
	id, err := record.ParseMemberID(m.ID)
	return m, id, err
}

// unknown names members that are called much like which.
func (r *roster) unknown(which string) error {
	if _, err := r.chain.Address.Decode(which); err == nil {
		return fmt.Errorf("the address %s is no key of any member; `charter member list` lists them", which)
	}
	var near []string
	for _, m := range r.Members {
		if similar(m.Name, which) {
			near = append(near, m.Name)
		}
	}
	hint := "`charter member list` lists them"
	if len(near) > 0 {
		slices.Sort(near)
		hint = "did you mean " + strings.Join(near[:min(len(near), 5)], ", ") + "?"
	}
	return fmt.Errorf("there is no member %q: %s", which, hint)
}

// similar reports whether somebody may have meant one name and typed the
// other: a part of it, or two letters wrong.
func similar(name, typed string) bool {
	typed = strings.ToLower(typed)
	if len(typed) >= 2 && (strings.Contains(name, typed) || strings.Contains(typed, name)) {
		return true
	}
	return len(typed) > 2 && distance(name, typed) <= 2
}

// distance is how many letters have to be put in, left out or changed.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}

// namer gives present names to record.Describe. members that the same
// transaction creates are named by founded.
func (r *roster) namer(founded []record.Record) func(record.MemberID) string {
	return func(id record.MemberID) string {
		if m, ok := r.lookup(id.String()); ok {
			return m.Name
		}
		for _, rec := range founded {
			if c, ok := rec.(record.CreateMember); ok && record.NewMemberID(c.Name, c.Identity) == id {
				return c.Name
			}
		}
		return ""
	}
}

// addressText writes scripts for record.Describe.
func (r *roster) addressText(script []byte) string {
	text, _ := r.chain.Address.Encode(script)
	return text
}

func (r *roster) card(text string) (*wallet.Card, error) {
	return wallet.ParseCard(text, r.chain.Address, r.chain.GenesisHash)
}

// keyArg is a key as the command line names it: by a card, or by its address
// where its roles need no signature.
type keyArg struct {
	card     *wallet.Card // nil: an address
	address  string
	identity []byte
}

func (r *roster) key(text string) (*keyArg, error) {
	if wallet.IsCard(text) {
		card, err := r.card(text)
		if err != nil {
			return nil, err
		}
		address, _ := r.chain.Address.Encode(card.Terms.Identity)
		return &keyArg{card, address, card.Terms.Identity}, nil
	}
	script, err := r.chain.Address.Decode(text)
	if err != nil {
		return nil, fmt.Errorf("%w (or give a key card, made with `charter key card`)", err)
	}
	return &keyArg{nil, text, script}, nil
}

// free makes sure that the key is nobody's.
func (r *roster) free(k *keyArg) error {
	if m, ok := r.lookup(k.address); ok {
		return fmt.Errorf("the key %s belongs to the member %s already: a key belongs to one member", k.address, m.Name)
	}
	return nil
}

// roles are those of the card, or those asked for if an address may have them.
func (k *keyArg) roles(asked record.Set) (record.Set, error) {
	if k.card != nil {
		if asked != 0 && asked != k.card.Terms.Roles {
			return 0, fmt.Errorf("the key signed its card for the roles %s, not %s: have another card made, or leave --roles out", k.card.Terms.Roles, asked)
		}
		return k.card.Terms.Roles, nil
	}
	if asked.Any(record.NeedsKey) {
		return 0, fmt.Errorf("the role %s needs the key's own signature: have its owner run `charter key card --roles %s …` and give the card in place of the address", asked&record.NeedsKey, asked)
	}
	return asked, nil
}

func (k *keyArg) sig() *[64]byte {
	if k.card == nil {
		return nil
	}
	return k.card.RecordSig()
}

// parseSet reads names with commas between them.
func parseSet(text string) (record.Set, error) {
	set, err := record.ParseSet(strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' }))
	if err != nil {
		return 0, &usageError{err}
	}
	return set, nil
}

// parsePermissions reads what can be granted.
func parsePermissions(text string) (record.Set, error) {
	set, err := parseSet(text)
	switch {
	case err != nil:
		return 0, err
	case set == 0:
		return 0, usagef("no permission is named: give some of %s", strings.Join(record.Permissions.Names(), ", "))
	case set.Any(record.Manage):
		return 0, usagef("manage is a role of keys and cannot be granted to a member: see `charter key add --help`")
	}
	return set, nil
}

// script is the identity of a listed key.
func script(k *client.Key) ([]byte, error) {
	b, err := hex.DecodeString(k.Script)
	if err != nil {
		return nil, fmt.Errorf("the node lists the key %s with a script that is not hex: %w", k.Address, err)
	}
	return b, nil
}

// acts reports whether the key acts in a role in the next block, as far as its
// own range and roles go.
func acts(k *client.Key, role record.Set) bool {
	return k.InForce && slices.Contains(k.Roles, string(role.Perm()))
}
