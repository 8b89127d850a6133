package sigcheck

import (
	"sync"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
)

// txScripts is a transaction made ready for the engine. Its inputs may be run
// side by side.
type txScripts struct {
	spend *consensus.Tx
	coins []consensus.Coin
	flags txscript.ScriptFlags

	once    sync.Once // guards the fields below
	hashes  *txscript.TxSigHashes
	fetcher txscript.PrevOutputFetcher
}

func newTxScripts(s Spend, flags txscript.ScriptFlags) *txScripts {
	return &txScripts{spend: s.Tx, coins: s.Coins, flags: flags}
}

// prepare computes what all inputs share: BIP341 signs over all coins.
func (t *txScripts) prepare() {
	outs := make([]wire.TxOut, len(t.coins))
	byOutpoint := make(map[wire.OutPoint]*wire.TxOut, len(t.coins))
	for i := range t.coins {
		outs[i] = wire.TxOut{Value: t.coins[i].Amount, PkScript: t.coins[i].Script}
		byOutpoint[t.spend.Msg.TxIn[i].PreviousOutPoint] = &outs[i]
	}
	t.fetcher = txscript.NewMultiPrevOutFetcher(byOutpoint)
	t.hashes = txscript.NewTxSigHashes(t.spend.Msg, t.fetcher)
}

// run runs the scripts of one input. A nil error means success; the engine
// returns errors for failed scripts only.
func (t *txScripts) run(input int) error {
	t.once.Do(t.prepare)
	coin := &t.coins[input]
	vm, err := txscript.NewEngine(coin.Script, t.spend.Msg, input, t.flags, nil, t.hashes, coin.Amount, t.fetcher)
	if err != nil {
		return err
	}
	return vm.Execute()
}
