package record

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
)

// genesis is the hash with which signatures in the tests were made.
var genesis = chainhash.Hash(count(32))

// count is the bytes 0, 1, 2 ...
func count(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// private is the private key d; keyOf its x-only public key.
func private(d byte) *btcec.PrivateKey {
	key, _ := btcec.PrivKeyFromBytes([]byte{d})
	return key
}

func keyOf(d byte) [32]byte { return [32]byte(schnorr.SerializePubKey(private(d).PubKey())) }

func p2tr(d byte) []byte { return KeyScript(keyOf(d)) }

// Scripts of the other standard kinds.
var (
	p2wpkh = append([]byte{0x00, 0x14}, count(20)...)
	p2wsh  = append([]byte{0x00, 0x20}, count(32)...)
	p2pkh  = append(append([]byte{0x76, 0xa9, 0x14}, count(20)...), 0x88, 0xac)
	p2sh   = append(append([]byte{0xa9, 0x14}, count(20)...), 0x87)
)

// noPoint has the form of P2TR, but no key.
var noPoint = KeyScript([32]byte{})

// golden reads testdata/records.txt in its order.
func golden(t testing.TB) (names []string, data map[string][]byte) {
	t.Helper()
	file, err := os.ReadFile("testdata/records.txt")
	if err != nil {
		t.Fatal(err)
	}
	data = make(map[string][]byte)
	lines := bufio.NewScanner(bytes.NewReader(file))
	for lines.Scan() {
		if line := lines.Text(); !strings.HasPrefix(line, "#") {
			name, value, _ := strings.Cut(line, " ")
			names = append(names, name)
			data[name] = unhex(value)
		}
	}
	return names, data
}

// wantRule checks that err is nil where rule is empty, and else a RuleError
// of that rule whose text has says in it.
func wantRule(t *testing.T, err error, rule consensus.Rule, says string) {
	t.Helper()
	if rule == "" {
		if err != nil {
			t.Fatalf("refused: %v", err)
		}
		return
	}
	var re *consensus.RuleError
	if !errors.As(err, &re) || re.Rule != rule {
		t.Fatalf("got %v, want the rule %s", err, rule)
	}
	if !strings.Contains(err.Error(), says) {
		t.Fatalf("%q does not say %q", err, says)
	}
}

func mustScript(t testing.TB, r Record) []byte {
	t.Helper()
	s, err := Script(r)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// txOf has an output of each amount and script.
func txOf(outs ...*wire.TxOut) *wire.MsgTx {
	tx := wire.NewMsgTx(2)
	tx.TxOut = outs
	return tx
}
