package chaintest

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/chain/permission/seal"
)

// Member is an organisation of a permissioned chain under test, with one key.
type Member struct {
	Name string
	ID   record.MemberID
	Key  *Key // P2TR: it seals, votes, sends and receives
}

// Signer is the private key of the member's identity: it signs seals, and
// what records ask to be signed.
func (m *Member) Signer() *btcec.PrivateKey { return m.Key.Signer() }

// SealKey is the x-only public key in the member's seals.
func (m *Member) SealKey() [32]byte { return seal.KeyOf(m.Signer()) }

// NewMember returns a member with that name and a key of its own, both
// decided by the name. It is on no chain yet.
func NewMember(name string) *Member {
	key := namedKey("member " + name)
	return &Member{Name: name, ID: record.NewMemberID(name, key.Script()), Key: key}
}

// ConsortiumOptions say which permissioned chain to make. The zero value is
// good: alpha, beta and gamma hold admin, all restricted.
type ConsortiumOptions struct {
	// Members of the genesis block, by name, with their permissions separated
	// by spaces: "admin", "mine connect". Every key has all roles but those
	// that its member has no permission for. Nil: see above.
	Members []Genesis

	Restricted  []string // nil: everything
	SetupBlocks int32
	Diversity   int // ppm; 0: the default
	Spacing     int // seconds; 0: 60
	SettleDepth int // 0: the default

	// Permissions, PoW and More are further lines of the chain file: in
	// [permissions], in [pow], and at its end.
	Permissions, PoW, More string

	// Allocation is what each member has from genesis on. 0: 1,000 coins.
	Allocation int64
	Subsidy    int64
}

// Genesis is a member of the genesis block.
type Genesis struct {
	Name        string
	Permissions string
}

// Consortium is a permissioned chain whose keys are all known.
//
//	net := chaintest.NewConsortium(chaintest.ConsortiumOptions{})
//	h := chaintest.New(t, chaintest.Options{Consortium: net})
//	alpha, delta := net.Member("alpha"), chaintest.NewMember("delta")
//	h.Next("b1").Accept()                  // by whose turn it is
//	h.Next("b2", chaintest.By(alpha)).Accept()
//	h.Next("b3", net.Vote([]*Member{alpha}, net.Create(delta, record.Send))).Accept()
type Consortium struct {
	Params  *params.Params
	Members []*Member // of the genesis block, in its order
}

// NewConsortium makes the chain file of a permissioned chain and loads it.
func NewConsortium(o ConsortiumOptions) *Consortium {
	if o.Members == nil {
		o.Members = []Genesis{{"alpha", "admin"}, {"beta", "admin"}, {"gamma", "admin"}}
	}
	c := &Consortium{}
	for _, g := range o.Members {
		c.Members = append(c.Members, NewMember(g.Name))
	}
	c.Params = Params(c.file(o))
	return c
}

func (c *Consortium) file(o ConsortiumOptions) string {
	addr := params.Address{Bech32HRP: "ct"}
	var members, allocations strings.Builder
	allocation := o.Allocation
	if allocation == 0 {
		allocation = 1000_0000_0000
	}
	for i, g := range o.Members {
		identity, ok := addr.Encode(c.Members[i].Key.Script())
		if !ok {
			panic("chaintest: member key has no address")
		}
		roles := append(strings.Fields(g.Permissions), "manage")
		if strings.Contains(g.Permissions, "admin") {
			roles = []string{"admin", "activate", "mine", "connect", "send", "receive", "manage"}
		}
		fmt.Fprintf(&members, "[[genesis.member]]\nname = %q\npermissions = %s\nkeys = [{ identity = %q, roles = %s }]\n",
			g.Name, list(strings.Fields(g.Permissions)), identity, list(roles))
		fmt.Fprintf(&allocations, "[[genesis.allocation]]\naddress = %q\namount = %d\n", identity, allocation)
	}
	permissions := o.Permissions
	if o.Restricted != nil {
		permissions += "\nrestricted = " + list(o.Restricted)
	}
	if o.Diversity != 0 {
		permissions += fmt.Sprintf("\nmining_diversity = %d", o.Diversity)
	}
	policy := ""
	if o.SettleDepth != 0 {
		policy = fmt.Sprintf("[policy]\nsettle_depth = %d\n", o.SettleDepth)
	}
	spacing := o.Spacing
	if spacing == 0 {
		spacing = 60
	}
	return fmt.Sprintf(`format = 1
name = "consortium"
[address]
bech32_hrp = "ct"
[genesis]
time = 1700000000
bits = "207fffff"
message = "chaintest"
%s%s
[pow]
limit = "207fffff"
algorithm = "fixed"
spacing = %d
on_demand = true
%s
[subsidy]
initial = %d
halving_interval = 0
maturity = 1
[deployments]
bip54 = 0
[permissions]
enabled = true
setup_blocks = %d
%s
%s
%s`, allocations.String(), members.String(), spacing, o.PoW, o.Subsidy, o.SetupBlocks, permissions, policy, o.More)
}

