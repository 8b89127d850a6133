package model_test

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"sync"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/permission/model"
	"github.com/charterchain/charter/chain/permission/record"
)

const forever = record.Forever

var genesisHash = chainhash.Hash{7}

// identityNames are the identities that all sequences are about; those that
// begin with w are P2WPKH.
var identityNames = []string{"k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7", "k8", "k9", "w0", "w1", "w2"}

// made remembers keys and signatures, which are slow to make.
var made = struct {
	sync.Mutex
	scripts map[string][]byte
	sigs    map[string]*[64]byte // by identity and message
	names   map[string]string    // by script
}{scripts: map[string][]byte{}, sigs: map[string]*[64]byte{}, names: map[string]string{}}

func private(name string) *btcec.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	key, _ := btcec.PrivKeyFromBytes(seed[:])
	return key
}

func script(name string) []byte {
	made.Lock()
	defer made.Unlock()
	s, ok := made.scripts[name]
	if !ok {
		if name[0] == 'w' {
			seed := sha256.Sum256([]byte(name))
			s = append([]byte{0, 20}, seed[:20]...)
		} else {
			s = record.KeyScript([32]byte(schnorr.SerializePubKey(private(name).PubKey())))
		}
		made.scripts[name] = s
		made.names[string(s)] = name
	}
	return s
}

// signed is the BIP340 signature of the key with an identity.
func signed(identity []byte, msg [32]byte) *[64]byte {
	made.Lock()
	defer made.Unlock()
	id := string(identity) + string(msg[:])
	sig, ok := made.sigs[id]
	if !ok {
		s, err := schnorr.Sign(private(made.names[string(identity)]), msg[:])
		if err != nil {
			panic(err)
		}
		sig = (*[64]byte)(s.Serialize())
		made.sigs[id] = sig
	}
	return sig
}

func keySig(member record.MemberID, identity []byte, roles record.Set, r record.Range) *[64]byte {
	if !roles.Any(record.NeedsKey) {
		return nil
	}
	return signed(identity, record.KeyMessage(genesisHash, member, identity, roles, r))
}

func set(names string) record.Set {
	s, err := record.ParseSet(strings.Split(names, ","))
	if err != nil {
		panic(err)
	}
	return s
}

func toParams(s record.Set) (list []params.Permission) {
	for p := range s.Each() {
		list = append(list, p.Perm())
	}
	return list
}

// member reads "name perms key=roles ...", perms "-" for none.
func member(line string) params.Member {
	f := strings.Fields(line)
	m := params.Member{Name: f[0]}
	if f[1] != "-" {
		m.Permissions = toParams(set(f[1]))
	}
	for _, k := range f[2:] {
		name, roles, _ := strings.Cut(k, "=")
		m.Keys = append(m.Keys, params.MemberKey{Script: script(name), Roles: toParams(set(roles))})
	}
	return m
}

// real is a transaction as the state machine takes it, with the coins that
// it spends.
type real struct {
	tx    *consensus.Tx
	coins []consensus.Coin
}

// makeReal writes a transaction of the model out. Silent inputs are spent in one
// of the ways that do not speak.
func makeReal(t *model.Tx, h int32) real {
	msg := wire.NewMsgTx(2)
	var r real
	for i, in := range t.Inputs {
		witness := wire.TxWitness{make([]byte, 64)}
		if !in.Speaks {
			last := make([]byte, 65)
			last[64] = 0x81
			witness = []wire.TxWitness{{last}, {make([]byte, 64), {0x50}}, nil}[i%3]
		}
		msg.AddTxIn(wire.NewTxIn(&wire.OutPoint{Index: uint32(i)}, nil, witness))
		r.coins = append(r.coins, consensus.Coin{Amount: 1000, Script: in.Script, Height: h - 1})
	}
	for _, rec := range t.Records {
		s, err := record.Script(rec)
		if err != nil {
			panic(fmt.Sprintf("%#v: %v", rec, err))
		}
		msg.AddTxOut(wire.NewTxOut(0, s))
	}
	for _, out := range t.Outputs {
		msg.AddTxOut(wire.NewTxOut(out.Amount, out.Script))
	}
	r.tx = consensus.NewTx(msg)
	return r
}
