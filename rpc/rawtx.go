package rpc

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/bits"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/index"
)

// rawTxMethods decode, show and submit transactions.
type rawTxMethods struct {
	chain Chain
	pool  Mempool
	shape *shaper
	txs   *index.Tx // nil: there is no index
}

// Defaults of sendrawtransaction and testmempoolaccept.
const (
	defaultMaxFeeRate Amount = unitsPerCoin / 10 // per 1,000 virtual bytes
	maxTestTxs               = 25
)

func (m *rawTxMethods) methods() []*method {
	const area = "Rawtransactions"
	txHex := param{name: "hexstring", want: "string, hex", help: "The transaction."}
	maxFeeRate := param{name: "maxfeerate|allowhighfees", want: "number or string, coins per 1,000 virtual bytes", fallback: "0.10",
		help: "Refuse a transaction that pays a higher rate; 0: any rate. true and false stand for 0 and the default."}
	return []*method{
		{
			name: "getrawtransaction", area: area, run: m.getRawTransaction,
			params: []param{
				{name: "txid", want: "string, 64 hex digits", help: "The transaction id."},
				{name: "verbosity|verbose", want: "number, 0 to 2", fallback: "0",
					help: "0: hex; 1: an object; 2: with fee and spent outputs, where they are known."},
				{name: "blockhash", want: "string, 64 hex digits", fallback: "the mempool, and the blocks if there is a transaction index", help: "The block to look in."},
			},
			summary: "Returns a transaction of the mempool, of a given block, or, with --txindex, of any block.",
			result:  "A string of hex, or an object.",
		},
		{
			name: "decoderawtransaction", area: area, run: m.decodeRawTransaction,
			params: []param{txHex, {name: "iswitness", want: "boolean", fallback: "either form is recognised",
				help: "Not needed: the encoding says whether there is a witness."}},
			summary: "Returns a transaction as an object. It is not judged.",
			result:  "An object.",
		},
		{
			name: "decodescript", area: area, run: m.decodeScript,
			params:  []param{{name: "hexstring", want: "string, hex", help: "The script."}},
			summary: "Describes a script, and the addresses under which it can be wrapped.",
			result:  "An object.",
		},
		{
			name: "sendrawtransaction", area: area, run: m.sendRawTransaction,
			params: []param{txHex, maxFeeRate, {name: "maxburnamount", want: "number or string, coins", fallback: "0",
				help: "Refuse a transaction with more in an output that can never be spent."}},
			summary: "Puts a transaction into the mempool and passes it on to the peers.",
			result:  "The transaction id.",
		},
		{
			name: "testmempoolaccept", area: area, run: m.testMempoolAccept,
			params:  []param{{name: "rawtxs", want: "array of up to 25 strings, hex", help: "Transactions, parents before children; each may spend what those before it pay."}, maxFeeRate},
			summary: "Says whether the mempool would take transactions. It changes nothing.",
			result:  "An array of {txid, wtxid, allowed, vsize, fees, reject-reason, reject-details}.",
		},
	}
}

func (m *rawTxMethods) getRawTransaction(ctx context.Context, c *call) (any, error) {
	txid, verbosity, blockHash := c.hash(0), c.verbosity(1, 0), c.hash(2)
	if c.err != nil {
		return nil, c.err
	}
	if c.has(2) {
		return m.fromBlock(txid, blockHash, verbosity)
	}
	p := m.chain.Params()
	if txid == p.GenesisBlock.Transactions[0].TxHash() && (m.txs == nil || len(p.GenesisCoins()) == 0) {
		return nil, fail(codeAddressOrKey, "The genesis block coinbase is not considered an ordinary transaction and cannot be retrieved")
	}
	tx, ok := m.pool.Get(txid)
	if !ok {
		return m.fromIndex(ctx, txid, verbosity)
	}
	if verbosity <= 0 {
		return hex.EncodeToString(encodeTx(tx.Msg)), nil
	}
	return m.shape.tx(tx, txOptions{hex: true}), nil
}

