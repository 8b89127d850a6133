package rpc

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/index"
)

// Bounds of one searchrawtransactions call.
const (
	maxSearchCount   = 1000
	maxSearchSkip    = 1_000_000
	maxSearchFilters = 100
)

func (m *indexMethods) searchMethod(area string) *method {
	return &method{
		name: "searchrawtransactions", area: area, run: m.searchRawTransactions,
		params: []param{
			{name: "address", want: "string", help: "The address."},
			{name: "verbose", want: "number, 0 or 1", fallback: "1", help: "0: hex; 1: objects."},
			{name: "skip", want: "number, 0 to 1,000,000", fallback: "0", help: "Transactions to leave out first."},
			{name: "count", want: "number, 0 to 1,000", fallback: "100", help: "Most transactions to return."},
			{name: "vinextra", want: "number, 0 or 1", fallback: "0", help: "1: show the outputs that are spent."},
			{name: "reverse", want: "boolean", fallback: "false", help: "true: the newest first."},
			{name: "filteraddrs", want: "array of up to 100 strings", fallback: "[]", help: "Show only inputs and outputs of these addresses."},
		},
		summary: "Returns transactions that pay to an address or spend from it, those of the mempool too, as btcd does. Needs --addrindex.",
		result:  "An array of hex strings or of objects.",
	}
}

// searchQuery is what searchrawtransactions was asked for.
type searchQuery struct {
	script      []byte
	skip, count int
	verbose     bool
	vinExtra    bool
	reverse     bool
	filter      map[string]bool // nil: none
}

func (m *indexMethods) searchQuery(c *call) (q searchQuery, err error) {
	q.script = c.address(0, m.shape.address)
	q.verbose = c.verbosity(1, 1) != 0
	q.skip = int(c.integer(2, 0, 0, maxSearchSkip))
	q.count = int(c.integer(3, 100, 0, maxSearchCount))
	q.vinExtra = c.verbosity(4, 0) != 0
	q.reverse = c.flag(5, false)
	for i, raw := range c.list(6, maxSearchFilters) {
		var addr string
		if json.Unmarshal(raw, &addr) != nil {
			return q, fail(codeType, "filteraddrs: element %d is of type %s, want a string", i, kindOf(raw))
		}
		if q.filter == nil {
			q.filter = make(map[string]bool)
		}
		q.filter[addr] = true
	}
	return q, c.err
}

// searched is a transaction that was found.
type searched struct {
	tx    *consensus.Tx
	block *chainhash.Hash  // nil: in the mempool
	spent []consensus.Coin // nil: not known, or not asked for
}

func (m *indexMethods) searchRawTransactions(ctx context.Context, c *call) (any, error) {
	q, err := m.searchQuery(c)
	if err != nil {
		return nil, err
	}
	if err := m.addressesReady(ctx); err != nil {
		return nil, err
	}
	found, err := m.search(ctx, q)
	if err != nil {
		return nil, asked(err)
	}
	if len(found) == 0 {
		return nil, fail(codeAddressOrKey, "No information available about address")
	}
	out := make([]any, len(found))
	for i, f := range found {
		if q.verbose {
			out[i] = m.searchResult(f, q)
		} else {
			out[i] = hex.EncodeToString(encodeTx(f.tx.Msg))
		}
	}
	return out, nil
}

// search returns the wanted stretch of confirmed transactions followed by
// those of the mempool, or of that in reverse.
func (m *indexMethods) search(ctx context.Context, q searchQuery) (found []searched, err error) {
	sums, err := m.cfg.Indexes.Addr().Totals(q.script)
	if err != nil {
		return nil, err
	}
	confirmed := int(min(sums.Txs, 1<<31-1))
	var waiting []searched
	if q.reverse || q.skip+q.count > confirmed {
		if waiting, err = m.searchPool(q.script); err != nil {
			return nil, err
		}
	}
	first := confirmed // what comes before the other kind
	if q.reverse {
		slices.Reverse(waiting)
		first = len(waiting)
	}
	skipA, countA := min(q.skip, first), min(q.count, max(first-q.skip, 0))
	skipB, countB := max(q.skip-first, 0), q.count-countA
	if q.reverse {
		found = waiting[skipA : skipA+countA]
		blocks, err := m.searchBlocks(ctx, q, skipB, countB)
		return append(found, blocks...), err
	}
	if found, err = m.searchBlocks(ctx, q, skipA, countA); err != nil {
		return nil, err
	}
	waiting = waiting[min(skipB, len(waiting)):]
	return append(found, waiting[:min(countB, len(waiting))]...), nil
}

// searchPool returns the transactions of the mempool that pay to script or
// spend from it. It looks at all of them.
func (m *indexMethods) searchPool(script []byte) (found []searched, err error) {
	for _, e := range m.cfg.Mempool.Entries() {
		mine := false
		coins := make([]consensus.Coin, len(e.Tx.Msg.TxIn))
		for i, in := range e.Tx.Msg.TxIn {
			if coins[i], err = m.poolCoin(in.PreviousOutPoint); err != nil {
				return nil, err
			}
			mine = mine || coins[i].Script != nil && string(coins[i].Script) == string(script)
		}
		for _, out := range e.Tx.Msg.TxOut {
			mine = mine || string(out.PkScript) == string(script)
		}
		if mine {
			found = append(found, searched{tx: e.Tx, spent: coins})
		}
	}
	return found, nil
}

