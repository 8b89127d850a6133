package wallet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/wallet/coins"
)

const (
	// maxStandardWeight is the weight above which nodes do not relay.
	maxStandardWeight = 400_000

	// highFee and highRate are what a payment may cost without
	// SendRequest.AllowHighFee: a tenth of a coin, in all or per 1,000
	// virtual bytes. They are Bitcoin Core's limits.
	highFee  Amount        = coin / 10
	highRate coins.FeeRate = coin / 10

	txVersion = 2

	// txSequence leaves locktime off and says that the payment may be
	// replaced by one with a higher fee (BIP125).
	txSequence = wire.MaxTxInSequenceNum - 2
)

// SendRequest is a payment to make.
type SendRequest struct {
	To           string // address
	Amount       Amount
	FeeRate      coins.FeeRate // 0: the least that the node takes
	AllowHighFee bool
}

// Draft is a payment that is worked out but not sent.
type Draft struct {
	Tx     *wire.MsgTx // unsigned until Sign; its TxID does not change by that
	To     string
	Amount Amount
	Fee    Amount
	Change Amount // 0: none
	Rate   coins.FeeRate
	VSize  int64

	inputs []Unspent // in the order of Tx.TxIn
	change keyPath   // where Change is above 0
	weight int64
	anyFee bool
	signed bool
}

// TxID is the hash by which the payment will be known.
func (d *Draft) TxID() chainhash.Hash { return d.Tx.TxHash() }

// Inputs is how many coins the payment spends.
func (d *Draft) Inputs() int { return len(d.inputs) }

// FundsError reports that a payment is more than can be spent now.
type FundsError struct {
	Amount, Fee Amount // of the payment; Fee is of spending everything
	Balance     Balance
}

func (e *FundsError) Error() string {
	b := e.Balance
	if e.Amount <= b.Spendable() {
		return fmt.Sprintf("%v and a fee of about %v are more than the %v that can be spent now%s",
			e.Amount, e.Fee, b.Spendable(), b.details())
	}
	return fmt.Sprintf("%v is more than the %v that can be spent now%s", e.Amount, b.Spendable(), b.details())
}

// details explains in words what the spendable sum consists of, and what
// will add to it.
func (b Balance) details() string {
	s := fmt.Sprintf(" (%v confirmed, %v own unconfirmed change", b.Confirmed, b.Change)
	if b.Incoming > 0 {
		s += fmt.Sprintf("; %v incoming is not confirmed yet", b.Incoming)
	}
	if b.Immature > 0 {
		s += fmt.Sprintf("; %v is mined but immature", b.Immature)
	}
	return s + ")"
}

// Prepare works a payment out: it chooses coins, fee and change. It changes
// nothing. The wallet should have been synced just before.
func (w *Wallet) Prepare(ctx context.Context, rpc RPC, req SendRequest) (*Draft, error) {
	script, err := w.cfg.Chain.Address.Decode(req.To)
	if err != nil {
		return nil, err
	}
	if err := w.checkAmount(req.Amount, script); err != nil {
		return nil, err
	}
	n := node{rpc, &w.cfg.Chain.Limits}
	spend, change, err := w.paymentPaths(ctx, n, req.To)
	if err != nil {
		return nil, err
	}
	rate := req.FeeRate
	if rate == 0 {
		if rate, err = leastRate(ctx, n); err != nil {
			return nil, err
		}
	}
	if rate > highRate && !req.AllowHighFee {
		return nil, fmt.Errorf("a fee rate of %v sat/vB is absurdly high: above %v add --allow-high-fee if you mean it", rate, highRate)
	}
	d, err := w.draft(req, script, rate, spend, change)
	if err != nil {
		return nil, err
	}
	if d.Fee > highFee && !req.AllowHighFee {
		return nil, fmt.Errorf("a fee of %v is absurdly high: above %v add --allow-high-fee if you mean it", d.Fee, highFee)
	}
	return d, nil
}

