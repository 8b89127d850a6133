package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/p2p/message"
)

// bigTx is the encoding of a transaction of about size bytes.
func bigTx(size int) []byte {
	tx := &wire.MsgTx{
		Version: 2,
		TxIn:    []*wire.TxIn{{SignatureScript: []byte{}}},
		TxOut:   []*wire.TxOut{{Value: 1, PkScript: make([]byte, size-64)}},
	}
	var b bytes.Buffer
	if err := tx.Serialize(&b); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// bigBlock is the encoding of a block of about size bytes.
func bigBlock(size int) []byte {
	tx := bigTx(size - 81)
	return append(append(make([]byte, 80), 1), tx...)
}

// compare checks that m, as received, encodes to payload.
func compare(t *testing.T, m message.Message, payload []byte) {
	t.Helper()
	got, err := message.Encode(m)
	if err != nil || !bytes.Equal(got, payload) {
		t.Errorf("%s of %d bytes arrived as %d other bytes, %v", m.Type(), len(payload), len(got), err)
	}
}

// TestSizes sends payloads around the sizes at which frames split.
func TestSizes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := link(t, config(dialler), config(listener))
		d, l := run(e.dialled), run(e.accepted)
		for _, size := range []int{100, maxBody - 1, maxBody, maxBody + 1,
			2*maxBody - bulkHeader, 2*maxBody - bulkHeader + 1, 1_000_000} {
			raw := bigTx(size)
			raw = bigTx(size + size - len(raw)) // the exact size
			if len(raw) != size {
				t.Fatalf("made %d bytes, want %d", len(raw), size)
			}
			if err := e.dialled.Send(t.Context(), &message.Tx{Raw: raw}); err != nil {
				t.Fatal(err)
			}
			m, err := e.accepted.Receive(t.Context())
			if err != nil {
				t.Fatalf("%d bytes: %v", size, err)
			}
			compare(t, m, raw)
		}
		if err := errors.Join(d(), l()); err != nil && !isGone(err) {
			t.Error(err)
		}
		for _, c := range []*Conn{e.dialled, e.accepted} {
			if used := c.reader.budget.Used(); used != 0 {
				t.Errorf("%d bytes of the budget are still taken", used)
			}
		}
	})
}

func isGone(err error) bool {
	var gone *DisconnectedError
	return errors.As(err, &gone)
}

// TestInterleaving: pings sent after a block arrive before it; messages of
// one type stay in order.
func TestInterleaving(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := link(t, config(dialler), config(listener))
		block, next := bigBlock(2_000_000), bigBlock(200)
		for _, m := range []message.Message{
			&message.Block{Raw: block}, &message.Ping{Nonce: 1}, &message.Block{Raw: next}, &message.Ping{Nonce: 2},
		} {
			if err := e.dialled.TrySend(m); err != nil {
				t.Fatal(err)
			}
		}
		d, l := run(e.dialled), run(e.accepted)
		var order string
		for range 4 {
			m, err := e.accepted.Receive(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			switch m := m.(type) {
			case *message.Ping:
				order += fmt.Sprintf("ping%d ", m.Nonce)
			case *message.Block:
				order += fmt.Sprintf("block%d ", len(m.Raw))
			}
		}
		if want := fmt.Sprintf("ping1 ping2 block%d block%d ", len(block), len(next)); order != want {
			t.Errorf("order %q, want %q", order, want)
		}
		d()
		l()
	})
}

