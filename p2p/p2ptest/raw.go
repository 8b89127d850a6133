package p2ptest

import (
	"context"
	"net"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"

	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/p2p/message"
	"github.com/charterchain/charter/p2p/transport"
)

// Raw is a peer that does what a test tells it and nothing else.
type Raw struct {
	*transport.Conn
	Wire net.Conn

	stop context.CancelFunc
}

// RawConfig returns the settings with which Raw peers of a chain open links.
func RawConfig(p *params.Params, key *btcec.PrivateKey, seed uint64) transport.Config {
	limits := message.NewLimits(p.Limits)
	return transport.Config{
		GenesisHash: p.GenesisHash,
		RulesHash:   p.RulesHash,
		Key:         key,
		Limits:      limits,
		MayConnect:  func([32]byte) error { return nil },
		Features:    message.FeatureChain | message.FeatureRecent | message.FeatureTxRelay | message.FeaturePeers | message.FeaturePresence,
		UserAgent:   "raw",
		Budget:      transport.NewBudget(2 * limits.Largest()),
		Now:         time.Now,
		Rand:        NewEntropy(seed),
	}
}

// DialRaw opens a session with a node as the peer with key i, from the host
// of that number.
func (s *Sim) DialRaw(i int, to *Node) *Raw {
	s.T.Helper()
	r, err := s.TryDialRaw(i, to)
	if err != nil {
		s.T.Fatal(err)
	}
	return r
}

// TryDialRaw is DialRaw that may fail.
func (s *Sim) TryDialRaw(i int, to *Node) (*Raw, error) {
	ctx := context.Background()
	nc, err := s.Net.Dial(ctx, Host(i), to.Addr())
	if err != nil {
		return nil, err
	}
	tr, err := transport.New(RawConfig(s.Params, Key(i), s.seed+uint64(i)))
	if err != nil {
		nc.Close()
		return nil, err
	}
	conn, err := tr.Dial(ctx, nc, nil)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	go conn.Run(ctx) // ends with the link; its error is Receive's
	r := &Raw{Conn: conn, Wire: nc, stop: cancel}
	s.T.Cleanup(func() { r.Hangup() })
	return r, nil
}

// Hangup ends the link.
func (r *Raw) Hangup() {
	r.stop()
	r.Close(message.CodeShutdown, "")
}

// Tell sends messages; what can no longer be sent is lost.
func (r *Raw) Tell(ms ...message.Message) {
	for _, m := range ms {
		if r.Send(context.Background(), m) != nil {
			return
		}
	}
}

// Next returns the next message for which want is true, answering pings on
// the way, or nil if the link ended.
func (r *Raw) Next(want func(message.Message) bool) message.Message {
	for {
		m, err := r.Receive(context.Background())
		if err != nil {
			return nil
		}
		if p, ok := m.(*message.Ping); ok {
			r.Tell(&message.Pong{Nonce: p.Nonce})
		}
		if want(m) {
			return m
		}
	}
}

// End reads until the link ends and returns why: the peer's Disconnect as
// *transport.DisconnectedError, or another error.
func (r *Raw) End() error {
	r.Next(func(message.Message) bool { return false })
	return r.Err()
}
