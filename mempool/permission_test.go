package mempool

import (
	"fmt"
	"testing"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/permission"
	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/mempool/policy"
)

func TestPermittedPayments(t *testing.T) {
	s := alone(t)
	rich, mute := s.member("rich"), s.member("mute")
	s.refuse(s.pay(mute, rich, 1000), permission.RuleSend, false)
	s.refuse(s.pay(rich, chaintest.NewMember("stranger"), 1000), permission.RuleReceive, false)
	good := s.pay(rich, mute, 1000)
	s.accept(good)
	s.mine(s.member("alpha"), TemplateOptions{})
	s.expectPool()
}

// Who governs needs no money: no fee is asked, authority outputs are no dust,
// and records are no data that counts, up to their own limit.
func TestRecordsAreFree(t *testing.T) {
	s := alone(t)
	alpha := s.member("alpha")
	var records []record.Record
	for i := range record.MaxPerTx {
		records = append(records, s.net.Create(chaintest.NewMember(fmt.Sprintf("member-%02d", i)), chaintest.EveryRole))
	}
	tx := s.propose([]*chaintest.Member{alpha}, records...)
	s.accept(tx)
	e, _ := s.pool.Entry(tx.TxID)
	if e.Fee != 0 || len(tx.Msg.TxOut) != 1+2*record.MaxPerTx {
		t.Errorf("fee %d, %d outputs", e.Fee, len(tx.Msg.TxOut))
	}
	s.mine(alpha, TemplateOptions{})
	s.expectPool()
	if n := s.Chain.Permissions().Count(); n != 3+record.MaxPerTx {
		t.Errorf("%d members", n)
	}
}

// What is free for records is not for others.
func TestRecordsAreNoPretext(t *testing.T) {
	s := alone(t)
	alpha, rich := s.member("alpha"), s.member("rich")
	plain := consensus.NewTx(chaintest.RecordTx([]*chaintest.Member{alpha}, []wire.OutPoint{s.Authority(alpha)}))
	s.refuse(plain, policy.CodeDust, false)

	// More outputs of amount 0 than anybody can need.
	many := chaintest.RecordTx([]*chaintest.Member{alpha}, []wire.OutPoint{s.Authority(alpha)}, s.rename(rich, "poor"))
	many.AddTxOut(wire.NewTxOut(0, alpha.Key.Script()))
	many.AddTxOut(wire.NewTxOut(0, alpha.Key.Script()))
	s.refuse(consensus.NewTx(many), policy.CodeDust, false)

	// More data than others may write.
	s.pool.policy.MaxDataBytes = 83
	note := chaintest.RecordTx([]*chaintest.Member{alpha}, []wire.OutPoint{s.Authority(alpha)}, s.rename(rich, "poor"))
	note.AddTxOut(wire.NewTxOut(0, append([]byte{txscript.OP_RETURN, txscript.OP_PUSHDATA1, 100}, make([]byte, 100)...)))
	s.refuse(consensus.NewTx(note), policy.CodeDataOutput, false)

	// A record that has authority by itself, carried by somebody else.
	if (&entry{gov: &governing{}, tx: plain}).free() {
		t.Error("a transaction in which nobody speaks need not pay")
	}
	big := *plain
	big.Weight = maxFreeWeight + 1
	if (&entry{gov: &governing{members: make([]record.MemberID, 1)}, tx: &big}).free() {
		t.Error("a transaction of any size need not pay")
	}
	big.Weight--
	if !(&entry{gov: &governing{members: make([]record.MemberID, 1)}, tx: &big}).free() {
		t.Error("the largest that is free has to pay")
	}
}

// A declaration that a miner runs has its authority in itself. Whoever carries
// it pays, unless he is a member.
func TestReadyPays(t *testing.T) {
	s := newSenate(t, chaintest.ConsortiumOptions{
		Members:    []chaintest.Genesis{{Name: "alpha", Permissions: "admin"}},
		Restricted: []string{"mine", "connect"},
	})
	alpha, fresh, stranger := s.member("alpha"), chaintest.NewMember("fresh"), chaintest.NewMember("stranger")
	by := []*chaintest.Member{alpha}
	s.accept(s.propose(by, s.net.Create(fresh, chaintest.EveryRole), s.net.Grant(fresh, record.Mine)), s.pay(alpha, stranger, 1000))
	s.mine(alpha, TemplateOptions{})
	m, _ := s.Chain.Permissions().Member(fresh.ID)
	script, err := record.Script(s.net.Ready(fresh, m.MineSince))
	if err != nil {
		t.Fatal(err)
	}
	coin, _ := s.newest(stranger, true)
	carry := func(fee int64) *consensus.Tx {
		tx := chaintest.Pay(stranger.Key, []chaintest.Output{coin}, stranger.Key, 1, fee)
		tx.AddTxOut(wire.NewTxOut(0, script))
		return consensus.NewTx(chaintest.Resign(tx, stranger.Key, coin))
	}
	s.refuse(carry(0), policy.CodeMinRelay, false)
	paid := carry(1000)
	s.accept(paid)
	s.mine(alpha, TemplateOptions{})
	s.expectPool()
}

