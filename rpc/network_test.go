package rpc

import (
	"errors"
	"testing"
	"time"
)

func TestNetwork(t *testing.T) {
	f := newFixture(t)
	f.pool.info = PoolInfo{MinRelayFee: 100, IncrementalFee: 10}
	at := time.Unix(1700000000, 0)
	f.peers.list = []PeerInfo{
		{ID: 2, Address: "8.8.8.8:8430", Inbound: true, Version: 1, UserAgent: "/Charter:0.1.0/", SyncedHeaders: -1, SyncedBlocks: -1},
		{ID: 1, Address: "127.0.0.1:8430", LocalAddress: "127.0.0.1:5000", Identity: "ct1p", Manual: true, RelaysTx: true,
			LastSend: at, LastReceive: at.Add(time.Second), Connected: at, BytesSent: 10, BytesReceived: 20,
			SentByType: map[string]int64{"ping": 10}, Ping: 1500 * time.Microsecond, MinPing: time.Millisecond,
			Version: 1, StartHeight: 3, SyncedHeaders: 5, SyncedBlocks: 4, InFlight: []int32{6}, Transport: "charter/1"},
	}
	f.peers.local = []LocalAddress{{"node.example", 8430}}
	f.expect("getnetworkinfo", `[]`, `{"version": 100, "subversion": "/Charter:0.1.0/", "protocolversion": 1,
		"localservices": "0000000000000000", "localservicesnames": [], "localrelay": true, "timeoffset": 0, "networkactive": true,
		"connections": 2, "connections_in": 1, "connections_out": 1,
		"networks": [{"name": "ipv4", "limited": false, "reachable": true, "proxy": "", "proxy_randomize_credentials": false},
			{"name": "ipv6", "limited": false, "reachable": true, "proxy": "", "proxy_randomize_credentials": false}],
		"relayfee": 0.00000100, "incrementalfee": 0.00000010, "localaddresses": [{"address": "node.example", "port": 8430, "score": 1}], "warnings": ""}`)
	f.expect("getconnectioncount", `[]`, `2`)
	f.expect("getpeerinfo", `[]`, `[
		{"id": 1, "addr": "127.0.0.1:8430", "addrbind": "127.0.0.1:5000", "identity": "ct1p", "network": "not_publicly_routable",
			"services": "0000000000000000", "servicesnames": [], "relaytxes": true, "lastsend": 1700000000, "lastrecv": 1700000001,
			"last_transaction": 0, "last_block": 0, "bytessent": 10, "bytesrecv": 20, "conntime": 1700000000, "timeoffset": 0,
			"pingtime": 0.0015, "minping": 0.001, "version": 1, "subver": "", "inbound": false, "startingheight": 3,
			"synced_headers": 5, "synced_blocks": 4, "inflight": [6], "permissions": [], "bytessent_per_msg": {"ping": 10},
			"bytesrecv_per_msg": {}, "connection_type": "manual", "transport_protocol_type": "charter/1", "session_id": ""},
		{"id": 2, "addr": "8.8.8.8:8430", "identity": "", "network": "ipv4",
			"services": "0000000000000000", "servicesnames": [], "relaytxes": false, "lastsend": 0, "lastrecv": 0,
			"last_transaction": 0, "last_block": 0, "bytessent": 0, "bytesrecv": 0, "conntime": 0, "timeoffset": 0,
			"version": 1, "subver": "/Charter:0.1.0/", "inbound": true, "startingheight": 0,
			"synced_headers": -1, "synced_blocks": -1, "inflight": [], "permissions": [], "bytessent_per_msg": {},
			"bytesrecv_per_msg": {}, "connection_type": "inbound", "transport_protocol_type": "", "session_id": ""}]`)
	f.expect("setnetworkactive", `[false]`, `false`)
	f.expect("setnetworkactive", `[true]`, `true`)
}

func TestPeerCommands(t *testing.T) {
	f := newFixture(t)
	for _, c := range []struct{ method, params, want string }{
		{"addnode", `["n:1", "add"]`, "add n:1"},
		{"addnode", `["n:1", "remove"]`, "remove n:1"},
		{"addnode", `["n:1", "onetry", true]`, "connect n:1"},
		{"disconnectnode", `["n:1"]`, "disconnect n:1"},
		{"disconnectnode", `["", 4]`, "disconnect by id"},
		{"disconnectnode", `{"nodeid": 4}`, "disconnect by id"},
	} {
		f.peers.err = nil
		f.expect(c.method, c.params, `null`)
		if f.peers.called != c.want {
			t.Errorf("%s%s: %s", c.method, c.params, f.peers.called)
		}
		for err, code := range map[error]int{
			ErrNodeAdded: codeNodeAdded, ErrNodeNotAdded: codeNodeNotAdded, ErrNodeNotConnected: codeNotConnected,
			errors.New("no such host"): codeInvalidParam,
		} {
			f.peers.err = err
			f.fails(c.method, c.params, code, "")
		}
	}
	f.fails("addnode", `["n:1", "marry"]`, codeMisc, "command is 'marry', want add, remove or onetry")
	f.fails("disconnectnode", `["n:1", 4]`, codeInvalidParams, "Only one of address and nodeid should be provided.")
	f.fails("disconnectnode", `[]`, codeInvalidParams, "Only one of")
}
