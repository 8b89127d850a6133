package rpc

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/charterchain/charter/chain/permission/record"
)

// networkMethods show and steer the peers.
type networkMethods struct{ cfg *Config }

func (n *networkMethods) methods() []*method {
	const area = "Network"
	return []*method{
		{name: "getnetworkinfo", area: area, run: n.getNetworkInfo,
			summary: "Returns the state of the peer-to-peer part.", result: "An object."},
		{name: "getpeerinfo", area: area, run: n.getPeerInfo,
			summary: "Returns the connected peers.", result: "An array of objects."},
		{name: "getconnectioncount", area: area, run: n.getConnectionCount,
			summary: "Returns how many peers are connected.", result: "A number."},
		{
			name: "addnode", area: area, run: n.addNode,
			params: []param{
				{name: "node", want: "string", help: "Where the node is: HOST:PORT or charter://IDENTITY@HOST:PORT."},
				{name: "command", want: `string: "add", "remove" or "onetry"`, help: "Keep a connection up, end that, or try once."},
				{name: "v2transport", want: "boolean", fallback: "true", help: "Not used: there is one transport."},
			},
			summary: "Adds or removes a node to stay connected with.", result: "null.",
		},
		{
			name: "disconnectnode", area: area, run: n.disconnectNode,
			params: []param{
				{name: "address", want: "string", fallback: `"", then nodeid is needed`, help: "HOST:PORT of the peer."},
				{name: "nodeid", want: "number", fallback: "none, then address is needed", help: "The peer's id in getpeerinfo."},
			},
			summary: "Ends the connection with a peer.", result: "null.",
		},
		{
			name: "setnetworkactive", area: area, run: n.setNetworkActive,
			params:  []param{{name: "state", want: "boolean", help: "Whether to have peers."}},
			summary: "Ends all connections and makes none, or allows them again.",
			result:  "The state from now on.",
		},
	}
}

// peers fails where the node has no peer-to-peer part.
func (n *networkMethods) peers() (Peers, error) {
	if n.cfg.Peers == nil {
		return nil, fail(codeP2PDisabled, "Error: Peer-to-peer functionality missing or disabled")
	}
	return n.cfg.Peers, nil
}

type networkInfoJSON struct {
	Version            int           `json:"version"`
	SubVersion         string        `json:"subversion"`
	ProtocolVersion    int           `json:"protocolversion"`
	LocalServices      string        `json:"localservices"`
	LocalServicesNames []string      `json:"localservicesnames"`
	LocalRelay         bool          `json:"localrelay"`
	TimeOffset         int           `json:"timeoffset"`
	NetworkActive      bool          `json:"networkactive"`
	Connections        int           `json:"connections"`
	ConnectionsIn      int           `json:"connections_in"`
	ConnectionsOut     int           `json:"connections_out"`
	Networks           []networkJSON `json:"networks"`
	RelayFee           Amount        `json:"relayfee"`
	IncrementalFee     Amount        `json:"incrementalfee"`
	LocalAddresses     []localJSON   `json:"localaddresses"`
	Warnings           string        `json:"warnings"`
}

type networkJSON struct {
	Name      string `json:"name"`
	Limited   bool   `json:"limited"`
	Reachable bool   `json:"reachable"`
	Proxy     string `json:"proxy"`
	Randomize bool   `json:"proxy_randomize_credentials"`
}

type localJSON struct {
	Address string `json:"address"`
	Port    uint16 `json:"port"`
	Score   int    `json:"score"`
}

func (n *networkMethods) getNetworkInfo(context.Context, *call) (any, error) {
	pool := n.cfg.Mempool.Info()
	out := networkInfoJSON{
		Version:            n.cfg.Version,
		SubVersion:         n.cfg.UserAgent,
		ProtocolVersion:    n.cfg.ProtocolVersion,
		LocalServices:      fmt.Sprintf("%016x", 0),
		LocalServicesNames: []string{},
		LocalRelay:         true,
		Networks:           []networkJSON{},
		RelayFee:           Amount(pool.MinRelayFee),
		IncrementalFee:     Amount(pool.IncrementalFee),
		LocalAddresses:     []localJSON{},
		Warnings:           n.cfg.warnings(),
	}
	p := n.cfg.Peers
	if p == nil {
		return out, nil
	}
	out.NetworkActive = p.Active()
	for _, peer := range p.Peers() {
		out.Connections++
		if peer.Inbound {
			out.ConnectionsIn++
		} else {
			out.ConnectionsOut++
		}
	}
	for _, name := range []string{"ipv4", "ipv6"} {
		out.Networks = append(out.Networks, networkJSON{Name: name, Reachable: true})
	}
	for _, a := range p.LocalAddresses() {
		out.LocalAddresses = append(out.LocalAddresses, localJSON{a.Address, a.Port, 1})
	}
	return out, nil
}

