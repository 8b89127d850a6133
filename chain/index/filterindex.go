package index

import (
	"context"
	"fmt"

	"github.com/btcsuite/btcd/btcutil/v2/gcs"
	"github.com/btcsuite/btcd/btcutil/v2/gcs/builder"
	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/store"
)

// BasicFilter returns the basic filter of a block (BIP158) as it is sent:
// the number of elements as a varint, then the coded set. spent holds the
// coins that the transactions after the coinbase spend.
func BasicFilter(b *consensus.Block, spent [][]consensus.Coin) ([]byte, error) {
	var scripts [][]byte
	for _, coins := range spent {
		for i := range coins {
			scripts = append(scripts, coins[i].Script)
		}
	}
	filter, err := builder.BuildBasicFilter(b.Msg(), scripts)
	if err != nil {
		return nil, fmt.Errorf("filter of block %v: %w", b.Hash, err)
	}
	return filter.NBytes()
}

// DecodeFilter reads what BasicFilter returned. Its key is
// builder.DeriveKey of the block hash.
func DecodeFilter(b []byte) (*gcs.Filter, error) {
	return gcs.FromNBytes(builder.DefaultP, builder.DefaultM, b)
}

// FilterHeader chains a filter to the header of the parent block's filter
// (BIP157); that of the genesis block has zeros before it.
func FilterHeader(filter []byte, previous chainhash.Hash) chainhash.Hash {
	hash := chainhash.DoubleHashH(filter)
	return chainhash.DoubleHashH(append(hash[:], previous[:]...))
}

// filterKind is the index of filters. Rows of blocks that left the best
// branch stay: they are by hash, and a filter does not depend on a branch.
type filterKind struct {
	db *store.IndexDB

	// The header of the last block that connect was called for.
	last   chainhash.Hash
	header chainhash.Hash
}

func (*filterKind) name() string              { return "basic block filter index" }
func (*filterKind) folder() string            { return "basicfilter" }
func (*filterKind) version() uint32           { return 1 }
func (*filterKind) spent() bool               { return true }
func (*filterKind) written()                  {}
func (*filterKind) alone(chainhash.Hash) bool { return false }
func (k *filterKind) forget()                 { k.last = chainhash.Hash{} }

func filterKey(hash *chainhash.Hash) []byte { return append([]byte{rowFilter}, hash[:]...) }

func (k *filterKind) connect(_ context.Context, to *store.IndexBatch, at Block, b *consensus.Block, spent [][]consensus.Coin) error {
	previous, err := k.headerOf(at)
	if err != nil {
		return err
	}
	filter, err := BasicFilter(b, spent)
	if err != nil {
		return err
	}
	k.last, k.header = at.Hash, FilterHeader(filter, previous)
	to.Put(filterKey(&at.Hash), append(k.header[:], filter...))
	return nil
}

// headerOf returns the filter header of at's parent.
func (k *filterKind) headerOf(at Block) (header chainhash.Hash, err error) {
	switch {
	case at.Height == 0:
		return chainhash.Hash{}, nil
	case at.Parent == k.last:
		return k.header, nil
	}
	err = k.db.View(func(v *store.IndexView) error {
		var found bool
		header, _, found, err = readFilter(v, at.Parent)
		if err == nil && !found {
			err = damaged(k.folder(), filterKey(&at.Parent))
		}
		return err
	})
	return header, err
}

func (*filterKind) disconnect(*store.IndexBatch, Block, *consensus.Block, [][]consensus.Coin) error {
	return nil
}

func readFilter(v *store.IndexView, hash chainhash.Hash) (header chainhash.Hash, filter []byte, ok bool, err error) {
	b, ok, err := v.Get(filterKey(&hash))
	if err != nil || !ok {
		return header, nil, false, err
	}
	if len(b) < chainhash.HashSize+1 {
		return header, nil, false, damaged("basicfilter", filterKey(&hash))
	}
	return chainhash.Hash(b[:chainhash.HashSize]), b[chainhash.HashSize:], true, nil
}

// Filter returns filters of blocks.
type Filter struct{ reader }

// BlockFilter is the basic filter of a block.
type BlockFilter struct {
	Block  chainhash.Hash
	Filter []byte         // as BasicFilter
	Header chainhash.Hash // BIP157
}

// ByHash returns the filter of a block that is, or once was, on the best
// branch; false where the index does not have it.
func (x *Filter) ByHash(hash chainhash.Hash) (f BlockFilter, ok bool, err error) {
	err = x.view(func(v *store.IndexView, _ position) error {
		f.Block = hash
		f.Header, f.Filter, ok, err = readFilter(v, hash)
		return err
	})
	return f, ok && err == nil, err
}
