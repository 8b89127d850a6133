package packet

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/psbt/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/permission/record"
)

// Packet is a transaction with records on its way to be signed, by one wallet
// or by several. Its text form is a PSBT (Encode). All inputs are P2TR coins
// that are spent by key with the default signature hash, so that a signature
// covers the transaction as a whole.
type Packet struct {
	Tx    *wire.MsgTx // without witnesses
	Coins []Coin      // what each input spends
	Sigs  [][]byte    // 64 bytes for each input that is signed, else nil

	others *psbt.Packet // what its PSBT holds besides; nil: nothing
}

// Coin is an unspent P2TR output by which a key speaks in a transaction with
// records. Amount, in the smallest unit, is 0 for an authority output; a key
// without one can speak by any other coin of its own.
type Coin struct {
	OutPoint wire.OutPoint
	Amount   int64
	Script   []byte
}

const (
	txVersion = 2

	// txSequence leaves locktime off and says that the transaction may be
	// replaced (BIP125).
	txSequence = wire.MaxTxInSequenceNum - 2
)

// New lays a transaction with records out. It spends coins, pays no
// fee, and has as outputs the records in order, what the coins are worth
// beyond 0, and authority outputs: one for each coin spent and one for each
// governing key that a record adds. Coins at one script share them.
func New(records []record.Record, coins []Coin) (*Packet, error) {
	if len(records) == 0 || len(records) > record.MaxPerTx {
		return nil, fmt.Errorf("a transaction has 1 to %d records, not %d", record.MaxPerTx, len(records))
	}
	if len(coins) == 0 {
		return nil, errors.New("a transaction with records has to spend a coin of those who ask for them")
	}
	p := &Packet{Tx: wire.NewMsgTx(txVersion), Coins: slices.Clone(coins), Sigs: make([][]byte, len(coins))}
	for _, r := range records {
		script, err := record.Script(r)
		if err != nil {
			return nil, fmt.Errorf("%s record: %w", r.Op(), err)
		}
		p.Tx.AddTxOut(wire.NewTxOut(0, script))
	}
	scripts := keyScripts(records)
	for i := range coins {
		c := &coins[i]
		if _, ok := record.ScriptKey(c.Script); !ok {
			return nil, fmt.Errorf("coin %v is not P2TR: it cannot speak for anybody", c.OutPoint)
		}
		in := wire.NewTxIn(&c.OutPoint, nil, nil)
		in.Sequence = txSequence
		p.Tx.AddTxIn(in)
		if c.Amount > 0 {
			p.Tx.AddTxOut(wire.NewTxOut(c.Amount, c.Script))
		}
		scripts = append(scripts, c.Script)
	}
	for i, script := range scripts {
		if !slices.ContainsFunc(scripts[:i], func(s []byte) bool { return bytes.Equal(s, script) }) {
			p.Tx.AddTxOut(wire.NewTxOut(0, script))
		}
	}
	return p, nil
}

// TxID is the hash by which the transaction will be known.
func (p *Packet) TxID() chainhash.Hash { return p.Tx.TxHash() }

// Check makes sure that coins and inputs fit, and that no sum of amounts can
// overflow.
func (p *Packet) Check() error {
	if len(p.Coins) != len(p.Tx.TxIn) || len(p.Sigs) != len(p.Tx.TxIn) || len(p.Tx.TxIn) == 0 {
		return fmt.Errorf("%d inputs, but %d coins and %d signatures", len(p.Tx.TxIn), len(p.Coins), len(p.Sigs))
	}
	seen := make(map[wire.OutPoint]bool, len(p.Coins))
	sum := int64(0)
	for i, in := range p.Tx.TxIn {
		c := &p.Coins[i]
		if _, ok := record.ScriptKey(c.Script); !ok {
			return fmt.Errorf("input %d spends no P2TR coin: it cannot speak for anybody", i)
		}
		if c.OutPoint != in.PreviousOutPoint || seen[c.OutPoint] {
			return fmt.Errorf("input %d spends the coin %v twice, or another than it says", i, c.OutPoint)
		}
		seen[c.OutPoint] = true
		if c.Amount < 0 || sum > math.MaxInt64-c.Amount {
			return fmt.Errorf("input %d has the amount %d", i, c.Amount)
		}
		sum += c.Amount
	}
	for i, out := range p.Tx.TxOut {
		if out.Value < 0 || out.Value > sum {
			return fmt.Errorf("output %d has the amount %d, more than there is", i, out.Value)
		}
		sum -= out.Value
	}
	return nil
}

