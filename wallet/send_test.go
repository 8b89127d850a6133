package wallet

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/wallet/coins"
	"github.com/charterchain/charter/wallet/keystore"
)

func TestSend(t *testing.T) {
	x := newWorld(t, 100*coin)
	x.sync()
	d := x.send(x.foreignAddress(), 10*coin)
	if d.Rate != 1000 || d.Fee != Amount(d.VSize) || d.Change != 90*coin-d.Fee || d.Inputs() != 1 {
		t.Errorf("draft %+v", d)
	}
	if pool := x.node.Pool(); len(pool) != 1 || pool[0].TxHash() != d.TxID() {
		t.Fatalf("pool %v", pool)
	}
	x.wantBalance("sent", Balance{Change: 90*coin - d.Fee})

	// The change can be spent before it is in a block.
	d2 := x.send(x.foreignAddress(), 20*coin)
	x.wantBalance("sent from change", Balance{Change: 70*coin - d.Fee - d2.Fee})
	x.sync()
	x.wantBalance("still waiting", Balance{Change: 70*coin - d.Fee - d2.Fee})
	x.node.MinePool()
	x.sync()
	x.wantBalance("confirmed", Balance{Confirmed: 70*coin - d.Fee - d2.Fee})

	self, err := x.w.ReceiveAddress()
	if err != nil {
		t.Fatal(err)
	}
	d3 := x.send(self, 1*coin)
	h := x.w.History()
	last := h[len(h)-1]
	if last.Kind != KindSelf || last.Amount != 0 || last.Fee != d3.Fee || !cmp.Equal(last.Addresses, []string{self}) {
		t.Errorf("payment to self shows as %+v", last)
	}
	if next, _ := x.w.ReceiveAddress(); next == self {
		t.Error("the used address is offered again")
	}
}

func TestSendEverything(t *testing.T) {
	x := newWorld(t, 1*coin)
	x.sync()
	const fee = 99 // one input, one P2WPKH output: 98.5 vB
	d := x.send(x.foreignAddress(), 1*coin-fee)
	if d.Change != 0 || d.Fee != fee {
		t.Errorf("draft %+v", d)
	}
	x.wantBalance("all gone", Balance{})
}

// TestPrepareRefuses checks what a wrong request is told, and that it
// changes nothing.
func TestPrepareRefuses(t *testing.T) {
	x := newWorld(t, 10*coin)
	x.node.Mine([]*wire.TxOut{x.pay(50*coin, 1)})
	x.node.Add(from(1, x.pay(3*coin, 2)))
	x.sync()
	good := x.foreignAddress()
	tests := []struct {
		name string
		req  SendRequest
		want []string
	}{
		{"over the balance", SendRequest{To: good, Amount: 11 * coin},
			[]string{"11.00000000 is more than the 10.00000000 that can be spent", "10.00000000 confirmed", "3.00000000 incoming", "50.00000000 is mined but immature"}},
		{"fee over the balance", SendRequest{To: good, Amount: 10 * coin},
			[]string{"10.00000000 and a fee of about 0.00000099 are more than the 10.00000000"}},
		{"zero", SendRequest{To: good}, []string{"not above zero"}},
		{"more than there can be", SendRequest{To: good, Amount: 21_000_001 * coin}, []string{"more than this chain can hold (21000000.00000000)"}},
		{"dust", SendRequest{To: good, Amount: 293}, []string{"0.00000293 is dust", "below 0.00000294"}},
		{"another chain's address", SendRequest{To: "bcrt1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqdku202", Amount: coin}, []string{"bc1"}},
		{"mistyped address", SendRequest{To: strings.Replace(good, "q", "p", 1), Amount: coin}, []string{"address"}},
		{"no address", SendRequest{Amount: coin}, []string{"address is empty"}},
		{"high rate", SendRequest{To: good, Amount: coin, FeeRate: highRate + 1}, []string{"absurdly high", "--allow-high-fee"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := x.w.Prepare(context.Background(), x.node, tt.req)
			if err == nil {
				t.Fatal("accepted")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q lacks %q", err, want)
				}
			}
		})
	}
	x.wantBalance("unchanged", Balance{Confirmed: 10 * coin, Incoming: 3 * coin, Immature: 50 * coin})
	var address *params.AddressError
	if _, err := x.w.Prepare(context.Background(), x.node, SendRequest{To: "x", Amount: 1}); !errors.As(err, &address) {
		t.Errorf("a malformed address is %T", err)
	}
	if _, err := x.w.Prepare(context.Background(), x.node, SendRequest{To: good, Amount: 294}); err != nil {
		t.Errorf("just not dust: %v", err)
	}
	if d, err := x.w.Prepare(context.Background(), x.node, SendRequest{To: good, Amount: coin, FeeRate: highRate + 1, AllowHighFee: true}); err != nil || d.Rate != highRate+1 {
		t.Errorf("high rate that is meant: %+v, %v", d, err)
	}
}

