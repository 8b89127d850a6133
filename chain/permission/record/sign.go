package record

import (
	"encoding/binary"

	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/chainhash/v2"
)

// KeyMessage is what a key signs to take on roles in a member. The key of
// CreateMember signs Range{0, Forever}. identity has at most 255 bytes.
func KeyMessage(genesis chainhash.Hash, member MemberID, identity []byte, roles Set, r Range) [32]byte {
	b := append([]byte{byte(len(identity))}, identity...)
	b = binary.LittleEndian.AppendUint16(b, uint16(roles))
	b = binary.LittleEndian.AppendUint32(b, r.From)
	b = binary.LittleEndian.AppendUint32(b, r.Until)
	return *chainhash.TaggedHash([]byte("charter/key/v1"), genesis[:], member[:], b)
}

// ReadyMessage is what a mine key signs to say that its machines run. since is
// the height from which the member's mine permission counts.
func ReadyMessage(genesis chainhash.Hash, member MemberID, key [32]byte, since uint32) [32]byte {
	b := binary.LittleEndian.AppendUint32(nil, since)
	return *chainhash.TaggedHash([]byte("charter/ready/v1"), genesis[:], member[:], key[:], b)
}

// VerifyKeySig reports whether sig is the identity's BIP340 signature over
// KeyMessage. Only a P2TR identity has one.
func VerifyKeySig(genesis chainhash.Hash, member MemberID, identity []byte, roles Set, r Range, sig *[64]byte) bool {
	key, ok := ScriptKey(identity)
	return ok && sig != nil && verify(key, KeyMessage(genesis, member, identity, roles, r), sig)
}

// VerifyReadySig reports whether the record's signature is its key's over
// ReadyMessage.
func VerifyReadySig(genesis chainhash.Hash, r Ready) bool {
	return verify(r.Key, ReadyMessage(genesis, r.Member, r.Key, r.Since), &r.Sig)
}

// CheckSig checks the signature inside a record, if it asks for one; a
// *consensus.RuleError of RuleSignature where it does not fit.
func CheckSig(genesis chainhash.Hash, r Record) error {
	if ready, ok := r.(Ready); ok {
		if !VerifyReadySig(genesis, ready) {
			return broke(RuleSignature, "%s record: the signature is not that of the key %x", r.Op(), ready.Key)
		}
		return nil
	}
	k, sig, ok := Key(r)
	if ok && k.Roles.Any(NeedsKey) && !VerifyKeySig(genesis, k.Member, k.Identity, k.Roles, k.Range, sig) {
		return broke(RuleSignature, "%s record: the signature is not that of the identity %x", r.Op(), k.Identity)
	}
	return nil
}

func verify(key, msg [32]byte, sig *[64]byte) bool {
	pub, err := schnorr.ParsePubKey(key[:])
	if err != nil {
		return false
	}
	s, err := schnorr.ParseSignature(sig[:])
	return err == nil && s.Verify(msg[:], pub)
}