// TestBulkIsNotStarved: however many small messages wait, a block gets on.
func TestBulkIsNotStarved(t *testing.T) {
	q := newQueue(QueueLimits{SmallMessages: 1000, SmallBytes: 1 << 30, BulkMessages: 2, BulkBytes: 1 << 30})
	add := func(typ message.Type, size int) {
		t.Helper()
		if full, err := q.add(queued{typ, make([]byte, size)}); full != nil || err != nil {
			t.Fatalf("add: full %t, %v", full != nil, err)
		}
	}
	for range 10 {
		add(message.TypeInv, 30_000)
	}
	add(message.TypeTx, 10) // must stay before the next
	add(message.TypeTx, 300_000)
	add(message.TypeTx, 10) // must stay behind it
	for range 10 {
		add(message.TypeInv, 30_000)
	}
	var order []sent
	for {
		buf, log := q.fill(nil, nil)
		if len(buf) == 0 {
			break
		}
		if len(buf) > maxFrame {
			t.Errorf("%d bytes for one write, at most %d", len(buf), maxFrame)
		}
		order = append(order, log...)
	}
	small, parts, txs := 0, 0, 0
	for _, s := range order {
		switch {
		case s.t == message.TypeInv:
			small += s.bytes
		case s.bytes > 1000:
			parts++
			if small > 10*30_005+parts*(smallBurst+maxFrame) {
				t.Errorf("part %d came after %d bytes of small messages", parts, small)
			}
		default:
			txs++
			if txs == 1 && parts != 0 || txs == 2 && parts != 5 {
				t.Errorf("small tx %d came after %d parts", txs, parts)
			}
		}
	}
	if parts != 5 || txs != 2 || small != 20*30_005 {
		t.Errorf("sent %d parts, %d txs, %d bytes of inv", parts, txs, small)
	}
}

func TestQueueBounds(t *testing.T) {
	e := link(t, config(dialler, func(c *Config) {
		c.Queue = QueueLimits{SmallMessages: 3, SmallBytes: 1000, BulkMessages: 2, BulkBytes: 500_000}
	}), config(listener))
	defer e.accepted.nc.Close()
	c := e.dialled // Run does not run: nothing leaves the queue
	for i := range 3 {
		if err := c.TrySend(&message.Ping{}); err != nil {
			t.Fatalf("ping %d: %v", i, err)
		}
	}
	if err := c.TrySend(&message.Ping{}); !errors.Is(err, ErrQueueFull) {
		t.Errorf("fourth ping: %v", err)
	}
	block := &message.Block{Raw: bigBlock(600_000)}
	if err := c.TrySend(block); err != nil {
		t.Errorf("one block above the byte bound: %v", err)
	}
	if err := c.TrySend(block); !errors.Is(err, ErrQueueFull) {
		t.Errorf("second block: %v", err)
	}
	waiting := make(chan error, 1)
	go func() { waiting <- c.Send(context.Background(), block) }()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := c.Send(ctx, block); !errors.Is(err, context.Canceled) {
		t.Errorf("Send with an ended context: %v", err)
	}
	c.Close(message.CodeShutdown, "")
	if err := <-waiting; !errors.Is(err, ErrClosed) {
		t.Errorf("Send that waited while the link was closed: %v", err)
	}
	if err := c.TrySend(block); !errors.Is(err, ErrClosed) {
		t.Errorf("TrySend on a closed link: %v", err)
	}
}

func TestSendRefuses(t *testing.T) {
	e := link(t, config(dialler), config(listener))
	defer e.accepted.nc.Close()
	defer e.dialled.nc.Close()
	var ee *message.EncodeError
	if err := e.dialled.TrySend(&message.Block{Raw: make([]byte, 4_000_001)}); !errors.As(err, &ee) {
		t.Errorf("block above the limit: %v", err)
	}
	if err := e.dialled.TrySend(&message.GetFilters{}); !errors.Is(err, ErrFeature) {
		t.Errorf("message that needs a feature: %v", err)
	}
	if err := e.dialled.TrySend(&message.Hello{Version: 1}); err == nil {
		t.Error("Hello in an open session was taken")
	}
}

