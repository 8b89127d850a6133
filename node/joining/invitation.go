package joining

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/permission/record"
)

const scheme = "charter://"

// Form is how an invitation is written.
const Form = "charter://IDENTITY@HOST:PORT/GENESIS-HASH[#HEIGHT:HASH]"

// Invitation is what a node joins a chain by.
type Invitation struct {
	Identity string   // address of the peer's key, on the chain
	Key      [32]byte // the same, as an x-only key
	Host     string   // name or IP address, without brackets
	Port     uint16
	Genesis  chainhash.Hash

	// Height and Hash are of a block that is known to be in the chain. Height
	// 0: none is named.
	Height int32
	Hash   chainhash.Hash
}

// Parse reads an invitation. The error says what is wrong with it.
func Parse(text string) (*Invitation, error) {
	inv, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("the line to join by %w; it is of the form %s", err, Form)
	}
	return inv, nil
}

func parse(text string) (*Invitation, error) {
	rest, ok := strings.CutPrefix(text, scheme)
	if !ok {
		return nil, errors.New("does not begin with " + scheme)
	}
	inv := new(Invitation)
	rest, settled, named := strings.Cut(rest, "#")
	if named {
		if err := inv.parseSettled(settled); err != nil {
			return nil, err
		}
	}
	who, genesis, ok := strings.Cut(rest, "/")
	if !ok {
		return nil, errors.New("has no genesis hash")
	}
	if err := parseHash(&inv.Genesis, genesis); err != nil {
		return nil, fmt.Errorf("has a bad genesis hash: %w", err)
	}
	identity, at, ok := strings.Cut(who, "@")
	if !ok {
		return nil, errors.New("names no identity")
	}
	if err := inv.parseIdentity(identity); err != nil {
		return nil, err
	}
	return inv, inv.parseHost(at)
}

func (inv *Invitation) parseSettled(text string) error {
	height, hash, _ := strings.Cut(text, ":")
	n, err := strconv.ParseUint(height, 10, 31)
	if err != nil || n == 0 {
		return fmt.Errorf("has a bad height behind #, %q", height)
	}
	inv.Height = int32(n)
	if err := parseHash(&inv.Hash, hash); err != nil {
		return fmt.Errorf("has a bad hash behind #: %w", err)
	}
	return nil
}

func parseHash(hash *chainhash.Hash, text string) error {
	if len(text) != chainhash.MaxHashStringSize {
		return fmt.Errorf("%d characters instead of %d", len(text), chainhash.MaxHashStringSize)
	}
	return chainhash.Decode(hash, text)
}

// parseIdentity reads the identity by the prefix that it has itself: which one
// the chain has is known only from its file.
func (inv *Invitation) parseIdentity(text string) error {
	end := strings.LastIndexByte(text, '1')
	if end < 1 {
		return fmt.Errorf("names no identity: %q is no address", text)
	}
	script, err := params.Address{Bech32HRP: text[:end]}.Decode(text)
	if err != nil {
		return fmt.Errorf("names no identity: %w", err)
	}
	if inv.Key, err = keyOf(script); err != nil {
		return fmt.Errorf("names %s: %w", text, err)
	}
	inv.Identity = text
	return nil
}

func keyOf(script []byte) ([32]byte, error) {
	key, ok := record.ScriptKey(script)
	if !ok || key == [32]byte{} {
		return key, errors.New("not the taproot address of a key, as identities are")
	}
	return key, nil
}

func (inv *Invitation) parseHost(text string) error {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return fmt.Errorf("names no host and port: %w", err)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || host == "" || strings.ContainsAny(host, " \t\"'\\") {
		return fmt.Errorf("names no host and port: %q", text)
	}
	inv.Host, inv.Port = host, uint16(n)
	return nil
}

// Target is where the peer is dialled, host:port.
func (inv *Invitation) Target() string {
	return net.JoinHostPort(inv.Host, strconv.Itoa(int(inv.Port)))
}

// Peer is the peer as settings name it.
func (inv *Invitation) Peer() string { return inv.Identity + "@" + inv.Target() }

// Settled is the settled block as settings name it; "": there is none.
func (inv *Invitation) Settled() string {
	if inv.Height == 0 {
		return ""
	}
	return fmt.Sprintf("%d:%v", inv.Height, inv.Hash)
}

// String is the inverse of Parse.
func (inv *Invitation) String() string {
	text := scheme + inv.Peer() + "/" + inv.Genesis.String()
	if settled := inv.Settled(); settled != "" {
		text += "#" + settled
	}
	return text
}
