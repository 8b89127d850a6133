package rpc

import (
	"context"
	"encoding/hex"
	"slices"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/index"
	"github.com/charterchain/charter/chain/permission"
	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/rpc/client"
)

// authorityMethods find the outputs by whose spending keys speak.
type authorityMethods struct {
	chain   Chain
	pool    Mempool
	indexes *index.Set
	walking chan struct{} // capacity 1: held by who looks at all coins
}

func newAuthorityMethods(cfg *Config) *authorityMethods {
	return &authorityMethods{chain: cfg.Chain, pool: cfg.Mempool, indexes: cfg.Indexes, walking: make(chan struct{}, 1)}
}

func (m *authorityMethods) methods() []*method {
	return []*method{{
		name: "listauthority", area: areaMembers, run: m.listAuthority,
		params: []param{{name: "member", want: "string", help: "Name or id of a member, for the keys that act as admin, activate or manage; or the address of one key."}},
		summary: "Lists the outputs of amount 0 that a key can spend to vote, and for a key without any, its other P2TR coins. Outputs that a transaction of the mempool spends, and coinbases that are not mature, are left out. " +
			"Without --addrindex it looks at all unspent outputs: this may take long.",
		result: "An array of {txid, vout, address, amount_sats, script, confirmations}, those of amount 0 first.",
	}}
}

// maxAuthority is how many coins of one key are kept: a key that mined may have
// one of amount 0 for each block.
const maxAuthority = 1_000

func (m *authorityMethods) listAuthority(ctx context.Context, c *call) (any, error) {
	which := c.text(0, "")
	if c.err != nil {
		return nil, c.err
	}
	g, err := governedNext(m.chain)
	if err != nil {
		return nil, err
	}
	scripts, err := g.governing(which)
	if err != nil {
		return nil, err
	}
	coins, err := m.coins(ctx, scripts)
	if err != nil {
		return nil, err
	}
	list := []client.AuthorityCoin{}
	for _, script := range scripts {
		for _, coin := range coins[string(script)] {
			list = append(list, g.authorityCoin(&coin))
		}
	}
	slices.SortStableFunc(list, func(a, b client.AuthorityCoin) int { return int(min(a.AmountSats, 1) - min(b.AmountSats, 1)) })
	return list, nil
}

// governing returns the keys that are asked for: one by its address, or those
// of a member that govern now or later.
func (g *governed) governing(which string) ([][]byte, error) {
	if script, err := g.address.Decode(which); err == nil {
		if _, ok := record.ScriptKey(script); !ok {
			return nil, fail(codeAddressOrKey, "the address %s is not P2TR: it cannot speak for anybody", which)
		}
		return [][]byte{script}, nil
	}
	m, err := g.find(which)
	if err != nil {
		return nil, err
	}
	var scripts [][]byte
	for i := range m.Keys {
		if k := &m.Keys[i]; k.Roles.Any(record.Governing) && k.Until > uint32(g.height) {
			scripts = append(scripts, k.Identity)
		}
	}
	return scripts, nil
}

func (g *governed) authorityCoin(c *speakingCoin) client.AuthorityCoin {
	return client.AuthorityCoin{
		TxID: c.op.Hash.String(), Vout: c.op.Index, Address: g.addr(c.script), AmountSats: c.amount, Script: hex.EncodeToString(c.script),
		Confirmations: g.height - c.height,
	}
}

// speakingCoin is an output by which a key can speak.
type speakingCoin struct {
	op     wire.OutPoint
	amount int64
	height int32
	script []byte

	coinbase bool
}

// coins finds, by script, the outputs of amount 0 that nothing in the pool
// spends; where a script has none, its others.
func (m *authorityMethods) coins(ctx context.Context, scripts [][]byte) (map[string][]speakingCoin, error) {
	all := make(map[string][]speakingCoin, len(scripts))
	for _, s := range scripts {
		all[string(s)] = nil
	}
	next, maturity := m.chain.Next().Height, m.chain.Params().Subsidy.Maturity
	nothing := make(map[string]bool) // by script, whether the list is of amount 0
	add := func(coin speakingCoin) {
		script := string(coin.script)
		list, ok := all[script]
		if !ok || coin.coinbase && next-coin.height < maturity || m.pool.Spends(coin.op) || nothing[script] && coin.amount > 0 {
			return
		}
		if coin.amount == 0 && !nothing[script] {
			nothing[script], list = true, nil
		}
		if len(list) < maxAuthority {
			all[script] = append(list, coin)
		}
	}
	find := m.walk
	if m.indexes.Addr() != nil {
		find = m.lookUp
	}
	if err := find(ctx, scripts, add); err != nil {
		return nil, err
	}
	return all, nil
}

// walk looks at all coins, one caller after the other.
func (m *authorityMethods) walk(ctx context.Context, scripts [][]byte, found func(speakingCoin)) error {
	if len(scripts) == 0 {
		return nil
	}
	select {
	case m.walking <- struct{}{}:
		defer func() { <-m.walking }()
	case <-ctx.Done():
		return ctx.Err()
	}
	wanted := make(map[string]bool, len(scripts))
	for _, s := range scripts {
		wanted[string(s)] = true
	}
	_, err := m.chain.EachCoin(ctx, func(op wire.OutPoint, coin consensus.Coin) error {
		if wanted[string(coin.Script)] {
			found(speakingCoin{op, coin.Amount, coin.Height, slices.Clone(coin.Script), coin.Coinbase})
		}
		return ctx.Err()
	})
	return err
}

// lookUp asks the address index.
func (m *authorityMethods) lookUp(ctx context.Context, scripts [][]byte, found func(speakingCoin)) error {
	addrs := m.indexes.Addr()
	if err := addrs.Ready(ctx); err != nil {
		return notReady(err)
	}
	for _, script := range scripts {
		page := index.Page{Limit: maxIndexPage}
		for {
			list, next, _, err := addrs.Unspent(page, script)
			if err != nil {
				return asked(err)
			}
			for _, u := range list {
				found(speakingCoin{u.OutPoint, u.Amount, u.Height, script, u.Coinbase})
			}
			if page.Cursor = next; next == "" {
				break
			}
			if err := ctx.Err(); err != nil {
				return err
			}
		}
	}
	return nil
}

// inForce lists the keys of a member with one of the roles, in force in the
// block.
func (g *governed) inForce(m *permission.Member, roles record.Set) [][]byte {
	var list [][]byte
	for i := range m.Keys {
		if k := &m.Keys[i]; k.Roles.Any(roles) && k.In(g.height) {
			list = append(list, k.Identity)
		}
	}
	return list
}
