package rpc

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"sync"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/consensus"
)

// Bounds of one scantxoutset call.
const (
	maxScanObjects = 10_000
	maxScanFound   = 1_000_000
)

// scanMethods search all unspent outputs. One search runs at a time.
type scanMethods struct {
	chain Chain

	mu      sync.Mutex // guards the rest
	running bool
	percent int
	abort   context.CancelFunc
}

func (m *scanMethods) methods() []*method {
	return []*method{{
		name: "scantxoutset", area: "Blockchain", run: m.scanTxOutSet,
		params: []param{
			{name: "action", want: `string: "start", "status" or "abort"`, help: "What to do."},
			{name: "scanobjects", want: "array of descriptors", fallback: "none; start needs them",
				help: `Strings, or objects {"desc": …}: addr(), raw(), pk(), pkh(), wpkh(), sh(wpkh()), tr(), rawtr() and combo() of one public key.`},
		},
		summary: "Searches all unspent outputs for those of given descriptors. It reads all of them: this may take long.",
		result:  "start: an object; status: {progress} in percent, or null; abort: whether a search was running.",
	}}
}

type unspentJSON struct {
	TxID          string `json:"txid"`
	Vout          uint32 `json:"vout"`
	ScriptPubKey  string `json:"scriptPubKey"`
	Desc          string `json:"desc"`
	Amount        Amount `json:"amount"`
	Coinbase      bool   `json:"coinbase"`
	Height        int32  `json:"height"`
	BlockHash     string `json:"blockhash"`
	Confirmations int32  `json:"confirmations"`
}

type scanJSON struct {
	Success     bool          `json:"success"`
	TxOuts      int64         `json:"txouts"`
	Height      int32         `json:"height"`
	BestBlock   string        `json:"bestblock"`
	Unspents    []unspentJSON `json:"unspents"`
	TotalAmount Amount        `json:"total_amount"`
}

func (m *scanMethods) scanTxOutSet(ctx context.Context, c *call) (any, error) {
	action, objects := c.text(0, ""), c.list(1, maxScanObjects)
	if c.err != nil {
		return nil, c.err
	}
	switch action {
	case "status":
		return m.status(), nil
	case "abort":
		return m.stop(), nil
	case "start":
	default:
		return nil, fail(codeInvalidParam, "Invalid action '%.40s': want start, status or abort", action)
	}
	if !c.has(1) {
		return nil, fail(codeMisc, "scanobjects argument is required for the start action")
	}
	wanted, err := m.wanted(objects)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if !m.begin(cancel) {
		return nil, fail(codeInvalidParam, `Scan already in progress, use action "abort" or "status"`)
	}
	defer m.end()
	return m.search(ctx, wanted)
}

// wanted returns the descriptor by script.
func (m *scanMethods) wanted(objects []json.RawMessage) (map[string]string, error) {
	prefixes := m.chain.Params().Address
	wanted := map[string]string{}
	for i, raw := range objects {
		text, ok := scanObject(raw)
		if !ok {
			return nil, fail(codeInvalidParam, `Scan object needs to be either a string or an object: element %d of scanobjects is %s, want "DESCRIPTOR" or {"desc": "DESCRIPTOR"}`,
				i, excerpt(raw))
		}
		targets, err := expand(text, prefixes)
		if err != nil {
			return nil, fail(codeAddressOrKey, "scanobjects: element %d: %v", i, err)
		}
		for _, t := range targets {
			wanted[string(t.script)] = t.descriptor
		}
	}
	return wanted, nil
}

// scanObject reads "descriptor" or {"desc": "descriptor"}.
func scanObject(raw json.RawMessage) (text string, ok bool) {
	if kindOf(raw) == kindObject {
		var object map[string]json.RawMessage
		if json.Unmarshal(raw, &object) != nil {
			return "", false
		}
		raw = object["desc"]
	}
	ok = kindOf(raw) == kindString && json.Unmarshal(raw, &text) == nil
	return text, ok
}

func (m *scanMethods) begin(abort context.CancelFunc) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.running {
		return false
	}
	m.running, m.percent, m.abort = true, 0, abort
	return true
}

func (m *scanMethods) end() {
	m.mu.Lock()
	m.running, m.abort = false, nil
	m.mu.Unlock()
}

func (m *scanMethods) status() any {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.running {
		return nil
	}
	return struct {
		Progress int `json:"progress"`
	}{m.percent}
}

func (m *scanMethods) stop() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.running {
		m.abort()
	}
	return m.running
}

func (m *scanMethods) search(ctx context.Context, wanted map[string]string) (any, error) {
	out := scanJSON{Unspents: []unspentJSON{}}
	last := byte(0)
	info, err := m.chain.EachCoin(ctx, func(op wire.OutPoint, coin consensus.Coin) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		// The coins come in the order of their ids, which are evenly spread.
		if first := op.Hash[0]; first != last {
			last = first
			m.setPercent(int(first) * 100 / 256)
		}
		out.TxOuts++
		desc, ok := wanted[string(coin.Script)]
		if !ok {
			return nil
		}
		if len(out.Unspents) == maxScanFound {
			return fail(codeMisc, "more than %d outputs found: scan for fewer descriptors at once", maxScanFound)
		}
		out.TotalAmount += Amount(coin.Amount)
		out.Unspents = append(out.Unspents, unspentJSON{
			TxID: op.Hash.String(), Vout: op.Index, ScriptPubKey: hex.EncodeToString(coin.Script), Desc: desc,
			Amount: Amount(coin.Amount), Coinbase: coin.Coinbase, Height: coin.Height,
		})
		return nil
	})
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, fail(codeMisc, "Scan was aborted")
	case err != nil:
		return nil, err
	}
	m.place(&out, &info)
	out.Success = true
	return out, nil
}

// place says where the outputs were created, as seen from the block at which
// they were read.
func (m *scanMethods) place(out *scanJSON, at *chain.BlockInfo) {
	out.Height, out.BestBlock = at.Height, at.Hash.String()
	for i := range out.Unspents {
		u := &out.Unspents[i]
		u.Confirmations = at.Height - u.Height + 1
		if info, ok := m.chain.Ancestor(at.Hash, u.Height); ok {
			u.BlockHash = info.Hash.String()
		}
	}
}

func (m *scanMethods) setPercent(p int) {
	m.mu.Lock()
	m.percent = p
	m.mu.Unlock()
}
