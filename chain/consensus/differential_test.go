package consensus

import (
	"bytes"
	"errors"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/btcutil/v2/bloom"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/params/scan"
)

// randomTx has a random number of inputs and outputs, witnesses or not.
func randomTx(rng *rand.Rand) *wire.MsgTx {
	data := func(most int) []byte {
		b := make([]byte, 1+rng.IntN(most+1))
		b[0] = byte(rng.Uint32())
		return b[:rng.IntN(len(b)+1)]
	}
	msg := wire.NewMsgTx(int32(rng.Uint32()))
	msg.LockTime = rng.Uint32()
	for range 1 + rng.IntN(4) {
		in := &wire.TxIn{PreviousOutPoint: wire.OutPoint{Index: rng.Uint32()}, SignatureScript: data(300), Sequence: rng.Uint32()}
		in.PreviousOutPoint.Hash[0] = byte(rng.Uint32())
		if rng.IntN(2) == 0 {
			for range rng.IntN(4) {
				in.Witness = append(in.Witness, data(300))
			}
		}
		msg.TxIn = append(msg.TxIn, in)
	}
	for range 1 + rng.IntN(4) {
		msg.TxOut = append(msg.TxOut, wire.NewTxOut(rng.Int64N(1<<50), data(300)))
	}
	return msg
}

// TestSizesAgainstEncoding compares weights, sizes and ids with what wire
// writes.
func TestSizesAgainstEncoding(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	for range 40 {
		msgs := make([]*wire.MsgTx, 1+rng.IntN(300)*rng.IntN(2))
		blockFull, blockBare := 80+wire.VarIntSerializeSize(uint64(len(msgs))), 80+wire.VarIntSerializeSize(uint64(len(msgs)))
		for i := range msgs {
			msgs[i] = randomTx(rng)
			var full, bare bytes.Buffer
			if err := errors.Join(msgs[i].Serialize(&full), msgs[i].SerializeNoWitness(&bare)); err != nil {
				t.Fatal(err)
			}
			blockFull, blockBare = blockFull+full.Len(), blockBare+bare.Len()
			tx := NewTx(msgs[i])
			if tx.Size != full.Len() || tx.strippedSize() != int64(bare.Len()) || tx.Weight != int64(3*bare.Len()+full.Len()) {
				t.Fatalf("sizes %d and %d, weight %d; wire writes %d and %d bytes", tx.Size, tx.strippedSize(), tx.Weight, full.Len(), bare.Len())
			}
			if tx.TxID != chainhash.DoubleHashH(bare.Bytes()) || tx.WTxID != chainhash.DoubleHashH(full.Bytes()) {
				t.Fatal("ids differ from hashes of the encodings")
			}
			if want := int64(math.Ceil(float64(tx.Weight) / 4)); tx.VSize() != want {
				t.Fatalf("virtual size %d, want %d", tx.VSize(), want)
			}
		}
		b := NewBlock(&wire.MsgBlock{Transactions: msgs})
		if b.Size() != blockFull || b.strippedSize() != int64(blockBare) || b.Weight() != int64(3*blockBare+blockFull) {
			t.Fatalf("block sizes %d and %d, weight %d; wire writes %d and %d bytes", b.Size(), b.strippedSize(), b.Weight(), blockFull, blockBare)
		}
	}
}

// TestMerkleAgainstBtcutil compares with the tree of btcutil's merkle blocks:
// one in which nothing matches consists of the root.
func TestMerkleAgainstBtcutil(t *testing.T) {
	filter := bloom.NewFilter(1, 0, 0.0001, wire.BloomUpdateNone)
	for n := 1; n <= 70; n++ {
		msg := &wire.MsgBlock{}
		for i := range n {
			msg.Transactions = append(msg.Transactions, payment(uint32(i)))
		}
		merkle, matched := bloom.NewMerkleBlock(btcutil.NewBlock(msg), filter)
		if len(matched) != 0 || len(merkle.Hashes) != 1 {
			t.Fatalf("%d transactions: %d match, %d hashes", n, len(matched), len(merkle.Hashes))
		}
		if got := MerkleRoot(TxIDs(NewBlock(msg).Txs)); got != *merkle.Hashes[0] {
			t.Errorf("%d transactions: root %v, btcutil has %v", n, got, merkle.Hashes[0])
		}
	}
}

