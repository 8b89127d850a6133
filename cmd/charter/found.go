package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/btcsuite/btcd/btcec/v2"

	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/node/keyfile"
	"github.com/charterchain/charter/wallet"
)

// The names of key files in a chain's folder.
const (
	nodeKeyFile  = "node.key"
	minerKeyFile = "miner.key"
)

// founderJSON is what charter init --json prints of the first member.
type founderJSON struct {
	Name     string `json:"name"`
	ID       string `json:"id"`
	Folder   string `json:"folder"`           // of keys and chain file
	Wallet   string `json:"wallet,omitempty"` // folder
	Mnemonic string `json:"mnemonic,omitempty"`
	Identity string `json:"identity"` // addresses
	Node     string `json:"node"`
	Miner    string `json:"miner"`
}

// founding is a chain with members on its way.
type founding struct {
	e      *env
	f      *initFlags
	spec   params.PermissionedOptions // without members and their coins
	supply wallet.Amount
	dir    string         // <datadir>/NAME
	chain  *params.Params // made; before, one with other keys that is otherwise the same

	identity, node, miner string // addresses
	wallet                string // folder; "": elsewhere
	mnemonic              string // of a wallet that was made
}

// found makes a chain with members: first everything is checked, then the
// keys are made that are not there yet, the chain file last.
func found(ctx context.Context, e *env, o params.OpenOptions, f *initFlags) error {
	x := &founding{e: e, f: f}
	if err := x.check(o); err != nil {
		return err
	}
	if err := x.makeKeys(ctx); err != nil {
		return err
	}
	if err := x.build(); err != nil {
		return err
	}
	text := params.Render(x.chain)
	if err := writeChainFile(f.out, text, f.force); err != nil {
		return err
	}
	if err := writeChainFile(filepath.Join(x.dir, "chain.toml"), text, true); err != nil {
		return err
	}
	if e.flags.json {
		result := describeChain(x.chain, f.out)
		result.Founder = x.describe()
		return e.printJSON(result)
	}
	return x.print()
}

// check finds what is wrong before anything is made: with placeholders for
// the keys the chain has to be one already.
func (x *founding) check(o params.OpenOptions) error {
	var err error
	if x.supply, err = wallet.ParseAmount(x.f.supply); err != nil {
		return usagef("--supply: %w", err)
	}
	if x.e.flags.dev {
		return usagef("--dev is the chain that charterd dev makes: leave it out")
	}
	x.spec = params.PermissionedOptions{OpenOptions: o, SetupBlocks: x.f.setupBlocks}
	if len(x.f.restrict) > 0 {
		if _, err := parsePermissions(strings.Join(x.f.restrict, ",")); err != nil {
			return err
		}
		for _, p := range x.f.restrict {
			x.spec.Restricted = append(x.spec.Restricted, params.Permission(strings.TrimSpace(p)))
		}
	}
	prefix, err := params.NewOpen(params.OpenOptions{Name: o.Name, HRP: o.HRP, OnDemand: true})
	if err != nil {
		return &usageError{err}
	}
	x.identity = x.f.identity
	for i, address := range []*string{&x.identity, &x.node, &x.miner} {
		if *address == "" {
			key := btcec.PrivKeyFromScalar(new(btcec.ModNScalar).SetInt(uint32(i + 1)))
			*address, _ = prefix.Address.Encode(keyfile.Script(key))
		}
	}
	if err := x.build(); err != nil {
		return &usageError{err}
	}
	return x.checkPlace(o.Name)
}

// checkPlace finds the chain's folder, and refuses one that holds a chain.
func (x *founding) checkPlace(name string) error {
	base, err := x.e.baseDir()
	if err != nil {
		return err
	}
	x.dir = filepath.Join(base, name)
	for _, data := range []string{"blocks", "index", "chainstate"} {
		if _, err := os.Lstat(filepath.Join(x.dir, data)); err == nil {
			return fmt.Errorf("%s holds the data of a chain of that name: choose another name or --datadir, or move the folder away", x.dir)
		}
	}
	for _, path := range []string{filepath.Join(x.dir, "chain.toml"), x.f.out} {
		if _, err := os.Lstat(path); err == nil && !x.f.force {
			return fmt.Errorf("%s exists: choose another name, --datadir or --out, or replace it with --force (that makes another chain; keys and wallets stay)", path)
		}
	}
	return nil
}

