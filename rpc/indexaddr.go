package rpc

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math/big"
	"slices"

	"github.com/charterchain/charter/chain/index"
)

// Bounds of the address methods.
const (
	maxIndexAddresses = 100
	maxIndexPage      = 10_000
)

func (m *indexMethods) addressMethods() []*method {
	const area = "Addressindex"
	of := func(more string) []param {
		return []param{{name: "addresses", want: `string, or object {"addresses": array of up to 100 strings` + more + `}`,
			help: "The addresses."}}
	}
	paging := ` With "limit" (1 to 10,000) the answer is one page with a "cursor" to ask for the next one, left out at the end.`
	return []*method{
		{
			name: "getaddressbalance", area: area, run: m.getAddressBalance, params: of(""),
			summary: "Returns the balance of addresses. It costs the same however long their history is. Needs --addrindex.",
			result:  "An object {balance, received}, in the smallest unit.",
		},
		{
			name: "getaddresstxids", area: area, run: m.getAddressTxIDs, params: of(`, "start", "end", "limit", "cursor"`),
			summary: "Returns the ids of transactions that pay to addresses or spend from them, oldest first, those of the heights start to end where these are given. Needs --addrindex." + paging,
			result:  "An array of transaction ids; with limit an object {txids, cursor}.",
		},
		{
			name: "getaddressutxos", area: area, run: m.getAddressUTXOs, params: of(`, "chainInfo", "limit", "cursor"`),
			summary: "Returns the unspent outputs of addresses, oldest first. Needs --addrindex." + paging,
			result:  "An array of {address, txid, outputIndex, script, satoshis, height}; with chainInfo or limit an object {utxos, hash, height, cursor}.",
		},
		m.searchMethod(area),
	}
}

// addressQuery is the parameter of the address methods.
type addressQuery struct {
	Addresses []string `json:"addresses"`
	Start     *int32   `json:"start"`
	End       *int32   `json:"end"`
	ChainInfo bool     `json:"chainInfo"`
	Limit     *int     `json:"limit"`
	Cursor    string   `json:"cursor"`

	scripts [][]byte
}

// addressQuery reads the parameter and waits for the index.
func (m *indexMethods) addressQuery(ctx context.Context, c *call, fields ...string) (q addressQuery, err error) {
	if kindOf(c.params[0]) == kindString {
		q.Addresses = []string{c.text(0, "")}
	} else {
		var raw map[string]json.RawMessage
		c.read(0, kindObject, &raw)
		for name := range raw {
			if !slices.Contains(fields, name) {
				c.fault(codeInvalidParam, "addresses: unexpected key %.40q, want %v", name, fields)
			}
		}
		c.read(0, kindObject, &q)
	}
	if c.err != nil {
		return q, c.err
	}
	if n := len(q.Addresses); n == 0 || n > maxIndexAddresses {
		return q, fail(codeInvalidParam, "%d addresses given, want 1 to %d", n, maxIndexAddresses)
	}
	if err := q.checkBounds(); err != nil {
		return q, err
	}
	prefixes := m.cfg.Chain.Params().Address
	for _, addr := range q.Addresses {
		script, err := prefixes.Decode(addr)
		if err != nil {
			return q, fail(codeAddressOrKey, "Invalid address: %.100s: %v", addr, err)
		}
		q.scripts = append(q.scripts, script)
	}
	return q, m.addressesReady(ctx)
}

func (q *addressQuery) checkBounds() error {
	if (q.Start == nil) != (q.End == nil) {
		return fail(codeInvalidParam, "start and end go together")
	}
	if q.Start != nil && (*q.Start <= 0 || *q.End < *q.Start) {
		return fail(codeInvalidParam, "start is %d and end %d, want heights above 0, the first not above the second", *q.Start, *q.End)
	}
	if q.Limit != nil && (*q.Limit < 1 || *q.Limit > maxIndexPage) {
		return fail(codeInvalidParam, "limit is %d, want 1 to %d", *q.Limit, maxIndexPage)
	}
	if q.Cursor != "" && q.Limit == nil {
		return fail(codeInvalidParam, "cursor needs a limit")
	}
	return nil
}

