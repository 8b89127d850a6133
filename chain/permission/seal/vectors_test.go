package seal

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/charterchain/charter/chain/params/scan"
	"github.com/charterchain/charter/chain/permission/record"
)

// vectors are testdata/vectors.json. Everything is hex, hashes in internal
// byte order. They were made by a second implementation of the formats in
// the package documentation and of BIP340, which shares no code with this
// one; auxiliary randomness is zero.
type vectors struct {
	Genesis string
	Height  int32
	Parent  string
	Seals   []struct {
		Name       string
		PrivateKey string `json:"private_key"`
		Key        string
		Coinbase   string
		Branch     []string
		Header     string
		ZeroRoot   string `json:"zero_root"`
		Message    string
		Signature  string
		Script     string
	}
	Restarts []struct {
		Name    string
		Miners  []string
		Message string
		Signers []struct{ Member, Key, Signature string }
		Script  string
	}
}

func loadVectors(t *testing.T) *vectors {
	t.Helper()
	data, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	v := &vectors{}
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatal(err)
	}
	return v
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func equalHex(t *testing.T, what string, got []byte, want string) {
	t.Helper()
	if hex.EncodeToString(got) != want {
		t.Errorf("%s: got %x, want %s", what, got, want)
	}
}

func TestSealVectors(t *testing.T) {
	v := loadVectors(t)
	genesis := chainhash.Hash(unhex(t, v.Genesis))
	for _, c := range v.Seals {
		t.Run(c.Name, func(t *testing.T) {
			var branch []chainhash.Hash
			for _, h := range c.Branch {
				branch = append(branch, chainhash.Hash(unhex(t, h)))
			}
			header, err := scan.DecodeHeader(unhex(t, c.Header))
			if err != nil {
				t.Fatal(err)
			}
			proof, err := ParseProof(unhex(t, c.Coinbase), branch)
			if err != nil {
				t.Fatal(err)
			}
			equalHex(t, "encoded coinbase", proof.Encode(), c.Coinbase)
			s, cert, id, err := proof.Check(genesis, &header, v.Height)
			if err != nil {
				t.Fatal(err)
			}
			if restarts := c.Name == "restart block"; (cert != nil) != restarts {
				t.Errorf("certificate %v", cert)
			}
			root := ZeroRoot(proof.Coinbase, s, branch)
			equalHex(t, "zero root", root[:], c.ZeroRoot)
			equalHex(t, "message", id[:], c.Message)
			equalHex(t, "key", s.Key[:], c.Key)
			equalHex(t, "signature", s.Sig[:], c.Signature)
			equalHex(t, "script", Script(s.Key, s.Sig), c.Script)

			again := header
			key, _ := btcec.PrivKeyFromBytes(unhex(t, c.PrivateKey))
			coinbase, err := SealHeader(genesis, &again, proof.Coinbase, branch, v.Height, key, [32]byte{})
			if err != nil {
				t.Fatal(err)
			}
			equalHex(t, "sealed again", (&Proof{Coinbase: coinbase}).Encode(), c.Coinbase)
			if again != header {
				t.Errorf("sealed again: header %v, want %v", again, header)
			}
		})
	}
}

func TestRestartVectors(t *testing.T) {
	v := loadVectors(t)
	genesis, parent := chainhash.Hash(unhex(t, v.Genesis)), chainhash.Hash(unhex(t, v.Parent))
	for _, c := range v.Restarts {
		t.Run(c.Name, func(t *testing.T) {
			var miners []record.MemberID
			for _, m := range c.Miners {
				miners = append(miners, record.MemberID(unhex(t, m)))
			}
			var signers []Signature
			for _, s := range c.Signers {
				signers = append(signers, Signature{
					Member: record.MemberID(unhex(t, s.Member)), Key: [32]byte(unhex(t, s.Key)), Sig: [64]byte(unhex(t, s.Signature)),
				})
			}
			msg := RestartMessage(genesis, parent, miners)
			equalHex(t, "message", msg[:], c.Message)
			cert, err := NewCertificate(parent, miners, signers)
			if err != nil {
				t.Fatal(err)
			}
			equalHex(t, "script", cert.Script(), c.Script)
			if err := cert.CheckSigs(genesis); err != nil {
				t.Error(err)
			}
			found, err := findCertificate(unhex(t, c.Script))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(cert, found); diff != "" {
				t.Errorf("decoded (-made +read):\n%s", diff)
			}
		})
	}
}
