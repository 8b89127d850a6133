package transport

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/charterchain/charter/p2p/message"
)

// fetch asks l for the chain file with that genesis hash.
func fetch(t *testing.T, l *Transport, genesis, key [32]byte) (file []byte, fetchErr, acceptErr error) {
	t.Helper()
	a, b := net.Pipe()
	done := make(chan error, 1)
	go func() {
		_, err := l.Accept(context.Background(), b)
		done <- err
	}()
	file, fetchErr = FetchChainFile(t.Context(), a, FetchConfig{
		GenesisHash: genesis, PeerKey: key, Now: time.Now, Rand: rand.Reader,
	})
	return file, fetchErr, <-done
}

func TestChainFile(t *testing.T) {
	file := bytes.Repeat([]byte("# a long chain file\n"), 10_000) // several frames
	serving := config(listener, func(c *Config) {
		c.ChainFile = func() ([]byte, error) { return file, nil }
		c.MayConnect = func([32]byte) error { return errors.New("nobody") } // is not asked
	})
	l := newTransport(t, serving)
	t.Run("served", func(t *testing.T) {
		got, err, acceptErr := fetch(t, l, serving.GenesisHash, l.Key())
		if err != nil || !bytes.Equal(got, file) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		if !errors.Is(acceptErr, ErrChainFileServed) {
			t.Errorf("accept: %v", acceptErr)
		}
	})
	t.Run("another key", func(t *testing.T) {
		_, err, _ := fetch(t, l, serving.GenesisHash, [32]byte{1})
		wantRefused(t, "fetch", err, false, message.CodeBadIdentity)
	})
	t.Run("another chain", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			_, err, acceptErr := fetch(t, l, [32]byte{9}, l.Key())
			wantRefused(t, "fetch", err, true, message.CodeNotFound)
			wantRefused(t, "accept", acceptErr, false, message.CodeNotFound)
		})
	})
	t.Run("not served", func(t *testing.T) {
		_, err, _ := fetch(t, newTransport(t, config(listener)), serving.GenesisHash, l.Key())
		wantRefused(t, "fetch", err, true, message.CodeNotFound)
	})
}

// TestRelayedChainFile: a file that was signed for another TLS session does
// not count as coming from the node.
func TestRelayedChainFile(t *testing.T) {
	c := config(listener, func(c *Config) { c.ChainFile = func() ([]byte, error) { return []byte("file"), nil } })
	l := newTransport(t, c)
	toListener, wait := accepting(t, l)
	out := rawTLS(t, toListener)
	if _, err := out.Write(frameOf(t, &message.GetChainFile{GenesisHash: c.GenesisHash})); err != nil {
		t.Fatal(err)
	}
	answer := readFrame(t, out)
	toListener.Close()
	if err := wait(); !errors.Is(err, ErrChainFileServed) {
		t.Fatalf("accept: %v", err)
	}
	fromJoiner, end := net.Pipe()
	go func() {
		middle := tls.Server(fromJoiner, l.server)
		if middle.Handshake() == nil {
			_, _ = middle.Read(make([]byte, 1000))
			_, _ = middle.Write(answer)
		}
	}()
	_, err := FetchChainFile(t.Context(), end, FetchConfig{
		GenesisHash: c.GenesisHash, PeerKey: l.Key(), Now: time.Now, Rand: rand.Reader,
	})
	wantRefused(t, "fetch", err, false, message.CodeBadIdentity)
}

// TestFetchTimeout: a server that sends a byte now and then is left.
func TestFetchTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newTransport(t, config(listener))
		raw, end := net.Pipe()
		go func() {
			secure := tls.Server(raw, l.server)
			if secure.Handshake() == nil {
				_, _ = secure.Read(make([]byte, 1000))
			}
		}()
		began := time.Now()
		_, err := FetchChainFile(t.Context(), end, FetchConfig{Now: time.Now, Rand: rand.Reader, Timeout: 7 * time.Second})
		if err == nil || time.Since(began) != 7*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		raw.Close()
	})
}