// TestLimitsAgainstChaincfg compares targets, and the numbers of chains that
// both know.
func TestLimitsAgainstChaincfg(t *testing.T) {
	for _, net := range []*chaincfg.Params{&chaincfg.MainNetParams, &chaincfg.TestNet3Params, &chaincfg.RegressionNetParams, &chaincfg.SimNetParams, &chaincfg.SigNetParams} {
		if got := TargetToCompact(net.PowLimit); got != net.PowLimitBits {
			t.Errorf("%s: limit %08x, chaincfg has %08x", net.Name, got, net.PowLimitBits)
		}
		p := mainnet()
		p.PoW.Limit, p.PoW.LimitTarget = net.PowLimitBits, net.PowLimit
		if err := CheckHeader(&net.GenesisBlock.Header, p); err != nil {
			t.Errorf("%s: genesis: %v", net.Name, err)
		}
		b := NewBlock(net.GenesisBlock)
		if b.Hash != *net.GenesisHash || MerkleRoot(TxIDs(b.Txs)) != b.Header.MerkleRoot {
			t.Errorf("%s: genesis has hash %v", net.Name, b.Hash)
		}
		wantRule(t, CheckBlock(b, p), "", false)
		if p.Subsidy.HalvingInterval = net.SubsidyReductionInterval; Subsidy(net.SubsidyReductionInterval-1, p) != 50e8 || Subsidy(net.SubsidyReductionInterval, p) != 25e8 {
			t.Errorf("%s: subsidy around the first halving", net.Name)
		}
	}
	if p, net := mainnet(), chaincfg.MainNetParams; p.PoW.Timespan != net.TargetTimespan || p.PoW.Spacing != net.TargetTimePerBlock ||
		retargetInterval(p) != int32(net.TargetTimespan/net.TargetTimePerBlock) || p.Subsidy.Maturity != int32(net.CoinbaseMaturity) {
		t.Error("the main chain's numbers differ")
	}
}

// TestWorkAgainstDefinition: work is how many hashes it takes on average, so
// work times (target+1) is 2^256, up to the remainder that is cut off.
func TestWorkAgainstDefinition(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 14))
	space := new(big.Int).Lsh(big.NewInt(1), 256)
	for range 20_000 {
		bits := uint32(1+rng.IntN(33))<<24 | rng.Uint32N(1<<23)
		value, _, overflow := CompactToTarget(bits)
		work := Work(bits)
		if overflow || value.Sign() == 0 {
			if work.Sign() != 0 {
				t.Fatalf("%08x: work %v", bits, work)
			}
			continue
		}
		hashes := new(big.Int).Add(value, big.NewInt(1))
		low := new(big.Int).Mul(work, hashes)
		high := new(big.Int).Add(low, hashes)
		if low.Cmp(space) > 0 || high.Cmp(space) <= 0 {
			t.Fatalf("%08x: work %v", bits, work)
		}
	}
}

// TestRetargetAgainstFractions compares with exact fractions.
func TestRetargetAgainstFractions(t *testing.T) {
	rng := rand.New(rand.NewPCG(15, 16))
	p := mainnet()
	for range 20_000 {
		bits := TargetToCompact(new(big.Int).Rsh(p.PoW.LimitTarget, uint(rng.IntN(200))))
		first := rng.Uint32N(1 << 31)
		last := uint32(int64(first) + rng.Int64N(6*14*86400) - min(int64(first), 86400))
		got := retarget(HeaderFields{Time: last, Bits: bits}, first, p)

		factor := big.NewRat(int64(last)-int64(first), 14*86400)
		if factor.Cmp(big.NewRat(1, 4)) < 0 {
			factor = big.NewRat(1, 4)
		}
		if factor.Cmp(big.NewRat(4, 1)) > 0 {
			factor = big.NewRat(4, 1)
		}
		exact := factor.Mul(factor, new(big.Rat).SetInt(target(bits)))
		want := new(big.Int).Div(exact.Num(), exact.Denom())
		if want.Cmp(p.PoW.LimitTarget) > 0 {
			want = p.PoW.LimitTarget
		}
		if got != TargetToCompact(want) {
			t.Fatalf("bits %08x, times %d to %d: got %08x, want %08x", bits, first, last, got, TargetToCompact(want))
		}
	}
}

