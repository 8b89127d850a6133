package wallet

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/charterchain/charter/chain/permission/packet"
)

// AuthorityCoin returns the coin by which the wallet speaks for one of its
// identities: an authority output if there is one, and one in a block before
// one that waits. ok is false where the wallet has no coin at the script that
// can be spent now.
func (w *Wallet) AuthorityCoin(script []byte) (c packet.Coin, ok bool) {
	list := slices.DeleteFunc(w.unspent(), func(u Unspent) bool {
		return !bytes.Equal(u.Script, script) || !u.Standing.Spendable() && u.Amount > 0 || u.Standing == Immature
	})
	if len(list) == 0 {
		return c, false
	}
	best := slices.MinFunc(list, func(a, b Unspent) int {
		return cmp.Or(cmp.Compare(a.Amount, b.Amount), cmp.Compare(b.Confirmations, a.Confirmations),
			bytes.Compare(a.OutPoint.Hash[:], b.OutPoint.Hash[:]), cmp.Compare(a.OutPoint.Index, b.OutPoint.Index))
	})
	return packet.Coin{OutPoint: best.OutPoint, Amount: int64(best.Amount), Script: best.Script}, true
}

// Owns reports whether a script is that of an address which the wallet looks
// out for.
func (w *Wallet) Owns(script []byte) bool {
	_, ok := w.book.find(script)
	return ok
}

// FirstAddress is the first address of the wallet, by which an organisation
// is a member unless it chose another: it never changes.
func (w *Wallet) FirstAddress() (string, error) {
	return w.encode(w.book.script(keyPath{external, 0}))
}