func list(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = fmt.Sprintf("%q", w)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// Member returns a member of the genesis block by its name.
func (c *Consortium) Member(name string) *Member {
	for _, m := range c.Members {
		if m.Name == name {
			return m
		}
	}
	panic(fmt.Sprintf("chaintest: no member %q in the genesis block", name))
}

// Funds is the output that the genesis block pays to one of its members.
func (c *Consortium) Funds(m *Member) Output {
	tx := c.Params.GenesisBlock.Transactions[0]
	for i, out := range tx.TxOut {
		if out.Value > 0 && string(out.PkScript) == string(m.Key.Script()) {
			return Output{wire.OutPoint{Hash: tx.TxHash(), Index: uint32(i)}, out.Value}
		}
	}
	panic(fmt.Sprintf("chaintest: the genesis block pays nothing to %s", m.Name))
}

// NewMaker returns a maker of blocks that members seal.
func (c *Consortium) NewMaker() *Maker {
	m := NewMaker(c.Params)
	m.consortium = c
	return m
}

// By makes the member seal the block. Without it, it is one of the genesis
// members whose turn it is: the one that sealed longest ago on the branch.
func By(m *Member) Option { return func(d *Draft) { d.Sealer = m } }

// Unsealed leaves the seal out.
func Unsealed() Option { return func(d *Draft) { d.Unsealed = true } }

// Unchecked seals the block even where its parts do not go together, as those
// of a restart block with further transactions.
func Unchecked() Option { return func(d *Draft) { d.Unchecked = true } }

// Claim makes the coinbase pay to script. Without it, it pays to the sealer.
func Claim(script []byte) Option {
	return func(d *Draft) { d.Coinbase().TxOut[0].PkScript = script; d.claimed = true }
}

// Restart makes the block one that restarts the chain: only miners mine from
// it on, as signers have decided. Its time is the earliest that is allowed.
func Restart(miners, signers []*Member) Option {
	return func(d *Draft) {
		p := d.maker.Params
		parent := d.on.block
		ids := make([]record.MemberID, len(miners))
		for i, m := range miners {
			ids[i] = m.ID
		}
		var sigs []seal.Signature
		for _, m := range signers {
			sig, err := seal.SignRestart(p.GenesisHash, parent.Hash, ids, m.ID, m.Signer(), [32]byte{})
			if err != nil {
				panic(fmt.Sprintf("chaintest: sign a restart: %v", err))
			}
			sigs = append(sigs, sig)
		}
		cert, err := seal.NewCertificate(parent.Hash, ids, sigs)
		if err != nil {
			panic(fmt.Sprintf("chaintest: %v", err))
		}
		d.Coinbase().AddTxOut(wire.NewTxOut(0, cert.Script()))
		d.Block.Header.Timestamp = parent.Header.Timestamp.Add(p.Permissions.RestartDelay)
		if d.Sealer == nil && len(miners) > 0 {
			d.Sealer = miners[0]
		}
	}
}

// turn returns the genesis member that sealed longest ago below a block.
func (c *Consortium) turn(on *made) *Member {
	left := make(map[*Member]bool, len(c.Members))
	for _, m := range c.Members {
		left[m] = c.mines(m)
	}
	last := c.Members[0]
	for at := on; at != nil; at = at.parent {
		if left[at.sealer] {
			delete(left, at.sealer)
			last = at.sealer
		}
	}
	for _, m := range c.Members { // those that never sealed, in order
		if left[m] {
			return m
		}
	}
	return last
}

func (c *Consortium) mines(m *Member) bool {
	for i := range c.Params.Genesis.Members {
		if g := &c.Params.Genesis.Members[i]; g.Name == m.Name {
			return g.May(params.PermMine)
		}
	}
	return false
}

// sealDraft names who makes the block, and pays to him. It runs before the
// merkle root is computed.
func (d *Draft) sealDraft() {
	c := d.maker.consortium
	if c == nil {
		return
	}
	if d.Sealer == nil {
		d.Sealer = c.turn(d.on)
	}
	if !d.claimed {
		d.Coinbase().TxOut[0].PkScript = d.Sealer.Key.Script()
	}
	if !d.Unsealed && c.Params.Permissions.Restricts(params.PermMine) {
		seal.AppendPlaceholder(d.Coinbase())
	}
}

// sealBlock fills in the seal. Everything but the nonce is final.
func (d *Draft) sealBlock() {
	c := d.maker.consortium
	if c == nil || d.Unsealed || !c.Params.Permissions.Restricts(params.PermMine) {
		return
	}
	if err := seal.SealBlock(c.Params.GenesisHash, d.Block, d.Height, d.Sealer.Signer()); err != nil && !d.Unchecked {
		panic(fmt.Sprintf("chaintest: %v", err))
	}
}

// Signer is the private key of a P2TR output, as it signs for the output.
func (k *Key) Signer() *btcec.PrivateKey { return txscript.TweakTaprootPrivKey(*k.priv, nil) }

func namedKey(name string) *Key {
	seed := chainhash.HashB([]byte(name))
	priv, _ := btcec.PrivKeyFromBytes(seed)
	k := &Key{priv: priv, kind: P2TR}
	k.script = k.makeScript()
	return k
}

// String names the member and its id.
func (m *Member) String() string { return m.Name + " (" + hex.EncodeToString(m.ID[:]) + ")" }

// Sealed is the header of a block with its proof.
func Sealed(b *consensus.Block) chain.SealedHeader {
	proof := seal.ProofOf(b)
	return chain.SealedHeader{Header: b.Header, Proof: &proof}
}

// Headers are the headers of named blocks with their proofs.
func (h *Harness) Headers(names ...string) []chain.SealedHeader {
	h.t.Helper()
	list := make([]chain.SealedHeader, len(names))
	for i, name := range names {
		list[i] = Sealed(h.Block(name))
	}
	return list
}

// Variant makes a block that differs from the named one in its nonce only: the
// seal signs the same. The next block stands on it.
func (h *Harness) Variant(name, of string) *Step {
	h.t.Helper()
	on := h.blocks[h.Block(of).Hash]
	msg := on.block.Msg()
	msg.Header.Nonce++
	Solve(&msg.Header)
	b := consensus.NewBlock(msg)
	h.blocks[b.Hash] = &made{block: b, parent: on.parent, height: on.height, sealer: on.sealer}
	h.named[name], h.names[b.Hash] = b, name
	h.at = b.Hash
	return &Step{h: h, Block: b, name: name}
}
