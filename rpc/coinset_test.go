package rpc

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"regexp"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/charterchain/charter/chain/utxo/muhash"
)

// handSet writes down the coins of story: genesis has none, two coinbases are
// left, and the payment has two outputs.
func handSet(t *testing.T, f *fixture) [][]byte {
	t.Helper()
	var set [][]byte
	add := func(name string, tx, height, coinbase int) {
		transaction := f.Block(name).Txs[tx]
		for i, out := range transaction.Msg.TxOut {
			if out.Value == 0 {
				continue // a commitment: OP_RETURN
			}
			var b bytes.Buffer
			b.Write(transaction.TxID[:])
			for _, x := range []uint32{uint32(i), uint32(2*height + coinbase)} {
				if err := binary.Write(&b, binary.LittleEndian, x); err != nil {
					t.Fatal(err)
				}
			}
			if err := wire.WriteTxOut(&b, 0, 0, out); err != nil {
				t.Fatal(err)
			}
			set = append(set, b.Bytes())
		}
	}
	add("b2", 0, 2, 1)
	add("b3", 0, 3, 1)
	add("b3", 1, 3, 0)
	slices.SortFunc(set, bytes.Compare)
	return set
}

func TestTxOutSetInfo(t *testing.T) {
	f := newFixture(t)
	story(f)
	set := handSet(t, f)
	if len(set) != 4 {
		t.Fatalf("%d coins by hand, want 4", len(set))
	}
	product := muhash.New()
	for _, element := range set {
		product.Insert(element)
	}
	once := sha256.Sum256(bytes.Join(set, nil))
	serialized, mu := chainhash.Hash(sha256.Sum256(once[:])), chainhash.Hash(product.Sum())

	result := func(hash string) string {
		return indent(t, fmt.Sprintf(`{"height": 3, "bestblock": "%s", "txouts": 4, "bogosize": %d,%s
			"total_amount": 150.00000000, "transactions": 3, "disk_size": 0}`, f.Block("b3").Hash, 4*(50+34), hash))
	}
	serializedText, muText := `"hash_serialized_3": "`+serialized.String()+`",`, `"muhash": "`+mu.String()+`",`
	diskSize := regexp.MustCompile(`"disk_size":[1-9][0-9]*`)
	for params, want := range map[string]string{
		`["none"]`: result(""), `["muhash"]`: result(muText),
		`[]`: result(serializedText), `["hash_serialized_3"]`: result(serializedText),
		`{"hash_type": "hash_serialized_3", "use_index": false}`: result(serializedText),
	} {
		got := diskSize.ReplaceAllString(string(f.get("gettxoutsetinfo", params)), `"disk_size":0`)
		if diff := cmp.Diff(want, indent(t, got)); diff != "" {
			t.Errorf("gettxoutsetinfo%s (-want +got):\n%s", params, diff)
		}
	}
}
