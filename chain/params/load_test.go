package params

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// faults loads a file that must not load.
func faults(t *testing.T, file string) []Fault {
	t.Helper()
	p, err := Load([]byte(file), "test.toml")
	var bad *FileError
	if !errors.As(err, &bad) || p != nil {
		t.Fatalf("loaded as %v, error %v:\n%s", p, err, file)
	}
	if len(bad.Faults) == 0 {
		t.Fatal("an error without faults")
	}
	return bad.Faults
}

// reports says whether one of the faults is about key and says text.
func reports(list []Fault, key, text string) bool {
	for _, f := range list {
		if f.Key == key && strings.Contains(f.String(), text) {
			return true
		}
	}
	return false
}

func TestMinimalFile(t *testing.T) {
	p := mustLoad(t, minimal)
	want := PoW{
		Limit: 0x207fffff, LimitTarget: p.PoW.LimitTarget, Algorithm: AlgorithmASERT,
		Spacing: time.Minute, Timespan: 2016 * time.Minute, HalfLife: 288 * time.Minute, MaxFuture: 2 * time.Hour,
	}
	if diff := cmp.Diff(want, p.PoW, cmp.Comparer(func(a, b interface{ String() string }) bool { return a.String() == b.String() })); diff != "" {
		t.Error(diff)
	}
	if p.Permissions.Enabled || p.Deployments != (Deployments{BIP54: Never}) || p.Subsidy != (Subsidy{50_0000_0000, 210_000, 100}) {
		t.Errorf("%+v", p)
	}
}

// The defaults of format 1 are part of every chain: this hash never changes.
func TestDefaultsAreFrozen(t *testing.T) {
	p := mustLoad(t, minimal)
	const rules = "c877a24e360bd43b9a164e86eddb63c4f28d24850670578ccee7b973e5712173"
	const genesis = "4c7df815799881ab19ac2245f4f0cd6952ca9d18a9b847fb347ee5322a7786e4"
	if got := hex.EncodeToString(p.RulesHash[:]); got != rules {
		t.Errorf("rules hash %s, want %s", got, rules)
	}
	if got := p.GenesisHash.String(); got != genesis {
		t.Errorf("genesis hash %s, want %s", got, genesis)
	}
}

func TestAllFaultsAtOnce(t *testing.T) {
	const file = `format = 1
[pow]
spacing = 0
limit = "zz"
spacin = 4
[[genesis.allocation]]
amount = 5
foo = 1
[address]
p2pkh = "x"
[unknown]
a = 1
[[exception]]
block = "00"
rules = ["bip16", "bip34"]
[genesis.member]
`
	_, err := Load([]byte(file), "acme.toml")
	const want = `chain file acme.toml: 11 faults
  line 3: pow.spacing: is 0; must be seconds, a whole number from 1 to 604,800
  line 4: pow.limit: is "zz"; must be eight hexadecimal digits as text, or a whole number from 0 to 4,294,967,295
  line 5: pow.spacin: is not a key of a chain file; did you mean pow.spacing?
  line 6: genesis.allocation[0].address: is missing; must be an address of this chain
  line 8: genesis.allocation[0].foo: is not a key of this table
  line 10: address.p2pkh: is "x"; must be whole number from 0 to 255
  line 11: unknown: is not a key of a chain file
  line 14: exception[0].block: is "00"; must be 64 hexadecimal digits
  line 15: exception[0].rules: is ["bip16", "bip34"]; must be a list of bip16, bip30, taproot
  line 16: genesis.member: must be an array of tables: [[genesis.member]]
  name: is missing; must be 1 to 32 of a-z, 0-9, dot and hyphen, first a letter or digit`
	if err == nil {
		t.Fatal("loaded")
	}
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Error(diff)
	}
}

