package rpc

import (
	"context"
	"encoding/hex"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/params"
)

// How long getblocktemplate holds on to what it has, as in Bitcoin Core.
const (
	templateAge   = 5 * time.Second  // while only the mempool changes
	longPollFirst = 60 * time.Second // before a changed mempool ends a long poll
	longPollNext  = 10 * time.Second
)

// miningMethods serve external miners.
type miningMethods struct {
	chain    Chain
	pool     Mempool
	miner    Miner
	notifier *notifier
	now      func() time.Time
	warnings func() string

	mu       sync.Mutex // guards the rest; held while a template is made
	template *Template
	made     time.Time
	sequence uint64 // of the mempool when it was made
}

func newMiningMethods(cfg *Config, n *notifier) *miningMethods {
	return &miningMethods{chain: cfg.Chain, pool: cfg.Mempool, miner: cfg.Miner, notifier: n, now: cfg.Now, warnings: cfg.warnings}
}

func (m *miningMethods) methods() []*method {
	const area = "Mining"
	return []*method{
		{name: "getmininginfo", area: area, run: m.getMiningInfo,
			summary: "Returns what a miner wants to know.", result: "An object."},
		{
			name: "getblocktemplate", area: area, run: m.getBlockTemplate,
			params: []param{{name: "template_request", want: "object", help: `{"rules": ["segwit"]} at least; mode "template" or ` +
				`"proposal" with data (a block as hex), capabilities, longpollid (wait until that template is out of date). BIP22, BIP23, BIP9, BIP145.`}},
			summary: "Returns what a block on top of the best one can be made of, or says whether a proposed block would be valid.",
			result:  "An object; for a proposal null, or the reason against it.",
		},
		{
			name: "submitblock", area: area, run: m.submitBlock,
			params: []param{
				{name: "hexdata", want: "string, hex", help: "The block."},
				{name: "dummy", want: "any", fallback: "none", help: "Not used."},
			},
			summary: "Adds a block.",
			result:  "null, or why not: duplicate, duplicate-invalid, inconclusive (it is stored, another branch is better), or the rule it breaks.",
		},
	}
}

type nextBlockJSON struct {
	Height     int32      `json:"height"`
	Bits       string     `json:"bits"`
	Difficulty realNumber `json:"difficulty"`
	Target     string     `json:"target"`
}

// minerJSON is what the node's own miner does.
type minerJSON struct {
	Mining bool   `json:"mining"`
	State  string `json:"state"`
	Reason string `json:"reason,omitempty"`
}

func (m *minerJSON) set(s MinerStatus) { m.Mining, m.State, m.Reason = s.Mining, s.State, s.Reason }

type miningInfoJSON struct {
	Blocks        int32         `json:"blocks"`
	BlockWeight   *int64        `json:"currentblockweight,omitempty"` // of the last template
	BlockTxs      *int          `json:"currentblocktx,omitempty"`
	Bits          string        `json:"bits"`
	Difficulty    realNumber    `json:"difficulty"`
	Target        string        `json:"target"`
	NetworkHashPS realNumber    `json:"networkhashps"`
	PooledTx      int           `json:"pooledtx"`
	Chain         string        `json:"chain"`
	Next          nextBlockJSON `json:"next"`
	Mining        minerJSON     `json:"mining"`
	Warnings      string        `json:"warnings"`
}

func (m *miningMethods) getMiningInfo(context.Context, *call) (any, error) {
	best, next := m.chain.Best(), m.chain.Next()
	at := max(uint32(m.now().Unix()), next.MinTime)
	bits, pool := next.Bits(at), m.pool.Info()
	out := miningInfoJSON{
		Blocks:        best.Height,
		Bits:          fmt.Sprintf("%08x", best.Header.Bits),
		Difficulty:    realNumber(consensus.Difficulty(best.Header.Bits)),
		Target:        targetHex(best.Header.Bits),
		NetworkHashPS: m.hashRate(&best),
		PooledTx:      pool.Count,
		Chain:         chainName(m.chain.Params()),
		Next:          nextBlockJSON{next.Height, fmt.Sprintf("%08x", bits), realNumber(consensus.Difficulty(bits)), targetHex(bits)},
		Warnings:      m.warnings(),
	}
	out.Mining.set(m.miner.Status())
	if pool.TemplateWeight > 0 {
		out.BlockWeight, out.BlockTxs = &pool.TemplateWeight, &pool.TemplateTxs
	}
	return out, nil
}

