// Package keystore seals a secret (a wallet's seed) under a passphrase.
//
// Seal and Open turn bytes into bytes; files are their caller's business.
// The key is Argon2id (version 1.3, RFC 9106) of the passphrase, with the
// costs in the header and bounded when read; the secret is encrypted and
// authenticated, together with the whole header, by XChaCha20-Poly1305
// (draft-irtf-cfrg-xchacha-03). A SHA-256 sum at the end, which protects
// nothing, tells a damaged file from a wrong passphrase.
//
// Layout, integers little-endian:
//
//	field      size  meaning
//	magic      8     "CHTRKEYS"
//	version    2     1
//	kdf        1     1: Argon2id
//	cipher     1     1: XChaCha20-Poly1305
//	passes     4     Argon2id t, 1 to 64
//	memory     4     Argon2id m in KiB, 8·lanes to 1,048,576
//	lanes      1     Argon2id p, 1 to 16
//	salt       16    random
//	nonce      24    random
//	length     4     of the next field, 16 to 4,112
//	sealed     …     the secret, encrypted, and 16 bytes tag; AAD: all above
//	sum        32    SHA-256 of all above
//
// Nothing here is safe against a process that can read this one's memory;
// key bytes are overwritten after use where Go allows it.
package keystore
