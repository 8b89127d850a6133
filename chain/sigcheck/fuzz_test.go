package sigcheck

import (
	"testing"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/charterchain/charter/chain/consensus"
)

// FuzzScripts runs any scripts: the engine must not panic, and success with
// the flags of policy must mean success with all smaller sets of flags that
// blocks can have, on which passedCache relies.
func FuzzScripts(f *testing.F) {
	op := func(ops ...byte) []byte { return ops }
	f.Add([]byte{}, op(txscript.OP_1), []byte{}, byte(0))
	f.Add(op(txscript.OP_1, txscript.OP_2), op(txscript.OP_ADD, txscript.OP_3, txscript.OP_EQUAL), []byte{}, byte(0))
	f.Add(op(1, txscript.OP_1), append(append(op(txscript.OP_HASH160, 20), make([]byte, 20)...), txscript.OP_EQUAL), []byte{}, byte(0x15))
	f.Add([]byte{}, append(op(txscript.OP_0, 32), make([]byte, 32)...), op(1, 0x51), byte(0x7f))
	f.Add([]byte{}, append(op(txscript.OP_1, 32), bytesOf(32, 2)...), op(1, 0x51, 33, 0xc0), byte(0x7f))
	f.Add([]byte{}, op(txscript.OP_1, 2, 0x4e, 0x73), []byte{}, byte(0x7f))
	f.Add([]byte{}, op(txscript.OP_2, 2, 1, 1), op(1, 1), byte(0x30))
	f.Add(op(txscript.OP_0, 1, 1, txscript.OP_1), op(1, 2, txscript.OP_1, txscript.OP_CHECKMULTISIG, txscript.OP_NOT), []byte{}, byte(0x0f))
	f.Add(op(txscript.OP_1), op(txscript.OP_CHECKLOCKTIMEVERIFY, txscript.OP_CHECKSEQUENCEVERIFY), []byte{}, byte(0x18))
	c := New(Config{Workers: 1})
	f.Fuzz(func(t *testing.T, sigScript, script, witness []byte, which byte) {
		s := scripted(1, script)
		s.Tx.Msg.TxIn[0].SignatureScript = sigScript
		s.Tx.Msg.TxIn[0].Witness = splitItems(witness)
		s.Tx = consensus.NewTx(s.Tx.Msg)

		standard := c.CheckTx(t.Context(), s.Tx, s.Coins, consensus.StandardScriptFlags())
		some := c.CheckTx(t.Context(), s.Tx, s.Coins, someFlags(which))
		for _, err := range []error{standard, some} {
			if err != nil && consensus.AsRule(err) == nil {
				t.Fatalf("undecided: %v", err)
			}
		}
		if standard == nil && some != nil {
			t.Errorf("succeeds with the flags of policy and fails with %b: %v", someFlags(which), some)
		}
	})
}

// someFlags makes a set of consensus flags from the bits of which.
func someFlags(which byte) txscript.ScriptFlags {
	var flags txscript.ScriptFlags
	for i, name := range consensusFlags() {
		if which&(1<<i) != 0 {
			flags |= coreFlags[name]
		}
	}
	return trim(flags)
}

// splitItems reads items with a length byte before each; what is left over
// is the last item.
func splitItems(data []byte) wire.TxWitness {
	var items wire.TxWitness
	for len(data) > 0 {
		n := min(int(data[0]), len(data)-1)
		items, data = append(items, data[1:1+n]), data[1+n:]
	}
	return items
}

// FuzzBlocks spoils signatures of blocks whose hints are partly wrong, cuts
// the blocks in two that are checked side by side, and compares the outcomes
// with the interpreter's.
func FuzzBlocks(f *testing.F) {
	f.Add(uint16(0), uint16(0), []byte{}, byte(0x7f), byte(1))
	f.Add(uint16(1), uint16(0), []byte{0, 0, 0, 1}, byte(0x7f), byte(2))
	f.Add(uint16(1<<14|1<<3), uint16(5), []byte{0xff, 0xff}, byte(0x7f), byte(0x13))
	f.Add(uint16(0), uint16(1<<9), []byte{0x55}, byte(0x3f), byte(0x22))
	f.Add(uint16(1<<7), uint16(0x7fff), []byte(nil), byte(0x0f), byte(0x51))
	good := mixedBlock(f, 1)
	hints := trueHints(f, good)
	f.Fuzz(func(t *testing.T, bad, tampered uint16, noise []byte, which, how byte) {
		block, at := append([]Spend(nil), good...), 0
		for i := range block {
			for input := range block[i].Coins {
				if bad>>at&1 != 0 {
					block[i] = spoiled(t, block[i], input)
				}
				if tampered>>at&1 != 0 {
					block[i] = altered(block[i], input, noise)
				}
				at++
			}
		}
		wrong := append(Hints(nil), hints...)
		for i := range min(len(noise), len(wrong)) {
			wrong[i] ^= noise[i]
		}
		flags := someFlags(which)
		c := New(Config{Workers: 1 + int(how&1), CacheEntries: 10, Recheck: 1})
		cut := int(how>>4) % (len(block) + 1)
		first, second := block[:cut], block[cut:]
		one := c.Begin(first, flags, nil)
		two := c.Begin(second, flags, wrong)
		whole := c.Begin(block, flags, wrong)
		sameAsReferee(t, "whole", whole.Wait(t.Context()), block, flags)
		sameAsReferee(t, "second part", two.Wait(t.Context()), second, flags)
		sameAsReferee(t, "first part", one.Wait(t.Context()), first, flags)
		if n := c.Stats().Overruled; n != 0 {
			t.Errorf("the interpreter accepts %d inputs that the quick checks refuse", n)
		}
	})
}

// altered is the spend with noise over the signature of an input.
func altered(s Spend, input int, noise []byte) Spend {
	msg := s.Tx.Msg.Copy()
	over := msg.TxIn[input].SignatureScript
	if w := msg.TxIn[input].Witness; len(w) > 0 {
		over = w[0]
	}
	for i := range min(len(over), len(noise)) {
		over[i] ^= noise[i]
	}
	return Spend{Tx: consensus.NewTx(msg), Coins: s.Coins}
}
