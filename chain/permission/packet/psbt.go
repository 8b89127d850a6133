package packet

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/psbt/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// PSBTs of version 0 (BIP174, BIP371); doc.go has the format.
const (
	psbtMagic = "psbt\xff"

	psbtTx      = byte(psbt.UnsignedTxType)
	psbtVersion = byte(psbt.VersionType)

	psbtPrevTx      = byte(psbt.NonWitnessUtxoType)
	psbtWitnessUTXO = byte(psbt.WitnessUtxoType)
)

// Encode writes the packet as a PSBT in base64.
func (p *Packet) Encode() (string, error) {
	raw, err := p.bytes()
	return base64.StdEncoding.EncodeToString(raw), err
}

func (p *Packet) bytes() ([]byte, error) {
	out, err := psbt.NewFromUnsignedTx(p.Tx)
	if err != nil {
		return nil, fmt.Errorf("encode the transaction: %w", err)
	}
	if p.others != nil {
		out.XPubs, out.Unknowns = p.others.XPubs, p.others.Unknowns
		copy(out.Inputs, p.others.Inputs)
		copy(out.Outputs, p.others.Outputs)
	}
	for i, c := range p.Coins {
		out.Inputs[i].WitnessUtxo = wire.NewTxOut(c.Amount, c.Script)
		out.Inputs[i].TaprootKeySpendSig = p.Sigs[i]
	}
	var b bytes.Buffer
	if err := out.Serialize(&b); err != nil {
		return nil, fmt.Errorf("encode as a PSBT: %w", err)
	}
	return b.Bytes(), nil
}

// Parse reads a PSBT in base64. Signatures in it are checked.
func Parse(text string) (*Packet, error) {
	p, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("PSBT: %w", err)
	}
	return p, nil
}

func parse(text string) (*Packet, error) {
	text = strings.TrimSpace(text)
	if len(text) > base64.StdEncoding.EncodedLen(maxPSBT) {
		return nil, fmt.Errorf("it is longer than %d bytes", maxPSBT)
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("it is not base64: %w", err)
	}
	maps, err := splitMaps(raw)
	if err != nil {
		return nil, err
	}
	p, err := fromMaps(maps)
	if err != nil {
		return nil, err
	}
	if err := p.Check(); err != nil {
		return nil, err
	}
	for i, sig := range p.Sigs {
		if sig == nil {
			continue
		}
		if err := p.CheckSig(i, sig); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func splitMaps(raw []byte) ([]pairs, error) {
	rest, ok := bytes.CutPrefix(raw, []byte(psbtMagic))
	if !ok {
		return nil, errors.New("it does not begin as one")
	}
	return readMaps(rest)
}

func fromMaps(maps []pairs) (*Packet, error) {
	if err := checkMaps(maps); err != nil {
		return nil, err
	}
	read, err := psbt.NewFromRawBytes(bytes.NewReader(writeMaps(maps)), false)
	if err != nil {
		return nil, fmt.Errorf("a pair is not as its type asks for: %w", err)
	}
	p := &Packet{Tx: read.UnsignedTx, others: read}
	for i := range read.Inputs {
		if err := p.readInput(&read.Inputs[i]); err != nil {
			return nil, fmt.Errorf("input %d: %w", i, err)
		}
	}
	return p, nil
}

// readInput takes coin and signature of the next input.
func (p *Packet) readInput(in *psbt.PInput) error {
	if in.SighashType != txscript.SigHashDefault {
		return errors.New("it asks for another signature hash than the default one")
	}
	if in.FinalScriptSig != nil {
		return errors.New("it has a final script: an input that spends a P2TR coin has none")
	}
	sig, err := inputSig(in)
	if err != nil {
		return err
	}
	p.Coins = append(p.Coins, Coin{
		OutPoint: p.Tx.TxIn[len(p.Coins)].PreviousOutPoint,
		Amount:   in.WitnessUtxo.Value,
		Script:   in.WitnessUtxo.PkScript,
	})
	p.Sigs = append(p.Sigs, sig)
	in.FinalScriptWitness = nil // it is written as a signature
	return nil
}

// inputSig is the signature of an input, nil for none.
func inputSig(in *psbt.PInput) ([]byte, error) {
	sig := in.TaprootKeySpendSig
	if final := in.FinalScriptWitness; final != nil {
		const head = 2 // one item, of 64 bytes
		if len(final) != head+schnorr.SignatureSize || final[0] != 1 || final[1] != schnorr.SignatureSize {
			return nil, errors.New("its witness is not one signature of a key")
		}
		sig = final[head:]
	}
	if sig != nil && len(sig) != schnorr.SignatureSize {
		return nil, fmt.Errorf("its signature has %d bytes instead of %d: only the default signature hash is understood", len(sig), schnorr.SignatureSize)
	}
	return sig, nil
}

// merge returns what p holds besides its transaction, coins and signatures,
// with the pairs of another copy that p does not have.
func (p *Packet) merge(other *Packet) (*psbt.Packet, error) {
	if other.others == nil {
		return p.others, nil
	}
	var both [2][]pairs
	for i, of := range []*Packet{p, other} {
		raw, err := of.bytes()
		if err != nil {
			return nil, err
		}
		if both[i], err = splitMaps(raw); err != nil {
			return nil, err
		}
	}
	for i, theirs := range both[1] {
		both[0][i] = both[0][i].with(theirs)
	}
	merged, err := fromMaps(both[0])
	if err != nil {
		return nil, err
	}
	return merged.others, nil
}
