package transport

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/charterchain/charter/p2p/message"
)

// Transport opens links for one node. Immutable and safe for concurrent use.
type Transport struct {
	cfg    Config
	self   [32]byte
	server *tls.Config
	client *tls.Config
}

// New checks cfg and makes the throw-away certificate.
func New(cfg Config) (*Transport, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	cfg.setDefaults()
	cert, err := newCertificate(cfg.Rand)
	if err != nil {
		return nil, err
	}
	t := &Transport{cfg: cfg, self: xOnly(cfg.Key)}
	t.client = tlsConfig(cfg.Rand, cfg.Now)
	t.server = tlsConfig(cfg.Rand, cfg.Now)
	t.server.Certificates = []tls.Certificate{cert}
	if _, err := message.Encode(t.newHello()); err != nil {
		return nil, fmt.Errorf("transport: settings do not fit into Hello: %w", err)
	}
	return t, nil
}

// Key returns this node's x-only public key.
func (t *Transport) Key() [32]byte { return t.self }

// Dial runs the handshake on a connection that this side opened. With a pin
// the peer must have that key, and MayConnect is not asked. On error nc is
// closed; see the package documentation for the errors.
func (t *Transport) Dial(ctx context.Context, nc net.Conn, pin *[32]byte) (*Conn, error) {
	c, err := t.handshake(ctx, nc, func(s *session) (*message.Hello, error) {
		return t.greet(s, pin)
	}, tls.Client(nc, t.client), true)
	t.cfg.Metrics.countHandshake("dialler", result(err))
	return c, err
}

// Accept runs the handshake on a connection that a peer opened. It returns
// ErrChainFileServed if the peer only asked for the chain file. On error nc
// is closed; see the package documentation for the errors.
func (t *Transport) Accept(ctx context.Context, nc net.Conn) (*Conn, error) {
	c, err := t.handshake(ctx, nc, t.answer, tls.Server(nc, t.server), false)
	t.cfg.Metrics.countHandshake("listener", result(err))
	return c, err
}

// handshake opens TLS, lets exchange do the talking, and turns the session
// into a Conn. Whatever goes wrong, nc is closed.
func (t *Transport) handshake(ctx context.Context, nc net.Conn,
	exchange func(*session) (*message.Hello, error), secure *tls.Conn, outbound bool) (*Conn, error) {
	stop := context.AfterFunc(ctx, func() { _ = nc.Close() })
	s, err := open(ctx, nc, secure, &t.cfg)
	var peer *message.Hello
	if err == nil {
		if peer, err = exchange(s); err != nil {
			if d := farewell(err); d != nil {
				s.refuse(d)
			}
		}
	}
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = nc.SetDeadline(time.Time{})
	}
	if err != nil {
		_ = nc.Close()
		if cause := ctx.Err(); cause != nil {
			return nil, cause
		}
		return nil, err
	}
	return newConn(&t.cfg, s, peer, outbound), nil
}

// farewell returns what the peer is told about err, nil: nothing.
func farewell(err error) *message.Disconnect {
	var refused *RefusedError
	var broken *ProtocolError
	switch {
	case errors.As(err, &refused) && !refused.ByPeer:
		return disconnect(refused.Code, refused.Reason)
	case errors.As(err, &broken):
		return disconnect(broken.Code, broken.Error())
	}
	return nil
}

// newHello is what this node says of itself, without pin and signature.
func (t *Transport) newHello() *message.Hello {
	return &message.Hello{
		Version:     message.Version,
		GenesisHash: t.cfg.GenesisHash,
		RulesHash:   t.cfg.RulesHash,
		Key:         t.self,
		Features:    t.cfg.Features &^ t.withheld(),
		Time:        uint64(max(0, t.cfg.Now().Unix())),
		Height:      t.cfg.Height(),
		ListenPort:  t.cfg.ListenPort,
		Addresses:   t.cfg.Addresses,
		UserAgent:   t.cfg.UserAgent,
	}
}

