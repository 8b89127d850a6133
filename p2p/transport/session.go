package transport

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"time"

	"github.com/charterchain/charter/p2p/message"
)

// ALPN is the protocol name negotiated in TLS. Its number changes only when
// old and new nodes cannot talk to each other.
const ALPN = "charter/1"

// The channel binding of RFC 9266.
const (
	exporterLabel = "EXPORTER-Channel-Binding"
	exporterSize  = 32
)

// session is a TLS session before, and while, identities are exchanged.
type session struct {
	nc       net.Conn
	tls      *tls.Conn
	reader   reader
	exporter [exporterSize]byte
	deadline time.Time // of the handshake
}

// newCertificate makes the certificate that TLS needs and nobody checks. It
// says nothing about the node: dates and names are the same for all.
func newCertificate(random io.Reader) (tls.Certificate, error) {
	seed := make([]byte, ed25519.SeedSize)
	if _, err := io.ReadFull(random, seed); err != nil {
		return tls.Certificate{}, fmt.Errorf("transport: randomness for the certificate: %w", err)
	}
	key := ed25519.NewKeyFromSeed(seed)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    time.Unix(0, 0),
		NotAfter:     time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), // RFC 5280: no expiry
	}
	der, err := x509.CreateCertificate(random, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("transport: make certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

// tlsConfig is what both roles share.
func tlsConfig(random io.Reader, now func() time.Time) *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		MaxVersion:             tls.VersionTLS13,
		NextProtos:             []string{ALPN},
		SessionTicketsDisabled: true,
		Rand:                   random,
		Time:                   now,
		// Identity is proven by Hello, which is bound to this session.
		InsecureSkipVerify: true,
	}
}

// open runs the TLS handshake within cfg.Timeouts.Handshake, which goes on
// to limit the session until the deadline is changed.
func open(ctx context.Context, nc net.Conn, secure *tls.Conn, cfg *Config) (*session, error) {
	deadline := cfg.Now().Add(cfg.Timeouts.Handshake)
	if err := nc.SetDeadline(deadline); err != nil {
		return nil, fmt.Errorf("transport: set deadline: %w", err)
	}
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, handshakeError("TLS", err)
	}
	state := secure.ConnectionState()
	if state.NegotiatedProtocol != ALPN {
		return nil, &ProtocolError{Code: message.CodeProtocol, Detail: "peer does not speak " + ALPN}
	}
	s := &session{nc: nc, tls: secure, reader: newReader(secure, cfg, nc.SetReadDeadline), deadline: deadline}
	binding, err := state.ExportKeyingMaterial(exporterLabel, []byte{}, exporterSize)
	if err != nil {
		return nil, fmt.Errorf("transport: TLS exporter: %w", err)
	}
	copy(s.exporter[:], binding)
	return s, nil
}

// handshakeError makes a timeout the peer's fault; the rest is left open:
// a broken connection looks like a broken protocol.
func handshakeError(what string, err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return &ProtocolError{Code: message.CodeTimeout, Detail: what + " handshake was not done in time"}
	}
	return fmt.Errorf("%s handshake: %w", what, err)
}

// first reads the peer's first frame: one of the allowed types, one frame,
// within the type's limit. Nothing else is buffered.
func (s *session) first(allowed ...message.Type) (message.Message, []byte, error) {
	header, err := s.reader.in.Peek(frameHeader)
	if err != nil {
		return nil, nil, handshakeError("hello", err)
	}
	ok := false
	for _, t := range allowed {
		ok = ok || header[4] == byte(t)
	}
	if !ok {
		return nil, nil, protocolf("first message is of type %#x", header[4])
	}
	t, _, body, err := s.reader.readFrameWithin()
	if err != nil {
		return nil, nil, err
	}
	payload := append([]byte(nil), body...)
	m, err := message.Decode(t, payload, s.reader.limits)
	if err != nil {
		return nil, nil, decodeFault(err)
	}
	s.reader.metrics.countMessage(directionIn, t)
	return m, payload, nil
}

// send writes one message of one frame, within the deadline that is set.
func (s *session) send(m message.Message) error {
	payload, err := message.Encode(m)
	if err != nil {
		return err
	}
	frame, _ := appendFrame(nil, m.Type(), payload, 0)
	if _, err := s.tls.Write(frame); err != nil {
		return handshakeError("hello", err)
	}
	s.reader.metrics.countFrame(directionOut, m.Type(), len(frame))
	s.reader.metrics.countMessage(directionOut, m.Type())
	return nil
}

// refuse tells the peer why there will be no session, as far as it listens
// and the time of the handshake allows.
func (s *session) refuse(d *message.Disconnect) {
	until := s.reader.now().Add(closeGrace)
	if s.deadline.Before(until) {
		until = s.deadline
	}
	_ = s.nc.SetDeadline(until) // an error shows in the write
	if s.send(d) == nil {
		discard(s.nc)
	}
}