// hashRateBlocks is the number of blocks over which hashes per second are
// estimated.
const hashRateBlocks = 120

// hashRate is the work of the last blocks over the time between the earliest
// and the latest of them.
func (m *miningMethods) hashRate(best *chain.BlockInfo) realNumber {
	first, ok := m.chain.Ancestor(best.Hash, max(best.Height-hashRateBlocks, 0))
	if !ok || first.Height == best.Height {
		return 0
	}
	low, high := best.Header.Timestamp, best.Header.Timestamp
	for h := first.Height; h < best.Height; h++ {
		info, ok := m.chain.Ancestor(best.Hash, h)
		if !ok {
			return 0
		}
		if t := info.Header.Timestamp; t.Before(low) {
			low = t
		} else if t.After(high) {
			high = t
		}
	}
	if !high.After(low) {
		return 0
	}
	work, _ := new(big.Float).SetInt(new(big.Int).Sub(best.Work, first.Work)).Float64()
	return realNumber(work / high.Sub(low).Seconds())
}

type templateRequest struct {
	Mode       string   `json:"mode"`
	Data       string   `json:"data"`
	LongPollID string   `json:"longpollid"`
	Rules      []string `json:"rules"`
}

func (m *miningMethods) getBlockTemplate(ctx context.Context, c *call) (any, error) {
	var req templateRequest
	c.read(0, kindObject, &req)
	if c.err != nil {
		return nil, c.err
	}
	switch req.Mode {
	case "proposal":
		return m.propose(ctx, req.Data)
	case "", "template":
	default:
		return nil, fail(codeInvalidParam, "Invalid mode: %.40q, want template or proposal", req.Mode)
	}
	if err := mayTemplate(m.chain); err != nil {
		return nil, err
	}
	p := m.chain.Params()
	best := m.chain.Best()
	segwit := params.Active(p.Deployments.Segwit, best.Height+1)
	if segwit && !slices.Contains(req.Rules, "segwit") {
		return nil, fail(codeInvalidParam, `getblocktemplate must be called with the segwit rule set (call with {"rules": ["segwit"]})`)
	}
	if err := mayMine(m.chain); err != nil {
		return nil, err
	}
	if m.chain.InitialSync() {
		return nil, fail(codeInSync, "Charter is in initial sync and waiting for blocks...")
	}
	if req.LongPollID != "" {
		if err := m.wait(ctx, req.LongPollID); err != nil {
			return nil, err
		}
	}
	t, sequence, err := m.current(ctx)
	if err != nil {
		return nil, err
	}
	return m.shapeTemplate(t, sequence), nil
}

// longPollID names a template: the block it builds on and the state of the pool.
func longPollID(prev chainhash.Hash, sequence uint64) string {
	return fmt.Sprintf("%v%d", prev, sequence)
}

// wait returns once the template named id is out of date.
func (m *miningMethods) wait(ctx context.Context, id string) error {
	patience := time.NewTimer(longPollFirst)
	defer patience.Stop()
	for {
		prev, changed := m.notifier.tip()
		if !strings.HasPrefix(id, prev.String()) {
			return nil
		}
		select {
		case <-changed:
		case <-patience.C:
			if id != longPollID(prev, m.pool.Sequence()) {
				return nil
			}
			patience.Reset(longPollNext)
		case <-ctx.Done():
			return fail(codeMisc, "the long poll was ended: %v", ctx.Err())
		}
	}
}

// current returns a template on the best block: the last one, unless the mempool
// has changed and it is some seconds old.
func (m *miningMethods) current(ctx context.Context) (*Template, uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	sequence, now := m.pool.Sequence(), m.now()
	if t := m.template; t != nil && t.Block.Header.PrevBlock == m.chain.Best().Hash {
		if sequence == m.sequence || now.Sub(m.made) < templateAge {
			return t, m.sequence, nil
		}
	}
	t, err := m.miner.Template(ctx)
	if err != nil {
		return nil, 0, fmt.Errorf("make a block template: %w", err)
	}
	m.template, m.made, m.sequence = t, now, sequence
	return t, sequence, nil
}

