package packet

import (
	"bytes"
	"encoding/base64"
	"os"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/psbt/v2"
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

// others is what the golden packet holds besides: a proprietary pair in the
// global map and in that of the first output.
func others() *psbt.Packet {
	return &psbt.Packet{
		Unknowns: []*psbt.Unknown{{Key: []byte{0xfc, 1}, Value: []byte("kept")}},
		Outputs:  []psbt.POutput{{Unknowns: []*psbt.Unknown{{Key: []byte{0xfc, 2}}}}},
	}
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
			p.others = others()
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
	made.others = others()
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

// edit makes a PSBT of the golden one, map by map.
func edit(t testing.TB, change func(maps []pairs) []pairs) string {
	t.Helper()
	golden, err := os.ReadFile("testdata/signed.psbt")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(golden)))
	if err != nil {
		t.Fatal(err)
	}
	maps, err := splitMaps(raw)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(writeMaps(change(maps)))
}

// set gives a pair of a map another value, or adds it.
func set(m pairs, value []byte, key ...byte) pairs { return pairs{{key, value}}.with(m) }

// TestOthersPairs: pairs of others come through, whether their type is known
// or not and wherever they stand, and copies take them over from each other.
func TestOthersPairs(t *testing.T) {
	_, public := btcec.PrivKeyFromBytes(bytes.Repeat([]byte{3}, 32))
	internal := schnorr.SerializePubKey(public)
	with := func(n byte) string {
		return edit(t, func(maps []pairs) []pairs {
			for i := range maps {
				maps[i] = set(maps[i], []byte{n}, 0x77, n)
			}
			if n == 1 { // of the known types, with the transaction last
				maps[1] = set(maps[1], internal, 0x17)
				maps[2] = set(maps[2], internal, 0x05)
				maps[0] = append(maps[0][1:], maps[0][0])
			}
			return maps
		})
	}
	parsed := func(text string) (*Packet, []pairs) {
		t.Helper()
		p, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := p.bytes()
		if err != nil {
			t.Fatal(err)
		}
		maps, err := splitMaps(raw)
		if err != nil {
			t.Fatal(err)
		}
		return p, maps
	}
	holds := func(maps []pairs, ns ...byte) {
		t.Helper()
		for _, n := range ns {
			for i, m := range maps {
				if v, ok := m.get(0x77, n); !ok || !bytes.Equal(v, []byte{n}) {
					t.Errorf("map %d lost pair %d: %x", i, n, m)
				}
			}
		}
		in, _ := maps[1].get(0x17)
		out, _ := maps[2].get(0x05)
		kept, _ := maps[0].get(0xfc, 1)
		if !bytes.Equal(in, internal) || !bytes.Equal(out, internal) || string(kept) != "kept" {
			t.Errorf("lost: %x %x %q", in, out, kept)
		}
	}
	p, maps := parsed(with(1))
	holds(maps, 1)
	other, _ := parsed(with(2))
	p.Sigs[0] = nil
	if err := p.Combine(other); err != nil {
		t.Fatal(err)
	}
	text, err := p.Encode()
	if err != nil || !p.Complete() {
		t.Fatal(err, p.Complete())
	}
	_, maps = parsed(text)
	holds(maps, 1, 2)
}

