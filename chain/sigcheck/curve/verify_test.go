package curve

import (
	"encoding/csv"
	"encoding/hex"
	"math/big"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
)

// testVerifier is the same one in all tests.
var testVerifier = sync.OnceValue(New)

// bip340Case is a line of the published vectors with a message of 32 bytes.
type bip340Case struct {
	name     string
	msg, key [32]byte
	sig      [64]byte
	valid    bool
}

// bip340Cases reads the published vectors, or skips the test.
func bip340Cases(t testing.TB) []bip340Case {
	t.Helper()
	cases, path := readBIP340(t)
	if cases == nil {
		t.Skipf("published vectors %s are not there (set CHARTER_VECTORS)", path)
	}
	return cases
}

// readBIP340 reads the published vectors from $CHARTER_VECTORS, else from
// beside the repository; it gives none if there is no such file. Those with
// messages of other lengths are left out: what is signed here has 32 bytes.
func readBIP340(t testing.TB) (cases []bip340Case, path string) {
	t.Helper()
	dir := os.Getenv("CHARTER_VECTORS")
	if dir == "" {
		dir = filepath.Join(repositoryRoot(t), "..", "shared", "vectors")
	}
	path = filepath.Join(dir, "bip340.csv")
	data, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil, path
	}
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(string(data))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows[1:] {
		msg, key, sig := mustHex(t, row[4]), mustHex(t, row[2]), mustHex(t, row[5])
		if len(msg) != 32 {
			continue
		}
		cases = append(cases, bip340Case{row[0] + " " + row[7], [32]byte(msg), [32]byte(key), [64]byte(sig), row[6] == "TRUE"})
	}
	if len(cases) < 15 {
		t.Fatalf("%d usable lines in %s", len(cases), path)
	}
	return cases, path
}

func mustHex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func repositoryRoot(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod above the working directory")
		}
		dir = parent
	}
}

func TestSchnorrVectors(t *testing.T) {
	v := testVerifier()
	for _, c := range bip340Cases(t) {
		if got := v.Schnorr(c.msg, c.key, c.sig); got != c.valid {
			t.Errorf("%s: got %v", c.name, got)
		}
	}
}

// schnorrItem and ecdsaItem are signatures made by btcec.
type schnorrItem struct {
	msg, key [32]byte
	sig      [64]byte
}

type ecdsaItem struct {
	hash [32]byte
	key  []byte // 33 bytes
	r, s Scalar
	odd  bool // the parity of R's y
}

func randomBytes32(r *rand.Rand) (b [32]byte) {
	_, _ = randomReader{r}.Read(b[:])
	return b
}

func randomKey(r *rand.Rand) *btcec.PrivateKey {
	b := randomBytes32(r)
	key, _ := btcec.PrivKeyFromBytes(b[:])
	return key
}

func signSchnorr(t testing.TB, r *rand.Rand, key *btcec.PrivateKey) (c schnorrItem) {
	t.Helper()
	c.msg = randomBytes32(r)
	sig, err := schnorr.Sign(key, c.msg[:], schnorr.FastSign())
	if err != nil {
		t.Fatal(err)
	}
	copy(c.sig[:], sig.Serialize())
	copy(c.key[:], schnorr.SerializePubKey(key.PubKey()))
	return c
}

// signECDSA signs with a nonce of its own, so that the parity of R's y is
// known and s may be high.
func signECDSA(t testing.TB, r *rand.Rand, key *btcec.PrivateKey) (c ecdsaItem) {
	t.Helper()
	c.hash = randomBytes32(r)
	c.key = key.PubKey().SerializeCompressed()
	k, d, h := randomScalar(r), Scalar{}, reduceScalar(&c.hash)
	if k.IsZero() {
		k = Scalar{[4]uint64{1}}
	}
	dBytes := key.Key.Bytes()
	d = reduceScalar(&dBytes)
	point := multiple(&k, &generator)
	x := point.x.bytes()
	c.r, c.odd = reduceScalar(&x), point.y.isOdd()
	// s = (h + r d) / k
	c.s.mul(&c.r, &d)
	c.s.add(&c.s, &h)
	k.inv(&k)
	c.s.mul(&c.s, &k)
	return c
}