type templateJSON struct {
	Capabilities      []string          `json:"capabilities"`
	Version           int32             `json:"version"`
	Rules             []string          `json:"rules"`
	VBAvailable       map[string]int    `json:"vbavailable"`
	VBRequired        int               `json:"vbrequired"`
	PreviousBlockHash string            `json:"previousblockhash"`
	Transactions      []templateTx      `json:"transactions"`
	CoinbaseAux       map[string]string `json:"coinbaseaux"`
	CoinbaseValue     int64             `json:"coinbasevalue"` // smallest unit
	LongPollID        string            `json:"longpollid"`
	Target            string            `json:"target"`
	MinTime           uint32            `json:"mintime"`
	Mutable           []string          `json:"mutable"`
	NonceRange        string            `json:"noncerange"`
	SigOpLimit        int64             `json:"sigoplimit"`
	SizeLimit         int64             `json:"sizelimit"`
	WeightLimit       int64             `json:"weightlimit,omitempty"`
	CurTime           uint32            `json:"curtime"`
	Bits              string            `json:"bits"`
	Height            int32             `json:"height"`
	Commitment        string            `json:"default_witness_commitment,omitempty"`
}

type templateTx struct {
	Data    string `json:"data"`
	TxID    string `json:"txid"`
	Hash    string `json:"hash"`
	Depends []int  `json:"depends"` // places in the list, from 1
	Fee     int64  `json:"fee"`     // smallest unit
	SigOps  int64  `json:"sigops"`
	Weight  int64  `json:"weight"`
}

func (m *miningMethods) shapeTemplate(t *Template, sequence uint64) *templateJSON {
	p := m.chain.Params()
	d := p.Deployments
	// Time and bits are of now, not of when the template was made.
	at := max(uint32(m.now().Unix()), t.MinTime)
	bits := t.Block.Header.Bits
	if next := m.chain.Next(); next.Prev.Hash == t.Block.Header.PrevBlock {
		bits = next.Bits(at)
	} else {
		at = max(uint32(t.Block.Header.Timestamp.Unix()), t.MinTime)
	}
	out := &templateJSON{
		Capabilities:      []string{"proposal"},
		Version:           t.Block.Header.Version,
		Rules:             []string{},
		VBAvailable:       map[string]int{},
		PreviousBlockHash: t.Block.Header.PrevBlock.String(),
		Transactions:      templateTxs(t),
		CoinbaseAux:       map[string]string{},
		CoinbaseValue:     t.CoinbaseValue,
		LongPollID:        longPollID(t.Block.Header.PrevBlock, sequence),
		Target:            targetHex(bits),
		MinTime:           t.MinTime,
		Mutable:           []string{"time", "transactions", "prevblock"},
		NonceRange:        "00000000ffffffff",
		SigOpLimit:        p.Limits.BlockSigOpCost,
		SizeLimit:         p.Limits.BlockSerialized,
		WeightLimit:       p.Limits.BlockWeight,
		CurTime:           at,
		Bits:              fmt.Sprintf("%08x", bits),
		Height:            t.Height,
	}
	if params.Active(d.CSV, t.Height) {
		out.Rules = append(out.Rules, "csv")
	}
	if params.Active(d.Segwit, t.Height) {
		out.Rules = append(out.Rules, "!segwit")
	}
	if params.Active(d.Taproot, t.Height) {
		out.Rules = append(out.Rules, "taproot")
	}
	coinbase := t.Block.Transactions[0]
	if i := consensus.FindWitnessCommitment(coinbase); i >= 0 {
		out.Commitment = hex.EncodeToString(coinbase.TxOut[i].PkScript)
	}
	return out
}

func templateTxs(t *Template) []templateTx {
	txs := t.Block.Transactions[1:]
	out := make([]templateTx, len(txs))
	place := make(map[chainhash.Hash]int, len(txs))
	for i, msg := range txs {
		tx := consensus.NewTx(msg)
		place[tx.TxID] = i + 1
		out[i] = templateTx{
			Data:    hex.EncodeToString(encodeTx(msg)),
			TxID:    tx.TxID.String(),
			Hash:    tx.WTxID.String(),
			Depends: depends(msg, place),
			Fee:     t.Fees[i+1],
			SigOps:  t.SigOpCosts[i+1],
			Weight:  tx.Weight,
		}
	}
	return out
}

// depends lists the earlier transactions whose outputs msg spends, each once.
func depends(msg *wire.MsgTx, place map[chainhash.Hash]int) []int {
	list := []int{}
	for _, in := range msg.TxIn {
		if at := place[in.PreviousOutPoint.Hash]; at > 0 && !slices.Contains(list, at) {
			list = append(list, at)
		}
	}
	return list
}
