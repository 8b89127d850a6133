package params

import (
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// format is the only value of the key format that this version knows.
const format = 1

// Bounds of keys.
const (
	maxSpacing  = 7 * 24 * 3600
	maxSeconds  = 1<<31 - 1
	maxHeight   = 1<<31 - 1
	ppm         = 1_000_000
	majority    = 500_001 // the least share in ppm that is above one half
	maxRawBytes = 8_000_000
	maxMessage  = 80
)

// permissions lists every permission; roles also has manage.
var (
	permissions = []Permission{PermAdmin, PermMine, PermConnect, PermSend, PermReceive, PermActivate, PermIssue, PermCreate}
	roles       = append(slices.Clone(permissions), RoleManage)
)

// schema lists every key of format 1 outside the arrays of tables, in the
// order in which a file is written. It is never modified. A key's default
// must never change; a new key's default must be what was before.
var schema = slices.Concat(
	headKeys(), addressKeys(), networkKeys(), genesisKeys(), powKeys(), subsidyKeys(), limitKeys(),
	deploymentKeys(), permissionKeys(), policyKeys(),
)

func schemaKey(name string) (key, bool) {
	i := slices.IndexFunc(schema, func(k key) bool { return k.name == name })
	if i < 0 {
		return key{}, false
	}
	return schema[i], true
}

// consensus marks keys as part of the rules hash.
func consensus(keys ...key) []key {
	for i := range keys {
		keys[i].hashed = true
	}
	return keys
}

func staged(s stage, k key) key {
	k.stage = s
	return k
}

func always(n int64) func(*Params) int64 { return func(*Params) int64 { return n } }

func headKeys() []key {
	name := words("name", "1 to 32 of a-z, 0-9, dot and hyphen, first a letter or digit", goodName,
		func(p *Params) *string { return &p.Name }, "",
		"The chain's name; nodes keep its data in a folder of that name.")
	return consensus(name)
}

func goodName(s string) bool {
	if s == "" || len(s) > 32 || strings.Trim(s[:1], ".-") == "" {
		return false
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789.-") == ""
}

// goodHRP keeps the longest witness address within 90 characters and the
// separator 1 unambiguous.
func goodHRP(s string) bool {
	return s != "" && len(s) <= 16 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz023456789") == ""
}

func goodMessage(s string) bool {
	return len(s) <= maxMessage && utf8.ValidString(s) && strings.IndexFunc(s, unicode.IsControl) < 0
}

func addressKeys() []key {
	return []key{
		words("address.bech32_hrp", "1 to 16 of a-z and 0-9 without 1", goodHRP,
			func(p *Params) *string { return &p.Address.Bech32HRP }, "chr",
			"First part of segwit and taproot addresses."),
		number("address.p2pkh", 0, 255, func(p *Params) *byte { return &p.Address.P2PKH }, always(28),
			"Prefix bytes of base58 addresses (public key hash, script hash) and private keys."),
		number("address.p2sh", 0, 255, func(p *Params) *byte { return &p.Address.P2SH }, always(88), ""),
		number("address.wif", 0, 255, func(p *Params) *byte { return &p.Address.WIF }, always(156), ""),
		hex32("address.hd_private", func(p *Params) *uint32 { return &p.Address.HDPrivate }, always(0x0488ade4),
			"Version bytes of extended keys (BIP32)."),
		hex32("address.hd_public", func(p *Params) *uint32 { return &p.Address.HDPublic }, always(0x0488b21e), ""),
		number("address.coin_type", 0, 1<<31-1, func(p *Params) *uint32 { return &p.Address.CoinType }, always(1),
			"Coin type in the derivation paths of wallets (BIP44)."),
	}
}

func networkKeys() []key {
	magic := hexBytes("network.magic", "eight hexadecimal digits as text", 4, 4,
		func(p *Params) []byte { return p.Network.Magic[:] },
		func(p *Params, b []byte) { p.Network.Magic = [4]byte(b) },
		func(p *Params) []byte { return p.RulesHash[:4] },
		"Four bytes before each block in exported files. Default: the first four of the rules hash.")
	seeds := key{
		name: "network.seeds", want: "a list of charter://<identity>@host:port/<genesis hash>",
		doc: "Nodes that a new node asks first: charter://<identity>@host:port/<genesis hash>.",
		parse: func(v any) (any, bool) {
			list, ok := v.([]any)
			out := make([]string, len(list))
			for i, e := range list {
				s, isText := e.(string)
				out[i], ok = s, ok && isText
			}
			return out, ok
		},
		text: func(v any) string { return quoteList(v.([]string)) },
		get:  func(p *Params) any { return p.Network.Seeds },
		set:  func(p *Params, v any) { p.Network.Seeds = v.([]string) },
		def:  func(*Params) any { return []string{} },
	}
	return []key{
		staged(last, magic),
		ungrouped(number("network.default_port", 1, 65535, func(p *Params) *uint16 { return &p.Network.DefaultPort }, always(8430),
			"TCP port on which nodes listen for each other.")),
		seeds,
	}
}

// unlessRaw gives a genesis key its default; with genesis.raw the block's
// own value is the default, so that the key says nothing new.
func unlessRaw[T integer](at func(*Params) *T, def func(*Params) int64) func(*Params) int64 {
	return func(p *Params) int64 {
		if p.Genesis.Raw != nil {
			return int64(*at(p))
		}
		return def(p)
	}
}

func genesisKeys() []key {
	raw := hexBytes("genesis.raw", "a whole block in hexadecimal", 1, maxRawBytes,
		func(p *Params) []byte { return p.Genesis.Raw },
		func(p *Params, b []byte) { p.Genesis.Raw = b },
		func(*Params) []byte { return nil },
		"The whole block in hexadecimal, instead of the other keys of this table.")
	blockTime := func(p *Params) *uint32 { return &p.Genesis.Time }
	bits := func(p *Params) *uint32 { return &p.Genesis.Bits }
	version := func(p *Params) *int32 { return &p.Genesis.Version }
	nonce := func(p *Params) *uint32 { return &p.Genesis.Nonce }
	keys := consensus(
		ungrouped(number("genesis.time", 0, 1<<32-1, blockTime, unlessRaw(blockTime, always(1_767_225_600)),
			"Seconds since 1970.")),
		staged(late, hex32("genesis.bits", bits, unlessRaw(bits, func(p *Params) int64 { return int64(p.PoW.Limit) }),
			"Difficulty of the first block in compact form. Default: pow.limit.")),
		number("genesis.version", -1<<31, 1<<31-1, version, unlessRaw(version, always(0x20000000)),
			"Version field of the first block."),
		words("genesis.message", "at most 80 bytes of text without control characters", goodMessage,
			func(p *Params) *string { return &p.Genesis.Message }, "",
			"Stands in the first coinbase."),
		raw,
	)
	// The nonce depends on the rules hash, so it cannot be part of it. The
	// genesis hash covers it.
	work := staged(late, number("genesis.nonce", 0, 1<<32-1, nonce, unlessRaw(nonce, always(0)),
		"Makes the block hash fit bits. Left out, it is searched each time the file is read."))
	return slices.Insert(keys, 2, work)
}

func powKeys() []key {
	algorithms := func(s string) bool {
		return s == string(AlgorithmFixed) || s == string(AlgorithmASERT) || s == string(AlgorithmBitcoin)
	}
	spacing := func(p *Params) int64 { return int64(p.PoW.Spacing / time.Second) }
	return consensus(
		hex32("pow.limit", func(p *Params) *uint32 { return &p.PoW.Limit }, always(0x207fffff),
			"The easiest difficulty in compact form."),
		words("pow.algorithm", "fixed, asert or bitcoin", algorithms,
			func(p *Params) *Algorithm { return &p.PoW.Algorithm }, string(AlgorithmASERT),
			"fixed: always the limit. asert: follows block times after every block\n"+
				"(aserti3-2d). bitcoin: follows them once per timespan."),
		seconds("pow.spacing", 1, maxSpacing, func(p *Params) *time.Duration { return &p.PoW.Spacing }, always(60),
			"Seconds between blocks that the difficulty aims at."),
		seconds("pow.timespan", 1, maxSeconds, func(p *Params) *time.Duration { return &p.PoW.Timespan },
			func(p *Params) int64 { return 2016 * spacing(p) },
			"bitcoin: seconds between changes of difficulty. Default: 2,016 spacings."),
		seconds("pow.half_life", 1, maxSeconds, func(p *Params) *time.Duration { return &p.PoW.HalfLife },
			func(p *Params) int64 { return 288 * spacing(p) },
			"asert: so many seconds behind schedule halve the difficulty. Default: 288\nspacings."),
		seconds("pow.min_difficulty_after", 0, maxSeconds,
			func(p *Params) *time.Duration { return &p.PoW.MinDifficultyAfter }, always(0),
			"A block that is so many seconds late may have the easiest difficulty; 0: never."),
		staged(late, seconds("pow.min_spacing", 0, maxSpacing, func(p *Params) *time.Duration { return &p.PoW.MinSpacing },
			func(p *Params) int64 {
				if p.Permissions.Restricts(PermMine) {
					return spacing(p)
				}
				return 0
			},
			"Least seconds between a block and its parent. Default: spacing where mining is\nrestricted, else 0.")),
		staged(late, seconds("pow.max_future", 1, 24*3600, func(p *Params) *time.Duration { return &p.PoW.MaxFuture },
			func(p *Params) int64 {
				if p.Permissions.Restricts(PermMine) {
					return max(2, min(spacing(p)/2, 60))
				}
				return 7200
			},
			"How many seconds a block may be ahead of a node's clock. Default: 7,200; where\n"+
				"mining is restricted half a spacing, but 2 to 60.")),
		flag("pow.on_demand", func(p *Params) *bool { return &p.PoW.OnDemand },
			"Allow RPCs that mine blocks at once (generatetoaddress)."),
	)
}

func subsidyKeys() []key {
	return consensus(
		number("subsidy.initial", 0, MaxAmount, func(p *Params) *int64 { return &p.Subsidy.Initial }, always(50_0000_0000),
			"What a block may create, in the smallest unit (1 coin has 100,000,000)."),
		number("subsidy.halving_interval", 0, maxHeight, func(p *Params) *int32 { return &p.Subsidy.HalvingInterval },
			always(210_000), "Blocks after which it halves; 0: never."),
		number("subsidy.maturity", 1, 1_000_000, func(p *Params) *int32 { return &p.Subsidy.Maturity }, always(100),
			"Blocks until a mined coin may be spent."),
	)
}

func limitKeys() []key {
	return consensus(
		number("limits.block_weight", 40_000, MaxBlockWeight, func(p *Params) *int64 { return &p.Limits.BlockWeight },
			always(4_000_000), "Most weight of a block (BIP141). Above 4,000,000 bip54 must be 0."),
		number("limits.block_sigop_cost", 400, MaxBlockWeight,
			func(p *Params) *int64 { return &p.Limits.BlockSigOpCost },
			func(p *Params) int64 { return p.Limits.BlockWeight / 50 },
			"Most signature operations of a block. Default: block_weight / 50."),
		number("limits.max_money", 1, MaxAmount, func(p *Params) *int64 { return &p.Limits.MaxMoney },
			always(21_000_000_0000_0000), "Most that an output or a transaction may hold, in the smallest unit."),
	)
}

func deploymentKeys() []key {
	height := func(name string, at func(*Deployments) *int32, def int64, doc string) key {
		return number("deployments."+name, int64(Never), maxHeight,
			func(p *Params) *int32 { return at(&p.Deployments) }, always(def), doc)
	}
	return consensus(
		height("bip16", func(d *Deployments) *int32 { return &d.BIP16 }, 0,
			"Height from which each rule holds; 0: from the first block, -1: never.\nPay to script hash."),
		height("bip34", func(d *Deployments) *int32 { return &d.BIP34 }, 0, "Height in the coinbase."),
		height("bip65", func(d *Deployments) *int32 { return &d.BIP65 }, 0, "OP_CHECKLOCKTIMEVERIFY."),
		height("bip66", func(d *Deployments) *int32 { return &d.BIP66 }, 0, "Strict DER signatures."),
		height("csv", func(d *Deployments) *int32 { return &d.CSV }, 0, "Relative lock times (BIP68, BIP112, BIP113)."),
		height("segwit", func(d *Deployments) *int32 { return &d.Segwit }, 0, "Segregated witness (BIP141, BIP143, BIP147)."),
		height("taproot", func(d *Deployments) *int32 { return &d.Taproot }, 0, "Taproot (BIP340, BIP341, BIP342)."),
		height("bip54", func(d *Deployments) *int32 { return &d.BIP54 }, int64(Never),
			"Consensus clean-up. Off by default, as on Bitcoin's main chain; a new\nchain wants it from the first block."),
	)
}

func permissionKeys() []key {
	keys := []key{
		flag("permissions.enabled", func(p *Params) *bool { return &p.Permissions.Enabled },
			"Members and permissions. false: an open chain, the keys below mean nothing."),
		permissionSet("permissions.restricted", func(p *Params) *[]Permission { return &p.Permissions.Restricted },
			func(p *Params) []Permission { return withGoverning(permissions) },
			"What only members may do that hold the permission; admin and activate are\n"+
				"always among them."),
		number("permissions.setup_blocks", 0, 1_000_000,
			func(p *Params) *int32 { return &p.Permissions.SetupBlocks }, always(0),
			"During so many first blocks one administering member may add others alone."),
		number("permissions.mining_diversity", 0, ppm,
			func(p *Params) *uint32 { return &p.Permissions.MiningDiversity }, always(majority),
			"Share of the mining members, in millionths, that take turns."),
		staged(late, seconds("permissions.restart_delay", 1, maxSeconds,
			func(p *Params) *time.Duration { return &p.Permissions.RestartDelay },
			func(p *Params) int64 { return max(3600, 100*int64(p.PoW.Spacing/time.Second)) },
			"Seconds without a block before administering members may restart the chain\n"+
				"with other miners. Default: 100 spacings, at least an hour.")),
	}
	keys[1].set = func(p *Params, v any) { p.Permissions.Restricted = withGoverning(toPermissions(v.([]string))) }
	for _, s := range consensusShares {
		keys = append(keys, shareKey(s.of, s.least, s.def, s.doc))
	}
	return consensus(keys...)
}

func shareKey(of Permission, least, def int64, doc string) key {
	k := number("permissions.consensus."+string(of), least, ppm, func(*Params) *int64 { return nil }, always(def), doc)
	k.get = func(p *Params) any { return int64(p.Permissions.Consensus[of]) }
	k.set = func(p *Params, v any) {
		if p.Permissions.Consensus == nil {
			p.Permissions.Consensus = make(map[Permission]uint32)
		}
		p.Permissions.Consensus[of] = uint32(v.(int64))
	}
	return k
}

// withGoverning returns the sorted set with admin and activate, which are
// never everybody's.
func withGoverning(list []Permission) []Permission {
	set := append(slices.Clone(list), PermAdmin, PermActivate)
	slices.Sort(set)
	return slices.Compact(set)
}

func policyKeys() []key {
	return []key{
		number("policy.min_relay_fee", 0, MaxAmount, func(p *Params) *int64 { return &p.Policy.MinRelayFee }, always(1000),
			"Least fee rate of a transaction, smallest units per 1,000 virtual bytes."),
		number("policy.dust_relay_fee", 0, MaxAmount, func(p *Params) *int64 { return &p.Policy.DustRelayFee }, always(3000),
			"An output that costs more to spend at this rate than it holds is dust."),
		number("policy.max_data_bytes", 0, MaxTxWeight, func(p *Params) *int { return &p.Policy.MaxDataBytes },
			always(100_000), "Largest data output (OP_RETURN script) that is relayed; 0: none."),
		staged(late, number("policy.settle_depth", 1, 1_000_000, func(p *Params) *int32 { return &p.Policy.SettleDepth },
			func(p *Params) int64 { return max(100, 4*int64(countMining(p.Genesis.Members))) },
			"Confirmations after which a payment counts as settled.")),
		flag("policy.accept_non_standard", func(p *Params) *bool { return &p.Policy.AcceptNonStd },
			"Relay transactions of unusual form."),
		number("policy.mempool_bytes", 1_000_000, 1<<40, func(p *Params) *int64 { return &p.Policy.MempoolBytes },
			always(300_000_000), "Memory for waiting transactions."),
		seconds("policy.mempool_expiry", 60, maxSeconds, func(p *Params) *time.Duration { return &p.Policy.MempoolExpiry },
			always(14*24*3600), "Seconds after which a waiting transaction is forgotten."),
	}
}