type peerJSON struct {
	ID             int64            `json:"id"`
	Addr           string           `json:"addr"`
	AddrBind       string           `json:"addrbind,omitempty"`
	Identity       string           `json:"identity"`
	Member         string           `json:"member,omitempty"`
	Network        string           `json:"network"`
	Services       string           `json:"services"`
	ServicesNames  []string         `json:"servicesnames"`
	RelayTxes      bool             `json:"relaytxes"`
	LastSend       int64            `json:"lastsend"`
	LastRecv       int64            `json:"lastrecv"`
	LastTx         int64            `json:"last_transaction"`
	LastBlock      int64            `json:"last_block"`
	BytesSent      int64            `json:"bytessent"`
	BytesRecv      int64            `json:"bytesrecv"`
	ConnTime       int64            `json:"conntime"`
	TimeOffset     int64            `json:"timeoffset"`
	PingTime       *realNumber      `json:"pingtime,omitempty"`
	MinPing        *realNumber      `json:"minping,omitempty"`
	PingWait       *realNumber      `json:"pingwait,omitempty"`
	Version        uint32           `json:"version"`
	SubVer         string           `json:"subver"`
	Inbound        bool             `json:"inbound"`
	StartingHeight int32            `json:"startingheight"`
	SyncedHeaders  int32            `json:"synced_headers"`
	SyncedBlocks   int32            `json:"synced_blocks"`
	InFlight       []int32          `json:"inflight"`
	Permissions    []string         `json:"permissions"`
	SentPerMsg     map[string]int64 `json:"bytessent_per_msg"`
	RecvPerMsg     map[string]int64 `json:"bytesrecv_per_msg"`
	ConnectionType string           `json:"connection_type"`
	Transport      string           `json:"transport_protocol_type"`
	SessionID      string           `json:"session_id"`
}

func (n *networkMethods) getPeerInfo(context.Context, *call) (any, error) {
	p, err := n.peers()
	if err != nil {
		return nil, err
	}
	peers := p.Peers()
	slices.SortFunc(peers, func(x, y PeerInfo) int { return int(x.ID - y.ID) })
	out := make([]peerJSON, len(peers))
	for i := range peers {
		out[i] = peer(&peers[i])
		n.membership(&out[i])
	}
	return out, nil
}

func peer(p *PeerInfo) peerJSON {
	return peerJSON{
		ID: p.ID, Addr: p.Address, AddrBind: p.LocalAddress, Identity: p.Identity,
		Network: networkOf(p.Address), Services: fmt.Sprintf("%016x", p.Services), ServicesNames: orEmpty(p.ServiceNames),
		RelayTxes: p.RelaysTx,
		LastSend:  unix(p.LastSend), LastRecv: unix(p.LastReceive), LastTx: unix(p.LastTx), LastBlock: unix(p.LastBlock),
		BytesSent: p.BytesSent, BytesRecv: p.BytesReceived,
		ConnTime: unix(p.Connected), TimeOffset: int64(p.TimeOffset / time.Second),
		PingTime: seconds(p.Ping), MinPing: seconds(p.MinPing), PingWait: seconds(p.PingWait),
		Version: p.Version, SubVer: p.UserAgent, Inbound: p.Inbound,
		StartingHeight: p.StartHeight, SyncedHeaders: p.SyncedHeaders, SyncedBlocks: p.SyncedBlocks,
		InFlight: append([]int32{}, p.InFlight...), Permissions: []string{},
		SentPerMsg: orEmptyMap(p.SentByType), RecvPerMsg: orEmptyMap(p.ReceivedByType),
		ConnectionType: connectionType(p), Transport: p.Transport, SessionID: p.SessionID,
	}
}

