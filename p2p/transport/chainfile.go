package transport

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/p2p/message"
)

const chainFileTag = "charter/chainfile/v1"

// chainFileDigest is what the sender of a chain file signs:
// TaggedHash("charter/chainfile/v1", genesis hash ‖ exporter ‖ own key ‖
// SHA-256 of the file).
func chainFileDigest(genesis, exporter, key [32]byte, file []byte) []byte {
	sum := sha256.Sum256(file)
	return chainhash.TaggedHash([]byte(chainFileTag), genesis[:], exporter[:], key[:], sum[:])[:]
}

// serveChainFile answers GetChainFile. It never returns nil: there is no
// session afterwards.
func (t *Transport) serveChainFile(s *session, ask *message.GetChainFile) error {
	if t.cfg.ChainFile == nil || ask.GenesisHash != t.cfg.GenesisHash {
		return &RefusedError{Code: message.CodeNotFound, Reason: "this node does not serve that chain file"}
	}
	file, err := t.cfg.ChainFile()
	if err != nil {
		return &RefusedError{Code: message.CodeNotFound, Reason: "the chain file cannot be read now", Err: err}
	}
	m := &message.ChainFile{File: file}
	m.Signature, err = sign(t.cfg.Key, chainFileDigest(t.cfg.GenesisHash, s.exporter, t.self, file), t.cfg.Rand)
	if err != nil {
		return err
	}
	payload, err := message.Encode(m)
	if err != nil {
		return err
	}
	if err := s.nc.SetDeadline(t.cfg.Now().Add(t.cfg.Timeouts.ChainFile)); err != nil {
		return err
	}
	if err := s.sendAll(m.Type(), payload); err != nil {
		return err
	}
	discard(s.nc) // until the peer has it and closes
	return ErrChainFileServed
}

// sendAll writes a payload of any size, within the deadline that is set.
func (s *session) sendAll(t message.Type, payload []byte) error {
	var frame []byte
	for off := 0; off < len(payload); {
		frame, off = appendFrame(frame[:0], t, payload, off)
		if _, err := s.tls.Write(frame); err != nil {
			return handshakeError("chain file", err)
		}
		s.reader.metrics.countFrame(directionOut, t, len(frame))
	}
	s.reader.metrics.countMessage(directionOut, t)
	return nil
}

// FetchConfig says whose chain file FetchChainFile is to get.
type FetchConfig struct {
	GenesisHash [32]byte // internal byte order
	PeerKey     [32]byte // x-only key of the node that serves it

	Now     func() time.Time
	Rand    io.Reader
	Timeout time.Duration // in all; 0: 60 s
}

// FetchChainFile asks the node behind nc for a chain file and closes nc.
// The file is proven to come from the node with PeerKey; that its genesis
// block has GenesisHash is the caller's to check, since it takes loading the
// file. Errors are those of Dial; a wrong signature is a *RefusedError with
// CodeBadIdentity.
func FetchChainFile(ctx context.Context, nc net.Conn, f FetchConfig) ([]byte, error) {
	defer nc.Close()
	orElse(&f.Timeout, 60*time.Second)
	ctx, cancel := context.WithTimeout(ctx, f.Timeout)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = nc.Close() })
	defer stop()
	file, err := fetchChainFile(ctx, nc, f)
	if err != nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return file, err
}

func fetchChainFile(ctx context.Context, nc net.Conn, f FetchConfig) ([]byte, error) {
	cfg := &Config{
		Limits: message.NewLimits(params.Limits{}),
		Budget: NewBudget(2 * message.MaxChainFile),
		Now:    f.Now, Rand: f.Rand,
		Timeouts: Timeouts{Handshake: f.Timeout, Idle: f.Timeout, Frame: f.Timeout, Bulk: f.Timeout},
	}
	cfg.setDefaults()
	s, err := open(ctx, nc, tls.Client(nc, tlsConfig(f.Rand, f.Now)), cfg)
	if err != nil {
		return nil, err
	}
	if err := s.send(&message.GetChainFile{GenesisHash: f.GenesisHash}); err != nil {
		return nil, err
	}
	t, payload, err := s.reader.next(ctx)
	if err != nil {
		return nil, err
	}
	m, err := message.Decode(t, payload, cfg.Limits)
	if err != nil {
		return nil, decodeFault(err)
	}
	switch m := m.(type) {
	case *message.Disconnect:
		return nil, &RefusedError{ByPeer: true, Code: m.Code, Reason: m.Reason}
	case *message.ChainFile:
		if !verify(f.PeerKey, chainFileDigest(f.GenesisHash, s.exporter, f.PeerKey, m.File), m.Signature) {
			return nil, &RefusedError{Code: message.CodeBadIdentity, Reason: "not the expected identity",
				Err: errors.New("the chain file is not signed by the expected node for this session")}
		}
		return m.File, nil
	}
	return nil, &ProtocolError{Code: message.CodeProtocol, Detail: fmt.Sprintf("%s in place of the chain file", t)}
}