// TestTestnetAgainstModel runs a chain with the rules of testnet3, in which
// blocks are often more than 20 minutes late, beside a model that goes
// forward and remembers the regular bits, where the code looks back.
func TestTestnetAgainstModel(t *testing.T) {
	const window = 12
	p := mainnet()
	p.PoW.MinDifficultyAfter, p.PoW.Timespan = 20*time.Minute, window*10*time.Minute
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(17, seed))
		chain := branch{{Time: 1296688602, Bits: 0x1d00ffff}}
		regular, easy, hard := uint32(0x1d00ffff), 0, 0
		for height := 1; height < 2000; height++ {
			last := chain[height-1]
			took := uint32(rng.IntN(900))
			if rng.IntN(4) == 0 {
				took = []uint32{1199, 1200, 1201, 1202, 5000}[rng.IntN(5)]
			}
			var want uint32
			switch {
			case height%window == 0: // from the bits of the last block, easy or not
				want = retarget(last, chain[height-window].Time, p)
				regular = want
			case took > 1200:
				want = 0x1d00ffff
				easy++
			default:
				want = regular
				if regular != 0x1d00ffff {
					hard++
				}
			}
			if got := NextBits(chain, last.Time+took, p); got != want {
				t.Fatalf("seed %d, height %d, %d s later: got %08x, want %08x", seed, height, took, got, want)
			}
			chain = append(chain, HeaderFields{Time: last.Time + took, Bits: want})
		}
		if easy < 100 || hard < 100 {
			t.Errorf("seed %d: %d easy blocks, %d hard ones", seed, easy, hard)
		}
	}
}

// TestLocksAgainstDefinition compares relative locktimes with the text of
// BIP68, input by input, and absolute ones with their meaning.
func TestLocksAgainstDefinition(t *testing.T) {
	rng := rand.New(rand.NewPCG(19, 20))
	p := mainnet()
	allowed := 0
	for range 5000 {
		chain := branch{{Time: 1_000_000}}
		for range 1 + rng.IntN(60) {
			chain = append(chain, HeaderFields{Time: chain[len(chain)-1].Time + rng.Uint32N(1200)})
		}
		height := chain.Height() + 1
		msg, coins := &wire.MsgTx{Version: int32(rng.IntN(4))}, []Coin(nil)
		want := true
		for i := range 1 + rng.IntN(3) {
			sequence := rng.Uint32N(40)
			if rng.IntN(2) == 0 {
				sequence |= 1 << 22
			}
			if rng.IntN(5) == 0 {
				sequence |= 1 << 31
			}
			sequence |= rng.Uint32N(64) << 16 &^ (1 << 22) // no meaning
			coin := Coin{Height: rng.Int32N(height + 1)}
			msg.TxIn = append(msg.TxIn, &wire.TxIn{PreviousOutPoint: wire.OutPoint{Index: uint32(i)}, Sequence: sequence})
			coins = append(coins, coin)
			if msg.Version < 2 || sequence>>31 == 1 {
				continue
			}
			age := int64(sequence & 0xffff)
			if sequence>>22&1 == 0 {
				want = want && int64(height-coin.Height) >= age
				continue
			}
			since := medianOf(chain[:max(coin.Height, 1)])
			want = want && medianOf(chain)-since >= age*512
		}
		err := CheckSequenceLocks(NewTx(msg), coins, chain, p)
		if (err == nil) != want {
			t.Fatalf("height %d, version %d, coins %v: got %v, want allowed %v", height, msg.Version, coins, err, want)
		}
		if want {
			allowed++
		}
	}
	if allowed < 1000 || allowed > 4000 {
		t.Errorf("%d of 5000 are allowed: too few or too many to tell", allowed)
	}
}

// medianOf is the middle of the last 11 times at most, the later of two.
func medianOf(chain branch) int64 {
	var times []int64
	for _, f := range chain[max(0, len(chain)-11):] {
		times = append(times, int64(f.Time))
	}
	slices.Sort(times)
	return times[len(times)/2]
}

// FuzzInputSigOps compares BIP54's counting with that of txscript.
func FuzzInputSigOps(f *testing.F) {
	f.Add([]byte{0xac, 0xae}, []byte{0x52, 0xae}, false)
	f.Add([]byte{0x02, 0x60, 0xae}, []byte{}, true)
	f.Add([]byte{0xac, 0x4c, 0x01}, []byte{0x51, 0xae}, true)
	f.Add([]byte{0x01, 0xac, 0x51}, []byte{}, true)
	f.Add([]byte{0x4d, 0x02, 0x00, 0xac, 0x52, 0xad}, []byte{0x4e, 0x01, 0x00, 0x00, 0x00, 0xac, 0xaf}, false)
	f.Add([]byte{0x4e, 0x02, 0x00, 0x00, 0x00, 0x52, 0xae}, []byte{0x4d, 0xff, 0xff, 0xac}, true)
	f.Add([]byte{0x60, 0x01, 0xac}, []byte{}, true)
	f.Add([]byte{0x61, 0x01, 0xac}, []byte{}, true)
	f.Add([]byte{0x00, 0x50, 0x4c, 0x01, 0xac}, []byte{0x4e, 0xff, 0xff, 0xff, 0xff, 0xac}, true)
	f.Fuzz(func(t *testing.T, sigScript, coin []byte, hashed bool) {
		if hashed {
			coin = p2sh()
		}
		msg := payment(0)
		msg.TxIn[0].SignatureScript = sigScript
		want := txscript.GetPreciseSigOpCount(nil, sigScript, true) + txscript.GetPreciseSigOpCount(sigScript, coin, true)
		if got := InputSigOps(NewTx(msg), []Coin{{Script: coin}}); got != int64(want) {
			t.Errorf("got %d, txscript counts %d", got, want)
		}
		msg.TxOut[0].PkScript = coin
		want = txscript.GetSigOpCount(sigScript) + txscript.GetSigOpCount(coin)
		if got := legacySigOps(NewTx(msg)); got != int64(want) {
			t.Errorf("in all scripts: got %d, txscript counts %d", got, want)
		}
	})
}

