package sigcheck

import (
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
)

// PanicError reports that the checks of an input panicked: the interpreter, or
// what takes its place. Nothing is known about the scripts.
type PanicError struct {
	TxID  chainhash.Hash
	Input int
	Value any    // what it panicked with
	Stack []byte // for the log
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("script engine panicked at input %d of transaction %v: %v", e.Input, e.TxID, e.Value)
}

// interpret asks the interpreter about an input. It has the last word, with
// signatures by btcec. doubted says that checks here found that the input
// fails.
func (w *worker) interpret(p *Pending, at place, doubted bool) {
	defer func() {
		if v := recover(); v != nil {
			w.at, w.scripts = loaded{}, nil
			w.panicked(p, at, v)
		}
	}()
	w.c.counts.interpreted.Add(1)
	if w.load(p, at.todo); w.scripts == nil {
		w.scripts = newTxScripts(p.spend(p.todo[at.todo]), p.flags)
	}
	if w.scripts.cache = nil; !doubted {
		w.scripts.cache = w.scripts.known(w.c.verify, at.input)
	}
	err := w.scripts.run(at.input)
	if err == nil {
		if doubted {
			w.c.counts.overruled.Add(1)
		}
		return
	}
	txid := w.scripts.tx.TxID
	if undecidable(err) {
		err = fmt.Errorf("run scripts of input %d of transaction %v: %w", at.input, txid, err)
	} else {
		err = &consensus.RuleError{
			Rule:   p.rule,
			Note:   " (" + reason(err) + ")",
			Detail: fmt.Sprintf("input %d of transaction %v: %v", at.input, txid, err),
			Err:    err,
		}
	}
	p.record(int64(p.todo[at.todo].first)+int64(at.input), err)
}

// txScripts is a transaction made ready for the interpreter.
type txScripts struct {
	tx    *consensus.Tx
	coins []consensus.Coin
	flags txscript.ScriptFlags
	shared

	cache *txscript.SigCache // what the next run need not check; nil: nothing
}

// shared is what all inputs of a transaction have in common.
type shared struct {
	fetcher txscript.PrevOutputFetcher
	hashes  *txscript.TxSigHashes
}

func newTxScripts(s *Spend, flags txscript.ScriptFlags) *txScripts {
	return &txScripts{tx: s.Tx, coins: s.Coins, flags: flags, shared: prepare(s)}
}

// prepare computes hashes over all inputs and their coins, which BIP143 and
// BIP341 sign.
func prepare(s *Spend) shared {
	outs := make([]wire.TxOut, len(s.Coins))
	byOutpoint := make(map[wire.OutPoint]*wire.TxOut, len(s.Coins))
	for i := range s.Coins {
		outs[i] = wire.TxOut{Value: s.Coins[i].Amount, PkScript: s.Coins[i].Script}
		byOutpoint[s.Tx.Msg.TxIn[i].PreviousOutPoint] = &outs[i]
	}
	fetcher := txscript.NewMultiPrevOutFetcher(byOutpoint)
	return shared{fetcher: fetcher, hashes: txscript.NewTxSigHashes(s.Tx.Msg, fetcher)}
}

// run runs the scripts of one input; nil means success.
//
// There is no signature cache beyond one input: that of txscript holds on to
// the bytes of whole transactions, and whole transactions are what passedCache
// knows.
func (t *txScripts) run(input int) error {
	coin := &t.coins[input]
	vm, err := txscript.NewEngine(coin.Script, t.tx.Msg, input, t.flags, t.cache, t.hashes, coin.Amount, t.fetcher)
	if err != nil {
		return err
	}
	return vm.Execute()
}
