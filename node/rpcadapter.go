package node

import (
	"context"
	"errors"
	"net"
	"strconv"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/mempool"
	"github.com/charterchain/charter/mempool/policy"
	"github.com/charterchain/charter/p2p"
	"github.com/charterchain/charter/p2p/message"
	"github.com/charterchain/charter/rpc"
)

// rpcChain is the chain, with what the peers know of how far behind it is.
type rpcChain struct {
	*chain.Chain
	syncing func() bool
}

func (c rpcChain) InitialSync() bool { return c.syncing() }

// rpcPool shows the pool to the RPC methods.
type rpcPool struct {
	pool   *mempool.Pool
	loaded func() bool // whether mempool.dat was read
}

// rpcRefusal is a refusal by policy with the reason that RPC replies hold.
type rpcRefusal struct{ err *policy.Error }

func (e rpcRefusal) Error() string        { return e.err.Error() }
func (e rpcRefusal) Unwrap() error        { return e.err }
func (e rpcRefusal) RejectReason() string { return string(e.err.Code) }

// poolError says what the pool said in the words of package rpc.
func poolError(err error) error {
	var refused *policy.Error
	var missing *mempool.MissingInputsError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &missing):
		return errors.Join(rpc.ErrMissingInputs, err)
	case errors.Is(err, mempool.ErrInPool):
		return errors.Join(rpc.ErrInMempool, err)
	case errors.Is(err, mempool.ErrInChain):
		return errors.Join(rpc.ErrConfirmed, err)
	case errors.Is(err, mempool.ErrSameTxID):
		return rpcRefusal{&policy.Error{Code: policy.Code(mempool.ErrSameTxID.Error())}}
	case errors.As(err, &refused):
		return rpcRefusal{refused}
	}
	return err
}

func (a rpcPool) Accept(ctx context.Context, tx *consensus.Tx) error {
	return poolError(a.pool.Accept(ctx, tx))
}

func (a rpcPool) Test(ctx context.Context, txs []*consensus.Tx) []rpc.TestResult {
	results := make([]rpc.TestResult, len(txs))
	for i, r := range a.pool.Test(ctx, txs) {
		results[i] = rpc.TestResult{VSize: r.VSize, Fee: r.Fee, Err: poolError(r.Err)}
	}
	return results
}

func (a rpcPool) Get(txid chainhash.Hash) (*consensus.Tx, bool) {
	tx := a.pool.Get(txid)
	return tx, tx != nil
}

func (a rpcPool) Entry(txid chainhash.Hash) (rpc.PoolEntry, bool) {
	e, ok := a.pool.Entry(txid)
	if !ok {
		return rpc.PoolEntry{}, false
	}
	return poolEntry(e), true
}

func (a rpcPool) Entries() []rpc.PoolEntry {
	entries := a.pool.Entries()
	out := make([]rpc.PoolEntry, len(entries))
	for i := range entries {
		out[i] = poolEntry(entries[i])
	}
	return out
}

func poolEntry(e mempool.Entry) rpc.PoolEntry {
	return rpc.PoolEntry{
		Tx:          e.Tx,
		VSize:       e.VSize,
		Fee:         e.Fee,
		Time:        e.Time,
		Height:      e.Height,
		Ancestors:   rpc.Package{Count: e.AncestorCount, VSize: e.AncestorVSize, Fees: e.AncestorFees},
		Descendants: rpc.Package{Count: e.DescendantCount, VSize: e.DescendantVSize, Fees: e.DescendantFees},
		Depends:     e.Depends,
		SpentBy:     e.SpentBy,
	}
}

func (a rpcPool) TxIDs() []chainhash.Hash { return a.pool.TxIDs() }

func (a rpcPool) Spends(op wire.OutPoint) bool { return a.pool.Spender(op) != nil }

func (a rpcPool) Info() rpc.PoolInfo {
	i := a.pool.Info()
	return rpc.PoolInfo{
		Loaded:         a.loaded(),
		Count:          i.Count,
		VBytes:         i.VSize,
		Usage:          i.Usage,
		MaxUsage:       i.MaxUsage,
		TotalFee:       i.Fees,
		MinFee:         int64(i.MinFee),
		MinRelayFee:    int64(i.MinRelayFee),
		IncrementalFee: int64(i.Incremental),
		TemplateWeight: i.TemplateWeight,
		TemplateTxs:    i.TemplateTxs,
	}
}

func (a rpcPool) Sequence() uint64 { return a.pool.Generation() }

// rpcPeers shows the peer-to-peer part to the RPC methods.
type rpcPeers struct{ net *p2p.Network }

func (a rpcPeers) Active() bool          { return a.net.Info().Active }
func (a rpcPeers) SetActive(active bool) { a.net.SetActive(active) }

func (a rpcPeers) AddNode(addr string) error    { return peersError(a.net.AddNode(addr)) }
func (a rpcPeers) RemoveNode(addr string) error { return peersError(a.net.RemoveNode(addr)) }
func (a rpcPeers) Connect(addr string) error    { return peersError(a.net.Connect(addr)) }
func (a rpcPeers) Disconnect(addr string) error { return peersError(a.net.Disconnect(addr)) }
func (a rpcPeers) DisconnectID(id int64) error  { return peersError(a.net.DisconnectID(id)) }

func peersError(err error) error {
	switch {
	case errors.Is(err, p2p.ErrNodeAdded):
		return rpc.ErrNodeAdded
	case errors.Is(err, p2p.ErrNodeUnknown):
		return rpc.ErrNodeNotAdded
	case errors.Is(err, p2p.ErrNotConnected):
		return rpc.ErrNodeNotConnected
	}
	return err
}

func (a rpcPeers) LocalAddresses() []rpc.LocalAddress {
	var out []rpc.LocalAddress
	for _, addr := range a.net.Info().External {
		host, port, err := net.SplitHostPort(addr)
		if err != nil {
			continue // checked when the settings were read
		}
		n, _ := strconv.ParseUint(port, 10, 16)
		out = append(out, rpc.LocalAddress{Address: host, Port: uint16(n)})
	}
	return out
}

func (a rpcPeers) Peers() []rpc.PeerInfo {
	peers := a.net.Peers()
	out := make([]rpc.PeerInfo, len(peers))
	for i := range peers {
		out[i] = rpcPeer(&peers[i])
	}
	return out
}

func rpcPeer(p *p2p.PeerInfo) rpc.PeerInfo {
	return rpc.PeerInfo{
		ID:            p.ID,
		Address:       p.Addr,
		LocalAddress:  p.LocalAddr,
		Identity:      p.Identity,
		UserAgent:     p.UserAgent,
		Version:       uint32(message.Version),
		Inbound:       p.Inbound,
		Manual:        p.Type == p2p.TypeManual,
		RelaysTx:      p.RelaysTxs,
		LastSend:      p.LastSend,
		LastReceive:   p.LastRecv,
		LastBlock:     p.LastBlock,
		LastTx:        p.LastTx,
		Connected:     p.Connected,
		BytesSent:     int64(p.BytesSent),
		BytesReceived: int64(p.BytesRecv),
		Ping:          p.Ping,
		MinPing:       p.MinPing,
		PingWait:      p.PingWait,
		TimeOffset:    p.TimeOffset,
		StartHeight:   p.StartHeight,
		SyncedHeaders: p.BestHeight,
		SyncedBlocks:  p.CommonHeight,
		InFlight:      p.InFlight,
		Transport:     "charter/1",
	}
}
