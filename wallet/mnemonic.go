package wallet

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/tyler-smith/go-bip39"
)

// entropySize is the entropy of a new wallet in bytes: 24 words (BIP39).
const entropySize = 32

// newEntropy reads the entropy of a new wallet.
func newEntropy(rand io.Reader) ([]byte, error) {
	entropy := make([]byte, entropySize)
	if _, err := io.ReadFull(rand, entropy); err != nil {
		return nil, fmt.Errorf("read random bytes for the seed: %w", err)
	}
	return entropy, nil
}

// parseMnemonic returns the entropy that the words stand for (BIP39,
// English). Case and the space between words do not matter, and numbers in
// front of the words, as they were shown, are left out. Errors name
// positions, never words that may be right.
func parseMnemonic(mnemonic string) ([]byte, error) {
	words := slices.DeleteFunc(strings.Fields(strings.ToLower(mnemonic)), digits)
	switch len(words) {
	case 12, 15, 18, 21, 24:
	default:
		return nil, fmt.Errorf("%d words: a mnemonic has 12, 15, 18, 21 or 24", len(words))
	}
	var unknown []string
	for i, word := range words {
		if _, ok := bip39.GetWordIndex(word); !ok {
			unknown = append(unknown, fmt.Sprint(i+1))
		}
	}
	if unknown != nil {
		return nil, fmt.Errorf("word %s is not in BIP39's English list: check the spelling", strings.Join(unknown, ", "))
	}
	entropy, err := bip39.EntropyFromMnemonic(strings.Join(words, " "))
	if errors.Is(err, bip39.ErrChecksumIncorrect) {
		return nil, errors.New("the words' checksum does not fit: a word is wrong, or the order is")
	}
	if err != nil {
		return nil, fmt.Errorf("mnemonic: %w", err)
	}
	return entropy, nil
}

// mnemonicOf returns the words for entropy of 16 to 32 bytes.
func mnemonicOf(entropy []byte) (string, error) {
	words, err := bip39.NewMnemonic(entropy)
	if err != nil {
		return "", fmt.Errorf("mnemonic: %w", err)
	}
	return words, nil
}

// seedOf returns the 64-byte seed for entropy. Charter's wallets have no
// second BIP39 passphrase: the seed on disk is encrypted anyway.
func seedOf(entropy []byte) ([]byte, error) {
	words, err := mnemonicOf(entropy)
	if err != nil {
		return nil, err
	}
	return bip39.NewSeed(words, ""), nil
}
