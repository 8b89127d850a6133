package rpc

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Sizes of what is made here. Lines of others may have other salts.
const (
	saltBytes     = 16
	passwordBytes = 32
)

// Credential is one user that may call every method. It holds no password but
// a salted hash of it.
type Credential struct {
	user [sha256.Size]byte // of the name, so that comparing takes one time
	salt string            // the text, not the bytes it may stand for
	hash [sha256.Size]byte // HMAC-SHA256(salt, password)
}

func newCredential(user, salt, password string) Credential {
	return Credential{sha256.Sum256([]byte(user)), salt, saltedHash(salt, password)}
}

func saltedHash(salt, password string) (sum [sha256.Size]byte) {
	mac := hmac.New(sha256.New, []byte(salt))
	mac.Write([]byte(password))
	mac.Sum(sum[:0])
	return sum
}

// PasswordCredential is a user with a password that the caller knows.
func PasswordCredential(user, password string) (Credential, error) {
	switch {
	case user == "" || password == "":
		return Credential{}, errors.New("RPC user and password must not be empty")
	case strings.Contains(user, ":"):
		return Credential{}, fmt.Errorf("RPC user %q: a colon cannot be part of the name", user)
	}
	return newCredential(user, "", password), nil
}

// ParseCredentials reads lines "user:salt$hash", as Bitcoin Core's rpcauth
// setting has them; empty lines and those that begin with # do not count. name
// is what errors call the input.
func ParseCredentials(text []byte, name string) ([]Credential, error) {
	var list []Credential
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		c, err := parseCredential(strings.TrimPrefix(line, "rpcauth="))
		if err != nil {
			// The line itself may hold a password by mistake: not shown.
			return nil, fmt.Errorf("%s: line %d: %w", name, n, err)
		}
		list = append(list, c)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return list, nil
}

func parseCredential(line string) (Credential, error) {
	user, rest, ok := strings.Cut(line, ":")
	salt, digest, ok2 := strings.Cut(rest, "$")
	if !ok || !ok2 || user == "" || salt == "" {
		return Credential{}, errors.New("want user:salt$hash, as 'charter rpcauth USER' prints it")
	}
	sum, err := hex.DecodeString(digest)
	if err != nil || len(sum) != sha256.Size {
		return Credential{}, fmt.Errorf("the hash after $ must be %d hex digits", 2*sha256.Size)
	}
	return Credential{sha256.Sum256([]byte(user)), salt, [sha256.Size]byte(sum)}, nil
}

// RPCAuthLine returns the line for user and password that ParseCredentials
// reads. It does not tell the password.
func RPCAuthLine(user, password string, random io.Reader) (string, error) {
	if _, err := PasswordCredential(user, password); err != nil {
		return "", err
	}
	if strings.ContainsAny(user, "\r\n#$") || strings.TrimSpace(user) != user {
		return "", fmt.Errorf("RPC user %q: spaces around it, line breaks, # and $ cannot be part of the name", user)
	}
	salt, err := randomHex(random, saltBytes)
	if err != nil {
		return "", err
	}
	sum := saltedHash(salt, password)
	return user + ":" + salt + "$" + hex.EncodeToString(sum[:]), nil
}

// NewPassword returns a random password.
func NewPassword(random io.Reader) (string, error) {
	b := make([]byte, passwordBytes)
	if _, err := io.ReadFull(random, b); err != nil {
		return "", fmt.Errorf("random bytes: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(b), nil
}

func randomHex(random io.Reader, n int) (string, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(random, b); err != nil {
		return "", fmt.Errorf("random bytes: %w", err)
	}
	return hex.EncodeToString(b), nil
}

// authorized reports whether user and password belong to one of list. The time
// it takes tells neither which nor how much of them is right.
func authorized(list []Credential, user, password string) bool {
	name := sha256.Sum256([]byte(user))
	found := 0
	for i := range list {
		sum := saltedHash(list[i].salt, password)
		found |= subtle.ConstantTimeCompare(name[:], list[i].user[:]) &
			subtle.ConstantTimeCompare(sum[:], list[i].hash[:])
	}
	return found == 1
}