func TestRecordsRefused(t *testing.T) {
	s := alone(t)
	alpha, rich := s.member("alpha"), s.member("rich")
	by := []*chaintest.Member{alpha}

	bad := chaintest.RecordTx(by, []wire.OutPoint{s.Authority(alpha)})
	bad.AddTxOut(wire.NewTxOut(0, append([]byte{txscript.OP_RETURN, 5}, "CHR\x01\xff"...)))
	s.refuse(consensus.NewTx(bad), record.RuleMalformed, true)

	lapsed := s.rename(rich, "poor").(record.RenameMember)
	lapsed.Lapse = 0
	s.refuse(s.propose(by, lapsed), permission.RuleLapse, false)

	// It passes the rules that look at it alone, but could never take effect.
	s.refuse(s.propose(by, s.rename(rich, "alpha")), permission.RuleNameTaken, false)
	s.refuse(s.propose(by, s.net.Revoke(alpha, record.Admin)), permission.RuleLastAdmin, false)

	// Nor after what it depends on; and it can where that helps.
	first := s.propose(by, s.rename(rich, "poor"))
	s.accept(first)
	s.refuse(s.follow(first, alpha, s.rename(alpha, "poor")), permission.RuleNameTaken, false)
	s.accept(s.follow(first, alpha, s.rename(alpha, "rich")))
	s.mine(alpha, TemplateOptions{})
	if m, ok := s.Chain.Permissions().ByName("rich"); !ok || m.ID != alpha.ID {
		t.Errorf("rich is %+v", m)
	}
	s.expectPool()
}

func TestRecordsDryRun(t *testing.T) {
	s := alone(t)
	alpha, rich := s.member("alpha"), s.member("rich")
	first := s.propose([]*chaintest.Member{alpha}, s.rename(rich, "poor"))
	second := s.follow(first, alpha, s.rename(alpha, "rich"))
	third := s.follow(second, alpha, s.rename(rich, "rich"))
	for i, r := range s.pool.Test(t.Context(), []*consensus.Tx{first, second, third}) {
		if ok := r.Err == nil; ok != (i < 2) {
			t.Errorf("transaction %d: %v", i, r.Err)
		}
	}
}

// One member cannot fill the pool for nothing.
func TestRecordsBound(t *testing.T) {
	s := newSenate(t, chaintest.ConsortiumOptions{})
	alpha, beta := s.member("alpha"), s.member("beta")
	tx := s.propose([]*chaintest.Member{alpha}, s.rename(alpha, "a0"))
	s.accept(tx)
	for i := 1; i < maxWaitingRecords; i++ {
		tx = s.follow(tx, alpha, s.rename(alpha, fmt.Sprintf("a%d", i)))
		s.accept(tx)
	}
	more := s.follow(tx, alpha, s.rename(alpha, "more"))
	s.refuse(more, policy.CodeRecords, false)
	s.accept(s.propose([]*chaintest.Member{beta}, s.rename(beta, "b0")))
	s.mine(alpha, TemplateOptions{})
	s.expectPool()
	s.accept(more)
}

// A full pool keeps what members govern with, and throws out who pays.
func TestRecordsStayInFullPool(t *testing.T) {
	s := alone(t)
	alpha := s.member("alpha")
	poor := s.propose([]*chaintest.Member{alpha}, s.rename(alpha, "omega"))
	paying := s.pay(s.member("rich"), s.member("mute"), 100_000)
	s.pool.policy.MempoolBytes = usageOf(poor) + usageOf(paying)
	s.accept(poor)
	s.refuse(paying, policy.CodeFull, false)
	s.expectPool(poor)
}

