package chaintest

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/charterchain/charter/chain"
	"github.com/charterchain/charter/chain/params"
	"github.com/charterchain/charter/chain/sigcheck"
	"github.com/charterchain/charter/chain/store"
)

// Node is a chain on its store, for tests that need no harness.
type Node struct {
	Chain *chain.Chain
	Store *store.Store
}

// OpenNode opens a chain with the settings of the zero Options; change alters
// them and has to say where the store lies.
func OpenNode(p *params.Params, change func(*store.Config, *chain.Config)) (*Node, error) {
	log := slog.New(slog.DiscardHandler)
	now := p.GenesisBlock.Header.Timestamp.Add(24 * time.Hour)
	sc := store.Config{
		FS:       store.OS(),
		Magic:    p.Network.Magic,
		DBCache:  1 << 20,
		MaxBlock: p.Limits.BlockSerialized,
		FileSize: 1 << 20,
		Log:      log,
	}
	cc := chain.Config{
		Params:     p,
		Now:        func() time.Time { return now },
		Log:        log,
		CacheBytes: 8 << 20,
	}
	change(&sc, &cc)
	if cc.Checker == nil {
		cc.Checker = sigcheck.New(sigcheck.Config{Workers: 2, CacheEntries: 1000, Recheck: 256})
	}
	s, err := store.Open(sc)
	if err != nil {
		return nil, err
	}
	cc.Store = s
	c, err := chain.New(context.Background(), cc)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return &Node{c, s}, nil
}