// page is what the index is asked for.
func (q *addressQuery) page() index.Page {
	p := index.Page{Limit: maxIndexPage, Cursor: q.Cursor}
	if q.Limit != nil {
		p.Limit = *q.Limit
	}
	if q.Start != nil {
		p.From, p.To = *q.Start, *q.End
	}
	return p
}

// whole refuses to cut an answer that was not asked for in pages.
func (q *addressQuery) whole(next string) error {
	if q.Limit == nil && next != "" {
		return fail(codeInvalidParam, "there are more than %d results: ask for pages with limit and cursor", maxIndexPage)
	}
	return nil
}

// addressesReady waits for the address index.
func (m *indexMethods) addressesReady(ctx context.Context) error {
	addrs := m.cfg.Indexes.Addr()
	if addrs == nil {
		return fail(codeMisc, "Address index must be enabled: start the node with --addrindex")
	}
	return notReady(addrs.Ready(ctx))
}

// asked translates an error of the address index.
func asked(err error) error {
	if errors.Is(err, index.ErrCursor) {
		return fail(codeInvalidParam, "cursor: %v", err)
	}
	return notReady(err)
}

func (m *indexMethods) getAddressBalance(ctx context.Context, c *call) (any, error) {
	q, err := m.addressQuery(ctx, c, "addresses")
	if err != nil {
		return nil, err
	}
	sums, err := m.cfg.Indexes.Addr().Totals(q.scripts...)
	if err != nil {
		return nil, asked(err)
	}
	return struct {
		Balance  int64    `json:"balance"`
		Received *big.Int `json:"received"`
	}{sums.Balance, sums.Received}, nil
}

func (m *indexMethods) getAddressTxIDs(ctx context.Context, c *call) (any, error) {
	q, err := m.addressQuery(ctx, c, "addresses", "start", "end", "limit", "cursor")
	if err != nil {
		return nil, err
	}
	list, next, _, err := m.cfg.Indexes.Addr().History(q.page(), q.scripts...)
	if err == nil {
		err = q.whole(next)
	}
	if err != nil {
		return nil, asked(err)
	}
	ids := make([]string, 0, len(list))
	for i := range list {
		if i == 0 || list[i].Height != list[i-1].Height || list[i].Index != list[i-1].Index {
			ids = append(ids, list[i].TxID.String())
		}
	}
	if q.Limit == nil {
		return ids, nil
	}
	return struct {
		TxIDs  []string `json:"txids"`
		Cursor string   `json:"cursor,omitempty"`
	}{ids, next}, nil
}

type addressUTXO struct {
	Address string `json:"address"`
	TxID    string `json:"txid"`
	Index   uint32 `json:"outputIndex"`
	Script  string `json:"script"`
	Amount  int64  `json:"satoshis"`
	Height  int32  `json:"height"`
}

func (m *indexMethods) getAddressUTXOs(ctx context.Context, c *call) (any, error) {
	q, err := m.addressQuery(ctx, c, "addresses", "chainInfo", "limit", "cursor")
	if err != nil {
		return nil, err
	}
	list, next, at, err := m.cfg.Indexes.Addr().Unspent(q.page(), q.scripts...)
	if err == nil {
		err = q.whole(next)
	}
	if err != nil {
		return nil, asked(err)
	}
	out := make([]addressUTXO, len(list))
	for i, u := range list {
		out[i] = addressUTXO{
			Address: q.Addresses[u.Script],
			TxID:    u.OutPoint.Hash.String(),
			Index:   u.OutPoint.Index,
			Script:  hex.EncodeToString(q.scripts[u.Script]),
			Amount:  u.Amount,
			Height:  u.Height,
		}
	}
	if q.Limit == nil && !q.ChainInfo {
		return out, nil
	}
	return struct {
		UTXOs  []addressUTXO `json:"utxos"`
		Hash   string        `json:"hash"`
		Height int32         `json:"height"`
		Cursor string        `json:"cursor,omitempty"`
	}{out, at.Hash.String(), at.Height, next}, nil
}
