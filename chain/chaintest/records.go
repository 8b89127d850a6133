package chaintest

import (
	"fmt"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/chain/permission/seal"
)

// Lapse is the height at which the records made here lapse, unless they are
// changed.
const Lapse = 50_000

// EveryRole is all that a key can do.
const EveryRole = record.Permissions | record.Manage

// Create is the record that makes a member, with a key in these roles.
func (c *Consortium) Create(m *Member, roles record.Set) record.Record {
	r := record.CreateMember{Lapse: Lapse, Name: m.Name, Identity: m.Key.Script(), Roles: roles}
	r.Sig = c.consent(m.Key, m.ID, roles, record.Range{Until: record.Forever})
	return r
}

// Grant is the record that gives a member permissions from now on for ever.
func (c *Consortium) Grant(m *Member, permissions record.Set) record.Record {
	return record.Grant{Lapse: Lapse, Member: m.ID, Permissions: permissions, Range: record.Range{Until: record.Forever}}
}

// Revoke is the record that takes permissions from a member.
func (c *Consortium) Revoke(m *Member, permissions record.Set) record.Record {
	return record.Grant{Lapse: Lapse, Member: m.ID, Permissions: permissions}
}

// AddKey is the record that gives a member another key in these roles.
func (c *Consortium) AddKey(m *Member, key *Key, roles record.Set) record.Record {
	r := record.AddKey{Lapse: Lapse, Member: m.ID, Identity: key.Script(), Roles: roles, Range: record.Range{Until: record.Forever}}
	r.Sig = c.consent(key, m.ID, roles, r.Range)
	return r
}

// RemoveKey is the record that takes a key from a member.
func (c *Consortium) RemoveKey(m *Member, key *Key) record.Record {
	return record.RemoveKey{Lapse: Lapse, Member: m.ID, Identity: key.Script()}
}

// Ready is the record by which a member says that its miners run. since is
// its Member.MineSince in the state.
func (c *Consortium) Ready(m *Member, since uint32) record.Record {
	r := record.Ready{Member: m.ID, Key: m.SealKey(), Since: since}
	sig, err := seal.Sign(m.Signer(), [32]byte{}, record.ReadyMessage(c.Params.GenesisHash, m.ID, r.Key, since))
	if err != nil {
		panic(fmt.Sprintf("chaintest: sign: %v", err))
	}
	r.Sig = sig
	return r
}

// Upgrade is the record that schedules a rule.
func (c *Consortium) Upgrade(deployment string, height uint32) record.Record {
	return record.Upgrade{Lapse: Lapse, Deployment: deployment, Height: height}
}

// consent is the signature by which a key agrees to its roles, nil where none
// is asked for.
func (c *Consortium) consent(key *Key, member record.MemberID, roles record.Set, r record.Range) *[64]byte {
	if !roles.Any(record.NeedsKey) {
		return nil
	}
	sig, err := seal.Sign(key.Signer(), [32]byte{}, record.KeyMessage(c.Params.GenesisHash, member, key.Script(), roles, r))
	if err != nil {
		panic(fmt.Sprintf("chaintest: sign: %v", err))
	}
	return &sig
}

// Vote adds a transaction in which voters speak for records. It spends their
// authority outputs on the branch and makes new ones, and those for keys that
// the records add.
func (c *Consortium) Vote(voters []*Member, records ...record.Record) Option {
	return func(d *Draft) {
		d.Block.Transactions = append(d.Block.Transactions, c.VoteTx(d, voters, records...))
	}
}

// VoteTx is the transaction of Vote in the block under construction.
func (c *Consortium) VoteTx(d *Draft, voters []*Member, records ...record.Record) *wire.MsgTx {
	from := make([]wire.OutPoint, len(voters))
	for i, m := range voters {
		op, ok := d.Authority(m.Key)
		if !ok {
			panic(fmt.Sprintf("chaintest: %s has no authority output on this branch", m.Name))
		}
		from[i] = op
	}
	return RecordTx(voters, from, records...)
}

// RecordTx is a transaction in which voters speak for records by these
// outputs of amount 0, which it makes again.
func RecordTx(voters []*Member, from []wire.OutPoint, records ...record.Record) *wire.MsgTx {
	tx := wire.NewMsgTx(2)
	prev := txscript.NewMultiPrevOutFetcher(nil)
	for i, m := range voters {
		tx.AddTxIn(&wire.TxIn{PreviousOutPoint: from[i], Sequence: wire.MaxTxInSequenceNum})
		tx.AddTxOut(wire.NewTxOut(0, m.Key.Script()))
		prev.AddPrevOut(from[i], wire.NewTxOut(0, m.Key.Script()))
	}
	for _, r := range records {
		script, err := record.Script(r)
		if err != nil {
			panic(fmt.Sprintf("chaintest: %v", err))
		}
		tx.AddTxOut(wire.NewTxOut(0, script))
		if k, _, ok := record.Key(r); ok && k.Roles.Any(record.Governing) {
			tx.AddTxOut(wire.NewTxOut(0, k.Identity))
		}
	}
	hashes := txscript.NewTxSigHashes(tx, prev)
	for i, m := range voters {
		if err := m.Key.sign(tx, i, 0, hashes); err != nil {
			panic(fmt.Sprintf("chaintest: sign: %v", err))
		}
	}
	return tx
}

// Authority returns the newest output of amount 0 that pays to the key and is
// not spent: in the block under construction or below it on its branch.
func (d *Draft) Authority(key *Key) (wire.OutPoint, bool) {
	txs := make([]*consensus.Tx, 0, len(d.Block.Transactions))
	for _, tx := range d.Block.Transactions[1:] {
		txs = append(txs, consensus.NewTx(tx))
	}
	return authority(key, txs, d.on)
}

// Authority returns such an output as of the block on which the next one is
// made.
func (h *Harness) Authority(m *Member) wire.OutPoint {
	h.t.Helper()
	op, ok := authority(m.Key, nil, h.blocks[h.at])
	if !ok {
		h.t.Fatalf("%s has no authority output", m.Name)
	}
	return op
}

func authority(key *Key, txs []*consensus.Tx, on *made) (wire.OutPoint, bool) {
	spent := make(map[wire.OutPoint]bool)
	for {
		for i := len(txs) - 1; i >= 0; i-- {
			for j, out := range txs[i].Msg.TxOut {
				op := wire.OutPoint{Hash: txs[i].TxID, Index: uint32(j)}
				if out.Value == 0 && string(out.PkScript) == string(key.Script()) && !spent[op] {
					return op, true
				}
			}
			for _, in := range txs[i].Msg.TxIn {
				spent[in.PreviousOutPoint] = true
			}
		}
		if on == nil {
			return wire.OutPoint{}, false
		}
		txs, on = on.block.Txs, on.parent
	}
}
