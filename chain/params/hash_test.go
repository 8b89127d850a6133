package params

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

// The hashed bytes by hand, as doc.go describes them.
func TestRulesHashBytes(t *testing.T) {
	p := mustLoad(t, `format = 1
name = "ab"
pow.on_demand = true
pow.spacing = 2
[deployments]
bip34 = -1
[[genesis.allocation]]
address = "`+segwitA+`"
amount = 9
[[exception]]
block = "`+strings.Repeat("00", 31)+`0b"
rules = ["taproot", "bip30"]
`)
	pair := func(key, value string) string {
		return fmt.Sprintf("%02x000000%x", len(key), key) + fmt.Sprintf("%02x000000%s", len(value)/2, value)
	}
	const program = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
	preimage := "01000000" +
		pair("deployments.bip34", "ffffffffffffffff") +
		pair("exception", "01000000"+"0b"+strings.Repeat("00", 31)+"02000000"+"05000000"+hex.EncodeToString([]byte("bip30"))+
			"07000000"+hex.EncodeToString([]byte("taproot"))) +
		pair("genesis.allocation", "01000000"+"22000000"+"0020"+program+"0900000000000000") +
		pair("name", "6162") +
		pair("pow.on_demand", "01") +
		pair("pow.spacing", "0200000000000000")
	b, err := hex.DecodeString(preimage)
	if err != nil {
		t.Fatal(err)
	}
	if want := sha256.Sum256(b); p.RulesHash != want {
		t.Errorf("rules hash %x, want %x", p.RulesHash, want)
	}
}

// Each line changes the rules.
func TestRulesHashCommits(t *testing.T) {
	alpha := member("alpha", `"admin"`, [2]string{taprootA, everything})
	permissionedBase := permissioned + alpha
	bases := map[string][]string{
		minimal: {
			"genesis.time = 1", "genesis.version = 1", "genesis.message = \"x\"", "genesis.bits = \"2000ffff\"",
			"genesis.raw = \"" + rawBlock + "\"", "pow.limit = \"2000ffff\"", "pow.algorithm = \"fixed\"", "pow.spacing = 61",
			"pow.timespan = 61", "pow.half_life = 1", "pow.min_difficulty_after = 1", "pow.min_spacing = 1", "pow.max_future = 1",
			"pow.on_demand = true", "subsidy.initial = 0", "subsidy.halving_interval = 0", "subsidy.maturity = 1",
			"limits.block_weight = 3_999_999", "limits.block_sigop_cost = 79_999", "limits.max_money = 2_100_000_000_000_001",
			"deployments.bip34 = 1", "deployments.bip65 = 1", "deployments.bip66 = 1", "deployments.csv = 1",
			"deployments.taproot = 1", "deployments.bip54 = 0", exceptionOf("aa", `"bip16"`), exceptionOf("aa", `"bip30"`),
			exceptionOf("ab", `"bip16"`), exceptionOf("aa", `"bip16", "bip30"`), "permissions.setup_blocks = 1",
			allocationOf(taprootA, 1), allocationOf(taprootA, 2), allocationOf(taprootB, 1),
			allocationOf(taprootA, 1) + allocationOf(taprootB, 1), allocationOf(taprootB, 1) + allocationOf(taprootA, 1),
		},
		permissionedBase: {
			"[permissions]\nrestricted = [\"mine\"]", "[permissions]\nmining_diversity = 0", "[permissions]\nrestart_delay = 7200",
			"[permissions.consensus]\nsend = 1", "[permissions.consensus]\nadmin = 600_000",
			member("beta", `"send"`, [2]string{taprootB, `"send"`}), member("beta", `"send"`, [2]string{taprootC, `"send"`}),
			member("gamma", `"send"`, [2]string{taprootB, `"send"`}), member("beta", `"mine"`, [2]string{taprootB, `"send"`}),
			member("beta", `"send"`, [2]string{taprootB, `"receive"`}),
		},
	}
	seen := make(map[[32]byte]string)
	for base, changes := range bases {
		for _, change := range append(changes, "") {
			file := base + change + "\n"
			if strings.HasPrefix(change, "[permissions]") {
				file = minimal + change + "\nenabled = true\n" + alpha
			}
			p := mustLoad(t, file)
			if other, twice := seen[p.RulesHash]; twice {
				t.Errorf("the same rules hash:\n%s\n%s", file, other)
			}
			seen[p.RulesHash] = file
			if p.Genesis.Raw == nil && !strings.Contains(fmt.Sprintf("%x", p.GenesisBlock.Transactions[0].TxOut[0].PkScript), fmt.Sprintf("%x", p.RulesHash)) {
				t.Errorf("the genesis block does not commit to the rules:\n%s", file)
			}
		}
	}
}

func allocationOf(addr string, amount int) string {
	return fmt.Sprintf("\n[[genesis.allocation]]\naddress = %q\namount = %d\n", addr, amount)
}

// Each line leaves rules and genesis block as they are.
func TestRulesHashIgnores(t *testing.T) {
	base := mustLoad(t, minimal)
	for _, same := range []string{
		"address.bech32_hrp = \"zz\"", "address.p2pkh = 1", "address.coin_type = 5", "network.magic = \"01020304\"",
		"network.default_port = 1", "policy.min_relay_fee = 5", "policy.settle_depth = 9",
		"[[snapshot]]\nheight = 5\ndigest = \"" + strings.Repeat("ab", 32) + "\"",
		"genesis.time = 1_767_225_600", "genesis.bits = 0x207fffff", "pow.spacing = 60", "pow.half_life = 17_280",
		"pow.max_future = 7200", "limits.block_sigop_cost = 80_000", "deployments.bip54 = -1", "pow.on_demand = false",
		"permissions.enabled = false",
		`permissions.restricted = ["send", "mine", "mine", "receive", "connect", "issue", "create"]`,
	} {
		p := mustLoad(t, minimal+same+"\n")
		if p.RulesHash != base.RulesHash || p.GenesisHash != base.GenesisHash {
			t.Errorf("%s changes the chain", same)
		}
	}
}
