package fastpath

import (
	"crypto/sha256"
	"sync"
	"testing"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
)

// form is how the script that asks for signatures is reached.
type form int

const (
	bare     form = iota // it is the coin's
	p2sh                 // BIP16
	p2wsh                // BIP141
	p2shP2WS             // BIP141 in BIP16
	p2wpkh
	p2shP2WPKH
	p2tr
	numForms
)

// needs are the flags without which the form's signatures are not looked at.
func (f form) needs() txscript.ScriptFlags {
	const witness = txscript.ScriptBip16 | txscript.ScriptVerifyWitness
	return [numForms]txscript.ScriptFlags{
		p2sh: txscript.ScriptBip16, p2wsh: witness, p2shP2WS: witness, p2wpkh: witness, p2shP2WPKH: witness,
		p2tr: witness | txscript.ScriptVerifyTaproot,
	}[f]
}

func (f form) segwit() bool { return f != bare && f != p2sh }

// asks is what the script of a form asks for; the last three forms have no
// choice.
type asks int

const (
	aKey asks = iota
	aKeyHash
	multi
	numAsks
)

// keyForm is how keys are written.
type keyForm int

const (
	compressed keyForm = iota
	uncompressed
	hybrid
	numKeyForms
)

// forge makes a spend. The zero value is plain P2PK in a transaction with one
// input and no outputs.
type forge struct {
	form     form
	asks     asks
	keys     keyForm
	n        int    // keys of a multisig
	signers  []int  // those that sign, in order
	hashType byte   // of all signatures
	types    []byte // of the first signatures, instead

	// Hooks, all optional, that change what is there in the middle of the
	// making: the script that asks, before it is hashed and signed; one
	// signature; the pushes of the input's script.
	code func([]byte) []byte
	sig  func(i int, sig []byte) []byte
	push func([]byte) []byte

	inputs, outputs, at int // the spend is input `at` of so many

	fields uint64 // what version, lock time, sequence and amounts are made of
}

// made is a transaction with the coins it spends and the input in question.
type made struct {
	msg   *wire.MsgTx
	coins []consensus.Coin
	at    int
}

// privateKeys are the same in every run.
var privateKeys = sync.OnceValue(func() (keys [maxKeys + 4]*btcec.PrivateKey) {
	for i := range keys {
		seed := sha256.Sum256([]byte{byte(i), 'k'})
		keys[i], _ = btcec.PrivKeyFromBytes(seed[:])
	}
	return keys
})

func privateKey(i int) *btcec.PrivateKey { return privateKeys()[i] }

func (f forge) key(i int) []byte {
	pub := privateKey(i).PubKey()
	if f.keys == compressed {
		return pub.SerializeCompressed()
	}
	raw := pub.SerializeUncompressed()
	if f.keys == hybrid {
		raw[0] = 6 | raw[64]&1
	}
	return raw
}

func build(tb testing.TB, b *txscript.ScriptBuilder) []byte {
	tb.Helper()
	script, err := b.Script()
	if err != nil {
		tb.Fatal(err)
	}
	return script
}

func payToKeyHash(tb testing.TB, hash []byte) []byte {
	return build(tb, txscript.NewScriptBuilder().AddOp(txscript.OP_DUP).AddOp(txscript.OP_HASH160).AddData(hash).
		AddOp(txscript.OP_EQUALVERIFY).AddOp(txscript.OP_CHECKSIG))
}

func payToScriptHash(tb testing.TB, script []byte) []byte {
	return build(tb, txscript.NewScriptBuilder().AddOp(txscript.OP_HASH160).AddData(address.Hash160(script)).AddOp(txscript.OP_EQUAL))
}

// program is a witness program of version 0.
func program(tb testing.TB, hash []byte) []byte {
	return build(tb, txscript.NewScriptBuilder().AddOp(txscript.OP_0).AddData(hash))
}

// asking is the script that asks for signatures, and what a spend has to
// give besides them.
func (f forge) asking(tb testing.TB) (code []byte, also [][]byte) {
	switch {
	case f.form == p2tr:
		return nil, nil
	case f.form == p2wpkh || f.form == p2shP2WPKH || f.asks == aKeyHash:
		code, also = payToKeyHash(tb, address.Hash160(f.key(0))), [][]byte{f.key(0)}
	case f.asks == aKey:
		code = build(tb, txscript.NewScriptBuilder().AddData(f.key(0)).AddOp(txscript.OP_CHECKSIG))
	default:
		b := txscript.NewScriptBuilder().AddInt64(int64(len(f.signers)))
		for i := range f.n {
			b.AddData(f.key(i))
		}
		code = build(tb, b.AddInt64(int64(f.n)).AddOp(txscript.OP_CHECKMULTISIG))
	}
	if f.code != nil {
		code = f.code(code)
	}
	return code, also
}

// coin is the script of the coin, the redeem script and the witness script.
func (f forge) coin(tb testing.TB, code []byte) (script, redeem, witness []byte) {
	hash := sha256.Sum256(code)
	switch f.form {
	case p2sh:
		return payToScriptHash(tb, code), code, nil
	case p2wsh:
		return program(tb, hash[:]), nil, code
	case p2shP2WS:
		redeem = program(tb, hash[:])
		return payToScriptHash(tb, redeem), redeem, code
	case p2wpkh:
		return program(tb, address.Hash160(f.key(0))), nil, nil
	case p2shP2WPKH:
		redeem = program(tb, address.Hash160(f.key(0)))
		return payToScriptHash(tb, redeem), redeem, nil
	case p2tr:
		return append([]byte{txscript.OP_1, 32}, schnorr.SerializePubKey(privateKey(0).PubKey())...), nil, nil
	}
	return code, nil, nil
}

