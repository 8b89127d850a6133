package wallet

import (
	"fmt"

	"github.com/btcsuite/btcd/btcutil/v2/hdkeychain"

	"github.com/charterchain/charter/chain/params"
)

// gapLimit is how many unused addresses in a row are looked out for
// (BIP44). No more are handed out, so that a restore finds every payment.
const gapLimit = 20

// addressBook knows the account's addresses: those used, and the next
// gapLimit of each branch, which are looked out for.
type addressBook struct {
	branches [2]*hdkeychain.ExtendedKey
	lines    [2]line
	paths    map[[32]byte]keyPath // by output key
}

// line is the addresses of one branch.
type line struct {
	used  uint32     // one more than the highest index seen in a transaction
	shown uint32     // the index that was asked for as a further address
	keys  [][32]byte // output keys by index; used + gapLimit of them
}

// newAddressBook derives what lines lacks of its keys.
func newAddressBook(account *hdkeychain.ExtendedKey, lines [2]line) (*addressBook, error) {
	b := &addressBook{lines: lines, paths: make(map[[32]byte]keyPath)}
	for _, br := range []branch{external, internal} {
		key, err := deriveChild(account, uint32(br))
		if err != nil {
			return nil, err
		}
		b.branches[br] = key
		for i, k := range b.lines[br].keys {
			b.paths[k] = keyPath{br, uint32(i)}
		}
		if err := b.extend(br); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// extend derives keys up to the gap limit.
func (b *addressBook) extend(br branch) error {
	l := &b.lines[br]
	for uint32(len(l.keys)) < l.used+gapLimit {
		index := uint32(len(l.keys))
		if index >= hdkeychain.HardenedKeyStart {
			return fmt.Errorf("all %d %v addresses are used up", index, br)
		}
		key, err := outputKey(b.branches[br], index)
		if err != nil {
			return err
		}
		l.keys = append(l.keys, key)
		b.paths[key] = keyPath{br, index}
	}
	return nil
}

// find tells which of the wallet's addresses a script belongs to.
func (b *addressBook) find(script []byte) (keyPath, bool) {
	key, ok := taprootKey(script)
	if !ok {
		return keyPath{}, false
	}
	path, ok := b.paths[key]
	return path, ok
}

// use notes that an address was seen in a transaction, and reports whether
// more addresses are looked out for since.
func (b *addressBook) use(path keyPath) (grew bool, err error) {
	l := &b.lines[path.branch]
	if path.index < l.used {
		return false, nil
	}
	l.used = path.index + 1
	return true, b.extend(path.branch)
}

// unuse goes back to lines as they were, after a transaction that used
// addresses came to nothing: gaps in what the chain shows would add up.
func (b *addressBook) unuse(lines [2]line) {
	for br := range b.lines {
		for _, key := range b.lines[br].keys[len(lines[br].keys):] {
			delete(b.paths, key)
		}
	}
	b.lines = lines
}

// current is the index of a branch's address to be used next.
func (b *addressBook) current(br branch) uint32 {
	return max(b.lines[br].used, b.lines[br].shown)
}

// script is the output script of an address within the look-out.
func (b *addressBook) script(path keyPath) []byte {
	return payToTaproot(b.lines[path.branch].keys[path.index])
}

// ReceiveAddress returns the address to give to somebody who pays: one that
// no transaction known to the wallet has used. It stays the same until one
// does, or until NextAddress.
func (w *Wallet) ReceiveAddress() (string, error) {
	return w.encode(w.book.script(keyPath{external, w.book.current(external)}))
}

// NextAddress returns a further address although the present one is not
// used yet, and remembers it. At most gapLimit (20) unused ones are handed
// out in a row: a wallet that is restored would not look beyond.
func (w *Wallet) NextAddress() (string, error) {
	l := &w.book.lines[external]
	next := w.book.current(external) + 1
	if next >= l.used+gapLimit {
		return "", fmt.Errorf("the last %d addresses are unused: wait for a payment to one of them, or use one twice; a restored wallet would not find payments to further ones", gapLimit)
	}
	before := l.shown
	l.shown = next
	if err := w.save(); err != nil {
		l.shown = before
		return "", err
	}
	return w.ReceiveAddress()
}

// encode writes a script of the wallet's own as an address.
func (w *Wallet) encode(script []byte) (string, error) {
	text, ok := w.cfg.Chain.Address.Encode(script)
	if !ok {
		return "", fmt.Errorf("this chain's prefix %q cannot write taproot addresses", w.cfg.Chain.Address.Bech32HRP)
	}
	return text, nil
}

// addressOf writes any script as an address, or "" where it has none.
func addressOf(a params.Address, script []byte) string {
	text, _ := a.Encode(script)
	return text
}
