package wallet

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/permission/packet"
	"github.com/charterchain/charter/chain/permission/record"
)

// founded pays the wallet 5 coins at its address 0, and gives it an authority
// output there and at address 1.
func founded(t *testing.T) *world {
	t.Helper()
	x := newWorld(t)
	x.node.Mine([]*wire.TxOut{wire.NewTxOut(0, foreign)}, from(1, x.pay(5*coin, 0)), from(2, x.pay(0, 0)), from(3, x.pay(0, 1)))
	x.sync()
	return x
}

func revoke(perms record.Set) record.Record {
	return record.Grant{Lapse: 100, Member: record.MemberID{7}, Permissions: perms}
}

// other is somebody else's key with an authority coin.
func other(t *testing.T) (*btcec.PrivateKey, packet.Coin) {
	t.Helper()
	key, _ := btcec.PrivKeyFromBytes(bytes.Repeat([]byte{3}, 32))
	script := record.KeyScript([32]byte(schnorr.SerializePubKey(key.PubKey())))
	return key, packet.Coin{OutPoint: wire.OutPoint{Hash: chainhash.Hash{9}}, Script: script}
}

func (x *world) coinAt(index uint32) packet.Coin {
	x.t.Helper()
	c, ok := x.w.AuthorityCoin(x.pay(0, index).PkScript)
	if !ok {
		x.t.Fatalf("no coin at address %d", index)
	}
	return c
}

func (x *world) packet(records []record.Record, coins ...packet.Coin) *packet.Packet {
	x.t.Helper()
	p, err := packet.New(records, coins)
	if err != nil {
		x.t.Fatal(err)
	}
	return p
}

func (x *world) keys() *Keys {
	x.t.Helper()
	keys, err := x.w.Unlock(passphrase)
	if err != nil {
		x.t.Fatal(err)
	}
	x.t.Cleanup(keys.Zero)
	return keys
}

func (x *world) signPacket(p *packet.Packet) {
	x.t.Helper()
	r, err := x.w.Review(p, nil)
	if err == nil {
		_, err = x.w.SignReviewed(r, x.keys())
	}
	if err != nil {
		x.t.Fatal(err)
	}
}

// Authority outputs are no money: a payment of everything leaves them, and
// they are spent by records only, each making the next.
func TestAuthorityOutputsAreNoMoney(t *testing.T) {
	x := founded(t)
	if list := x.w.Unspent(); len(list) != 1 || list[0].Amount != 5*coin {
		t.Fatalf("unspent: %+v", list)
	}
	if d := x.send(x.foreignAddress(), 4*coin); d.Inputs() != 1 {
		t.Errorf("the payment spends %d coins", d.Inputs())
	}
	first := x.coinAt(0)
	if first.Amount != 0 || len(x.w.Unspent()) != 1 {
		t.Fatalf("authority coin %+v", first)
	}
	p := x.packet([]record.Record{revoke(record.Send)}, first)
	x.signPacket(p)
	if err := x.w.SendPacket(context.Background(), x.node, p); err != nil {
		t.Fatal(err)
	}
	second := x.coinAt(0) // the fresh one, although no block has it
	if want := (wire.OutPoint{Hash: p.TxID(), Index: 1}); second.OutPoint != want || second.Amount != 0 {
		t.Errorf("next authority coin %+v, want %v", second, want)
	}
	q := x.packet([]record.Record{revoke(record.Receive)}, second)
	x.signPacket(q)
	if err := x.w.SendPacket(context.Background(), x.node, q); err != nil {
		t.Fatal(err)
	}
	x.node.MinePool()
	x.sync()
	x.reopen()
	if got := x.coinAt(0).OutPoint.Hash; got != q.TxID() {
		t.Errorf("after a block the authority coin is of %v, want %v", got, q.TxID())
	}
}