// Complete reports whether all inputs are signed.
func (p *Packet) Complete() bool {
	return !slices.ContainsFunc(p.Sigs, func(sig []byte) bool { return sig == nil })
}

// Missing lists the scripts of the inputs that are not signed.
func (p *Packet) Missing() [][]byte {
	var list [][]byte
	for i, sig := range p.Sigs {
		if sig == nil {
			list = append(list, p.Coins[i].Script)
		}
	}
	return list
}

// Records returns the records in the order of outputs. An output that claims
// to be a record and is none is an error.
func (p *Packet) Records() ([]record.Record, error) {
	located, err := record.FromTx(p.Tx)
	if err != nil {
		return nil, err
	}
	list := make([]record.Record, len(located))
	for i := range located {
		list[i] = located[i].Record
	}
	return list, nil
}

// Hashes prepares what signatures are over.
func (p *Packet) Hashes() (*txscript.TxSigHashes, *txscript.MultiPrevOutFetcher) {
	outputs := make(map[wire.OutPoint]*wire.TxOut, len(p.Coins))
	for i := range p.Coins {
		outputs[p.Coins[i].OutPoint] = wire.NewTxOut(p.Coins[i].Amount, p.Coins[i].Script)
	}
	fetcher := txscript.NewMultiPrevOutFetcher(outputs)
	return txscript.NewTxSigHashes(p.Tx, fetcher), fetcher
}

// CheckSig reports whether a signature of one input fits.
func (p *Packet) CheckSig(i int, sig []byte) error {
	hashes, fetcher := p.Hashes()
	hash, err := txscript.CalcTaprootSignatureHash(hashes, txscript.SigHashDefault, p.Tx, i, fetcher)
	if err != nil {
		return fmt.Errorf("input %d: %w", i, err)
	}
	key, _ := record.ScriptKey(p.Coins[i].Script)
	pub, err := schnorr.ParsePubKey(key[:])
	if err != nil {
		return fmt.Errorf("input %d: %w", i, err)
	}
	s, err := schnorr.ParseSignature(sig)
	if err != nil {
		return fmt.Errorf("input %d: %w", i, err)
	}
	if !s.Verify(hash, pub) {
		return fmt.Errorf("input %d: the signature does not fit: somebody signed another transaction, or coins that are not those named", i)
	}
	return nil
}

// Combine takes over the signatures that another copy of the same
// transaction has. It changes nothing if they are of different transactions,
// or if a signature does not fit.
func (p *Packet) Combine(other *Packet) error {
	if a, b := p.TxID(), other.TxID(); a != b {
		return fmt.Errorf("these are two transactions, %v and %v: signatures of one do not fit the other", a, b)
	}
	sigs := slices.Clone(p.Sigs)
	for i, sig := range other.Sigs {
		if sig == nil || sigs[i] != nil {
			continue
		}
		if err := p.CheckSig(i, sig); err != nil {
			return err
		}
		sigs[i] = sig
	}
	others, err := p.merge(other)
	if err != nil {
		return err
	}
	p.Sigs, p.others = sigs, others
	return nil
}

// Final returns the signed transaction after checking it as a node would,
// as far as that goes without the chain.
func (p *Packet) Final() (*wire.MsgTx, error) {
	if !p.Complete() {
		return nil, fmt.Errorf("%d of %d inputs are not signed yet", len(p.Missing()), len(p.Sigs))
	}
	tx := p.Tx.Copy()
	for i, sig := range p.Sigs {
		tx.TxIn[i].Witness = wire.TxWitness{sig}
	}
	hashes, fetcher := p.Hashes()
	for i, c := range p.Coins {
		vm, err := txscript.NewEngine(c.Script, tx, i, txscript.StandardVerifyFlags, nil, hashes, c.Amount, fetcher)
		if err == nil {
			err = vm.Execute()
		}
		if err != nil {
			return nil, fmt.Errorf("the signature of input %d does not verify: %w", i, err)
		}
	}
	return tx, nil
}

// FinalHex is Final as sendrawtransaction takes it.
func (p *Packet) FinalHex() (string, error) {
	tx, err := p.Final()
	if err != nil {
		return "", err
	}
	var raw bytes.Buffer
	if err := tx.Serialize(&raw); err != nil {
		return "", fmt.Errorf("encode the transaction: %w", err)
	}
	return hex.EncodeToString(raw.Bytes()), nil
}

// keyScripts lists the governing keys that records add: each gets an
// authority output.
func keyScripts(records []record.Record) [][]byte {
	var list [][]byte
	for _, r := range records {
		if k, _, ok := record.Key(r); ok && k.Roles.Any(record.Governing) {
			list = append(list, k.Identity)
		}
	}
	return list
}
