package wallet

import (
	"context"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"

	"github.com/charterchain/charter/chain/permission/packet"
	"github.com/charterchain/charter/chain/permission/record"
)

// Review is what a transaction with records does, in words, for the person
// who is about to sign it. Sign takes nothing but a Review: what was not shown
// is not signed.
type Review struct {
	Records []string // one sentence each
	Inputs  []ReviewInput
	Outputs []ReviewOutput // other than records
	Fee     Amount

	packet *packet.Packet
}

// ReviewInput is a coin that is spent.
type ReviewInput struct {
	Address string `json:"address"`
	Amount  Amount `json:"amount"`
	Own     bool   `json:"own"` // the wallet's
	Signed  bool   `json:"signed"`
}

// ReviewOutput is an output that is no record. One of amount 0 is an authority
// output.
type ReviewOutput struct {
	Address string `json:"address"` // hex of the script where it has no address
	Amount  Amount `json:"amount"`
	Own     bool   `json:"own"`
}

// Review looks through a transaction before it is signed. namer gives the
// present name of a member and may be nil. Refused is what holds no record,
// what cannot be shown in words, and what would cost the wallet money.
func (w *Wallet) Review(p *packet.Packet, namer func(record.MemberID) string) (*Review, error) {
	chain := w.cfg.Chain
	if chain.Genesis == (chainhash.Hash{}) {
		chain.Genesis = w.genesis
	}
	r, err := review(chain, p, namer, w.Owns)
	if err != nil {
		return nil, err
	}
	var paid Amount
	for _, in := range r.Inputs {
		if in.Own {
			paid += in.Amount
		}
	}
	for _, out := range r.Outputs {
		if out.Own {
			paid -= out.Amount
		}
	}
	if paid > 0 {
		return nil, fmt.Errorf("the transaction would take %v from this wallet: records cost nothing, not signing it", paid)
	}
	return r, nil
}

// ReviewFor is Review without a wallet: nothing is anybody's own.
func ReviewFor(chain Chain, p *packet.Packet, namer func(record.MemberID) string) (*Review, error) {
	return review(chain, p, namer, func([]byte) bool { return false })
}

func review(chain Chain, p *packet.Packet, namer func(record.MemberID) string, owns func(script []byte) bool) (*Review, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	records, err := p.Records()
	if err != nil {
		return nil, fmt.Errorf("the transaction holds something that claims to be a record and that this software cannot read: %w", err)
	}
	if len(records) == 0 {
		return nil, errors.New("the transaction holds no record: only those that do are signed this way")
	}
	address := func(script []byte) string { return addressOf(chain.Address, script) }
	r := &Review{packet: p}
	for _, rec := range records {
		if err := record.CheckSig(chain.Genesis, rec); err != nil {
			return nil, fmt.Errorf("no block would take the transaction: %w", err)
		}
		r.Records = append(r.Records, record.Describe(rec, namer, address))
	}
	for i, c := range p.Coins {
		r.Inputs = append(r.Inputs, ReviewInput{address(c.Script), Amount(c.Amount), owns(c.Script), p.Sigs[i] != nil})
		r.Fee += Amount(c.Amount)
	}
	for _, out := range p.Tx.TxOut {
		r.Fee -= Amount(out.Value)
		if record.Claims(out.PkScript) {
			continue
		}
		text := address(out.PkScript)
		if text == "" {
			text = fmt.Sprintf("%x", out.PkScript)
		}
		r.Outputs = append(r.Outputs, ReviewOutput{text, Amount(out.Value), owns(out.PkScript)})
	}
	return r, nil
}

// SignReviewed signs the inputs of a reviewed transaction that spend the
// wallet's coins, and returns how many it signed; none is an error. What is
// signed already stays.
func (w *Wallet) SignReviewed(r *Review, keys *Keys) (int, error) {
	p := r.packet
	hashes, _ := p.Hashes()
	signed := 0
	for i, c := range p.Coins {
		path, ok := w.book.find(c.Script)
		if !ok || p.Sigs[i] != nil {
			continue
		}
		sig, err := signInput(p.Tx, hashes, i, Unspent{Amount: Amount(c.Amount), Script: c.Script, path: path}, keys)
		if err == nil {
			err = p.CheckSig(i, sig)
		}
		if err != nil {
			return signed, fmt.Errorf("sign input %d: %w", i, err)
		}
		p.Sigs[i] = sig
		signed++
	}
	if signed == 0 {
		return 0, errors.New("there is nothing to sign for this wallet: no input that is not signed yet is its own")
	}
	return signed, nil
}

// SendPacket hands a transaction with records to the node. Like a payment's,
// what becomes of it is recorded where it concerns the wallet.
func (w *Wallet) SendPacket(ctx context.Context, rpc RPC, p *packet.Packet) error {
	tx, err := p.Final()
	if err != nil {
		return err
	}
	return w.submit(ctx, rpc, tx, submission{what: "transaction", anyFee: true})
}

// identity returns the private key of an own identity: that of BIP86, tweaked,
// so that it signs as the script's program. The caller zeroes it.
func (w *Wallet) identity(script []byte, keys *Keys) (*btcec.PrivateKey, error) {
	path, ok := w.book.find(script)
	if !ok {
		return nil, fmt.Errorf("%s is no address of this wallet", addressOf(w.cfg.Chain.Address, script))
	}
	key, err := privateKey(keys.account, path)
	if err != nil {
		return nil, err
	}
	defer key.Zero()
	return txscript.TweakTaprootPrivKey(*key, nil), nil
}