// FuzzCompact compares the expansion of bits with arithmetic and back.
func FuzzCompact(f *testing.F) {
	for _, bits := range []uint32{0, 0x1d00ffff, 0x207fffff, 0x01800000, 0x04923456, 0x2100ffff, 0xff123456} {
		f.Add(bits)
	}
	f.Fuzz(func(t *testing.T, bits uint32) {
		value, negative, overflow := CompactToTarget(bits)
		if overflow || value.Sign() == 0 || negative {
			if Work(bits).Sign() != 0 {
				t.Errorf("%08x is no target and has work", bits)
			}
			return
		}
		back := TargetToCompact(value)
		if again, _, _ := CompactToTarget(back); again.Cmp(value) != 0 {
			t.Errorf("%08x: %x comes back as %x", bits, value, again)
		}
		if Work(bits).Sign() <= 0 {
			t.Errorf("%08x has no work", bits)
		}
	})
}

// FuzzCheckHeader: whatever 80 bytes arrive, there is a verdict, and never a
// panic; and MinTime tells which times pass.
func FuzzCheckHeader(f *testing.F) {
	f.Add(make([]byte, 80), uint16(20), uint32(600))
	f.Add(bytes.Repeat([]byte{0xff}, 80), uint16(1), uint32(0))
	f.Fuzz(func(t *testing.T, raw []byte, blocks uint16, spacing uint32) {
		h, err := scan.DecodeHeader(raw)
		if err != nil {
			return
		}
		parent := spaced(1+int(blocks)%64, 1_000_000, spacing%100_000, 0x1d00ffff)
		for _, alg := range []params.Algorithm{params.AlgorithmBitcoin, params.AlgorithmASERT, params.AlgorithmFixed} {
			p := cleanFrom(0)
			p.PoW.Algorithm, p.PoW.HalfLife, p.PoW.Timespan = alg, time.Hour, 8*p.PoW.Spacing
			onlyRules(t, CheckHeader(&h, p))
			h.Bits = NextBits(parent, headerTime(&h), p)
			h.Version = 4
			err := CheckHeaderContext(&h, parent, p)
			onlyRules(t, err)
			if early := headerTime(&h) < MinTime(parent, p); early != (err != nil) {
				t.Errorf("%s: time %d, least %d: got %v", alg, headerTime(&h), MinTime(parent, p), err)
			}
		}
	})
}

// FuzzCheckBlock: whatever block arrives, there is a verdict.
func FuzzCheckBlock(f *testing.F) {
	for _, b := range []*Block{block(coinbaseAt(1, 1), payment(1)), witnessed(nil), block(lockedCoinbase(1))} {
		var raw bytes.Buffer
		if err := b.Msg().Serialize(&raw); err != nil {
			f.Fatal(err)
		}
		f.Add(raw.Bytes(), true)
	}
	f.Fuzz(func(t *testing.T, raw []byte, fits bool) {
		p := cleanFrom(0)
		p.Limits.BlockSerialized = 4_000_000
		msg, err := scan.DecodeBlock(raw, &p.Limits)
		if err != nil {
			return
		}
		b := NewBlock(msg)
		if fits {
			reroot(b)
		}
		if err := CheckBlock(b, p); err != nil {
			onlyRules(t, err)
			return // what follows may rely on it
		}
		onlyRules(t, CheckBlockContext(b, spaced(1, 0, 1, 0x207fffff), p))
		for _, tx := range b.Txs[1:] {
			coins := make([]Coin, len(tx.Msg.TxIn))
			_, err := CheckTxInputs(tx, coins, 1, p)
			onlyRules(t, err)
			onlyRules(t, CheckSequenceLocks(tx, coins, spaced(1, 0, 1, 0x207fffff), p))
		}
	})
}

// onlyRules fails for an error that is no broken rule.
func onlyRules(t *testing.T, err error) {
	t.Helper()
	if err != nil && AsRule(err) == nil {
		t.Errorf("undecided: %v", err)
	}
}