// Each number is accepted at its bounds and refused one beyond.
func TestBoundsOfNumbers(t *testing.T) {
	bounds := map[string][2]int64{
		"address.p2pkh":                  {0, 255},
		"address.p2sh":                   {0, 255},
		"address.wif":                    {0, 255},
		"address.hd_private":             {0, math.MaxUint32},
		"address.hd_public":              {0, math.MaxUint32},
		"address.coin_type":              {0, math.MaxInt32},
		"network.default_port":           {1, 65535},
		"genesis.time":                   {0, math.MaxUint32},
		"genesis.bits":                   {0, math.MaxUint32},
		"genesis.nonce":                  {0, math.MaxUint32},
		"genesis.version":                {math.MinInt32, math.MaxInt32},
		"pow.limit":                      {0, math.MaxUint32},
		"pow.spacing":                    {1, 604_800},
		"pow.timespan":                   {1, math.MaxInt32},
		"pow.half_life":                  {1, math.MaxInt32},
		"pow.min_difficulty_after":       {0, math.MaxInt32},
		"pow.min_spacing":                {0, 604_800},
		"pow.max_future":                 {1, 86_400},
		"subsidy.initial":                {0, 1<<62 - 1},
		"subsidy.halving_interval":       {0, math.MaxInt32},
		"subsidy.maturity":               {1, 1_000_000},
		"limits.block_weight":            {40_000, 64_000_000},
		"limits.block_sigop_cost":        {400, 64_000_000},
		"limits.max_money":               {1, 1<<62 - 1},
		"deployments.bip16":              {-1, math.MaxInt32},
		"deployments.bip34":              {-1, math.MaxInt32},
		"deployments.bip65":              {-1, math.MaxInt32},
		"deployments.bip66":              {-1, math.MaxInt32},
		"deployments.csv":                {-1, math.MaxInt32},
		"deployments.segwit":             {-1, math.MaxInt32},
		"deployments.taproot":            {-1, math.MaxInt32},
		"deployments.bip54":              {-1, math.MaxInt32},
		"permissions.setup_blocks":       {0, 1_000_000},
		"permissions.mining_diversity":   {0, 1_000_000},
		"permissions.restart_delay":      {1, math.MaxInt32},
		"permissions.consensus.admin":    {500_001, 1_000_000},
		"permissions.consensus.mine":     {500_001, 1_000_000},
		"permissions.consensus.key":      {500_001, 1_000_000},
		"permissions.consensus.activate": {0, 1_000_000},
		"permissions.consensus.connect":  {0, 1_000_000},
		"permissions.consensus.send":     {0, 1_000_000},
		"permissions.consensus.receive":  {0, 1_000_000},
		"permissions.consensus.issue":    {0, 1_000_000},
		"permissions.consensus.create":   {0, 1_000_000},
		"policy.min_relay_fee":           {0, 1<<62 - 1},
		"policy.dust_relay_fee":          {0, 1<<62 - 1},
		"policy.max_data_bytes":          {0, 4_000_000},
		"policy.settle_depth":            {1, 1_000_000},
		"policy.mempool_bytes":           {1_000_000, 1 << 40},
		"policy.mempool_expiry":          {60, math.MaxInt32},
	}
	for _, k := range schema {
		limits, ok := bounds[k.name]
		if _, isNumber := k.get(mustLoad(t, minimal)).(int64); ok != isNumber {
			t.Errorf("%s: a number %v, in this table %v", k.name, isNumber, ok)
		}
		if !ok {
			continue
		}
		for n, want := range map[int64]bool{limits[0] - 1: false, limits[0]: true, limits[1]: true, limits[1] + 1: false} {
			_, err := Load([]byte(fmt.Sprintf("format = 1\nname = \"test\"\n%s = %d\n", k.name, n)), "")
			var bad *FileError
			refused := errors.As(err, &bad) && reports(bad.Faults, k.name, fmt.Sprintf("is %d; must be", n))
			if refused == want {
				t.Errorf("%s = %d: accepted %v, want %v (%v)", k.name, n, !refused, want, err)
			}
		}
	}
}

