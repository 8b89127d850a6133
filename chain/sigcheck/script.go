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
	tx    *consensus.Tx
	coins []consensus.Coin
	flags txscript.ScriptFlags

	// shared computes what all inputs have in common, once. Should that
	// panic it does so for every input, and none is judged by half of it.
	shared func() *shared
}

// shared is what all inputs of a transaction have in common.
type shared struct {
	fetcher txscript.PrevOutputFetcher
	hashes  *txscript.TxSigHashes
}

func newTxScripts(s Spend, flags txscript.ScriptFlags) *txScripts {
	return &txScripts{
		tx: s.Tx, coins: s.Coins, flags: flags,
		shared: sync.OnceValue(func() *shared { return prepare(s) }),
	}
}

// prepare computes hashes over all inputs and their coins, which BIP143 and
// BIP341 sign.
func prepare(s Spend) *shared {
	outs := make([]wire.TxOut, len(s.Coins))
	byOutpoint := make(map[wire.OutPoint]*wire.TxOut, len(s.Coins))
	for i := range s.Coins {
		outs[i] = wire.TxOut{Value: s.Coins[i].Amount, PkScript: s.Coins[i].Script}
		byOutpoint[s.Tx.Msg.TxIn[i].PreviousOutPoint] = &outs[i]
	}
	fetcher := txscript.NewMultiPrevOutFetcher(byOutpoint)
	return &shared{fetcher: fetcher, hashes: txscript.NewTxSigHashes(s.Tx.Msg, fetcher)}
}

// run runs the scripts of one input; nil means success.
//
// The engine gets no signature cache: that of txscript holds on to the bytes
// of whole transactions, and whole transactions are what passedCache knows.
func (t *txScripts) run(input int) error {
	coin, common := &t.coins[input], t.shared()
	vm, err := txscript.NewEngine(coin.Script, t.tx.Msg, input, t.flags, nil, common.hashes, coin.Amount, common.fetcher)
	if err != nil {
		return err
	}
	return vm.Execute()
}