// A transaction with records that the node refuses for good gives its coin back
// to speak by: a vote that lapsed must not silence its voter.
func TestRefusedRecordsAreForgotten(t *testing.T) {
	x := founded(t)
	before := x.coinAt(0)
	p := x.packet([]record.Record{revoke(record.Send)}, before)
	x.signPacket(p)
	if err := x.w.SendPacket(context.Background(), x.node, p); err != nil {
		t.Fatal(err)
	}
	if h := x.w.History(); h[len(h)-1].Kind != KindRecords || h[len(h)-1].Amount != 0 {
		t.Errorf("history: %+v", h[len(h)-1])
	}
	x.node.Drop()
	x.node.OnCall = func(method string) error {
		if method == "sendrawtransaction" {
			return refuse(codeRejected, "bad-lapse")
		}
		return nil
	}
	res := x.sync()
	if len(res.Dropped) != 1 || res.Dropped[0].TxID != p.TxID() || len(res.Refused) != 0 {
		t.Errorf("dropped %v, refused %v", res.Dropped, res.Refused)
	}
	if after := x.coinAt(0); after.OutPoint != before.OutPoint {
		t.Errorf("speaks by %v, not %v", after.OutPoint, before.OutPoint)
	}
}

// Without an authority output a key speaks by other coins, whose worth goes
// back to it.
func TestSpeakByMoney(t *testing.T) {
	x := newWorld(t)
	x.node.Mine([]*wire.TxOut{wire.NewTxOut(0, foreign)}, from(1, x.pay(5*coin, 0)))
	x.sync()
	p := x.packet([]record.Record{revoke(record.Send)}, x.coinAt(0))
	x.signPacket(p)
	if err := x.w.SendPacket(context.Background(), x.node, p); err != nil {
		t.Fatal(err)
	}
	if b := x.w.Balance(); b.Total() != 5*coin {
		t.Errorf("balance %+v", b)
	}
	if c := x.coinAt(0); c.Amount != 0 || c.OutPoint.Hash != p.TxID() {
		t.Errorf("authority coin %+v", c)
	}
}

// A governing key that a record adds gets its authority output, once, also if
// it speaks itself.
func TestAddedKeysGetAuthority(t *testing.T) {
	key, coin := other(t)
	terms := record.KeyTerms{Member: record.MemberID{7}, Roles: record.Manage, Range: record.Range{Until: record.Forever}}
	card, err := MakeCard(chainhash.Hash{1}, key, "", terms)
	if err != nil {
		t.Fatal(err)
	}
	add := record.AddKey{Lapse: 9, Member: card.Terms.Member, Identity: card.Terms.Identity, Roles: record.Manage, Range: terms.Range, Sig: card.RecordSig()}
	x := founded(t)
	for _, coins := range [][]packet.Coin{{x.coinAt(0)}, {x.coinAt(0), coin}} {
		p := x.packet([]record.Record{add}, coins...)
		n := 0
		for _, out := range p.Tx.TxOut {
			if out.Value == 0 && bytes.Equal(out.PkScript, coin.Script) {
				n++
			}
		}
		if n != 1 || len(p.Tx.TxOut) != 3 {
			t.Errorf("%d coins: %d authority outputs of the new key, %d outputs in all", len(coins), n, len(p.Tx.TxOut))
		}
		if _, err := p.Records(); err != nil {
			t.Errorf("%d coins: %v", len(coins), err)
		}
	}
}

