package node

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/configs"
)

// Files in a chain's folder by which the command line finds its node.
const (
	chainFileName = "chain.toml" // the chain file the node runs on
	rpcFileName   = "rpc"        // URL of the RPC, one line
)

// LoadChain finds and reads a chain file. ref is the path of a file (it has
// a slash, or ends in .toml), or a name: of a chain that ran in dataDir
// before, or of one that ships with Charter.
func LoadChain(ref, dataDir string) (*params.Params, error) {
	if strings.ContainsAny(ref, `/\`) || strings.HasSuffix(ref, ".toml") {
		data, err := os.ReadFile(ref)
		if err != nil {
			return nil, fmt.Errorf("read the chain file: %w", err)
		}
		return params.Load(data, ref)
	}
	path := filepath.Join(dataDir, ref, chainFileName)
	data, err := os.ReadFile(path)
	if err == nil {
		return params.Load(data, path)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the chain file: %w", err)
	}
	if data, ok := configs.Chain(ref); ok {
		return params.Load(data, ref+".toml")
	}
	return nil, fmt.Errorf("chain %q: there is no %s, and no chain of that name ships with Charter (%s do); name a file, such as ./%s.toml",
		ref, path, strings.Join(configs.Chains(), ", "), ref)
}

// announce writes the files by which the command line finds this node. The
// chain file is kept from the first run on: it is how the folder is known
// to hold this chain.
func (n *Node) announce() error {
	path := n.path(chainFileName)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if err := replaceFile(path, params.Render(n.opts.Params)); err != nil {
			return fmt.Errorf("write the chain file: %w", err)
		}
	}
	if err := replaceFile(n.path(rpcFileName), []byte(n.RPCURL()+"\n")); err != nil {
		return fmt.Errorf("write where the RPC is: %w", err)
	}
	return nil
}

// RPCURL is where the RPC listens.
func (n *Node) RPCURL() string { return n.urlOf("rpclisten") }

// MetricsURL is where metrics and health are; empty when they are off.
func (n *Node) MetricsURL() string { return n.urlOf("metrics") }

func (n *Node) urlOf(name string) string {
	for _, l := range n.http {
		if l.name == name {
			return l.scheme() + "://" + reachable(l.ln.Addr())
		}
	}
	return ""
}

// reachable is an address at which this machine reaches a listener: that of
// a listener on all interfaces is no address to connect to.
func reachable(addr net.Addr) string {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok || !tcp.IP.IsUnspecified() {
		return addr.String()
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(tcp.Port))
}
