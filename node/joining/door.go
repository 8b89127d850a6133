package joining

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"

	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/p2p/message"
	"github.com/charterchain/charter/p2p/transport"
)

// timeout bounds one exchange with the peer.
const timeout = 30 * time.Second

// Door is the peer that an invitation names.
type Door struct {
	*Invitation
	Dial func(ctx context.Context, address string) (net.Conn, error)
	Now  func() time.Time
	Rand io.Reader // cryptographic, safe for concurrent use
}

// Refusal is what a peer that was reached said: that this node may not
// connect, or not now.
type Refusal struct {
	Reason string
	Final  bool // asking again helps nobody: another chain, or another peer
}

func (r *Refusal) Error() string { return r.Reason }

// Fetch gets the chain file from the peer, and refuses one that does not build
// the genesis block of the invitation, or that writes the identity otherwise.
func (d *Door) Fetch(ctx context.Context) (*params.Params, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	nc, err := d.Dial(ctx, d.Target())
	if err != nil {
		return nil, err
	}
	text, err := transport.FetchChainFile(ctx, nc, transport.FetchConfig{
		GenesisHash: d.Genesis, PeerKey: d.Key, Now: d.Now, Rand: d.Rand, Timeout: timeout,
	})
	if err != nil {
		return nil, refusal(err)
	}
	p, err := params.Load(text, "chain file from "+d.Target())
	if err != nil {
		return nil, err
	}
	if p.GenesisHash != d.Genesis {
		return nil, fmt.Errorf("the chain file from %s makes another chain: its genesis block is %v, and the line to join by asks for %v", d.Target(), p.GenesisHash, d.Genesis)
	}
	if script, err := p.Address.Decode(d.Identity); err != nil {
		return nil, fmt.Errorf("the chain file from %s writes addresses otherwise than the line to join by: %w", d.Target(), err)
	} else if key, err := keyOf(script); err != nil || key != d.Key {
		return nil, fmt.Errorf("the chain file from %s writes addresses otherwise than the line to join by", d.Target())
	}
	return p, nil
}

// Knock asks the peer whether the node with this key may connect: nil, it may.
// A *Refusal is the peer's answer, other errors say that there was none.
func (d *Door) Knock(ctx context.Context, p *params.Params, key *btcec.PrivateKey) error {
	limits := message.NewLimits(p.Limits)
	t, err := transport.New(transport.Config{
		GenesisHash: p.GenesisHash,
		RulesHash:   p.RulesHash,
		Key:         key,
		Limits:      limits,
		MayConnect:  func([32]byte) error { return nil },
		Budget:      transport.NewBudget(limits.Largest()),
		Now:         d.Now,
		Rand:        d.Rand,
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	nc, err := d.Dial(ctx, d.Target())
	if err != nil {
		return err
	}
	conn, err := t.Dial(ctx, nc, &d.Key)
	if err != nil {
		return refusal(err)
	}
	conn.Close(message.CodeShutdown, "only asked whether it may connect")
	return nil
}

// refusal tells the peer's answers from other errors.
func refusal(err error) error {
	var refused *transport.RefusedError
	if !errors.As(err, &refused) {
		return err
	}
	r := &Refusal{Reason: refused.Reason}
	switch refused.Code {
	case message.CodeWrongGenesis, message.CodeWrongRules, message.CodeBadIdentity, message.CodeSelf, message.CodeVersion, message.CodeNotFound:
		r.Final = true
	}
	if !refused.ByPeer {
		r.Reason = "the peer is not the one that the line to join by names: " + refused.Reason
	}
	return r
}