// TestBreaches: what breaks the protocol ends the link, and the peer hears why.
func TestBreaches(t *testing.T) {
	full := func(t message.Type, total uint32) []byte {
		b := appendHeader(nil, byte(t)|moreFollows, maxBody)
		b = append(b, byte(total), byte(total>>8), byte(total>>16), byte(total>>24))
		return append(b, make([]byte, maxBody-bulkHeader)...)
	}
	part := func(t byte, size int) []byte { return append(appendHeader(nil, t, size), make([]byte, size)...) }
	block, tx := byte(message.TypeBlock), byte(message.TypeTx)
	for _, tc := range []struct {
		name string
		wire [][]byte
	}{
		{"unknown type", [][]byte{appendHeader(nil, 100, 0)}},
		{"type 0", [][]byte{appendHeader(nil, 0, 0)}},
		{"frame of 64 KiB and one", [][]byte{appendHeader(nil, block, maxBody+1)}},
		{"frame of 4 GiB", [][]byte{{0xff, 0xff, 0xff, 0xff, block}}},
		{"ping of 9 bytes", [][]byte{part(byte(message.TypePing), 9)}},
		{"ping of 7 bytes", [][]byte{part(byte(message.TypePing), 7)}},
		{"ping in parts", [][]byte{full(message.TypePing, 100_000)}},
		{"part that is not full", [][]byte{append(append(appendHeader(nil, block|moreFollows, maxBody-1),
			0x40, 0x0d, 0x03, 0), make([]byte, maxBody-1-bulkHeader)...)}, // of 200,000 bytes
		},
		{"part that is empty", [][]byte{appendHeader(nil, block|moreFollows, 0)}},
		{"total that fits one frame", [][]byte{full(message.TypeBlock, maxBody)}},
		{"total above the limit", [][]byte{full(message.TypeBlock, 4_000_001)}},
		{"two bulk messages at once", [][]byte{full(message.TypeBlock, 200_000), full(message.TypeTx, 200_000)}},
		{"last part too short", [][]byte{full(message.TypeBlock, 100_000), part(block, 100)}},
		{"last part too long", [][]byte{full(message.TypeBlock, 66_000), part(block, 66_000-maxBody+bulkHeader+1)}},
		{"part in place of the last", [][]byte{full(message.TypeBlock, 100_000), part(block|moreFollows, maxBody)}},
		{"hello again", [][]byte{frameOf(t, &message.Hello{Version: 1})}},
		{"chain file", [][]byte{frameOf(t, &message.GetChainFile{})}},
		{"feature not announced", [][]byte{frameOf(t, &message.GetFilters{})}},
		{"garbage tx", [][]byte{part(tx, 50)}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := link(t, config(dialler), config(listener))
			wait := run(e.accepted)
			go func() {
				for _, b := range tc.wire {
					if _, err := e.dialled.tls.Write(b); err != nil {
						return
					}
				}
			}()
			heard := make(chan error, 1)
			go func() {
				_, err := e.dialled.Receive(context.Background())
				heard <- err
			}()
			m, err := e.accepted.Receive(t.Context())
			if err == nil {
				t.Fatalf("received %T", m)
			}
			wantProtocol(t, "receive", err, message.CodeProtocol)
			var gone *DisconnectedError
			if err := <-heard; !errors.As(err, &gone) || gone.Code != message.CodeProtocol {
				t.Errorf("peer heard %v", err)
			}
			wantProtocol(t, "Run", wait(), message.CodeProtocol)
			if _, err := e.accepted.Receive(t.Context()); err == nil {
				t.Error("the link is open")
			}
		})
	}
}