func (c *ecdsaItem) byBtcec() bool {
	key, err := btcec.ParsePubKey(c.key)
	if err != nil {
		return false
	}
	r, s := scalarToBtcec(&c.r), scalarToBtcec(&c.s)
	return ecdsa.NewSignature(&r, &s).Verify(c.hash[:], key)
}

func (c *schnorrItem) byBtcec() bool {
	key, err := schnorr.ParsePubKey(c.key[:])
	if err != nil {
		return false
	}
	sig, err := schnorr.ParseSignature(c.sig[:])
	return err == nil && sig.Verify(c.msg[:], key)
}

func (c *ecdsaItem) check(v *Verifier) bool {
	key, ok := ParsePoint(c.key)
	return ok && v.ECDSA(c.hash, &key, c.r, c.s)
}

// parity checks with ECDSAParity, which has to agree with check.
func (c *ecdsaItem) parity(t *testing.T, v *Verifier) (odd, ok bool) {
	t.Helper()
	key, ok := ParsePoint(c.key)
	if ok {
		odd, ok = v.ECDSAParity(c.hash, &key, c.r, c.s)
	}
	if ok != c.check(v) {
		t.Errorf("ECDSAParity says %v, ECDSA %v: %+v", ok, !ok, c)
	}
	return odd, ok
}

func TestSchnorrAgainstBtcec(t *testing.T) {
	v, r := testVerifier(), seeded(30)
	for i := range 120 {
		c := signSchnorr(t, r, randomKey(r))
		if !v.Schnorr(c.msg, c.key, c.sig) || !c.byBtcec() {
			t.Fatalf("signature %d refused: %+v", i, c)
		}
		switch i % 4 {
		case 0:
			c.msg[r.IntN(32)] ^= 1 << r.IntN(8)
		case 1:
			c.key[r.IntN(32)] ^= 1 << r.IntN(8)
		case 2:
			c.sig[r.IntN(32)] ^= 1 << r.IntN(8)
		case 3:
			c.sig[32+r.IntN(32)] ^= 1 << r.IntN(8)
		}
		if got := v.Schnorr(c.msg, c.key, c.sig); got || c.byBtcec() {
			t.Fatalf("signature %d accepted: %+v", i, c)
		}
	}
}

func TestECDSAAgainstBtcec(t *testing.T) {
	v, r := testVerifier(), seeded(31)
	highS := 0
	for i := range 120 {
		c := signECDSA(t, r, randomKey(r))
		if limbsToBig(c.s.w).Cmp(new(big.Int).Rsh(bigN, 1)) > 0 {
			highS++
		}
		if !c.check(v) || !c.byBtcec() {
			t.Fatalf("signature %d refused: %+v", i, c)
		}
		if odd, _ := c.parity(t, v); odd != c.odd {
			t.Fatalf("signature %d: parity %v", i, odd)
		}
		one := Scalar{[4]uint64{1}}
		switch i % 4 {
		case 0:
			c.hash[r.IntN(32)] ^= 1 << r.IntN(8)
		case 1:
			c.key = append([]byte{c.key[0] ^ 1}, c.key[1:]...)
		case 2:
			c.r.add(&c.r, &one)
		case 3:
			c.s.add(&c.s, &one)
		}
		if _, got := c.parity(t, v); got || c.byBtcec() {
			t.Fatalf("signature %d accepted: %+v", i, c)
		}
	}
	if highS < 30 || highS > 90 {
		t.Errorf("%d of 120 with a high s", highS)
	}
}

// TestConcurrentUse shares one Verifier; the race detector watches.
func TestConcurrentUse(t *testing.T) {
	v, r := New(), seeded(32)
	s, e := signSchnorr(t, r, randomKey(r)), signECDSA(t, r, randomKey(r))
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			b := v.NewBatch()
			for range singlyBelow {
				b.Add(s.msg, s.key, s.sig)
				b.AddECDSA(e.hash, e.key, e.r, e.s, e.odd)
			}
			if !v.Schnorr(s.msg, s.key, s.sig) || !e.check(v) || !b.Verify(randomReader{seeded(uint64(i))}) {
				t.Error("refused")
			}
		})
	}
	wg.Wait()
}
