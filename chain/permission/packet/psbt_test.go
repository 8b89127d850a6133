package packet

import (
	"bytes"
	"encoding/base64"
	"os"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/txscript/v2"

	"github.com/charterchain/charter/chain/permission/record"
)

func revoke(perms record.Set) record.Record {
	return record.Grant{Lapse: 100, Member: record.MemberID{7}, Permissions: perms}
}

// signAs signs an input by a key that is the identity as it stands.
func signAs(t testing.TB, p *Packet, i int, key *btcec.PrivateKey) []byte {
	t.Helper()
	hashes, fetcher := p.Hashes()
	hash, err := txscript.CalcTaprootSignatureHash(hashes, txscript.SigHashDefault, p.Tx, i, fetcher)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := schnorr.Sign(key, hash)
	if err != nil {
		t.Fatal(err)
	}
	return sig.Serialize()
}

// FuzzParse: whatever is read is written back to the same thing.
func FuzzParse(f *testing.F) {
	key, public := btcec.PrivKeyFromBytes(bytes.Repeat([]byte{3}, 32))
	script := record.KeyScript([32]byte(schnorr.SerializePubKey(public)))
	p, err := New([]record.Record{revoke(record.Send)}, []Coin{{Script: script}})
	if err != nil {
		f.Fatal(err)
	}
	for _, signed := range []bool{false, true} {
		if signed {
			p.Sigs[0] = signAs(f, p, 0, key)
			p.extra = []psbtMap{{{[]byte{0xfc, 1}, []byte("kept")}}, nil, {{[]byte{0x02}, nil}}}
		}
		text, err := p.Encode()
		if err != nil {
			f.Fatal(err)
		}
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
		f.Add(raw[:len(raw)-1])
		f.Add(append(bytes.Clone(raw), 0))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := Parse(base64.StdEncoding.EncodeToString(raw))
		if err != nil {
			return
		}
		text, err := p.Encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := again.Encode(); err != nil || back != text || again.TxID() != p.TxID() {
			t.Errorf("%x\nis written as %s\nand again as %s, %v", raw, text, back, err)
		}
	})
}

// TestGolden pins the text form, and that pairs of others come through.
func TestGolden(t *testing.T) {
	golden, err := os.ReadFile("testdata/signed.psbt")
	if err != nil {
		t.Fatal(err)
	}
	p, err := Parse(string(golden))
	if err != nil {
		t.Fatal(err)
	}
	key, public := btcec.PrivKeyFromBytes(bytes.Repeat([]byte{3}, 32))
	made, err := New([]record.Record{revoke(record.Send)}, []Coin{{Script: record.KeyScript([32]byte(schnorr.SerializePubKey(public)))}})
	if err != nil {
		t.Fatal(err)
	}
	made.Sigs[0] = signAs(t, made, 0, key)
	made.extra = []psbtMap{{{[]byte{0xfc, 1}, []byte("kept")}}, nil, {{[]byte{0x02}, nil}}}
	for name, of := range map[string]*Packet{"read": p, "made": made} {
		if text, err := of.Encode(); err != nil || text != strings.TrimSpace(string(golden)) {
			t.Errorf("%s: %s, %v", name, text, err)
		}
	}
	if !p.Complete() {
		t.Error("the signature is lost")
	}
	if _, err := p.Final(); err != nil {
		t.Error(err)
	}
}

// TestParseFaults changes one thing of a good PSBT after the other.
func TestParseFaults(t *testing.T) {
	golden, err := os.ReadFile("testdata/signed.psbt")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(golden)))
	if err != nil {
		t.Fatal(err)
	}
	sig, utxo := []byte{1, psbtTapKeySig, 64}, []byte{1, psbtWitnessUTXO, 43}
	coin := append(bytes.Clone(utxo), make([]byte, 8)...) // of amount 0
	for name, c := range map[string]struct {
		old, new []byte
		want     string
	}{
		"magic":               {[]byte("psbt"), []byte("psbu"), "does not begin"},
		"version 2":           {[]byte{2, 0xfc, 1, 4, 'k', 'e', 'p', 't'}, []byte{1, psbtVersion, 4, 2, 0, 0, 0}, "version"},
		"signature hash":      {sig, append([]byte{1, psbtSigHash, 4, 1, 0, 0, 0}, sig...), "signature hash"},
		"signature":           {append(bytes.Clone(sig), raw[bytes.Index(raw, sig)+3]), append(bytes.Clone(sig), raw[bytes.Index(raw, sig)+3]^1), "does not fit"},
		"no coin":             {utxo, []byte{1, 0x77, 43}, "witness UTXO"},
		"coin that is no key": {append(bytes.Clone(coin), 34, 0x51), append(bytes.Clone(coin), 34, 0x52), "no P2TR"},
		"negative amount":     {coin, append(bytes.Clone(utxo), bytes.Repeat([]byte{0xff}, 8)...), "amount"},
		"a key twice":         {sig, append(append([]byte{1, 0x77, 0}, 1, 0x77, 0), sig...), "twice"},
		"no transaction":      {[]byte{0xff, 1, 0}, []byte{0xff, 1, 9}, "no transaction"},
	} {
		bad := bytes.Replace(raw, c.old, c.new, 1)
		if bytes.Equal(bad, raw) {
			t.Fatalf("%s: nothing to change", name)
		}
		if _, err := Parse(base64.StdEncoding.EncodeToString(bad)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for n := range raw {
		if _, err := Parse(base64.StdEncoding.EncodeToString(raw[:n])); err == nil {
			t.Errorf("the first %d bytes are taken", n)
		}
	}
}