// TestTimeouts: what a peer that stops can cost.
func TestTimeouts(t *testing.T) {
	half := appendHeader(nil, byte(message.TypePing), 8)
	start := appendHeader(nil, byte(message.TypeBlock)|moreFollows, maxBody)
	start = append(start, 0x80, 0x84, 0x1e, 0) // 2,000,000 bytes
	start = append(start, make([]byte, maxBody-bulkHeader)...)
	ping := frameOf(t, &message.Ping{})
	for _, tc := range []struct {
		name string
		wire []byte
		beat []byte // sent every 19 s
		want time.Duration
	}{
		{"silence", nil, nil, 120 * time.Second},
		{"half a frame", half, nil, 20 * time.Second},
		{"bulk that stops", start, ping, 60*time.Second + 2_000_000/bulkBytesPerSecond*time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := link(t, config(dialler), config(listener))
				wait := run(e.accepted)
				began := time.Now()
				beat := time.NewTicker(19 * time.Second)
				defer beat.Stop()
				go func() {
					_, err := e.dialled.tls.Write(tc.wire)
					for err == nil && tc.beat != nil {
						select {
						case <-beat.C:
							_, err = e.dialled.tls.Write(tc.beat)
						case <-e.accepted.Done():
							return
						}
					}
				}()
				go func() { _, _ = io.Copy(io.Discard, e.dialled.tls) }()
				var err error
				for err == nil {
					_, err = e.accepted.Receive(t.Context())
				}
				wantProtocol(t, "receive", err, message.CodeTimeout)
				if took := time.Since(began); took != tc.want {
					t.Errorf("took %v, want %v", took, tc.want)
				}
				e.dialled.nc.Close()
				wait()
				if used := e.accepted.reader.budget.Used(); used != 0 {
					t.Errorf("%d bytes of the budget are still taken", used)
				}
			})
		})
	}
}

// TestPeerDoesNotRead: a full pipe ends the link after the write timeout
// and releases all that waits to be sent.
func TestPeerDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := link(t, config(dialler), config(listener))
		began := time.Now()
		block := &message.Block{Raw: bigBlock(3_000_000)}
		done := make(chan error, 1)
		go func() { done <- e.dialled.Run(t.Context()) }()
		var err error
		for err == nil {
			err = e.dialled.Send(t.Context(), block)
		}
		if <-done == nil || time.Since(began) != 60*time.Second {
			t.Errorf("ended after %v with %v", time.Since(began), err)
		}
		if n := len(e.dialled.queue.bulk.items); n != 0 {
			t.Errorf("%d messages are still queued", n)
		}
		e.accepted.nc.Close()
	})
}

// TestCloseWhileStuck: Close does not wait for a peer that does not read.
func TestCloseWhileStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := link(t, config(dialler), config(listener))
		wait := run(e.dialled)
		if err := e.dialled.Send(t.Context(), &message.Ping{}); err != nil {
			t.Fatal(err)
		}
		received := make(chan error, 1)
		go func() {
			_, err := e.dialled.Receive(context.Background())
			received <- err
		}()
		synctest.Wait()
		began := time.Now()
		if err := wait(); err != nil {
			t.Errorf("Run: %v", err)
		}
		if took := time.Since(began); took > closeGrace {
			t.Errorf("took %v", took)
		}
		if err := <-received; !errors.Is(err, ErrClosed) {
			t.Errorf("Receive: %v", err)
		}
		e.accepted.nc.Close()
	})
}

// TestCloseWhileReceiving: Close wakes Receive at once, also where the peer
// takes the reason but keeps its side open, and the rest of it ends soon.
func TestCloseWhileReceiving(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := link(t, config(dialler), config(listener))
		wait := run(e.dialled)
		go func() { _, _ = io.Copy(io.Discard, e.accepted.nc) }()
		received := make(chan time.Time, 1)
		go func() {
			_, _ = e.dialled.Receive(context.Background())
			received <- time.Now()
		}()
		synctest.Wait()
		began := time.Now()
		if err := wait(); err != nil {
			t.Errorf("Run: %v", err)
		}
		if took := (<-received).Sub(began); took != 0 {
			t.Errorf("Receive took %v", took)
		}
		if took := time.Since(began); took != closeGrace {
			t.Errorf("Run took %v", took)
		}
		e.accepted.nc.Close()
	})
}