func TestHighFeeInAll(t *testing.T) {
	// Many coins at a rate that is just allowed.
	many := make([]Amount, 20)
	for i := range many {
		many[i] = coin
	}
	x := newWorld(t, many...)
	x.sync()
	_, err := x.w.Prepare(context.Background(), x.node, SendRequest{To: x.foreignAddress(), Amount: 15 * coin, FeeRate: highRate})
	if err == nil || !strings.Contains(err.Error(), "absurdly high") {
		t.Errorf("got %v", err)
	}
}

func TestFeeRateFromNode(t *testing.T) {
	x := newWorld(t, 10*coin)
	x.sync()
	for _, tt := range []struct {
		min, relay string
		want       coins.FeeRate
	}{
		{"0.00001000", "0.00002500", 2500},
		{"0.00003000", "0.00002500", 3000},
		{"0", "0.00000000", 0},
	} {
		x.node.MinFee, x.node.RelayFee = tt.min, tt.relay
		d, err := x.w.Prepare(context.Background(), x.node, SendRequest{To: x.foreignAddress(), Amount: coin})
		if err != nil || d.Rate != tt.want || d.Fee != Amount(tt.want.Fee(d.weight)) {
			t.Errorf("minimum %s, relay %s: %+v, %v", tt.min, tt.relay, d, err)
		}
	}
	x.node.MinFee = `"-1"`
	if _, err := x.w.Prepare(context.Background(), x.node, SendRequest{To: x.foreignAddress(), Amount: coin}); err != nil {
		t.Errorf("the larger one counts: %v", err)
	}
	x.node.RelayFee = "92233720368"
	if _, err := x.w.Prepare(context.Background(), x.node, SendRequest{To: x.foreignAddress(), Amount: coin}); err == nil || !strings.Contains(err.Error(), "--fee-rate") {
		t.Errorf("a fee that cannot be: %v", err)
	}
}

func TestRefusedPaymentChangesNothing(t *testing.T) {
	x := newWorld(t, 10*coin)
	x.sync()
	for range gapLimit + 1 { // change addresses must not be used up
		d := x.prepare(x.foreignAddress(), coin)
		x.node.OnCall = func(method string) error {
			if method == "sendrawtransaction" {
				return &RPCError{codeRejected, "min relay fee not met"}
			}
			return nil
		}
		err := x.w.Send(context.Background(), x.node, d)
		x.node.OnCall = nil
		var refusal *RPCError
		if !errors.As(err, &refusal) || !strings.Contains(err.Error(), "min relay fee not met") {
			t.Fatalf("got %v", err)
		}
	}
	x.wantBalance("as before", Balance{Confirmed: 10 * coin})
	if used := x.w.book.lines[internal].used; used != 0 {
		t.Errorf("%d change addresses used up", used)
	}
}

func TestLostAnswer(t *testing.T) {
	x := newWorld(t, 10*coin)
	x.sync()
	d := x.prepare(x.foreignAddress(), coin)
	lost := errors.New("connection reset")
	x.node.OnCall = func(method string) error {
		if method == "sendrawtransaction" {
			return lost
		}
		return nil
	}
	if err := x.w.Send(context.Background(), x.node, d); !errors.Is(err, lost) || !strings.Contains(err.Error(), "not known") {
		t.Fatalf("got %v", err)
	}
	x.node.OnCall = nil
	x.wantBalance("its coins are not offered", Balance{Change: 9*coin - d.Fee})
	x.sync()
	if pool := x.node.Pool(); len(pool) != 1 || pool[0].TxHash() != d.TxID() {
		t.Errorf("not offered again: %v", pool)
	}

	t.Run("the node refuses it later", func(t *testing.T) {
		x.node.Drop()
		x.node.OnCall = func(method string) error {
			if method == "sendrawtransaction" {
				return &RPCError{codeRejected, "mempool min fee not met"}
			}
			return nil
		}
		res := x.sync()
		x.node.OnCall = nil
		if len(res.Refused) != 1 || res.Refused[0].TxID != d.TxID() {
			t.Errorf("refused %+v", res.Refused)
		}
		x.wantBalance("still kept", Balance{Change: 9*coin - d.Fee})
	})
	t.Run("its coin is spent by another copy of the wallet", func(t *testing.T) {
		other := wire.NewMsgTx(2)
		other.AddTxIn(wire.NewTxIn(&d.Tx.TxIn[0].PreviousOutPoint, nil, nil))
		other.AddTxOut(x.pay(2*coin, 5))
		x.node.Mine(nil, other)
		x.sync()
		x.wantBalance("the block decides", Balance{Confirmed: 2 * coin})
	})
}