// When permissions change, what waits is judged again, with all that depends
// on it.
func TestJudgedAgain(t *testing.T) {
	s := alone(t)
	alpha, rich, mute := s.member("alpha"), s.member("rich"), s.member("mute")
	payment := s.pay(rich, rich, 1000)
	child := consensus.NewTx(chaintest.Pay(rich.Key, []chaintest.Output{chaintest.Outputs(payment.Msg)[0]}, mute.Key, 1, 1000))
	vote := s.propose([]*chaintest.Member{alpha}, s.rename(mute, "silent"))
	other := s.pay(alpha, alpha, 1000)
	s.accept(payment, child, vote, other)

	// The vote lapses: it is for the next block, or none.
	late := s.rename(mute, "late").(record.RenameMember)
	late.Lapse = uint32(s.Chain.Best().Height) + 1
	last := s.follow(vote, alpha, late)
	s.accept(last)

	s.Next("b1", s.net.Vote([]*chaintest.Member{alpha}, s.net.Revoke(rich, record.Send))).Accept()
	s.expectPool(other)
	for tx, want := range map[*consensus.Tx]Reason{payment: ReasonPermission, child: ReasonPermission, vote: ReasonConflict, last: ReasonConflict} {
		if got := s.left[tx.TxID]; got != want {
			t.Errorf("%v left because of %q, want %q", tx.TxID, got, want)
		}
	}
	s.refuse(payment, permission.RuleSend, false)
}

// Where one side of payments alone is restricted, a change takes nothing away
// that is still permitted.
func TestJudgedAgainOneSided(t *testing.T) {
	for _, restricted := range []string{"send", "receive"} {
		s := newSenate(t, chaintest.ConsortiumOptions{
			Members: []chaintest.Genesis{{Name: "alpha", Permissions: "admin"},
				{Name: "rich", Permissions: "send receive"}, {Name: "mute", Permissions: "send receive"}},
			Restricted: []string{"mine", "connect", restricted},
		})
		alpha, rich, mute := s.member("alpha"), s.member("rich"), s.member("mute")
		good, bad := s.pay(rich, rich, 1000), s.pay(mute, mute, 1000)
		s.accept(good, bad)
		s.Next("b1", s.net.Vote([]*chaintest.Member{alpha}, s.net.Revoke(mute, record.Send|record.Receive))).Accept()
		s.expectPool(good)
	}
}

// Votes come to their end without anybody's doing.
func TestVoteLapsesInPool(t *testing.T) {
	s := alone(t)
	alpha := s.member("alpha")
	r := s.rename(alpha, "omega").(record.RenameMember)
	r.Lapse = 1
	tx := s.propose([]*chaintest.Member{alpha}, r)
	s.accept(tx)
	s.Next("b1").Accept()
	s.expectPool()
	if got := s.left[tx.TxID]; got != ReasonPermission {
		t.Errorf("it left because of %q", got)
	}
}

// The name that a vote asks for is given away by another.
func TestVoteOvertaken(t *testing.T) {
	s := newSenate(t, chaintest.ConsortiumOptions{SetupBlocks: 100}) // where each administers alone
	alpha, beta, gamma := s.member("alpha"), s.member("beta"), s.member("gamma")
	tx := s.propose([]*chaintest.Member{alpha}, s.rename(gamma, "omega"))
	s.accept(tx)
	s.Next("b1", s.net.Vote([]*chaintest.Member{beta}, s.rename(beta, "omega"))).Accept()
	s.expectPool()
	if got := s.left[tx.TxID]; got != ReasonPermission {
		t.Errorf("it left because of %q", got)
	}
}

// A reorganisation takes a grant back, and brings it back.
func TestPermissionsReorganised(t *testing.T) {
	s := alone(t)
	alpha, rich := s.member("alpha"), s.member("rich")
	s.Next("base", s.net.Vote([]*chaintest.Member{alpha}, s.net.Revoke(rich, record.Send))).Accept()
	s.Next("a1", s.net.Vote([]*chaintest.Member{alpha}, s.net.Grant(rich, record.Send))).Accept()
	payment := s.pay(rich, s.member("mute"), 1000)
	s.accept(payment)
	vote := s.Block("a1").Txs[1]

	on := s.Block("base").Hash
	for range 2 { // the first may win or lose against a1, as its hash has it
		b := s.Make(on)
		if _, err := s.Chain.AcceptBlock(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		on = b.Hash
	}
	s.expectPool(vote) // the grant waits again; what it allowed does not
	if got := s.left[payment.TxID]; got != ReasonPermission {
		t.Errorf("the payment left because of %q", got)
	}
	s.mine(alpha, TemplateOptions{})
	s.accept(payment)
	s.mine(alpha, TemplateOptions{})
	s.expectPool()
}
