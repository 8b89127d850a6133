package wallet

import (
	"context"
	"fmt"
	"strings"

	"github.com/charterchain/charter/chain/params"
)

// PermissionError reports that the chain's members have not permitted what a
// payment needs.
type PermissionError struct {
	Permission params.Permission // send or receive
	Address    string            // the one that may not
	Own        bool              // it is the wallet's
	Member     string            // whose key it is; "": nobody's
	Role       bool              // the member may, but not by this key
	Ask        []string          // names of members that can change that
}

func (e *PermissionError) Error() string {
	whose, of := "the address", "which belongs to no member"
	if e.Own {
		whose = "this wallet's address"
	}
	if e.Member != "" {
		of = "a key of the member " + e.Member
	}
	refusal := fmt.Sprintf("%s %s, %s, may not %s on this chain: ", whose, e.Address, of, e.Permission)
	if e.Role {
		return refusal + fmt.Sprintf("the member may, but the key lacks the role; have `charter key change %s` give it to the key, or use another of its keys", e.Member)
	}
	ask, subject := "ask an administering member", e.Address
	if len(e.Ask) > 0 {
		ask += " (" + strings.Join(e.Ask, ", ") + ")"
	}
	if e.Member != "" {
		subject = e.Member
	}
	return refusal + fmt.Sprintf("%s to run `charter grant %s %s`", ask, subject, e.Permission)
}

// maxAsk is how many members a message names.
const maxAsk = 5

// permits asks the node what addresses may do, each question once.
type permits struct {
	node  node
	known map[[2]string]bool
}

func newPermits(n node) *permits { return &permits{n, make(map[[2]string]bool)} }

func (p *permits) may(ctx context.Context, address string, perm params.Permission) (bool, error) {
	key := [2]string{address, string(perm)}
	if yes, ok := p.known[key]; ok {
		return yes, nil
	}
	var yes bool
	if err := p.node.call(ctx, &yes, "verifypermission", address, string(perm)); err != nil {
		return false, err
	}
	p.known[key] = yes
	return yes, nil
}

// refusal makes the error for an address that may not do something.
func (p *permits) refusal(ctx context.Context, address string, own bool, perm params.Permission) error {
	e := &PermissionError{Permission: perm, Address: address, Own: own}
	var list struct {
		Members []listedMember `json:"members"`
	}
	if err := p.node.call(ctx, &list, "listmembers"); err != nil {
		return err
	}
	for i := range list.Members {
		m := &list.Members[i]
		if (m.Administers || m.Activates) && len(e.Ask) < maxAsk {
			e.Ask = append(e.Ask, m.Name)
		}
		for _, k := range m.Keys {
			if k.Address == address {
				e.Member, e.Role = m.Name, m.holds(perm)
			}
		}
	}
	return e
}

// listedMember is what matters here of a row of listmembers.
type listedMember struct {
	Name        string `json:"name"`
	Administers bool   `json:"administers"`
	Activates   bool   `json:"activates"`
	Keys        []struct {
		Address string `json:"address"`
	} `json:"keys"`
	Permissions []struct {
		Permission string `json:"permission"`
		InForce    bool   `json:"inforce"`
	} `json:"permissions"`
}

// holds reports whether the member holds send or receive now: admin includes
// them.
func (m *listedMember) holds(perm params.Permission) bool {
	for _, p := range m.Permissions {
		if p.InForce && (p.Permission == string(perm) || p.Permission == string(params.PermAdmin)) {
			return true
		}
	}
	return false
}

// PermittedAddress returns the address to give to somebody who pays. On a
// chain where receiving is for members it is the wallet's first address that
// may; where none may yet, ok is false and the address is the one to ask a
// permission for. On other chains it is ReceiveAddress.
func (w *Wallet) PermittedAddress(ctx context.Context, rpc RPC) (address string, ok bool, err error) {
	if !w.cfg.Chain.RestrictsReceive {
		address, err = w.ReceiveAddress()
		return address, true, err
	}
	path, ok, err := w.permittedPath(ctx, newPermits(node{rpc, &w.cfg.Chain.Limits}))
	if err != nil {
		return "", false, err
	}
	address, err = w.encode(w.book.script(path))
	return address, ok, err
}

// permittedPath finds the first own address that may receive: of those to
// receive at, up to the one to be used next, then of those for change. Where
// there is none it is the very first.
func (w *Wallet) permittedPath(ctx context.Context, p *permits) (path keyPath, ok bool, err error) {
	for _, br := range []branch{external, internal} {
		for i := range w.book.current(br) + 1 {
			path := keyPath{br, i}
			address, err := w.encode(w.book.script(path))
			if err != nil {
				return path, false, err
			}
			if ok, err := p.may(ctx, address, params.PermReceive); ok || err != nil {
				return path, ok, err
			}
		}
	}
	return keyPath{external, 0}, false, nil
}

// paymentPaths decides, by what the chain permits, which coins a payment may
// spend (nil: all) and where its change goes.
func (w *Wallet) paymentPaths(ctx context.Context, n node, to string) (spend func(Unspent) bool, change keyPath, err error) {
	change = keyPath{internal, w.book.current(internal)}
	p := newPermits(n)
	if w.cfg.Chain.RestrictsReceive {
		if ok, err := p.may(ctx, to, params.PermReceive); err != nil {
			return nil, change, err
		} else if !ok {
			return nil, change, p.refusal(ctx, to, w.ownAddress(to), params.PermReceive)
		}
		var ok bool
		if change, ok, err = w.permittedPath(ctx, p); err != nil {
			return nil, change, err
		}
		if !ok {
			first, err := w.FirstAddress()
			if err != nil {
				return nil, change, err
			}
			return nil, change, p.refusal(ctx, first, true, params.PermReceive)
		}
	}
	if !w.cfg.Chain.RestrictsSend {
		return nil, change, nil
	}
	spend, err = w.sendable(ctx, p)
	return spend, change, err
}

// sendable tells the coins that may be sent from those that may not. That
// none may is an error, if there are any.
func (w *Wallet) sendable(ctx context.Context, p *permits) (func(Unspent) bool, error) {
	var refused string
	any := false
	for _, u := range w.Unspent() {
		if !u.Standing.Spendable() {
			continue
		}
		ok, err := p.may(ctx, u.Address, params.PermSend)
		if err != nil {
			return nil, err
		}
		if any = any || ok; !ok && refused == "" {
			refused = u.Address
		}
	}
	if !any && refused != "" {
		return nil, p.refusal(ctx, refused, true, params.PermSend)
	}
	return func(u Unspent) bool { return p.known[[2]string{u.Address, string(params.PermSend)}] }, nil
}

func (w *Wallet) ownAddress(text string) bool {
	script, err := w.cfg.Chain.Address.Decode(text)
	return err == nil && w.Owns(script)
}
