package node

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/mempool"
	"github.com/charterchain/charter/node/keyfile"
	"github.com/charterchain/charter/p2p"
	"github.com/charterchain/charter/p2p/addrbook"
)

// openPeers makes the network side: identity, address book, listeners.
func (n *Node) openPeers(context.Context) error {
	key, err := keyfile.LoadOrCreate(n.path(keyName), n.opts.Random)
	if err != nil {
		return err
	}
	listeners, err := n.listenPeers()
	if err != nil {
		return err
	}
	connect, err := n.parsePeers("connect", n.opts.Config.Connect)
	if err != nil {
		return err
	}
	add, err := n.parsePeers("addnode", n.opts.Config.AddNode)
	if err != nil {
		return err
	}
	seeds, err := n.parsePeers("network.seeds", n.opts.Params.Network.Seeds)
	if err != nil {
		return err
	}
	bookRand, err := n.newRand()
	if err != nil {
		return err
	}
	peersRand, err := n.newRand()
	if err != nil {
		return err
	}
	var dialer net.Dialer
	n.peers, err = p2p.New(p2p.Config{
		Params: n.opts.Params,
		Key:    key,
		Chain:  p2pChain{n.chain},
		Pool:   p2pPool{n.pool},
		Book: addrbook.New(addrbook.Config{
			Path: n.path(peersName), Files: addrbook.OS(), Now: n.opts.Now, Rand: bookRand,
		}),
		Listeners: listeners,
		Dial: func(ctx context.Context, address string) (net.Conn, error) {
			return dialer.DialContext(ctx, "tcp", address)
		},
		MayConnect: p2pPermit(n.chain),
		Behind:     n.chain.InitialSync,
		Connect:    connect,
		AddNodes:   add,
		Seeds:      seeds,
		External:   n.opts.Config.External,
		Pruned:     n.opts.Config.Prune > 0,
		History:    n.history,
		ChainFile:  func() ([]byte, error) { return params.Render(n.opts.Params), nil },
		UserAgent:  "charter/" + n.opts.Version,
		Now:        n.opts.Now,
		Rand:       peersRand,
		Entropy:    n.opts.Random,
		Log:        n.opts.Log,
		Metrics:    p2p.NewMetrics(n.registry),
	})
	if err != nil {
		return err
	}
	n.chain.Subscribe(func(ev chain.Event) {
		if ev.Permissions || ev.Kind == chain.Jumped {
			n.peers.Recheck()
		}
		if ev.Kind == chain.Settled {
			n.peers.NewTip()
		}
	})
	n.pool.Subscribe(func(ev mempool.TxEvent) {
		if ev.Kind == mempool.Added {
			n.peers.TxAccepted(ev.Tx)
		}
	})
	return nil
}

func (n *Node) listenPeers() ([]net.Listener, error) {
	var all []net.Listener
	for _, addr := range n.listenAddrs() {
		ln, err := net.Listen("tcp", addr)
		if err != nil {
			return nil, listenError("listen", addr, err)
		}
		// Run closes it too; when Run is never reached, this does.
		n.onClose(func() error {
			if err := ln.Close(); !errors.Is(err, net.ErrClosed) {
				return err
			}
			return nil
		})
		all = append(all, n.files.listener(ln, "peer", peerReserves))
	}
	return all, nil
}

func (n *Node) parsePeers(name string, texts []string) ([]p2p.Address, error) {
	var all []p2p.Address
	for _, text := range texts {
		a, err := p2p.ParseAddress(text, n.opts.Params)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, a)
	}
	return all, nil
}

// newRand returns a generator for choices that need not be secret.
func (n *Node) newRand() (*rand.Rand, error) {
	var seed [16]byte
	if _, err := io.ReadFull(n.opts.Random, seed[:]); err != nil {
		return nil, fmt.Errorf("draw a seed: %w", err)
	}
	le := binary.LittleEndian
	return rand.New(rand.NewPCG(le.Uint64(seed[:8]), le.Uint64(seed[8:]))), nil
}

// peersConfigured reports whether this node is meant to have peers.
func (n *Node) peersConfigured() bool {
	cfg := n.opts.Config
	return len(cfg.Connect)+len(cfg.AddNode)+len(n.opts.Params.Network.Seeds) > 0
}