func (m *rawTxMethods) fromBlock(txid, hash chainhash.Hash, verbosity int) (any, error) {
	info, ok := m.chain.Lookup(hash)
	if !ok {
		return nil, fail(codeAddressOrKey, "Block hash not found")
	}
	block, err := m.chain.ReadBlock(hash)
	if err != nil {
		return nil, noBody(&info, err)
	}
	for i, tx := range block.Txs {
		if tx.TxID != txid {
			continue
		}
		if verbosity <= 0 {
			return hex.EncodeToString(encodeTx(tx.Msg)), nil
		}
		opt := txOptions{hex: true, prevouts: true}
		if verbosity >= 2 && i > 0 {
			spent, err := m.chain.ReadSpent(hash)
			if err != nil && !errors.Is(err, chain.ErrNoData) {
				return nil, fmt.Errorf("read what block %v spends: %w", hash, err)
			}
			if err == nil {
				opt.spent = spent[i-1]
			}
		}
		out := m.shape.tx(tx, opt)
		out.InActiveChain = &info.OnBest
		m.shape.confirmed(out, hash)
		return out, nil
	}
	return nil, fail(codeAddressOrKey, "No such transaction found in the provided block. Use gettransaction for wallet transactions.")
}

// decodeTx reads a transaction given as hex. It need not be valid.
func decodeTx(text string) (*consensus.Tx, *Error) {
	raw, err := hex.DecodeString(text)
	if err != nil {
		return nil, fail(codeDeserialization, "TX decode failed: not hexadecimal (%d characters)", len(text))
	}
	tx, err := consensus.DecodeTx(raw)
	if err != nil {
		return nil, fail(codeDeserialization, "TX decode failed: %v. Make sure the tx has at least one input.", err)
	}
	return tx, nil
}

func (c *call) tx(i int) *consensus.Tx {
	var s string
	if !c.read(i, kindString, &s) {
		return nil
	}
	tx, err := decodeTx(s)
	if err != nil {
		c.err = err
	}
	return tx
}

func (m *rawTxMethods) decodeRawTransaction(_ context.Context, c *call) (any, error) {
	tx := c.tx(0)
	c.flag(1, true)
	if c.err != nil {
		return nil, c.err
	}
	return m.shape.tx(tx, txOptions{}), nil
}

// feeRateLimit reads maxfeerate; 0 means none. Old libraries send a boolean.
func (c *call) feeRateLimit(i int) Amount {
	if kindOf(c.params[i]) == kindBool {
		if c.flag(i, false) {
			return 0
		}
		return defaultMaxFeeRate
	}
	rate := c.amount(i, defaultMaxFeeRate)
	if rate >= unitsPerCoin {
		c.fault(codeInvalidParam, "Fee rates larger than or equal to 1 coin/kvB are not accepted")
	}
	return rate
}

// tooHigh reports whether fee is above the rate limit for a size.
func tooHigh(fee, vsize int64, limit Amount) bool {
	return limit > 0 && Amount(fee) > limit*Amount(vsize)/1000
}

func (m *rawTxMethods) sendRawTransaction(ctx context.Context, c *call) (any, error) {
	tx, limit, maxBurn := c.tx(0), c.feeRateLimit(1), c.amount(2, 0)
	if c.err != nil {
		return nil, c.err
	}
	for _, out := range tx.Msg.TxOut {
		if Amount(out.Value) > maxBurn && unspendable(out.PkScript) {
			return nil, fail(codeVerify, "Unspendable output exceeds maximum configured by user (maxburnamount)")
		}
	}
	if _, ok := m.pool.Get(tx.TxID); ok {
		return tx.TxID.String(), nil
	}
	if err := m.checkFee(ctx, tx, limit); err != nil {
		return nil, err
	}
	if err := m.pool.Accept(ctx, tx); err != nil && !errors.Is(err, ErrInMempool) {
		return nil, refusal(err)
	}
	return tx.TxID.String(), nil
}