func (w *Wallet) checkAmount(amount Amount, script []byte) error {
	if amount <= 0 {
		return fmt.Errorf("the amount %v is not above zero", amount)
	}
	if limit := Amount(w.cfg.Chain.Limits.MaxMoney); amount > limit {
		return fmt.Errorf("the amount %v is more than this chain can hold (%v)", amount, limit)
	}
	if dust := w.dust(script); amount < dust {
		return fmt.Errorf("the amount %v is dust: nodes do not relay an output to this address below %v", amount, dust)
	}
	return nil
}

// dust is the least amount that nodes relay to a script: what spending it
// would cost at the chain's dust rate, as Bitcoin Core reckons it.
func (w *Wallet) dust(script []byte) Amount {
	if len(script) > 0 && script[0] == txscript.OP_RETURN {
		return 0
	}
	// The spending input: 41 bytes, and a signature with key as in P2PKH,
	// discounted to a quarter where it is a witness.
	size := outputWeight(script)/4 + 41 + 107
	if txscript.IsWitnessProgram(script) {
		size = outputWeight(script)/4 + 41 + 107/4
	}
	return Amount(coins.FeeRate(w.cfg.Chain.DustRelayFee).Fee(4 * size))
}

func outputWeight(script []byte) int64 {
	return 4 * int64((&wire.TxOut{PkScript: script}).SerializeSize())
}

// leastRate is the rate below which the node does not take a transaction.
func leastRate(ctx context.Context, n node) (coins.FeeRate, error) {
	var pool struct {
		MempoolMinFee Amount `json:"mempoolminfee"`
	}
	if err := n.call(ctx, &pool, "getmempoolinfo"); err != nil {
		return 0, err
	}
	var network struct {
		RelayFee Amount `json:"relayfee"`
	}
	if err := n.call(ctx, &network, "getnetworkinfo"); err != nil {
		return 0, err
	}
	rate := coins.FeeRate(max(pool.MempoolMinFee, network.RelayFee))
	if rate < 0 || rate > coins.MaxFeeRate {
		return 0, fmt.Errorf("the node asks for a fee of %v per 1,000 vB, which cannot be: give one with --fee-rate", Amount(rate))
	}
	return rate, nil
}

// draft chooses coins, among those that may be spent (nil: all), and lays the
// transaction out.
func (w *Wallet) draft(req SendRequest, script []byte, rate coins.FeeRate, may func(Unspent) bool, change keyPath) (*Draft, error) {
	rng, err := newRand(w.cfg.Rand)
	if err != nil {
		return nil, err
	}
	d := &Draft{
		Tx: wire.NewMsgTx(txVersion), To: req.To, Amount: req.Amount, Rate: rate,
		change: change, anyFee: req.AllowHighFee,
	}
	changeScript := w.book.script(d.change)
	r := w.selection(req.Amount, rate, script, changeScript)
	r.Rand = rng.IntN
	spendable := make(map[wire.OutPoint]Unspent)
	for _, u := range w.Unspent() {
		if u.Standing.Spendable() && (may == nil || may(u)) {
			spendable[u.OutPoint] = u
			r.Coins = append(r.Coins, coins.Coin{
				OutPoint: u.OutPoint, Amount: int64(u.Amount),
				Weight: coins.TaprootInputWeight, Confirmed: u.Standing == Confirmed,
			})
		}
	}
	sel, err := coins.Select(r)
	if err != nil {
		return nil, w.explain(err, req.Amount)
	}
	d.Fee, d.Change, d.weight = Amount(sel.Fee), Amount(sel.Change), sel.Weight
	d.VSize = (sel.Weight + 3) / 4
	for _, c := range sel.Coins {
		d.inputs = append(d.inputs, spendable[c.OutPoint])
	}
	d.layOut(script, changeScript, rng)
	return d, nil
}