func TestFaultsOfOneKey(t *testing.T) {
	tests := []struct{ name, file, key, says string }{
		{"no format", `name = "x"`, "format", "is missing; must be 1"},
		{"format 0", "format = 0\nname = \"x\"", "format", "is no format number"},
		{"format 2", "format = 2\nname = \"x\"", "format", "use a newer version"},
		{"format text", "format = \"1\"\nname = \"x\"", "format", "is no format number"},
		{"no name", "format = 1", "name", "is missing"},
		{"empty name", "format = 1\nname = \"\"", "name", `is ""`},
		{"name with a slash", "format = 1\nname = \"../x\"", "name", "must be 1 to 32"},
		{"name with a dot first", "format = 1\nname = \".x\"", "name", "must be 1 to 32"},
		{"name of 33", "format = 1\nname = \"" + strings.Repeat("x", 33) + "\"", "name", "must be 1 to 32"},
		{"twice", minimal + "name = \"y\"", "name", "already defined"},
		{"syntax", minimal + "[pow]\nspacing = = 3", "pow.spacing", "line 4"},
		{"number too large", minimal + "pow.spacing = 99999999999999999999", "pow.spacing", "seconds, a whole number from 1"},
		{"number as text", minimal + `pow.spacing = "60"`, "pow.spacing", `is "60"`},
		{"fraction", minimal + "pow.spacing = 1.5", "pow.spacing", "is 1.5"},
		{"date", minimal + "genesis.time = 2026-01-01", "genesis.time", "is 2026-01-01"},
		{"list", minimal + "pow.spacing = [1]", "pow.spacing", "is a list of 1"},
		{"table for a key", minimal + "[pow.spacing]\nx = 1", "pow.spacing", "is a table"},
		{"key for a table", minimal + "pow = 1", "pow", "must be a table: [pow]"},
		{"not an array", minimal + "exception = 1", "exception", "[[exception]]"},
		{"array of numbers", minimal + "snapshot = [1]", "snapshot[0]", "must be a table"},
		{"flag", minimal + "pow.on_demand = 1", "pow.on_demand", "must be true or false"},
		{"algorithm", minimal + `pow.algorithm = "sha"`, "pow.algorithm", "fixed, asert or bitcoin"},
		{"unknown in the root", minimal + "nam = 1", "nam", "did you mean name?"},
		{"key of another table", minimal + "[pow]\nblock_weight = 1", "pow.block_weight", "did you mean limits.block_weight?"},
		{"hrp with 1", minimal + `address.bech32_hrp = "a1"`, "address.bech32_hrp", "without 1"},
		{"hrp in capitals", minimal + `address.bech32_hrp = "AB"`, "address.bech32_hrp", "a-z"},
		{"hrp of 17", minimal + `address.bech32_hrp = "` + strings.Repeat("a", 17) + `"`, "address.bech32_hrp", "1 to 16"},
		{"magic of 3 bytes", minimal + `network.magic = "aabbcc"`, "network.magic", "eight hexadecimal digits"},
		{"bits of 7 digits", minimal + `pow.limit = "207ffff"`, "pow.limit", "eight hexadecimal digits"},
		{"message too long", minimal + `genesis.message = "` + strings.Repeat("x", 81) + `"`, "genesis.message", "at most 80 bytes"},
		{"message of two lines", minimal + `genesis.message = "a\nb"`, "genesis.message", "control characters"},
		{"limit zero", minimal + "pow.limit = 0", "pow.limit", "is no target"},
		{"limit negative", minimal + `pow.limit = "20800000"`, "pow.limit", "is no target"},
		{"limit too large", minimal + `pow.limit = "2200ffff"`, "pow.limit", "is no target"},
		{"bits easier than the limit", minimal + "pow.limit = \"2000ffff\"\ngenesis.bits = \"207fffff\"", "genesis.bits", "easier than pow.limit"},
		{"bits not fixed", minimal + "pow.algorithm = \"fixed\"\ngenesis.bits = \"2000ffff\"", "genesis.bits", "every block has pow.limit"},
		{"bits too hard", minimal + `genesis.bits = "1d00ffff"`, "genesis.bits", "too many to search genesis.nonce"},
		{"nonce that does not fit", minimal + "genesis.bits = \"1d00ffff\"\ngenesis.nonce = 0", "genesis.nonce", "does not meet bits"},
		{"timespan", minimal + "pow.algorithm = \"bitcoin\"\npow.timespan = 61", "pow.timespan", "not a multiple"},
		{"timespan of one block", minimal + "pow.algorithm = \"bitcoin\"\npow.timespan = 60", "pow.timespan", "2 or more"},
		{"min_spacing", minimal + "pow.min_spacing = 61", "pow.min_spacing", "more than pow.spacing"},
		{"subsidy", minimal + "limits.max_money = 1", "subsidy.initial", "more than limits.max_money"},
		{"sigops", minimal + "limits.block_sigop_cost = 4_000_001", "limits.block_sigop_cost", "more than limits.block_weight"},
		{"segwit without bip16", minimal + "deployments.bip16 = 5", "deployments.segwit", "needs bip16"},
		{"taproot without segwit", minimal + "deployments.segwit = -1", "deployments.taproot", "needs segwit"},
		{"large blocks without bip54", minimal + "limits.block_weight = 4_000_001", "limits.block_weight", "bip54 must be 0"},
		{"prefixes", minimal + "address.p2sh = 28", "address.p2sh", "told apart"},
		{"versions", minimal + "address.hd_public = 0x0488ade4", "address.hd_public", "told apart"},
		{"exception twice", minimal + exceptionOf("aa", `"bip16"`) + exceptionOf("aa", `"bip30"`), "exception[1].block", "already"},
		{"exception of nothing", minimal + exceptionOf("aa", ""), "exception[0].rules", "is empty"},
		{"snapshot digest", minimal + "[[snapshot]]\nheight = 1\ndigest = \"00\"", "snapshot[0].digest", "64 hexadecimal"},
		{"snapshot height", minimal + "[[snapshot]]\nheight = 0\ndigest = \"" + strings.Repeat("00", 32) + "\"", "snapshot[0].height", "from 1"},
		{"unknown permission", minimal + `permissions.restricted = ["mime"]`, "permissions.restricted", "admin, mine, connect"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			list := faults(t, tt.file)
			if !reports(list, tt.key, tt.says) {
				t.Errorf("faults %v; want %s: …%s…", list, tt.key, tt.says)
			}
			if len(list) != 1 {
				t.Errorf("%d faults for one mistake: %v", len(list), list)
			}
		})
	}
}