// What a wallet is given to sign it refuses if it cannot read all of it, or if
// it would pay for it.
func TestReviewRefuses(t *testing.T) {
	x := founded(t)
	good := func() *packet.Packet { return x.packet([]record.Record{revoke(record.Send)}, x.coinAt(0)) }
	if _, err := x.w.Review(good(), nil); err != nil {
		t.Fatal(err)
	}
	unknown := append([]byte{txscript.OP_RETURN, txscript.OP_DATA_6}, "CHR\x01\x7f\x00"...)
	for name, c := range map[string]struct {
		change func(p *packet.Packet)
		want   string
	}{
		"an unknown record besides": {func(p *packet.Packet) { p.Tx.AddTxOut(wire.NewTxOut(0, unknown)) }, "cannot read"},
		"no record":                 {func(p *packet.Packet) { p.Tx.TxOut = p.Tx.TxOut[1:] }, "no record"},
		"a fee": {func(p *packet.Packet) {
			p.Coins[0] = packet.Coin{OutPoint: x.w.Unspent()[0].OutPoint, Amount: 5 * coin, Script: p.Coins[0].Script}
			p.Tx.TxIn[0].PreviousOutPoint = p.Coins[0].OutPoint
		}, "5.00000000"},
		"a payment to others": {func(p *packet.Packet) {
			p.Coins[0] = packet.Coin{OutPoint: x.w.Unspent()[0].OutPoint, Amount: 5 * coin, Script: p.Coins[0].Script}
			p.Tx.TxIn[0].PreviousOutPoint = p.Coins[0].OutPoint
			p.Tx.TxOut[1].Value = 5*coin - 1
			p.Tx.AddTxOut(wire.NewTxOut(1, foreign))
		}, "0.00000001"},
		"a wrong key signature": {func(p *packet.Packet) {
			key, _ := other(t)
			terms := record.KeyTerms{Member: record.MemberID{7}, Roles: record.Mine, Range: record.Range{Until: record.Forever}}
			card, err := MakeCard(chainhash.Hash{1}, key, "", terms) // another chain's
			if err != nil {
				t.Fatal(err)
			}
			script, err := record.Script(record.AddKey{Member: card.Terms.Member, Identity: card.Terms.Identity, Roles: record.Mine, Range: terms.Range, Sig: card.RecordSig()})
			if err != nil {
				t.Fatal(err)
			}
			p.Tx.AddTxOut(wire.NewTxOut(0, script))
		}, "no block would take"},
		"one coin twice": {func(p *packet.Packet) {
			p.Tx.AddTxIn(p.Tx.TxIn[0])
			p.Coins, p.Sigs = append(p.Coins, p.Coins[0]), append(p.Sigs, nil)
		}, "twice"},
		"more than there is": {func(p *packet.Packet) { p.Tx.TxOut[1].Value = 1 }, "more than there is"},
	} {
		p := good()
		c.change(p)
		if r, err := x.w.Review(p, nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

// A transaction of two signers goes round as text; copies signed apart are put
// together.
func TestPSBTOfTwoSigners(t *testing.T) {
	x := founded(t)
	key, coin := other(t)
	p := x.packet([]record.Record{revoke(record.Send)}, x.coinAt(0), coin)
	text, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	mine, theirs := parse(t, text), parse(t, text)
	x.signPacket(mine)
	if mine.Complete() || len(mine.Missing()) != 1 || !bytes.Equal(mine.Missing()[0], coin.Script) {
		t.Errorf("missing %x", mine.Missing())
	}
	if _, err := mine.Final(); err == nil {
		t.Error("half signed, and final")
	}
	sig := signAs(t, theirs, 1, key)
	theirs.Sigs[1] = sig
	all := reparse(t, mine)
	if err := all.Combine(reparse(t, theirs)); err != nil {
		t.Fatal(err)
	}
	tx, err := reparse(t, all).Final()
	if err != nil || len(tx.TxIn[1].Witness) != 1 {
		t.Fatalf("%v, %v", tx, err)
	}

	// A signature of another transaction does not slip in.
	bad := parse(t, text)
	bad.Sigs[0] = sig
	if err := parse(t, text).Combine(bad); err == nil {
		t.Error("a signature of another input was taken")
	}
	elsewhere := x.packet([]record.Record{revoke(record.Mine)}, x.coinAt(0), coin)
	if err := all.Combine(elsewhere); err == nil || !strings.Contains(err.Error(), "two transactions") {
		t.Errorf("combined with another transaction: %v", err)
	}
}

// signAs signs an input by a key that is the identity as it stands.
func signAs(t testing.TB, p *packet.Packet, i int, key *btcec.PrivateKey) []byte {
	t.Helper()
	hashes, fetcher := p.Hashes()
	hash, err := txscript.CalcTaprootSignatureHash(hashes, txscript.SigHashDefault, p.Tx, i, fetcher)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := schnorr.Sign(key, hash)
	if err != nil {
		t.Fatal(err)
	}
	return sig.Serialize()
}

func parse(t *testing.T, text string) *packet.Packet {
	t.Helper()
	p, err := packet.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func reparse(t *testing.T, p *packet.Packet) *packet.Packet {
	t.Helper()
	text, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, text)
}
