package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/permission/packet"
	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/rpc/client"
	"github.com/charterchain/charter/wallet"
)

// speaker is a key by whose coin a member speaks in a transaction.
type speaker struct {
	member *client.Member
	key    *client.Key
	script []byte
	own    bool // the wallet's
	coin   packet.Coin
}

// speakers chooses who speaks for records: the members named, else the one
// whose key --as names, else the one whose keys the wallet has. w is nil where
// there is no wallet; then members or a key have to be named.
func (g *governance) speakers(ctx context.Context, w *wallet.Wallet, records []record.Record, named []string) ([]speaker, error) {
	as := g.f.as
	if as != "" && len(named) == 0 {
		named = []string{as}
	}
	members, err := g.signers(w, named)
	if err != nil {
		return nil, err
	}
	var list []speaker
	for _, m := range members {
		keys, err := g.keysFor(w, m, records)
		if err != nil {
			return nil, err
		}
		for _, s := range keys {
			if err := g.findCoin(ctx, w, &s); err != nil {
				return nil, err
			}
			list = append(list, s)
		}
	}
	if as != "" && !slices.ContainsFunc(list, func(s speaker) bool { return s.key.Address == as }) {
		return nil, usagef("--as %s: that is the address of no key of %s", as, strings.Join(named, " or "))
	}
	return list, nil
}

// signers are the members that speak.
func (g *governance) signers(w *wallet.Wallet, named []string) ([]*client.Member, error) {
	var list []*client.Member
	for _, name := range named {
		m, _, err := g.member(name)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(list, m) {
			list = append(list, m)
		}
	}
	if len(named) > 0 {
		return list, nil
	}
	var names []string
	for i := range g.Members {
		m := &g.Members[i]
		if len(g.governing(w, m)) > 0 {
			list, names = append(list, m), append(names, m.Name)
		}
	}
	switch len(list) {
	case 0:
		first, err := w.FirstAddress()
		if err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("no key of this wallet governs a member (its first address is %s): use the wallet of a member that administers (%s), or name signers with --signers and write a PSBT with --psbt",
			first, strings.Join(g.administrators(), ", "))
	case 1:
		return list, nil
	}
	return nil, usagef("this wallet has keys of several members (%s): name those that vote with --signers", strings.Join(names, ", "))
}

func (g *governance) administrators() []string {
	var names []string
	for _, m := range g.Members {
		if m.Administers {
			names = append(names, m.Name)
		}
	}
	return names
}

// governing lists the keys of a member that govern in the next block: those of
// the wallet, or all where w is nil.
func (g *governance) governing(w *wallet.Wallet, m *client.Member) []speaker {
	var list []speaker
	for i := range m.Keys {
		k := &m.Keys[i]
		if !acts(k, record.Admin) && !acts(k, record.Activate) && !acts(k, record.Manage) {
			continue
		}
		id, err := script(k)
		if err != nil {
			continue // the node's own list; a script of no use
		}
		own := w != nil && w.Owns(id)
		if own || w == nil {
			list = append(list, speaker{member: m, key: k, script: id, own: own})
		}
	}
	return list
}

// keysFor chooses as few keys of a member as have a say in the records: its
// manage key for its own keys, else one that administers, else one that
// activates. Keys of the wallet go first. A key that --as names speaks alone
// for its member.
func (g *governance) keysFor(w *wallet.Wallet, m *client.Member, records []record.Record) ([]speaker, error) {
	if as := g.f.as; slices.ContainsFunc(m.Keys, func(k client.Key) bool { return k.Address == as }) {
		return g.keyNamed(w, m, as)
	}
	keys := g.governing(w, m)
	if len(keys) == 0 {
		keys = g.governing(nil, m)
	}
	var chosen []speaker
	for _, r := range records {
		role := roleFor(m, keys, r)
		if slices.ContainsFunc(chosen, func(s speaker) bool { return acts(s.key, role) }) {
			continue
		}
		at := slices.IndexFunc(keys, func(s speaker) bool { return acts(s.key, role) })
		if at < 0 {
			return nil, fmt.Errorf("no key of the member %s has a say in this: it takes one with the role %s, and a member that holds the permission", m.Name, role)
		}
		chosen = append(chosen, keys[at])
	}
	return chosen, nil
}

// keyNamed is the key of a member at an address, as the only one that speaks.
func (g *governance) keyNamed(w *wallet.Wallet, m *client.Member, address string) ([]speaker, error) {
	for _, s := range g.governing(nil, m) {
		if s.key.Address == address {
			s.own = w != nil && w.Owns(s.script)
			return []speaker{s}, nil
		}
	}
	return nil, fmt.Errorf("the key %s of %s has no say in anything now: it takes one of the roles %s, in force", address, m.Name, strings.Join(record.Governing.Names(), ", "))
}

// roleFor is the role in which a member speaks about a record.
func roleFor(m *client.Member, keys []speaker, r record.Record) record.Set {
	has := func(role record.Set) bool {
		return slices.ContainsFunc(keys, func(s speaker) bool { return acts(s.key, role) })
	}
	own := false
	switch r := r.(type) {
	case record.AddKey:
		own = r.Member.String() == m.ID
	case record.ChangeKey:
		own = r.Member.String() == m.ID
	case record.RemoveKey:
		own = r.Member.String() == m.ID
	case record.Ready: // any governing key carries it
		for _, role := range []record.Set{record.Admin, record.Manage} {
			if has(role) {
				return role
			}
		}
		return record.Activate
	}
	switch {
	case own && has(record.Manage):
		return record.Manage
	case m.Activates && !m.Administers && has(record.Activate):
		return record.Activate
	}
	return record.Admin
}

// findCoin finds what the key speaks by: in the wallet, which knows what it
// sent, else through the node.
func (g *governance) findCoin(ctx context.Context, w *wallet.Wallet, s *speaker) error {
	if s.own {
		if coin, ok := w.AuthorityCoin(s.script); ok {
			s.coin = coin
			return nil
		}
		return fmt.Errorf("the key %s of %s has no coin to speak by: if one is on its way wait for a block, else have somebody pay it a small amount", s.key.Address, s.member.Name)
	}
	coins, err := g.node.ListAuthority(ctx, s.key.Address)
	if err != nil {
		return asFailure(err)
	}
	for i := range coins {
		if coins[i].Script == s.key.Script {
			s.coin, err = parseCoin(&coins[i])
			return err
		}
	}
	return fmt.Errorf("the key %s of %s has no coin to speak by, as far as the node knows", s.key.Address, s.member.Name)
}

func parseCoin(c *client.AuthorityCoin) (packet.Coin, error) {
	var out packet.Coin
	id, err := chainhash.NewHashFromStr(c.TxID)
	if err != nil {
		return out, fmt.Errorf("listauthority: %w", err)
	}
	script, err := hex.DecodeString(c.Script)
	if err != nil {
		return out, fmt.Errorf("listauthority: %w", err)
	}
	return packet.Coin{OutPoint: wire.OutPoint{Hash: *id, Index: c.Vout}, Amount: c.AmountSats, Script: script}, nil
}

// addresses lists those of the keys that speak.
func addresses(list []speaker) []string {
	out := make([]string, len(list))
	for i := range list {
		out[i] = list[i].key.Address
	}
	return out
}
