package wallet

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/wallet/wallettest"
)

// governed is the wallet on a chain of members: alpha administers by the
// wallet's first address, which has roles besides; the wallet has 5 coins
// there and 1 at its second address, which is nobody's. A shop is paid at the
// foreign address.
func governed(t *testing.T, roles ...params.Permission) *world {
	t.Helper()
	x := newWorld(t)
	first, second := addressOf(x.cfg.Chain.Address, x.pay(0, 0).PkScript), addressOf(x.cfg.Chain.Address, x.pay(0, 1).PkScript)
	_, miner := other(t)
	p, err := params.NewPermissioned(params.PermissionedOptions{
		OpenOptions: params.OpenOptions{
			Name: "acme", HRP: "bc", Time: wallettest.Start, OnDemand: true,
			Allocations: []params.Allocation{{Address: first, Amount: 5 * coin}, {Address: second, Amount: coin}},
		},
		Members: []params.Member{
			{Name: "alpha", Permissions: []params.Permission{params.PermAdmin}, Keys: []params.MemberKey{
				{Identity: first, Roles: append(slices.Clone(roles), params.PermAdmin)},
				{Identity: addressOf(x.cfg.Chain.Address, miner.Script), Roles: []params.Permission{params.PermMine}},
			}},
			{Name: "shop", Permissions: []params.Permission{params.PermReceive}, Keys: []params.MemberKey{
				{Identity: x.foreignAddress(), Roles: []params.Permission{params.PermReceive}},
			}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	x.node = wallettest.NewOn(refuse, p.GenesisBlock)
	x.node.Govern(p)
	x.w.cfg.Chain.Genesis, x.w.genesis = p.GenesisHash, chainhash.Hash{}
	x.w.cfg.Chain.RestrictsSend, x.w.cfg.Chain.RestrictsReceive = ChainOf(p).RestrictsSend, ChainOf(p).RestrictsReceive
	if !ChainOf(p).RestrictsSend || !ChainOf(p).RestrictsReceive {
		t.Fatal("the chain restricts nothing")
	}
	x.sync()
	return x
}

func (x *world) address(index uint32) string {
	return addressOf(x.cfg.Chain.Address, x.pay(0, index).PkScript)
}

// A payment that members do not permit is refused before it is signed, with
// who lacks what and whom to ask.
func TestPaymentsNeedPermission(t *testing.T) {
	both := []params.Permission{params.PermSend, params.PermReceive}
	for name, c := range map[string]struct {
		roles []params.Permission
		to    func(*world) string
		want  PermissionError
	}{
		"to nobody":      {both, func(x *world) string { return x.address(9) }, PermissionError{Permission: params.PermReceive, Own: true}},
		"change":         {both[:1], (*world).foreignAddress, PermissionError{Permission: params.PermReceive, Own: true, Member: "alpha", Role: true}},
		"may not send":   {both[1:], (*world).foreignAddress, PermissionError{Permission: params.PermSend, Own: true, Member: "alpha", Role: true}},
		"may do nothing": {nil, (*world).foreignAddress, PermissionError{Permission: params.PermReceive, Own: true, Member: "alpha", Role: true}},
	} {
		x := governed(t, c.roles...)
		_, err := x.w.Prepare(context.Background(), x.node, SendRequest{To: c.to(x), Amount: coin})
		var got *PermissionError
		if !errors.As(err, &got) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got.Permission != c.want.Permission || got.Own != c.want.Own || got.Member != c.want.Member || got.Role != c.want.Role || len(got.Ask) != 1 || got.Ask[0] != "alpha" {
			t.Errorf("%s: %+v", name, got)
		}
		ask := "ask an administering member (alpha) to run `charter grant "
		if c.want.Role {
			ask = "charter key change alpha"
		}
		if text := err.Error(); !strings.Contains(text, ask) || !strings.Contains(text, got.Address) {
			t.Errorf("%s: %s", name, text)
		}
	}
}

// Where only members may pay and be paid, coins of permitted addresses are
// spent, and change goes back to one.
func TestPermittedPayment(t *testing.T) {
	x := governed(t, params.PermSend, params.PermReceive)
	address, ok, err := x.w.PermittedAddress(context.Background(), x.node)
	if err != nil || !ok || address != x.address(0) {
		t.Errorf("address to receive at: %s, %t, %v", address, ok, err)
	}
	d := x.send(x.foreignAddress(), coin)
	if d.Inputs() != 1 || d.inputs[0].Amount != 5*coin {
		t.Errorf("spent: %+v", d.inputs)
	}
	own := false
	for _, out := range d.Tx.TxOut {
		own = own || Amount(out.Value) == d.Change && bytes.Equal(out.PkScript, x.pay(0, 0).PkScript)
	}
	if !own || d.Change == 0 {
		t.Errorf("change %v goes elsewhere", d.Change)
	}
	if _, err := x.w.Prepare(context.Background(), x.node, SendRequest{To: x.foreignAddress(), Amount: 4*coin + coin/2}); err == nil {
		t.Error("coins that may not be sent were counted on")
	}
	// The coin that may not be sent is still the wallet's.
	if b := x.w.Balance(); b.Total() < 4*coin {
		t.Errorf("balance %+v", b)
	}
}

func TestNoPermittedAddress(t *testing.T) {
	x := governed(t)
	address, ok, err := x.w.PermittedAddress(context.Background(), x.node)
	if err != nil || ok || address != x.address(0) {
		t.Errorf("%s, %t, %v", address, ok, err)
	}
}
