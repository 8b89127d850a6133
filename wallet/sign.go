package wallet

import (
	"bytes"
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// Sign signs every input of a draft by its key path (BIP341, default
// signature hash) and checks the result as a node would: scripts, amounts
// and weight. The change address is derived anew from the keys, so that a
// forged state file cannot send change elsewhere.
func (w *Wallet) Sign(d *Draft, keys *Keys) error {
	if err := checkChange(d, keys); err != nil {
		return err
	}
	outputs := make(map[wire.OutPoint]*wire.TxOut, len(d.inputs))
	for _, in := range d.inputs {
		outputs[in.OutPoint] = wire.NewTxOut(int64(in.Amount), in.Script)
	}
	fetcher := txscript.NewMultiPrevOutFetcher(outputs)
	hashes := txscript.NewTxSigHashes(d.Tx, fetcher)
	for i, in := range d.inputs {
		sig, err := signInput(d.Tx, hashes, i, in, keys)
		if err != nil {
			return fmt.Errorf("sign input %d: %w", i, err)
		}
		d.Tx.TxIn[i].Witness = wire.TxWitness{sig}
	}
	for i, in := range d.inputs {
		vm, err := txscript.NewEngine(in.Script, d.Tx, i, txscript.StandardVerifyFlags, nil, hashes, int64(in.Amount), fetcher)
		if err == nil {
			err = vm.Execute()
		}
		if err != nil {
			return fmt.Errorf("the signature of input %d does not verify: %w", i, err)
		}
	}
	if err := checkSums(d); err != nil {
		return err
	}
	d.signed = true
	return nil
}

func signInput(tx *wire.MsgTx, hashes *txscript.TxSigHashes, i int, in Unspent, keys *Keys) ([]byte, error) {
	key, err := privateKey(keys.account, in.path)
	if err != nil {
		return nil, err
	}
	defer key.Zero()
	return txscript.RawTxInTaprootSignature(tx, hashes, i, int64(in.Amount), in.Script,
		[]byte{}, txscript.SigHashDefault, key)
}

// checkChange makes sure that the change output pays the keys' own address.
func checkChange(d *Draft, keys *Keys) error {
	if d.Change == 0 {
		return nil
	}
	key, err := privateKey(keys.account, d.change)
	if err != nil {
		return err
	}
	defer key.Zero()
	own := payToTaproot([32]byte(schnorr.SerializePubKey(txscript.ComputeTaprootKeyNoScript(key.PubKey()))))
	for _, out := range d.Tx.TxOut {
		if bytes.Equal(out.PkScript, own) && Amount(out.Value) == d.Change {
			return nil
		}
	}
	return fmt.Errorf("the change address %d in the wallet's state is not the wallet's: `charter wallet rescan` rebuilds the state", d.change.index)
}

// checkSums makes sure that fee and size are what the draft says.
func checkSums(d *Draft) error {
	fee := Amount(0)
	for _, in := range d.inputs {
		fee += in.Amount
	}
	for _, out := range d.Tx.TxOut {
		fee -= Amount(out.Value)
	}
	weight := int64(3*d.Tx.SerializeSizeStripped() + d.Tx.SerializeSize())
	if fee != d.Fee || weight != d.weight {
		return fmt.Errorf("the signed payment has fee %v and weight %d, worked out were %v and %d", fee, weight, d.Fee, d.weight)
	}
	return nil
}