// TestPairFaults is what package psbt lets pass, sets memory aside for, or
// would change in silence.
func TestPairFaults(t *testing.T) {
	for name, c := range map[string]struct {
		change func(maps []pairs) []pairs
		want   string
	}{
		"a type of two bytes":      {func(m []pairs) []pairs { m[0] = set(m[0], nil, 0xfd, 0xfd, 0x00); return m }, "type above fc"},
		"a map more":               {func(m []pairs) []pairs { return append(m, nil) }, "5 maps"},
		"a map less":               {func(m []pairs) []pairs { return m[:3] }, "3 maps"},
		"bytes behind transaction": {func(m []pairs) []pairs { m[0][0].value = append(bytes.Clone(m[0][0].value), 0); return m }, "transaction"},
		"outputs that are announced": {func(m []pairs) []pairs {
			m[0][0].value = append(m[0][0].value[:46:46], 0xfe, 0xff, 0xff, 0xff, 0)
			return m
		}, "transaction"},
		"coin's script too short": {func(m []pairs) []pairs { m[1][0].value[8]--; return m }, "cut off or too long"},
		"coin without script":     {func(m []pairs) []pairs { m[1][0].value = m[1][0].value[:8]; return m }, "cut off or too long"},
		"coin's transaction": {func(m []pairs) []pairs {
			m[1] = set(m[1], []byte{2, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff, 0}, 0x00)
			return m
		}, "transaction of its coin"},
		"final script":                {func(m []pairs) []pairs { m[1] = set(m[1], []byte{0x51}, 0x07); return m }, "final script"},
		"final witness of two items":  {func(m []pairs) []pairs { m[1] = set(m[1], []byte{2, 0, 0}, 0x08); return m }, "not one signature"},
		"signature with a hash type":  {func(m []pairs) []pairs { m[1][1].value = append(m[1][1].value[:64:64], 1); return m }, "65 bytes"},
		"known type of another shape": {func(m []pairs) []pairs { m[2] = set(m[2], nil, 0x02); return m }, "as its type asks for"},
		"too many pairs": {func(m []pairs) []pairs {
			for i := range maxPairs {
				m[2] = append(m[2], pair{[]byte{0x77, byte(i), byte(i >> 8)}, nil})
			}
			return m
		}, "more than 1000"},
	} {
		if _, err := Parse(edit(t, c.change)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The last pair that is let in, and a final witness that is read.
	text := edit(t, func(m []pairs) []pairs {
		for i := range maxPairs - len(m[2]) {
			m[2] = append(m[2], pair{[]byte{0x77, byte(i), byte(i >> 8)}, nil})
		}
		m[1][1] = pair{[]byte{0x08}, append([]byte{1, 64}, m[1][1].value...)}
		return m
	})
	if p, err := Parse(text); err != nil || !p.Complete() {
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
	sig, utxo := []byte{1, byte(psbt.TaprootKeySpendSignatureType), 64}, []byte{1, psbtWitnessUTXO, 43}
	coin := append(bytes.Clone(utxo), make([]byte, 8)...) // of amount 0
	for name, c := range map[string]struct {
		old, new []byte
		want     string
	}{
		"magic":               {[]byte("psbt"), []byte("psbu"), "does not begin"},
		"version 2":           {[]byte{2, 0xfc, 1, 4, 'k', 'e', 'p', 't'}, []byte{1, psbtVersion, 4, 2, 0, 0, 0}, "version"},
		"signature hash":      {sig, append([]byte{1, byte(psbt.SighashType), 4, 1, 0, 0, 0}, sig...), "signature hash"},
		"signature":           {append(bytes.Clone(sig), raw[bytes.Index(raw, sig)+3]), append(bytes.Clone(sig), raw[bytes.Index(raw, sig)+3]^1), "does not fit"},
		"no coin":             {utxo, []byte{1, 0x77, 43}, "witness UTXO"},
		"coin that is no key": {append(bytes.Clone(coin), 34, 0x51), append(bytes.Clone(coin), 34, 0x52), "no P2TR"},
		"negative amount":     {coin, append(bytes.Clone(utxo), bytes.Repeat([]byte{0xff}, 8)...), "amount"},
		"a key twice":         {sig, append(append([]byte{1, 0x77, 0}, 1, 0x77, 0), sig...), "twice"},
		"length not minimal":  {sig, append([]byte{0xfd, 1, 0}, sig[1:]...), "length"},
		"announced bytes":     {sig, []byte{1, sig[1], 0xfe, 0, 9, 0x3d, 0}, "announced"},
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
