package index

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/btcsuite/btcd/btcutil/v2/gcs/builder"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
)

// TestPublishedFilters checks every row of BIP158's test vectors.
func TestPublishedFilters(t *testing.T) {
	dir := os.Getenv("CHARTER_VECTORS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "vectors")
	}
	path := filepath.Join(dir, "bip158_testnet19.json")
	data, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		t.Skipf("published vectors %s are not there (set CHARTER_VECTORS)", path)
	}
	if err != nil {
		t.Fatal(err)
	}
	var rows [][]any
	if err := json.Unmarshal(data, &rows); err != nil {
		t.Fatal(err)
	}
	if len(rows) < 10 {
		t.Fatalf("%d rows", len(rows))
	}
	for _, row := range rows[1:] {
		note := row[7].(string)
		b := decodeBlock(t, row[2].(string))
		if b.Hash.String() != row[1].(string) {
			t.Errorf("%s: block %v, want %s", note, b.Hash, row[1])
		}
		var spent []consensus.Coin
		for _, script := range row[3].([]any) {
			spent = append(spent, consensus.Coin{Script: unhex(t, script.(string))})
		}
		filter, err := BasicFilter(b, [][]consensus.Coin{spent})
		if err != nil || hex.EncodeToString(filter) != row[5].(string) {
			t.Errorf("%s: filter %x, %v, want %s", note, filter, err, row[5])
		}
		previous, err := chainhash.NewHashFromStr(row[4].(string))
		if err != nil {
			t.Fatal(err)
		}
		if got := FilterHeader(filter, *previous).String(); got != row[6].(string) {
			t.Errorf("%s: header %s, want %s", note, got, row[6])
		}
		for _, coin := range spent {
			if len(coin.Script) > 0 && !matches(t, b.Hash, filter, coin.Script) {
				t.Errorf("%s: the filter does not match %x", note, coin.Script)
			}
		}
		if matches(t, b.Hash, filter, []byte("not in any of these blocks")) {
			t.Errorf("%s: the filter matches what is not there", note)
		}
	}
}

func matches(t *testing.T, block chainhash.Hash, filter, script []byte) bool {
	t.Helper()
	f, err := DecodeFilter(filter)
	if err != nil {
		t.Fatal(err)
	}
	if f.N() == 0 {
		return false
	}
	ok, err := f.Match(builder.DeriveKey(&block), script)
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func decodeBlock(t *testing.T, s string) *consensus.Block {
	t.Helper()
	var msg wire.MsgBlock
	if err := msg.Deserialize(bytes.NewReader(unhex(t, s))); err != nil {
		t.Fatal(err)
	}
	return consensus.NewBlock(&msg)
}