// greet is the dialler's side: Hello, then the listener's Hello.
func (t *Transport) greet(s *session, pin *[32]byte) (*message.Hello, error) {
	own := t.newHello()
	bound := binding{role: roleDialler, exporter: s.exporter}
	if pin != nil {
		own.Pinned, bound.expected = true, *pin
	}
	if err := signHello(own, t.cfg.Key, &bound, t.cfg.Rand); err != nil {
		return nil, err
	}
	ownHash, err := own.Hash()
	if err != nil {
		return nil, err
	}
	if err := s.send(own); err != nil {
		return nil, err
	}
	m, payload, err := s.first(message.TypeHello, message.TypeDisconnect)
	if err != nil {
		return nil, err
	}
	if d, ok := m.(*message.Disconnect); ok {
		return nil, &RefusedError{ByPeer: true, Code: d.Code, Reason: d.Reason}
	}
	peer := m.(*message.Hello)
	if err := t.checkChain(peer); err != nil {
		return nil, err
	}
	if !peer.Pinned {
		return nil, protocolf("hello of a listener does not name the dialler's key")
	}
	if pin != nil && peer.Key != *pin {
		return nil, &RefusedError{Code: message.CodeBadIdentity, Reason: "not the expected identity",
			Err: fmt.Errorf("expected key %x, peer has %x", *pin, peer.Key)}
	}
	if pin == nil {
		if err := t.mayConnect(peer.Key); err != nil {
			return nil, err
		}
	}
	answer := binding{role: roleListener, exporter: s.exporter, expected: t.self, dialler: ownHash}
	return peer, t.checkIdentity(peer, payload, &answer)
}

// answer is the listener's side: the dialler's Hello, checks, own Hello. It
// says nothing of itself before the dialler has passed every check.
func (t *Transport) answer(s *session) (*message.Hello, error) {
	m, payload, err := s.first(message.TypeHello, message.TypeGetChainFile)
	if err != nil {
		return nil, err
	}
	if ask, ok := m.(*message.GetChainFile); ok {
		return nil, t.serveChainFile(s, ask)
	}
	peer := m.(*message.Hello)
	if err := t.checkChain(peer); err != nil {
		return nil, err
	}
	if err := t.mayConnect(peer.Key); err != nil {
		return nil, err
	}
	bound := binding{role: roleDialler, exporter: s.exporter}
	if peer.Pinned {
		bound.expected = t.self
	}
	if err := t.checkIdentity(peer, payload, &bound); err != nil {
		return nil, err
	}
	own := t.newHello()
	own.Pinned = true
	answer := binding{role: roleListener, exporter: s.exporter, expected: peer.Key, dialler: sha256.Sum256(payload)}
	if err := signHello(own, t.cfg.Key, &answer, t.cfg.Rand); err != nil {
		return nil, err
	}
	return peer, s.send(own)
}

// checkChain refuses peers of another chain or an incompatible version.
func (t *Transport) checkChain(peer *message.Hello) error {
	if unknown := peer.Features.UnknownRequired(); unknown != 0 {
		return &RefusedError{Code: message.CodeVersion,
			Reason: fmt.Sprintf("required features %#x are not supported", uint64(unknown))}
	}
	if peer.GenesisHash != t.cfg.GenesisHash {
		return &RefusedError{Code: message.CodeWrongGenesis, Reason: fmt.Sprintf(
			"genesis hash is %s, yours %s", displayHash(t.cfg.GenesisHash), displayHash(peer.GenesisHash))}
	}
	if peer.RulesHash != t.cfg.RulesHash {
		return &RefusedError{Code: message.CodeWrongRules, Reason: fmt.Sprintf(
			"rules hash is %x, yours %x", t.cfg.RulesHash, peer.RulesHash)}
	}
	return nil
}

// mayConnect asks the node; its *RefusedError chooses code and reason.
func (t *Transport) mayConnect(key [32]byte) error {
	err := t.cfg.MayConnect(key)
	if err == nil {
		return nil
	}
	var refused *RefusedError
	if errors.As(err, &refused) {
		return &RefusedError{Code: refused.Code, Reason: refused.Reason, Err: refused.Err}
	}
	return &RefusedError{Code: message.CodeNotPermitted,
		Reason: fmt.Sprintf("identity %x may not connect", key), Err: err}
}

// checkIdentity verifies the signature, then that the peer is not this node
// itself: a stranger must not learn this node's key by trying keys.
func (t *Transport) checkIdentity(peer *message.Hello, payload []byte, b *binding) error {
	if !verifyHello(peer, payload, b) {
		return &RefusedError{Code: message.CodeBadIdentity,
			Reason: "signature does not fit this session, or you expect another identity"}
	}
	if peer.Key == t.self {
		return &RefusedError{Code: message.CodeSelf, Reason: "both ends have the same identity"}
	}
	return nil
}

// displayHash writes a hash as people write block hashes: reversed.
func displayHash(h [32]byte) string {
	for i, j := 0, len(h)-1; i < j; i, j = i+1, j-1 {
		h[i], h[j] = h[j], h[i]
	}
	return fmt.Sprintf("%x", h)
}

// result is the metric label for the outcome of a handshake.
func result(err error) string {
	var refused *RefusedError
	var broken *ProtocolError
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, ErrChainFileServed):
		return "chainfile"
	case errors.As(err, &refused) && refused.ByPeer:
		return "refused-by-peer"
	case errors.As(err, &refused):
		return refused.Code.String()
	case errors.As(err, &broken):
		return broken.Code.String()
	}
	return "failed"
}
