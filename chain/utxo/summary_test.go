package utxo_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/utxo"
)

type setCoin struct {
	op   wire.OutPoint
	coin consensus.Coin
}

// hashedSet returns three transactions with outputs on both sides of each
// limit of the encodings, in order.
func hashedSet() []setCoin {
	var set []setCoin
	sizes := []int{0, 25, 252, 253, 10000}
	for t := range 3 {
		for i, n := range []int{0, 1, 252, 253, 300} {
			if t == 1 && i > 1 {
				continue
			}
			c := setCoin{coin: consensus.Coin{
				Amount:   int64(5000000000*t + n),
				Script:   bytes.Repeat([]byte{byte(0x51 + t)}, sizes[(n+t)%len(sizes)]),
				Height:   int32(100*t + n),
				Coinbase: n%2 == 1,
			}}
			for j := range c.op.Hash {
				c.op.Hash[j] = byte(t*0x40 + j)
			}
			c.op.Index = uint32(n)
			set = append(set, c)
		}
	}
	return set
}

func eachOf(set []setCoin, last error) func(func(wire.OutPoint, consensus.Coin) error) error {
	return func(fn func(wire.OutPoint, consensus.Coin) error) error {
		for _, c := range set {
			if err := fn(c.op, c.coin); err != nil {
				return err
			}
		}
		return last
	}
}

// TestSummarise: the hashes were computed from Bitcoin Core's definitions by
// a program in another language that shares no code with this one.
func TestSummarise(t *testing.T) {
	tests := []struct {
		name               string
		set                []setCoin
		want               utxo.Summary
		muhash, serialized string
	}{
		{
			name: "empty", muhash: "dd5ad2a105c2d29495f577245c357409002329b9f4d6182c0af3dc2f462555c8",
			serialized: "56944c5d3f98413ef45cf54545538103cc9f298e0575820ad3591376e2e0f65d",
		},
		{
			name: "limits", set: hashedSet(), want: utxo.Summary{Txs: 3, Coins: 12, BogoSize: 12164, Total: 60000001613},
			muhash:     "5e5e98bac4d3268adbfe307cc8a75d0b43bd806335c785419394f09335339e0b",
			serialized: "8db22b08bd0a74b2973a4c51645f054d8f1dbca08ae52a57c098a885c74be0a5",
		},
	}
	for _, test := range tests {
		for _, workers := range []int{0, 1, 3} {
			t.Run(fmt.Sprint(test.name, workers), func(t *testing.T) {
				got, err := utxo.Summarise(utxo.WithMuHash|utxo.WithSerialized, workers, eachOf(test.set, nil))
				if err != nil {
					t.Fatal(err)
				}
				if s := got.MuHash.String(); s != test.muhash {
					t.Errorf("muhash %s, want %s", s, test.muhash)
				}
				if s := got.Serialized.String(); s != test.serialized {
					t.Errorf("hash_serialized_3 %s, want %s", s, test.serialized)
				}
				plain, _ := utxo.Summarise(0, workers, eachOf(test.set, nil))
				if plain != test.want {
					t.Errorf("without hashes %+v, want %+v", plain, test.want)
				}
			})
		}
	}
}

func TestSummariseManyBatches(t *testing.T) {
	var set []setCoin
	for i := range 2000 {
		c := setCoin{coin: consensus.Coin{Amount: int64(i), Script: make([]byte, i%400)}}
		c.op.Hash[0], c.op.Hash[1] = byte(i>>8), byte(i)
		set = append(set, c)
	}
	one, _ := utxo.Summarise(utxo.WithMuHash, 1, eachOf(set, nil))
	four, _ := utxo.Summarise(utxo.WithMuHash, 4, eachOf(set, nil))
	if one != four {
		t.Errorf("one worker: %+v, four: %+v", one, four)
	}
	stop := errors.New("stop")
	if _, err := utxo.Summarise(utxo.WithMuHash, 4, eachOf(set, stop)); !errors.Is(err, stop) {
		t.Errorf("error %v, want the one of the reader", err)
	}
}

func TestAppendElement(t *testing.T) {
	c := hashedSet()[1]
	const want = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f" + "01000000" + "03000000" + "0100000000000000" +
		"19" + "51515151515151515151515151515151515151515151515151"
	if got := hex.EncodeToString(utxo.AppendElement(nil, &c.op, &c.coin)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// BenchmarkSummarise: ns/op is per coin, from memory, on all cores.
func BenchmarkSummarise(b *testing.B) {
	coin := consensus.Coin{Amount: 12345, Script: make([]byte, 34), Height: 7}
	for _, bench := range []struct {
		name   string
		hashes utxo.SetHashes
	}{{"none", 0}, {"muhash", utxo.WithMuHash}, {"serialized", utxo.WithSerialized}} {
		b.Run(bench.name, func(b *testing.B) {
			_, err := utxo.Summarise(bench.hashes, runtime.GOMAXPROCS(0), func(fn func(wire.OutPoint, consensus.Coin) error) error {
				for i := range b.N {
					if err := fn(wire.OutPoint{Index: uint32(i)}, coin); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
		})
	}
}