// selection describes a payment to coin selection, without the coins.
func (w *Wallet) selection(amount Amount, rate coins.FeeRate, script, changeScript []byte) *coins.Request {
	r := &coins.Request{
		Target: int64(amount),
		Rate:   rate,
		// Version, locktime and the count of outputs; segwit marker.
		BaseWeight:        4*(4+4+1) + 2 + outputWeight(script),
		ChangeWeight:      outputWeight(changeScript),
		ChangeSpendWeight: coins.TaprootInputWeight,
		// Change that costs more to spend than it is worth is none.
		MinChange: max(int64(w.dust(changeScript)), rate.Fee(coins.TaprootInputWeight)),
		MaxWeight: maxStandardWeight,
	}
	if limit := w.cfg.Chain.Limits.TxWeight; limit > 0 {
		r.MaxWeight = min(r.MaxWeight, limit)
	}
	return r
}

// layOut fills the transaction in. The order of inputs and outputs is
// random, so that it does not tell which output is change.
func (d *Draft) layOut(script, changeScript []byte, rng *rand.Rand) {
	rng.Shuffle(len(d.inputs), func(i, j int) { d.inputs[i], d.inputs[j] = d.inputs[j], d.inputs[i] })
	for i := range d.inputs {
		in := wire.NewTxIn(&d.inputs[i].OutPoint, nil, nil)
		in.Sequence = txSequence
		d.Tx.AddTxIn(in)
	}
	d.Tx.AddTxOut(wire.NewTxOut(int64(d.Amount), script))
	if d.Change == 0 {
		return
	}
	d.Tx.AddTxOut(wire.NewTxOut(int64(d.Change), changeScript))
	if out := d.Tx.TxOut; rng.IntN(2) == 0 {
		out[0], out[1] = out[1], out[0]
	}
}

// explain turns a failed selection into a sentence about the wallet.
func (w *Wallet) explain(err error, amount Amount) error {
	var short *coins.InsufficientError
	var large *coins.TooLargeError
	switch {
	case errors.As(err, &short):
		return &FundsError{Amount: amount, Fee: Amount(short.Fee), Balance: w.Balance()}
	case errors.As(err, &large):
		return fmt.Errorf("%v would take more small coins than fit into one transaction, which can pay %v at most: send it in parts", amount, Amount(large.Most))
	}
	return err
}

// newRand seeds a generator for choices that need to be unpredictable to
// others, but are not secrets.
func newRand(source io.Reader) (*rand.Rand, error) {
	var seed [32]byte
	if _, err := io.ReadFull(source, seed[:]); err != nil {
		return nil, fmt.Errorf("read random bytes: %w", err)
	}
	return rand.New(rand.NewChaCha8(seed)), nil
}

// Send hands a signed draft to the node and records it as pending.
//
// It is recorded first: should the node take it and the answer get lost,
// the wallet knows that its coins may be spent, and the next Sync finds out
// or offers it again. A refusal (*RPCError) leaves the wallet as it was.
func (w *Wallet) Send(ctx context.Context, rpc RPC, d *Draft) error {
	if !d.signed {
		return errors.New("the payment is not signed")
	}
	return w.submit(ctx, rpc, d.Tx, submission{what: "payment", anyFee: d.anyFee})
}

// submission says how a transaction is handed to the node.
type submission struct {
	what   string // what errors call it
	anyFee bool   // no limit on high fees
}

func (w *Wallet) submit(ctx context.Context, rpc RPC, tx *wire.MsgTx, s submission) error {
	before, id := w.book.lines, tx.TxHash()
	if _, _, err := w.ledger.apply(tx, place{height: pending, time: w.cfg.Now().Unix()}); err != nil {
		return err
	}
	undo := func() error {
		w.ledger.remove(id)
		w.book.unuse(before)
		return w.save()
	}
	if err := w.save(); err != nil {
		return errors.Join(err, undo())
	}
	err := node{rpc, &w.cfg.Chain.Limits}.broadcast(ctx, tx, s.anyFee)
	var refusal *RPCError
	if errors.As(err, &refusal) {
		return errors.Join(fmt.Errorf("the node refused the %s: %w", s.what, err), undo())
	}
	if err != nil {
		return fmt.Errorf("it is not known whether the node took %s %v: %w; the wallet keeps it as pending, and its next command finds out or offers it again", s.what, id, err)
	}
	return nil
}
