package index

import (
	"cmp"
	"encoding/hex"
	"errors"
	"math/big"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/store"
)

// ErrCursor is returned for a cursor that no page has ended with.
var ErrCursor = errors.New("not a cursor of this method")

// Addr answers for scripts.
type Addr struct{ reader }

// Totals sums up the history of scripts.
type Totals struct {
	Received *big.Int // all that was ever paid to them
	Balance  int64    // of it, what is not spent
	Txs      uint64   // transactions; one that concerns two scripts counts twice
	At       Block    // the block after which this holds; OnBest is not set
}

// Totals returns the sums over scripts. It costs the same however long the
// history is.
func (x *Addr) Totals(scripts ...[]byte) (sums Totals, err error) {
	sums.Received = new(big.Int)
	err = x.view(func(v *store.IndexView, at position) error {
		sums.At = Block{Hash: at.hash, Height: at.height}
		for _, script := range distinct(scripts) {
			t, err := readTotals(v, script.id)
			if err != nil {
				return err
			}
			sums.Received.Add(sums.Received, t.received.big())
			sums.Balance += t.balance
			sums.Txs += t.txs
		}
		return nil
	})
	return sums, err
}

// numbered is a script by its place in what was asked for.
type numbered struct {
	id scriptID
	n  int
}

// distinct leaves out repeated scripts.
func distinct(scripts [][]byte) []numbered {
	list := make([]numbered, 0, len(scripts))
	seen := make(map[scriptID]bool, len(scripts))
	for n, script := range scripts {
		if id := idOf(script); !seen[id] {
			seen[id] = true
			list = append(list, numbered{id, n})
		}
	}
	return list
}

// Page says which part of an answer is wanted. Following the cursors visits
// everything once, and finding the start of a page costs the same at any
// depth. Between two pages a reorganisation may change what is ahead.
type Page struct {
	Cursor  string // where the page before ended; empty: the start
	Limit   int    // most entries
	Reverse bool   // newest first
	Skip    int    // entries to leave out first: these are read all the same

	// Only what happened in blocks of these heights. To 0: no bound.
	From, To int32
}

// Entry is what a transaction did to one of the scripts.
type Entry struct {
	TxID     chainhash.Hash
	Height   int32
	Index    int   // of the transaction in its block
	Script   int   // in the list that was asked for
	Received int64 // paid to the script
	Spent    int64 // of the script's coins
}

// History returns one page of the history of scripts, in the order of the
// chain. The entries of one transaction for several scripts count as one
// and stand together. next is empty at the end. at is the last block in the
// index.
func (x *Addr) History(page Page, scripts ...[]byte) (list []Entry, next string, at Block, err error) {
	start, err := page.place()
	if err != nil {
		return nil, "", at, err
	}
	err = x.view(func(v *store.IndexView, pos position) error {
		at = Block{Hash: pos.hash, Height: pos.height}
		var all []Entry
		more := false
		for _, script := range distinct(scripts) {
			part, rest, err := x.historyOf(v, script, page, start)
			if err != nil {
				return err
			}
			all, more = append(all, part...), more || rest
		}
		slices.SortStableFunc(all, func(a, b Entry) int { return page.order(a.place(), b.place()) })
		list, more = page.cut(all, more)
		if more && len(list) > 0 {
			next = hex.EncodeToString(list[len(list)-1].place().append(nil))
		}
		return fillTxIDs(v, list)
	})
	return list, next, at, err
}

func (e *Entry) place() place { return place{e.Height, uint32(e.Index)} }

func (p *Page) order(a, b place) int {
	c := cmp.Or(cmp.Compare(a.height, b.height), cmp.Compare(a.index, b.index))
	if p.Reverse {
		return -c
	}
	return c
}

// place decodes the cursor: nil if there is none.
func (p *Page) place() (*place, error) {
	if p.Cursor == "" {
		return nil, nil
	}
	b, err := hex.DecodeString(p.Cursor)
	if err != nil || len(b) != placeSize {
		return nil, ErrCursor
	}
	at := readPlace(b)
	return &at, nil
}

// cut applies Skip and Limit to sorted entries. more says that there are
// entries behind what was read.
func (p *Page) cut(all []Entry, more bool) ([]Entry, bool) {
	txs, first, end := 0, len(all), len(all)
	for i := range all {
		if i > 0 && all[i].place() == all[i-1].place() {
			continue
		}
		if txs == p.Skip {
			first = i
		}
		if txs == p.Skip+p.Limit {
			end, more = i, true
			break
		}
		txs++
	}
	return all[min(first, end):end], more
}