// checkFee asks for the fee before the transaction is let in.
func (m *rawTxMethods) checkFee(ctx context.Context, tx *consensus.Tx, limit Amount) error {
	if limit == 0 {
		return nil
	}
	for _, r := range m.pool.Test(ctx, []*consensus.Tx{tx}) {
		if r.Err == nil && tooHigh(r.Fee, r.VSize, limit) {
			return fail(codeVerify, "Fee exceeds maximum configured by user (maxfeerate): it pays %v for %d vB, at most %v per 1000 vB is allowed",
				Amount(r.Fee), r.VSize, limit)
		}
	}
	return nil
}

// refusal gives Bitcoin Core's code for what the pool did not take.
func refusal(err error) error {
	v, ok := judge(err)
	switch {
	case !ok:
		return undecided(err)
	case errors.Is(err, ErrConfirmed):
		return fail(codeInChain, "Transaction outputs already in utxo set")
	case errors.Is(err, ErrMissingInputs):
		return fail(codeVerify, "%s", v.detail)
	}
	return fail(codeRejected, "%s", v.detail)
}

type testResultJSON struct {
	TxID          string    `json:"txid"`
	WTxID         string    `json:"wtxid"`
	Allowed       bool      `json:"allowed"`
	VSize         int64     `json:"vsize,omitempty"`
	Fees          *testFees `json:"fees,omitempty"`
	RejectReason  string    `json:"reject-reason,omitempty"`
	RejectDetails string    `json:"reject-details,omitempty"`
}

type testFees struct {
	Base              Amount   `json:"base"`
	EffectiveFeeRate  Amount   `json:"effective-feerate"`
	EffectiveIncludes []string `json:"effective-includes"`
}

func (m *rawTxMethods) testMempoolAccept(ctx context.Context, c *call) (any, error) {
	raws, limit := c.list(0, maxTestTxs), c.feeRateLimit(1)
	if c.err != nil {
		return nil, c.err
	}
	if len(raws) == 0 {
		return nil, fail(codeInvalidParam, "Array must contain between 1 and %d transactions.", maxTestTxs)
	}
	txs := make([]*consensus.Tx, len(raws))
	for i, raw := range raws {
		var text string
		if err := json.Unmarshal(raw, &text); err != nil {
			return nil, fail(codeType, "rawtxs: element %d is of type %s, want a string of hex", i, kindOf(raw))
		}
		tx, err := decodeTx(text)
		if err != nil {
			return nil, fail(err.Code, "rawtxs: element %d: %s", i, err.Message)
		}
		txs[i] = tx
	}
	out := make([]testResultJSON, len(txs))
	for i, r := range m.pool.Test(ctx, txs) {
		var err error
		if out[i], err = testResult(txs[i], &r, limit); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func testResult(tx *consensus.Tx, r *TestResult, limit Amount) (testResultJSON, error) {
	out := testResultJSON{TxID: tx.TxID.String(), WTxID: tx.WTxID.String()}
	v, ok := judge(r.Err)
	switch {
	case !ok:
		return out, undecided(r.Err)
	case errors.Is(r.Err, ErrMissingInputs):
		// Bitcoin Core has a shorter name for it here.
		out.RejectReason, out.RejectDetails = "missing-inputs", v.reason
		return out, nil
	case v.reason != "":
		out.RejectReason, out.RejectDetails = v.reason, v.detail
		return out, nil
	case tooHigh(r.Fee, r.VSize, limit):
		out.RejectReason = "max-fee-exceeded"
		return out, nil
	}
	out.Allowed, out.VSize = true, r.VSize
	out.Fees = &testFees{Amount(r.Fee), feeRate(r.Fee, r.VSize), []string{out.WTxID}}
	return out, nil
}

// feeRate is what fee pays per 1,000 of vsize virtual bytes, rounded down.
func feeRate(fee, vsize int64) Amount {
	hi, lo := bits.Mul64(uint64(fee), 1000)
	if hi >= uint64(vsize) {
		return math.MaxInt64
	}
	rate, _ := bits.Div64(hi, lo, uint64(vsize))
	return Amount(min(rate, math.MaxInt64))
}