// membership names the member that a peer is, and what its key may do in the
// next block, where the chain has members.
func (n *networkMethods) membership(p *peerJSON) {
	g, err := governedNext(n.cfg.Chain)
	if err != nil {
		return
	}
	script, err := g.address.Decode(p.Identity)
	if err != nil {
		return // peers without identity have none that decodes
	}
	if m, _, ok := g.ByIdentity(script); ok {
		p.Member = m.Name
	}
	for perm := range record.Permissions.Each() {
		if g.May(script, perm, g.height) {
			p.Permissions = append(p.Permissions, string(perm.Perm()))
		}
	}
}

func connectionType(p *PeerInfo) string {
	switch {
	case p.Inbound:
		return "inbound"
	case p.Manual:
		return "manual"
	}
	return "outbound-full-relay"
}

// unix is 0 for a moment that never was.
func unix(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

// seconds is nil for a duration that was not measured.
func seconds(d time.Duration) *realNumber {
	if d == 0 {
		return nil
	}
	s := realNumber(d.Seconds())
	return &s
}

func orEmpty(list []string) []string { return append([]string{}, list...) }

func orEmptyMap(m map[string]int64) map[string]int64 {
	if m == nil {
		return map[string]int64{}
	}
	return m
}

func (n *networkMethods) getConnectionCount(context.Context, *call) (any, error) {
	p, err := n.peers()
	if err != nil {
		return nil, err
	}
	return len(p.Peers()), nil
}

func (n *networkMethods) addNode(_ context.Context, c *call) (any, error) {
	node, command := c.text(0, ""), c.text(1, "")
	c.flag(2, true)
	if c.err != nil {
		return nil, c.err
	}
	p, err := n.peers()
	if err != nil {
		return nil, err
	}
	switch command {
	case "add":
		err = p.AddNode(node)
	case "remove":
		err = p.RemoveNode(node)
	case "onetry":
		err = p.Connect(node)
	default:
		return nil, fail(codeMisc, "command is '%.40s', want add, remove or onetry", command)
	}
	return nil, peerError(node, err)
}

// peerError gives Bitcoin Core's codes. What else the peer-to-peer part says is
// about the address: connections are made later.
func peerError(node string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrNodeAdded):
		return fail(codeNodeAdded, "Error: Node already added")
	case errors.Is(err, ErrNodeNotAdded):
		return fail(codeNodeNotAdded, "Error: Node could not be removed. It has not been added previously.")
	case errors.Is(err, ErrNodeNotConnected):
		return fail(codeNotConnected, "Node not found in connected nodes")
	}
	return fail(codeInvalidParam, "node '%.120s': %v", node, err)
}

func (n *networkMethods) disconnectNode(_ context.Context, c *call) (any, error) {
	address, id := c.text(0, ""), c.integer(1, 0, 0, 1<<62)
	if c.err != nil {
		return nil, c.err
	}
	p, err := n.peers()
	if err != nil {
		return nil, err
	}
	switch {
	case address != "" && !c.has(1):
		return nil, peerError(address, p.Disconnect(address))
	case address == "" && c.has(1):
		return nil, peerError(fmt.Sprint(id), p.DisconnectID(id))
	}
	return nil, fail(codeInvalidParams, "Only one of address and nodeid should be provided.")
}

func (n *networkMethods) setNetworkActive(_ context.Context, c *call) (any, error) {
	state := c.flag(0, false)
	if c.err != nil {
		return nil, c.err
	}
	p, err := n.peers()
	if err != nil {
		return nil, err
	}
	p.SetActive(state)
	return p.Active(), nil
}

// networkOf names the kind of address in host:port.
func networkOf(address string) string {
	at, err := netip.ParseAddrPort(address)
	switch {
	case err != nil:
		return "not_publicly_routable"
	case at.Addr().IsLoopback() || at.Addr().IsPrivate():
		return "not_publicly_routable"
	case at.Addr().Unmap().Is4():
		return "ipv4"
	}
	return "ipv6"
}
