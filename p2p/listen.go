package p2p

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/charterchain/charter/p2p/transport"
)

// listen takes connections until ctx is done, and closes the listener. A
// connection that finds no free half-open slot, or the network switched
// off, is closed at once.
func (n *Network) listen(ctx context.Context, l net.Listener) {
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	n.log.Info("listening for peers", "addr", l.Addr().String())
	for ctx.Err() == nil {
		nc, err := l.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			// Out of file descriptors, or the other side was gone already.
			n.log.Debug("accept", "err", err)
			sleep(ctx, 100*time.Millisecond)
			continue
		}
		n.enter(nc)
	}
}

// enter starts the handshake of an inbound connection.
func (n *Network) enter(nc net.Conn) {
	ip := addrOf(nc)
	leave, err := n.gate.Enter(ip, n.pinnedHost(ip))
	if err != nil || !n.Active() {
		if err == nil {
			leave()
		}
		n.cfg.Metrics.refusedAtGate()
		nc.Close()
		return
	}
	started := n.spawn(func(ctx context.Context) {
		wire := n.counted(nc)
		conn, err := n.transport.Accept(ctx, wire)
		leave()
		if err != nil {
			n.noteRefusal(err)
			n.tellRefused("", nc.RemoteAddr().String(), err)
			n.log.Debug("inbound handshake", "addr", nc.RemoteAddr().String(), "err", err)
			return
		}
		n.notePinned(conn.PeerKey(), ip)
		n.serve(ctx, conn, wire, nc.RemoteAddr().String(), TypeInbound, false) // its end is logged there
	})
	if !started {
		leave()
		nc.Close()
	}
}

// noteRefusal counts a handshake that one side refused.
func (n *Network) noteRefusal(err error) {
	var refused *transport.RefusedError
	var broke *transport.ProtocolError
	switch {
	case errors.As(err, &refused):
		n.cfg.Metrics.refused(refused.Code)
	case errors.As(err, &broke):
		n.cfg.Metrics.refused(broke.Code)
	}
}

// addrOf is the IP address of the other end; invalid where there is none.
func addrOf(nc net.Conn) netip.Addr {
	ap, err := netip.ParseAddrPort(nc.RemoteAddr().String())
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap()
}
