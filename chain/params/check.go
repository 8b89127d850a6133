package params

import (
	"fmt"
	"strings"
	"time"
)

// check reports what does not fit together, though each key is in range.
func (l *loader) check() {
	l.checkPoW()
	l.checkDeployments()
	l.checkAllocations()
	l.checkPermissions()
	l.checkMembers()
	p := l.p
	if p.Address.P2PKH == p.Address.P2SH {
		l.faultf("address.p2sh", "is %d, as address.p2pkh: addresses could not be told apart", p.Address.P2SH)
	}
	if p.Address.HDPrivate == p.Address.HDPublic {
		l.faultf("address.hd_public", "is the same as address.hd_private: keys could not be told apart")
	}
	if p.Subsidy.Initial > p.Limits.MaxMoney {
		l.faultf("subsidy.initial", "is %s, more than limits.max_money, %s", plain(p.Subsidy.Initial), plain(p.Limits.MaxMoney))
	}
	if p.Limits.BlockSigOpCost > p.Limits.BlockWeight {
		l.faultf("limits.block_sigop_cost", "is %s, more than limits.block_weight, %s",
			plain(p.Limits.BlockSigOpCost), plain(p.Limits.BlockWeight))
	}
}

func (l *loader) checkPoW() {
	w := &l.p.PoW
	target, ok := ExpandBits(w.Limit)
	w.LimitTarget = target
	if !ok {
		l.faultf("pow.limit", "%08x is no target: it is zero, negative or above 256 bits", w.Limit)
		return
	}
	bits := l.p.Genesis.Bits
	if l.p.Genesis.Raw != nil && l.p.GenesisBlock == nil {
		bits = w.Limit // the block is at fault, and reported
	}
	switch genesis, ok := ExpandBits(bits); {
	case !ok:
		l.faultf("genesis.bits", "%08x is no target: it is zero, negative or above 256 bits", bits)
	case genesis.Cmp(target) > 0:
		l.faultf("genesis.bits", "%08x is easier than pow.limit, %08x", bits, w.Limit)
	case w.Algorithm == AlgorithmFixed && bits != w.Limit:
		l.faultf("genesis.bits", "is %08x; with pow.algorithm fixed every block has pow.limit, %08x", bits, w.Limit)
	}
	if w.Algorithm == AlgorithmBitcoin && (w.Timespan < 2*w.Spacing || w.Timespan%w.Spacing != 0) {
		l.faultf("pow.timespan", "is %d s, not a multiple (2 or more) of pow.spacing, %d s",
			w.Timespan/time.Second, w.Spacing/time.Second)
	}
	if w.MinSpacing > w.Spacing {
		l.faultf("pow.min_spacing", "is %d s, more than pow.spacing, %d s: blocks could never keep up",
			w.MinSpacing/time.Second, w.Spacing/time.Second)
	}
}

func (l *loader) checkDeployments() {
	d, p := &l.p.Deployments, l.p
	needs := func(name string, height int32, other string, otherHeight int32) {
		if height != Never && !Active(otherHeight, height) {
			l.faultf("deployments."+name, "is in force from %d, but needs %s, which is not (%d)", height, other, otherHeight)
		}
	}
	needs("segwit", d.Segwit, "bip16", d.BIP16)
	needs("taproot", d.Taproot, "segwit", d.Segwit)
	if p.Limits.BlockWeight > MaxTxWeight && d.BIP54 != 0 {
		l.faultf("limits.block_weight", "is %s; above %s deployments.bip54 must be 0",
			plain(p.Limits.BlockWeight), plain(MaxTxWeight))
	}
	if p.Permissions.Enabled && d.Taproot != 0 {
		l.faultf("deployments.taproot", "is %d; with permissions it must be 0, because members act by taproot keys", d.Taproot)
	}
}

func (l *loader) checkAllocations() {
	sum, most := int64(0), l.p.Limits.MaxMoney
	for i, a := range l.p.Genesis.Allocations {
		if a.Script == nil {
			l.faultOnce(index("genesis.allocation", i)+".address", "is empty", "an address of this chain")
		}
		path := index("genesis.allocation", i) + ".amount"
		if a.Amount < 1 || a.Amount > most {
			if !l.reported(path) {
				l.fault(path, "is "+plain(a.Amount), between(1, most))
			}
			return
		}
		if sum += a.Amount; sum > most { // no overflow: most is below 2^62
			l.faultf(path, "brings the sum of all allocations to %s, more than limits.max_money, %s", plain(sum), plain(most))
			return
		}
	}
}

func (l *loader) checkPermissions() {
	s := &l.p.Permissions
	if !s.Enabled {
		return
	}
	if l.p.Genesis.Raw != nil {
		l.faultf("genesis.raw", "cannot go with permissions: the first block must be built from the file")
	}
	if s.Restricts(PermMine) && s.RestartDelay <= 2*l.p.PoW.MaxFuture {
		l.faultf("permissions.restart_delay", "is %d s, must be more than twice pow.max_future, %d s",
			s.RestartDelay/time.Second, l.p.PoW.MaxFuture/time.Second)
	}
}

// seeds checks the seeds, once the genesis hash is known.
func (l *loader) seeds() {
	for i, seed := range l.p.Network.Seeds {
		if reason := l.p.checkSeed(seed); reason != "" {
			path := index("network.seeds", i)
			l.fault(path, fmt.Sprintf("is %q: %s", seed, reason), "charter://<identity>@host:port/<genesis hash>")
		}
	}
}

func (p *Params) checkSeed(seed string) string {
	rest, ok := strings.CutPrefix(seed, "charter://")
	if !ok {
		return "it does not start with charter://"
	}
	identity, rest, ok := strings.Cut(rest, "@")
	if !ok {
		return "there is no identity before an @"
	}
	host, hash, ok := strings.Cut(rest, "/")
	if !ok {
		return "there is no genesis hash after a /"
	}
	script, err := p.Address.Decode(identity)
	if err != nil {
		return err.Error()
	}
	if version, program, ok := witnessProgram(script); !ok || version != 1 || len(program) != 32 {
		return "the identity is no taproot address"
	}
	if !goodHostPort(host) {
		return fmt.Sprintf("%q is not host:port", host)
	}
	if hash != p.GenesisHash.String() {
		return "the genesis hash is not this chain's, " + p.GenesisHash.String()
	}
	return ""
}

// goodHostPort accepts name:port, IPv4:port and [IPv6]:port by form.
func goodHostPort(s string) bool {
	colon := strings.LastIndexByte(s, ':')
	if colon < 1 {
		return false
	}
	host, port := s[:colon], s[colon+1:]
	if strings.HasPrefix(host, "[") {
		if !strings.HasSuffix(host, "]") || strings.Trim(host[1:len(host)-1], "0123456789abcdefABCDEF:.%") != "" {
			return false
		}
	} else if strings.ContainsAny(host, "[]:/@ ") || unprintable(host) != nil {
		return false
	}
	n := 0
	for _, c := range port {
		if c < '0' || c > '9' || n > 65535 {
			return false
		}
		n = 10*n + int(c-'0')
	}
	return n > 0 && n <= 65535
}