// TestCloseWithoutRun: a link refused right after the handshake still tells
// the peer why.
func TestCloseWithoutRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := link(t, config(dialler), config(listener))
		e.accepted.Close(message.CodeDuplicate, "there is one")
		_, err := e.dialled.Receive(t.Context())
		var gone *DisconnectedError
		if !errors.As(err, &gone) || gone.Code != message.CodeDuplicate {
			t.Errorf("peer heard %v", err)
		}
		if err := e.accepted.Run(t.Context()); err != nil {
			t.Errorf("Run of a closed link: %v", err)
		}
	})
}

// TestContexts: the end of either context ends the link.
func TestContexts(t *testing.T) {
	for _, which := range []string{"Run", "Receive"} {
		t.Run(which, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := link(t, config(dialler), config(listener))
				runCtx, receiveCtx := context.Background(), context.Background()
				ctx, cancel := context.WithCancel(context.Background())
				if which == "Run" {
					runCtx = ctx
				} else {
					receiveCtx = ctx
				}
				ran := make(chan error, 1)
				go func() { ran <- e.dialled.Run(runCtx) }()
				time.AfterFunc(time.Second, cancel)
				go func() { _, _ = e.accepted.Receive(context.Background()) }()
				if _, err := e.dialled.Receive(receiveCtx); !errors.Is(err, context.Canceled) {
					t.Errorf("Receive: %v", err)
				}
				if err := <-ran; err != nil {
					t.Errorf("Run: %v", err)
				}
			})
		})
	}
}

// TestTCP moves blocks and pings over real sockets, both ways at once.
func TestTCP(t *testing.T) {
	a, b := tcpPair(t)
	e := shake(newTransport(t, config(dialler)), newTransport(t, config(listener)), a, b, nil)
	if e.dialErr != nil || e.acceptErr != nil {
		t.Fatal(e.dialErr, e.acceptErr)
	}
	d, l := run(e.dialled), run(e.accepted)
	raw := bigBlock(3_000_000)
	const rounds = 5
	errs := make(chan error, 4)
	for _, c := range []*Conn{e.dialled, e.accepted} {
		go func() {
			for i := range rounds {
				if err := errors.Join(c.Send(context.Background(), &message.Block{Raw: raw}),
					c.Send(context.Background(), &message.Ping{Nonce: uint64(i)})); err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
		go func() {
			for range 2 * rounds {
				m, err := c.Receive(context.Background())
				if b, ok := m.(*message.Block); ok && !bytes.Equal(b.Raw, raw) {
					err = fmt.Errorf("another block, of %d bytes", len(b.Raw))
				}
				if err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	for range 4 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	ended := make(chan error)
	go func() { ended <- d() }()
	if err := errors.Join(l(), <-ended); err != nil {
		t.Errorf("Run: %v", err)
	}
}

// BenchmarkBlocks measures blocks of 1 MB through one link over loopback.
func BenchmarkBlocks(b *testing.B) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	dialEnd, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	listenEnd, err := ln.Accept()
	if err != nil {
		b.Fatal(err)
	}
	e := shake(newTransport(b, config(dialler)), newTransport(b, config(listener)), dialEnd, listenEnd, nil)
	defer run(e.dialled)()
	defer run(e.accepted)()
	raw := bigBlock(1_000_000)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	go func() {
		for e.dialled.Send(context.Background(), &message.Block{Raw: raw}) == nil {
		}
	}()
	for b.Loop() {
		if _, err := e.accepted.Receive(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkHandshake measures both sides of one handshake in memory.
func BenchmarkHandshake(b *testing.B) {
	d, l := newTransport(b, config(dialler)), newTransport(b, config(listener))
	for b.Loop() {
		x, y := net.Pipe()
		if e := shake(d, l, x, y, nil); e.dialErr != nil {
			b.Fatal(e.dialErr)
		}
		x.Close()
		y.Close()
	}
}
