package keystore

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/chacha20poly1305"
)

const (
	magic     = "CHTRKEYS"
	version   = 1
	kdfArgon  = 1
	cipherXCC = 1

	saltSize   = 16
	lengthAt   = 8 + 2 + 1 + 1 + 4 + 4 + 1 + saltSize + chacha20poly1305.NonceSizeX
	headerSize = lengthAt + 4
	sumSize    = sha256.Size

	// MaxSecret is the longest secret that is sealed, in bytes.
	MaxSecret = 4096

	// MaxSize is the size of the longest sealed secret, in bytes.
	MaxSize = headerSize + MaxSecret + chacha20poly1305.Overhead + sumSize
)

// Params are the costs of turning a passphrase into a key.
type Params struct {
	Passes    uint32 // Argon2id t, 1 to 64
	MemoryKiB uint32 // Argon2id m, 8 per lane to 1 GiB
	Lanes     uint8  // Argon2id p, 1 to 16
}

// DefaultParams are the costs for new files: RFC 9106's second recommended
// choice, about a tenth of a second on one core.
func DefaultParams() Params {
	return Params{Passes: 3, MemoryKiB: 64 << 10, Lanes: 4}
}

func (p Params) check() error {
	switch {
	case p.Passes < 1 || p.Passes > 64:
		return fmt.Errorf("argon2id passes %d, allowed are 1 to 64", p.Passes)
	case p.Lanes < 1 || p.Lanes > 16:
		return fmt.Errorf("argon2id lanes %d, allowed are 1 to 16", p.Lanes)
	case p.MemoryKiB < 8*uint32(p.Lanes) || p.MemoryKiB > 1<<20:
		return fmt.Errorf("argon2id memory %d KiB, allowed are %d to 1048576", p.MemoryKiB, 8*uint32(p.Lanes))
	}
	return nil
}

// ErrPassphrase reports that the passphrase does not open the file. A file
// that somebody changed on purpose looks the same.
var ErrPassphrase = errors.New("wrong passphrase")

// FormatError reports a file that is damaged, or none of this package's.
type FormatError struct{ Why string }

func (e *FormatError) Error() string { return "key file: " + e.Why }

// Seal encrypts secret under passphrase. rand must be a source of secret
// random bytes.
func Seal(secret, passphrase []byte, p Params, rand io.Reader) ([]byte, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	if len(secret) == 0 || len(secret) > MaxSecret {
		return nil, fmt.Errorf("secret of %d bytes, allowed are 1 to %d", len(secret), MaxSecret)
	}
	if len(passphrase) == 0 {
		return nil, errors.New("the passphrase is empty")
	}
	var random [saltSize + chacha20poly1305.NonceSizeX]byte
	if _, err := io.ReadFull(rand, random[:]); err != nil {
		return nil, fmt.Errorf("read random bytes: %w", err)
	}
	le := binary.LittleEndian
	out := append(make([]byte, 0, MaxSize), magic...)
	out = le.AppendUint16(out, version)
	out = append(out, kdfArgon, cipherXCC)
	out = le.AppendUint32(out, p.Passes)
	out = le.AppendUint32(out, p.MemoryKiB)
	out = append(out, p.Lanes)
	out = append(out, random[:]...)
	out = le.AppendUint32(out, uint32(len(secret)+chacha20poly1305.Overhead))

	key := derive(passphrase, random[:saltSize], p)
	defer clear(key)
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return nil, err
	}
	out = aead.Seal(out, random[saltSize:], secret, out)
	sum := sha256.Sum256(out)
	return append(out, sum[:]...), nil
}

// Open decrypts what Seal made. The errors are *FormatError and
// ErrPassphrase. The caller should overwrite the secret after use.
func Open(file, passphrase []byte) ([]byte, error) {
	p, err := parse(file)
	if err != nil {
		return nil, err
	}
	salt := file[lengthAt-chacha20poly1305.NonceSizeX-saltSize:][:saltSize]
	nonce := file[lengthAt-chacha20poly1305.NonceSizeX : lengthAt]
	key := derive(passphrase, salt, p)
	defer clear(key)
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return nil, err
	}
	secret, err := aead.Open(nil, nonce, file[headerSize:len(file)-sumSize], file[:headerSize])
	if err != nil {
		return nil, ErrPassphrase
	}
	return secret, nil
}

// parse checks everything that can be checked without the passphrase.
func parse(file []byte) (Params, error) {
	fault := func(format string, args ...any) (Params, error) {
		return Params{}, &FormatError{fmt.Sprintf(format, args...)}
	}
	if len(file) < len(magic) || string(file[:len(magic)]) != magic {
		return fault("it does not start with %q: this is no key file", magic)
	}
	if len(file) < headerSize+1+chacha20poly1305.Overhead+sumSize || len(file) > MaxSize {
		return fault("%d bytes, a key file has %d to %d: the file is damaged",
			len(file), headerSize+1+chacha20poly1305.Overhead+sumSize, MaxSize)
	}
	body := file[:len(file)-sumSize]
	if sum := sha256.Sum256(body); !bytes.Equal(sum[:], file[len(body):]) {
		return fault("its checksum does not fit: the file is damaged; restore it from a copy, or the wallet from its words")
	}
	le := binary.LittleEndian
	if v := le.Uint16(file[8:]); v != version {
		return fault("format version %d, this program knows %d", v, version)
	}
	if file[10] != kdfArgon || file[11] != cipherXCC {
		return fault("key derivation %d and cipher %d, this program knows 1 and 1", file[10], file[11])
	}
	if n := le.Uint32(file[lengthAt:]); int64(n) != int64(len(body)-headerSize) {
		return fault("%d bytes announced, %d are there", n, len(body)-headerSize)
	}
	p := Params{Passes: le.Uint32(file[12:]), MemoryKiB: le.Uint32(file[16:]), Lanes: file[20]}
	if err := p.check(); err != nil {
		return fault("%v", err)
	}
	return p, nil
}

func derive(passphrase, salt []byte, p Params) []byte {
	return argon2.IDKey(passphrase, salt, p.Passes, p.MemoryKiB, p.Lanes, chacha20poly1305.KeySize)
}