// build makes the chain of the keys that are known.
func (x *founding) build() (err error) {
	spec := x.spec
	if x.supply > 0 {
		own := params.Allocation{Address: x.identity, Amount: int64(x.supply)}
		spec.Allocations = append([]params.Allocation{own}, spec.Allocations...)
	}
	spec.Members = []params.Member{{
		Name:        x.f.founder,
		Permissions: []params.Permission{params.PermAdmin},
		Keys: []params.MemberKey{
			{Identity: x.identity, Roles: []params.Permission{params.PermAdmin, params.PermActivate, params.RoleManage, params.PermSend, params.PermReceive}},
			{Identity: x.node, Roles: []params.Permission{params.PermConnect}},
			{Identity: x.miner, Roles: []params.Permission{params.PermMine}},
		},
	}}
	x.chain, err = params.NewPermissioned(spec)
	return err
}

// makeKeys makes the founder's wallet and key files, and leaves alone those
// that are there.
func (x *founding) makeKeys(ctx context.Context) error {
	x.e.flags.chain, x.e.chain = x.chain.Name, x.chain
	if x.f.identity == "" {
		if err := x.openWallet(ctx); err != nil {
			return err
		}
	}
	err := os.MkdirAll(x.dir, 0o700)
	if err != nil {
		return err
	}
	if x.node, err = x.keyAddress(nodeKeyFile); err == nil {
		x.miner, err = x.keyAddress(minerKeyFile)
	}
	return err
}

func (x *founding) keyAddress(name string) (string, error) {
	key, err := keyfile.LoadOrCreate(filepath.Join(x.dir, name), x.e.rand)
	if err != nil {
		return "", err
	}
	defer key.Zero()
	address, _ := x.chain.Address.Encode(keyfile.Script(key))
	return address, nil
}

// openWallet takes the first address of the founder's wallet, which it makes
// if there is none.
func (x *founding) openWallet(ctx context.Context) error {
	cfg, err := x.e.walletConfig(&x.f.walletFlags)
	if err != nil {
		return err
	}
	cfg.Chain = wallet.Chain{Address: x.chain.Address} // the chain is yet to come
	x.wallet = cfg.Dir
	w, err := wallet.Open(cfg)
	if errors.Is(err, wallet.ErrNone) {
		return x.createWallet(ctx, cfg)
	}
	if err != nil {
		return err
	}
	x.identity, err = w.FirstAddress()
	return errors.Join(err, w.Close())
}

func (x *founding) createWallet(ctx context.Context, cfg wallet.Config) error {
	pass, err := x.e.passphrase(ctx, &x.f.walletFlags, true)
	if err != nil {
		return err
	}
	defer clear(pass)
	w, err := wallet.Create(cfg, pass)
	if err != nil {
		return err
	}
	x.identity, x.mnemonic = w.Address, w.Mnemonic
	if !x.e.flags.json {
		err = x.e.printCreated(w, cfg.Dir)
		fmt.Fprintln(x.e.stdout)
	}
	return errors.Join(err, w.Close())
}

func (x *founding) id() record.MemberID {
	script, err := x.chain.Address.Decode(x.identity)
	if err != nil {
		panic("charter: an address of the chain's own: " + err.Error())
	}
	return record.NewMemberID(x.f.founder, script)
}

func (x *founding) describe() *founderJSON {
	return &founderJSON{
		Name: x.f.founder, ID: x.id().String(), Folder: x.dir, Wallet: x.wallet, Mnemonic: x.mnemonic,
		Identity: x.identity, Node: x.node, Miner: x.miner,
	}
}

// print says what was made and what to do next.
func (x *founding) print() error {
	who := "the wallet " + x.wallet
	if x.wallet == "" {
		who = "--identity"
	}
	restricted := "members only"
	if x.spec.Restricted != nil {
		restricted = "members only as to " + strings.Join(x.f.restrict, ", ")
	}
	_, err := fmt.Fprintf(x.e.stdout, `Wrote %[1]s: chain %[2]s, for %[3]s.
Genesis block %[4]v
Addresses start with %[5]s1.

The member %[6]s holds every permission and %[7]s coins. Its keys:
  %[8]s  %[9]s: admin, activate, manage, send, receive
  %[10]s  %[11]s: connect
  %[12]s  %[13]s: mine

Next:
  charterd --chain %[2]s%[14]s --mine
      starts the node of %[6]s, which makes the blocks
  charter --chain %[2]s%[14]s join --show
      prints the line by which others join, once the node runs
  charter --chain %[2]s%[14]s member list
      shows the members
`, x.f.out, x.chain.Name, restricted, x.chain.GenesisHash, x.chain.Address.Bech32HRP,
		x.f.founder, x.f.supply, x.identity, who,
		x.node, filepath.Join(x.dir, nodeKeyFile), x.miner, filepath.Join(x.dir, minerKeyFile), x.e.datadirFlag())
	return err
}

// datadirFlag repeats --datadir for a command line that is shown.
func (e *env) datadirFlag() string {
	if e.flags.datadir == "" {
		return ""
	}
	return " --datadir " + shellQuote(e.flags.datadir)
}