// historyOf reads enough rows of one script for the page, and says whether
// there may be more.
func (x *Addr) historyOf(v *store.IndexView, script numbered, page Page, start *place) (list []Entry, more bool, err error) {
	r := store.IndexRange{Prefix: scriptPrefix(rowHistory, script.id), Reverse: page.Reverse}
	r.From = page.firstKey(script.id, start)
	want := page.Skip + page.Limit + 1
	err = v.Each(r, func(key, value []byte) (bool, error) {
		const head = 1 + len(scriptID{})
		c, ok := decodeChange(value)
		if !ok || len(key) != head+placeSize {
			return false, damaged("addr", key)
		}
		at := readPlace(key[head:])
		switch {
		case start != nil && at == *start:
			return true, nil
		case page.outside(at.height):
			return false, nil
		}
		list = append(list, Entry{
			Height: at.height, Index: int(at.index), Script: script.n,
			Received: c.received, Spent: c.spent,
		})
		more = len(list) == want
		return !more, nil
	})
	return list, more, err
}

// firstKey is where the walk over the history of a script begins.
func (p *Page) firstKey(id scriptID, start *place) []byte {
	var bound place
	switch {
	case p.Reverse && p.To > 0:
		bound = place{p.To, 1<<24 - 1}
	case p.Reverse && start == nil:
		return nil
	case p.Reverse:
		bound = *start
	default:
		bound = place{p.From, 0}
	}
	if start != nil && p.order(bound, *start) < 0 {
		bound = *start
	}
	return historyKey(id, bound)
}

// outside says that a walk has left the wanted heights.
func (p *Page) outside(height int32) bool {
	if p.Reverse {
		return height < p.From
	}
	return p.To > 0 && height > p.To
}

func fillTxIDs(v *store.IndexView, list []Entry) error {
	for i := range list {
		key := txIDKey(list[i].place())
		b, ok, err := v.Get(key)
		if err != nil {
			return err
		}
		if !ok || len(b) != chainhash.HashSize {
			return damaged("addr", key)
		}
		list[i].TxID = chainhash.Hash(b)
	}
	return nil
}

// Unspent is a coin of a script.
type Unspent struct {
	OutPoint wire.OutPoint
	Height   int32
	Amount   int64
	Coinbase bool
	Script   int // in the list that was asked for
}

// Unspent returns one page of the coins of scripts, in the order of their
// heights, then of transaction id (internal byte order) and output. Of page
// the cursor and the limit count. at is the last block in the index.
func (x *Addr) Unspent(page Page, scripts ...[]byte) (list []Unspent, next string, at Block, err error) {
	var start []byte
	if page.Cursor != "" {
		start, err = hex.DecodeString(page.Cursor)
		if err != nil || len(start) != unspentPlaceSize {
			return nil, "", at, ErrCursor
		}
	}
	err = x.view(func(v *store.IndexView, pos position) error {
		at = Block{Hash: pos.hash, Height: pos.height}
		for _, script := range distinct(scripts) {
			part, err := unspentOf(v, script, start, page.Limit+1)
			if err != nil {
				return err
			}
			list = append(list, part...)
		}
		return nil
	})
	slices.SortFunc(list, func(a, b Unspent) int {
		return slices.Compare(a.place(), b.place())
	})
	if len(list) > page.Limit {
		list = list[:page.Limit]
		if page.Limit > 0 {
			next = hex.EncodeToString(list[page.Limit-1].place())
		}
	}
	return list, next, at, err
}

func (u *Unspent) place() []byte {
	return unspentPlace{u.Height, u.OutPoint}.append(make([]byte, 0, unspentPlaceSize))
}

// unspentOf returns up to limit coins of a script behind start.
func unspentOf(v *store.IndexView, script numbered, start []byte, limit int) (list []Unspent, err error) {
	r := store.IndexRange{Prefix: scriptPrefix(rowUnspent, script.id)}
	if start != nil {
		r.From = append(scriptPrefix(rowUnspent, script.id), start...)
	}
	err = v.Each(r, func(key, value []byte) (bool, error) {
		if string(key) == string(r.From) {
			return true, nil
		}
		u, amount, coinbase, ok := parseUnspent(key, value)
		if !ok {
			return false, damaged("addr", key)
		}
		list = append(list, Unspent{u.op, u.height, amount, coinbase, script.n})
		return len(list) < limit, nil
	})
	return list, err
}