// transaction is one whose input f.at spends a coin with that script.
func (f forge) transaction(script []byte) made {
	m := made{msg: &wire.MsgTx{Version: 2, LockTime: 77}, at: f.at}
	for i := range max(f.inputs, 1) {
		op := wire.OutPoint{Hash: chainhash.Hash{byte(i), byte(i >> 8), 9}, Index: uint32(7 * i)}
		m.msg.TxIn = append(m.msg.TxIn, &wire.TxIn{PreviousOutPoint: op, Sequence: uint32(1000 + i)})
		m.msg.TxIn[i].Sequence ^= uint32(f.fields >> 7)
		m.coins = append(m.coins, consensus.Coin{Amount: int64(5_000_000_000 + i), Script: []byte{txscript.OP_1, byte(i)}[:1+i%2]})
	}
	for i := range f.outputs {
		m.msg.TxOut = append(m.msg.TxOut, &wire.TxOut{Value: int64(1000 + i), PkScript: make([]byte, 20+i)})
	}
	m.msg.Version ^= int32(f.fields)
	m.msg.LockTime ^= uint32(f.fields >> 32)
	m.coins[f.at].Script = script
	m.coins[f.at].Amount ^= int64(f.fields)
	return m
}

// make makes the spend, by the engine's own functions for the hashes.
func (f forge) make(tb testing.TB) made {
	tb.Helper()
	if f.hashType == 0 && f.form != p2tr {
		f.hashType = byte(txscript.SigHashAll)
	}
	if f.form == p2wpkh || f.form == p2shP2WPKH || f.form == p2tr {
		f.asks = aKey
	}
	code, also := f.asking(tb)
	script, redeem, witnessScript := f.coin(tb, code)
	m := f.transaction(script)

	var stack [][]byte
	if f.asks == multi {
		stack = append(stack, nil)
	}
	signers := f.signers
	if f.asks != multi {
		signers = []int{0}
	}
	for i, key := range signers {
		one := f
		if i < len(f.types) {
			one.hashType = f.types[i]
		}
		sig := one.sign(tb, m, code, privateKey(key))
		if f.sig != nil {
			sig = f.sig(i, sig)
		}
		stack = append(stack, sig)
	}
	stack = append(stack, also...)

	in, b := m.msg.TxIn[m.at], txscript.NewScriptBuilder()
	if f.form.segwit() {
		if witnessScript != nil {
			stack = append(stack, witnessScript)
		}
		in.Witness, stack = stack, nil
	}
	if redeem != nil {
		stack = append(stack, redeem)
	}
	for _, item := range stack {
		b.AddFullData(item) // whatever its size
	}
	in.SignatureScript = build(tb, b)
	if f.push != nil {
		in.SignatureScript = f.push(in.SignatureScript)
	}
	return m
}

// sign signs with a key; a signature that needs an output that is not there
// is one of nothing.
func (f forge) sign(tb testing.TB, m made, code []byte, key *btcec.PrivateKey) []byte {
	tb.Helper()
	hashType := txscript.SigHashType(f.hashType)
	fetcher, hashes := m.shared()
	coin := m.coins[m.at]
	if f.form == p2tr {
		hash, err := txscript.CalcTaprootSignatureHash(hashes, hashType, m.msg, m.at, fetcher)
		if err != nil {
			hash = make([]byte, 32)
		}
		sig, err := schnorr.Sign(key, hash)
		if err != nil {
			tb.Fatal(err)
		}
		if f.hashType == 0 {
			return sig.Serialize()
		}
		return append(sig.Serialize(), f.hashType)
	}
	calc := func() ([]byte, error) { return txscript.CalcSignatureHash(code, hashType, m.msg, m.at) }
	if f.form.segwit() {
		calc = func() ([]byte, error) {
			return txscript.CalcWitnessSigHash(code, hashes, hashType, m.msg, m.at, coin.Amount)
		}
	}
	hash, err := calc()
	if err != nil {
		hash = make([]byte, 32) // a script that does not parse
	}
	return append(ecdsa.Sign(key, hash).Serialize(), f.hashType)
}

func (m made) shared() (txscript.PrevOutputFetcher, *txscript.TxSigHashes) {
	outs := map[wire.OutPoint]*wire.TxOut{}
	for i, in := range m.msg.TxIn {
		outs[in.PreviousOutPoint] = &wire.TxOut{Value: m.coins[i].Amount, PkScript: m.coins[i].Script}
	}
	fetcher := txscript.NewMultiPrevOutFetcher(outs)
	return fetcher, txscript.NewTxSigHashes(m.msg, fetcher)
}

// interpret is what the interpreter says.
func (m made) interpret(flags txscript.ScriptFlags) error {
	fetcher, hashes := m.shared()
	coin := m.coins[m.at]
	vm, err := txscript.NewEngine(coin.Script, m.msg, m.at, flags, nil, hashes, coin.Amount, fetcher)
	if err != nil {
		return err
	}
	return vm.Execute()
}

func (m made) in() *wire.TxIn { return m.msg.TxIn[m.at] }