// poolCoin returns an output of the chain or the mempool; none if it has
// been spent meanwhile.
func (m *indexMethods) poolCoin(op wire.OutPoint) (consensus.Coin, error) {
	if parent, ok := m.cfg.Mempool.Get(op.Hash); ok && int(op.Index) < len(parent.Msg.TxOut) {
		out := parent.Msg.TxOut[op.Index]
		return consensus.Coin{Amount: out.Value, Script: out.PkScript}, nil
	}
	coin, _, err := m.cfg.Chain.Coin(op)
	return coin, err
}

// searchBlocks reads count transactions of the best branch.
func (m *indexMethods) searchBlocks(ctx context.Context, q searchQuery, skip, count int) ([]searched, error) {
	if count <= 0 {
		return nil, nil
	}
	list, _, _, err := m.cfg.Indexes.Addr().History(index.Page{Skip: skip, Limit: count, Reverse: q.reverse}, q.script)
	if err != nil {
		return nil, err
	}
	found := make([]searched, len(list))
	var block *consensus.Block
	var spent [][]consensus.Coin
	for i, e := range list {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if i == 0 || e.Height != list[i-1].Height {
			if block, spent, err = m.blockAt(e.Height, q.needSpent()); err != nil {
				return nil, err
			}
		}
		if e.Index >= len(block.Txs) || block.Txs[e.Index].TxID != e.TxID {
			return nil, fail(codeMisc, "The best branch has changed meanwhile, try again")
		}
		found[i] = searched{tx: block.Txs[e.Index], block: &block.Hash}
		if e.Index > 0 && len(spent) == len(block.Txs)-1 {
			found[i].spent = spent[e.Index-1]
		}
	}
	return found, nil
}

func (q *searchQuery) needSpent() bool { return q.verbose && (q.vinExtra || q.filter != nil) }

func (m *indexMethods) blockAt(height int32, spentToo bool) (*consensus.Block, [][]consensus.Coin, error) {
	info, ok := m.cfg.Chain.AtHeight(height)
	if !ok {
		return nil, nil, fail(codeMisc, "The best branch has changed meanwhile, try again")
	}
	b, err := m.cfg.Chain.ReadBlock(info.Hash)
	if err != nil {
		return nil, nil, noBody(&info, err)
	}
	if !spentToo || height == 0 {
		return b, nil, nil
	}
	spent, err := m.cfg.Chain.ReadSpent(info.Hash)
	if err != nil {
		return nil, nil, fmt.Errorf("read what block %v spends: %w", info.Hash, err)
	}
	return b, spent, nil
}

// searchJSON is btcd's shape. Sizes are left out: btcsuite's client reads
// them as strings, which btcd leaves empty.
type searchJSON struct {
	Hex           string      `json:"hex,omitempty"`
	TxID          string      `json:"txid"`
	Hash          string      `json:"hash"`
	Version       int32       `json:"version"`
	LockTime      uint32      `json:"locktime"`
	Vin           []searchVin `json:"vin"`
	Vout          []voutTx    `json:"vout"`
	BlockHash     string      `json:"blockhash,omitempty"`
	Confirmations *int32      `json:"confirmations,omitempty"`
	Time          *int64      `json:"time,omitempty"`
	BlockTime     *int64      `json:"blocktime,omitempty"`
}

type searchVin struct {
	vinTx
	PrevOut *searchPrevOut `json:"prevOut,omitempty"`
}

type searchPrevOut struct {
	Addresses []string `json:"addresses,omitempty"`
	Value     Amount   `json:"value"`
}

func (m *indexMethods) searchResult(f searched, q searchQuery) *searchJSON {
	whole := m.shape.tx(f.tx, txOptions{})
	out := &searchJSON{
		Hex: hex.EncodeToString(encodeTx(f.tx.Msg)), TxID: whole.TxID, Hash: whole.Hash,
		Version: f.tx.Msg.Version, LockTime: whole.LockTime, Vin: []searchVin{}, Vout: []voutTx{},
	}
	for i, in := range whole.Vin {
		vin := searchVin{vinTx: in}
		addr := ""
		if i < len(f.spent) && f.spent[i].Script != nil {
			addr, _ = m.shape.address.Encode(f.spent[i].Script)
			if q.vinExtra {
				vin.PrevOut = &searchPrevOut{Value: Amount(f.spent[i].Amount)}
				if addr != "" {
					vin.PrevOut.Addresses = []string{addr}
				}
			}
		}
		if q.filter == nil || q.filter[addr] {
			out.Vin = append(out.Vin, vin)
		}
	}
	for _, v := range whole.Vout {
		if q.filter == nil || q.filter[v.ScriptPubKey.Address] {
			out.Vout = append(out.Vout, v)
		}
	}
	if f.block != nil {
		m.shape.confirmed(whole, *f.block)
		out.BlockHash, out.Confirmations, out.Time, out.BlockTime = whole.BlockHash, whole.Confirmations, whole.Time, whole.BlockTime
	}
	return out
}
