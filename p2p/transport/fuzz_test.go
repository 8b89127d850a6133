package transport

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/charterchain/charter/p2p/message"
)

// FuzzHandshake lets a stranger do anything before TLS, or as its first act
// after it: it is refused, and never opens a link.
func FuzzHandshake(f *testing.F) {
	d, l := newTransport(f, config(dialler)), newTransport(f, config(listener))
	f.Add(true, helloFrame(f, d, [32]byte{1}))
	f.Add(true, frameOf(f, &message.GetChainFile{}))
	f.Add(true, frameOf(f, &message.Ping{}))
	f.Add(true, []byte{0xff, 0xff, 0xff, 0xff, byte(message.TypeHello)})
	f.Add(true, appendHeader(nil, byte(message.TypeHello)|moreFollows, maxBody))
	f.Add(false, []byte("GET / HTTP/1.1\r\n\r\n"))
	f.Add(false, []byte{22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3})
	f.Fuzz(func(t *testing.T, afterTLS bool, act []byte) {
		raw, wait := accepting(t, l)
		go func() {
			defer raw.Close()
			if !afterTLS {
				_, _ = raw.Write(act)
				return
			}
			secure := tls.Client(raw, tlsConfig(rand.Reader, time.Now))
			if secure.Handshake() == nil {
				_, _ = secure.Write(act)
			}
		}()
		if err := wait(); err == nil {
			t.Fatalf("%x opened a link", act)
		}
	})
}

// FuzzAnswer lets a false listener answer a dialler with anything.
func FuzzAnswer(f *testing.F) {
	d, l := newTransport(f, config(dialler)), newTransport(f, config(listener))
	f.Add(helloFrame(f, l, [32]byte{1}))
	f.Add(frameOf(f, &message.Disconnect{Code: message.CodeFull, Reason: "no slot"}))
	f.Add(frameOf(f, &message.Ping{}))
	f.Add(appendHeader(nil, byte(message.TypeHello), message.MaxHello))
	f.Fuzz(func(t *testing.T, answer []byte) {
		raw, dialEnd := net.Pipe()
		go func() {
			defer raw.Close()
			secure := tls.Server(raw, l.server)
			if secure.Handshake() != nil {
				return
			}
			if _, err := secure.Read(make([]byte, maxFrame)); err == nil {
				_, _ = secure.Write(answer)
			}
		}()
		if _, err := d.Dial(context.Background(), dialEnd, nil); err == nil {
			t.Fatalf("%x opened a link", answer)
		}
	})
}

// FuzzFrames feeds any bytes to the reader of an open link: no panic,
// memory in proportion to what arrived, and an end.
func FuzzFrames(f *testing.F) {
	block := bigBlock(150_000)
	var wire []byte
	for off := 0; off < len(block); {
		wire, off = appendFrame(wire, message.TypeBlock, block, off)
		wire = append(wire, frameOf(f, &message.Ping{Nonce: 1})...)
	}
	f.Add(wire)
	f.Add(wire[:70_000])
	f.Add(frameOf(f, &message.Inv{}))
	f.Add([]byte{0xff, 0xff, 0, 0, byte(message.TypeTx)})
	f.Add(append(append(appendHeader(nil, byte(message.TypeBlock)|moreFollows, maxBody),
		0, 9, 0x3d, 0), make([]byte, maxBody)...)) // announces 4,000,000 bytes
	f.Fuzz(func(t *testing.T, wire []byte) {
		cfg := config(1)
		cfg.setDefaults()
		r := newReader(bytes.NewReader(wire), &cfg, func(time.Time) error { return nil })
		for {
			typ, payload, err := r.next(context.Background())
			if bound := int64(3*len(wire) + 2*maxFrame); r.held > bound || int64(cap(r.frame)) > bound {
				t.Fatalf("holds %d bytes and a frame of %d after %d bytes", r.held, cap(r.frame), len(wire))
			}
			if err != nil {
				break
			}
			_, err = message.DecodeWithin(typ, payload, cfg.Limits, func(n int64) error {
				_, err := r.reserve(context.Background(), n)
				return err
			})
			var de *message.DecodeError
			if err != nil && !errors.As(err, &de) {
				t.Fatalf("decode: %v", err)
			}
			r.releaseHandled()
		}
		r.releaseAll()
		if used := cfg.Budget.Used(); used != 0 {
			t.Fatalf("%d bytes are still taken", used)
		}
	})
}