func TestReplacedInPool(t *testing.T) {
	x := newWorld(t, 10*coin)
	x.sync()
	d := x.send(x.foreignAddress(), coin)
	child := x.send(x.foreignAddress(), coin)
	other := wire.NewMsgTx(2)
	other.AddTxIn(wire.NewTxIn(&d.Tx.TxIn[0].PreviousOutPoint, nil, nil))
	other.AddTxOut(x.pay(4*coin, 5))
	x.node.Drop()
	x.node.Add(other)
	x.sync()
	x.wantBalance("payment and its child left", Balance{Change: 4 * coin})
	for _, h := range x.w.History() {
		if h.TxID == d.TxID() || h.TxID == child.TxID() {
			t.Errorf("%v is still in the history", h.TxID)
		}
	}
}

func TestConflictOnlyTheNodeSees(t *testing.T) {
	x := newWorld(t, 10*coin)
	x.sync()
	d := x.send(x.foreignAddress(), coin)
	x.node.Drop()
	x.node.OnCall = func(method string) error {
		if method == "sendrawtransaction" {
			return &RPCError{codeVerify, "bad-txns-inputs-missingorspent"}
		}
		return nil
	}
	x.sync()
	x.wantBalance("the coin counts again", Balance{Confirmed: 10 * coin})
	_ = d
}

func TestUnlock(t *testing.T) {
	x := newWorld(t, 10*coin)
	x.sync()
	before := x.disk.ops
	if _, err := x.w.Unlock([]byte("wrong")); !errors.Is(err, keystore.ErrPassphrase) {
		t.Errorf("wrong passphrase: %v", err)
	}
	if x.disk.ops != before {
		t.Error("a wrong passphrase changed the disk")
	}
	d, err := x.w.Prepare(context.Background(), x.node, SendRequest{To: x.foreignAddress(), Amount: coin})
	if err != nil {
		t.Fatal(err)
	}
	if err := x.w.Send(context.Background(), x.node, d); err == nil {
		t.Error("sent without signature")
	}
}

func TestForgedChangeAddress(t *testing.T) {
	x := newWorld(t, 10*coin)
	x.sync()
	x.w.book.lines[internal].keys[0][5] ^= 1
	x.reopenForged()
	d, err := x.w.Prepare(context.Background(), x.node, SendRequest{To: x.foreignAddress(), Amount: coin})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := x.w.Unlock(passphrase)
	if err != nil {
		t.Fatal(err)
	}
	if err := x.w.Sign(d, keys); err == nil || !strings.Contains(err.Error(), "change address") {
		t.Errorf("got %v", err)
	}
	keys.Zero()

	// Rebuild makes the state from the seed.
	if err := x.w.Close(); err != nil {
		t.Fatal(err)
	}
	if x.w, err = Rebuild(x.cfg, passphrase); err != nil {
		t.Fatal(err)
	}
	x.sync()
	x.send(x.foreignAddress(), coin)
}

// reopenForged saves what a test has changed and opens the wallet anew.
func (x *world) reopenForged() {
	x.t.Helper()
	if err := x.w.save(); err != nil {
		x.t.Fatal(err)
	}
	x.reopen()
}

func TestWrongKeysForState(t *testing.T) {
	x := newWorld(t)
	cfg := x.cfg
	cfg.Dir = "other"
	other, err := Create(cfg, passphrase)
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	x.disk.names["w/"+keysName] = x.disk.names["other/"+keysName]
	if _, err := x.w.Unlock(passphrase); err == nil || !strings.Contains(err.Error(), "do not belong together") {
		t.Errorf("got %v", err)
	}
}

func TestNextAddress(t *testing.T) {
	x := newWorld(t)
	first, err := x.w.ReceiveAddress()
	if err != nil {
		t.Fatal(err)
	}
	seen := []string{first}
	for range gapLimit - 1 {
		addr, err := x.w.NextAddress()
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, addr)
	}
	if _, err := x.w.NextAddress(); err == nil || !strings.Contains(err.Error(), "20 addresses are unused") {
		t.Errorf("beyond the gap limit: %v", err)
	}
	x.reopen()
	if got, _ := x.w.ReceiveAddress(); got != seen[gapLimit-1] {
		t.Errorf("after reopening %s, want the last one given", got)
	}
	for i, addr := range seen {
		if want := addressOf(x.cfg.Chain.Address, x.pay(1, uint32(i)).PkScript); addr != want {
			t.Errorf("address %d is %s, want %s", i, addr, want)
		}
	}
	// The last one given is found by a restore.
	x.node.Mine(nil, from(1, x.pay(coin, gapLimit-1)))
	x.sync()
	x.wantBalance("paid", Balance{Confirmed: coin})
	if _, err := x.w.NextAddress(); err != nil {
		t.Errorf("after a payment: %v", err)
	}
}

func TestHistoryOrder(t *testing.T) {
	x := newWorld(t, 100*coin)
	x.sync()
	var want []string
	want = append(want, x.w.History()[0].TxID.String())
	for range 4 { // a chain of payments, all seen in the same second
		want = append(want, x.send(x.foreignAddress(), coin).TxID().String())
	}
	x.reopen()
	var got []string
	for _, h := range x.w.History() {
		got = append(got, h.TxID.String())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}