func exceptionOf(digits, rules string) string {
	return fmt.Sprintf("\n[[exception]]\nblock = \"%s\"\nrules = [%s]\n", strings.Repeat(digits, 32), rules)
}

func TestAllocations(t *testing.T) {
	allocation := func(addr string, amount int64) string {
		return fmt.Sprintf("\n[[genesis.allocation]]\naddress = %q\namount = %d\n", addr, amount)
	}
	tests := []struct{ name, file, key, says string }{
		{"fits", minimal + allocation(taprootA, 1) + allocation(segwitA, 2_099_999_999_999_999), "", ""},
		{"sum too large", minimal + allocation(taprootA, 1) + allocation(segwitA, 2_100_000_000_000_000), "genesis.allocation[1].amount", "brings the sum"},
		{"amount too large", minimal + allocation(taprootA, 2_100_000_000_000_001), "genesis.allocation[0].amount", "from 1 to 2,100,000,000,000,000"},
		{"nothing", minimal + allocation(taprootA, 0), "genesis.allocation[0].amount", "is 0"},
		{"negative", minimal + allocation(taprootA, -1), "genesis.allocation[0].amount", "is -1"},
		{"of another chain", minimal + allocation("bc1qvyq0cc6rahyvsazfdje0twl7ez82ndmuac2lhv", 1), "genesis.allocation[0].address", "belongs to another chain"},
		{"mistyped", minimal + allocation(strings.Replace(taprootA, "p0x", "p0y", 1), 1), "genesis.allocation[0].address", "character"},
		{"no address", minimal + allocation("", 1), "genesis.allocation[0].address", `is ""`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.key == "" {
				if n := len(mustLoad(t, tt.file).Genesis.Allocations); n != 2 {
					t.Errorf("%d allocations", n)
				}
				return
			}
			if list := faults(t, tt.file); len(list) != 1 || !reports(list, tt.key, tt.says) {
				t.Errorf("faults %v; want %s: …%s…", list, tt.key, tt.says)
			}
		})
	}
}

func TestSeeds(t *testing.T) {
	hash := mustLoad(t, minimal).GenesisHash.String()
	tests := []struct{ name, seed, says string }{
		{"name", "charter://" + taprootA + "@node.example:8430/" + hash, ""},
		{"IPv4", "charter://" + taprootA + "@127.0.0.1:1/" + hash, ""},
		{"IPv6", "charter://" + taprootA + "@[2001:db8::1]:65535/" + hash, ""},
		{"other scheme", "http://" + taprootA + "@h:1/" + hash, "charter://"},
		{"no identity", "charter://h:1/" + hash, "no identity"},
		{"segwit identity", "charter://" + segwitA + "@h:1/" + hash, "no taproot address"},
		{"no hash", "charter://" + taprootA + "@h:1", "no genesis hash"},
		{"other hash", "charter://" + taprootA + "@h:1/" + strings.Repeat("00", 32), "not this chain's"},
		{"no port", "charter://" + taprootA + "@h/" + hash, "not host:port"},
		{"port 0", "charter://" + taprootA + "@h:0/" + hash, "not host:port"},
		{"port 65536", "charter://" + taprootA + "@h:65536/" + hash, "not host:port"},
		{"IPv6 without brackets", "charter://" + taprootA + "@::1:5/" + hash, "not host:port"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := minimal + fmt.Sprintf("network.seeds = [\n%q,\n]\n", tt.seed)
			if tt.says == "" {
				if got := mustLoad(t, file).Network.Seeds; len(got) != 1 || got[0] != tt.seed {
					t.Errorf("%v", got)
				}
				return
			}
			list := faults(t, file)
			if !reports(list, "network.seeds[0]", tt.says) || list[0].Line != 4 {
				t.Errorf("faults %v; want %q", list, tt.says)
			}
		})
	}
}

func TestFileTooLarge(t *testing.T) {
	if list := faults(t, strings.Repeat("#", maxFile+1)); !reports(list, "", "at most") {
		t.Errorf("%v", list)
	}
}
