package rpc

import (
	"context"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// mempoolMethods show the unconfirmed transactions.
type mempoolMethods struct{ pool Mempool }

func (m *mempoolMethods) methods() []*method {
	const area = "Blockchain"
	return []*method{
		{
			name: "getrawmempool", area: area, run: m.getRawMempool,
			params: []param{
				{name: "verbose", want: "boolean", fallback: "false", help: "true: an object of entries by transaction id; false: the ids."},
				{name: "mempool_sequence", want: "boolean", fallback: "false", help: "Adds the number that grows with every change of the mempool."},
			},
			summary: "Returns all transactions of the mempool.",
			result:  "An array of transaction ids, or an object.",
		},
		{
			name: "getmempoolinfo", area: area, run: m.getMempoolInfo,
			summary: "Returns the state of the mempool.", result: "An object.",
		},
		{
			name: "getmempoolentry", area: area, run: m.getMempoolEntry,
			params:  []param{{name: "txid", want: "string, 64 hex digits", help: "The transaction id."}},
			summary: "Returns what the mempool knows of one transaction.", result: "An object.",
		},
	}
}

type entryJSON struct {
	VSize           int64     `json:"vsize"`
	Weight          int64     `json:"weight"`
	Time            int64     `json:"time"`
	Height          int32     `json:"height"`
	DescendantCount int       `json:"descendantcount"`
	DescendantSize  int64     `json:"descendantsize"`
	AncestorCount   int       `json:"ancestorcount"`
	AncestorSize    int64     `json:"ancestorsize"`
	WTxID           string    `json:"wtxid"`
	Fees            entryFees `json:"fees"`
	Depends         []string  `json:"depends"`
	SpentBy         []string  `json:"spentby"`
	Replaceable     bool      `json:"bip125-replaceable"`
	Unbroadcast     bool      `json:"unbroadcast"`
}

type entryFees struct {
	Base       Amount `json:"base"`
	Modified   Amount `json:"modified"`
	Ancestor   Amount `json:"ancestor"`
	Descendant Amount `json:"descendant"`
}

func poolEntry(e *PoolEntry) entryJSON {
	return entryJSON{
		VSize:           e.VSize,
		Weight:          e.Tx.Weight,
		Time:            e.Time.Unix(),
		Height:          e.Height,
		DescendantCount: e.Descendants.Count,
		DescendantSize:  e.Descendants.VSize,
		AncestorCount:   e.Ancestors.Count,
		AncestorSize:    e.Ancestors.VSize,
		WTxID:           e.Tx.WTxID.String(),
		Fees: entryFees{
			Base:       Amount(e.Fee),
			Modified:   Amount(e.Fee), // nothing here modifies fees
			Ancestor:   Amount(e.Ancestors.Fees),
			Descendant: Amount(e.Descendants.Fees),
		},
		Depends:     hashTexts(e.Depends),
		SpentBy:     hashTexts(e.SpentBy),
		Replaceable: e.Replaceable,
		Unbroadcast: e.Unbroadcast,
	}
}

// hashTexts never returns nil, so that an empty list is [] in JSON.
func hashTexts(list []chainhash.Hash) []string {
	out := make([]string, len(list))
	for i := range list {
		out[i] = list[i].String()
	}
	return out
}

func (m *mempoolMethods) getRawMempool(_ context.Context, c *call) (any, error) {
	verbose, withSequence := c.flag(0, false), c.flag(1, false)
	if c.err != nil {
		return nil, c.err
	}
	switch {
	case verbose && withSequence:
		return nil, fail(codeInvalidParam, "Verbose results cannot contain mempool sequence values.")
	case verbose:
		entries := m.pool.Entries()
		out := make(map[string]entryJSON, len(entries))
		for i := range entries {
			out[entries[i].Tx.TxID.String()] = poolEntry(&entries[i])
		}
		return out, nil
	case withSequence:
		// Read first: the number must not be newer than the list.
		sequence := m.pool.Sequence()
		return struct {
			TxIDs    []string `json:"txids"`
			Sequence uint64   `json:"mempool_sequence"`
		}{hashTexts(m.pool.TxIDs()), sequence}, nil
	}
	return hashTexts(m.pool.TxIDs()), nil
}

type mempoolInfoJSON struct {
	Loaded         bool   `json:"loaded"`
	Size           int    `json:"size"`
	Bytes          int64  `json:"bytes"`
	Usage          int64  `json:"usage"`
	TotalFee       Amount `json:"total_fee"`
	MaxMempool     int64  `json:"maxmempool"`
	MempoolMinFee  Amount `json:"mempoolminfee"`
	MinRelayTxFee  Amount `json:"minrelaytxfee"`
	IncrementalFee Amount `json:"incrementalrelayfee"`
	Unbroadcast    int    `json:"unbroadcastcount"`
	FullRBF        bool   `json:"fullrbf"`
}

func (m *mempoolMethods) getMempoolInfo(context.Context, *call) (any, error) {
	i := m.pool.Info()
	return mempoolInfoJSON{
		i.Loaded, i.Count, i.VBytes, i.Usage, Amount(i.TotalFee), i.MaxUsage,
		Amount(max(i.MinFee, i.MinRelayFee)), Amount(i.MinRelayFee), Amount(i.IncrementalFee), i.Unbroadcast, i.FullRBF,
	}, nil
}

func (m *mempoolMethods) getMempoolEntry(_ context.Context, c *call) (any, error) {
	txid := c.hash(0)
	if c.err != nil {
		return nil, c.err
	}
	e, ok := m.pool.Entry(txid)
	if !ok {
		return nil, fail(codeAddressOrKey, "Transaction not in mempool")
	}
	return poolEntry(&e), nil
}
