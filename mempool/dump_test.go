package mempool

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain/chaintest"
	"github.com/charterchain/charter/chain/consensus"
)

func TestSaveLoad(t *testing.T) {
	w := newWorld(t)
	a := spend(1000, 2, w.coin(1e8))
	b := spend(1000, 1, outputOf(a, 1))
	w.accept(a)
	w.clock = w.clock.Add(time.Hour)
	w.accept(b)
	spent := spend(1000, 1, w.coin(1e8))
	w.accept(spent)
	var file bytes.Buffer
	if err := w.pool.Save(&file); err != nil {
		t.Fatal(err)
	}
	old, _ := w.pool.Entry(a.TxID)

	again := newWorld(t)
	again.clock = w.clock
	again.chain.coins = w.chain.coins
	delete(again.chain.coins, spent.Msg.TxIn[0].PreviousOutPoint)
	res, err := again.pool.Load(context.Background(), bytes.NewReader(file.Bytes()))
	if err != nil || res != (LoadResult{Accepted: 2, Refused: 1}) {
		t.Fatalf("Load: %+v, %v", res, err)
	}
	again.expectPool(a, b)
	if e, _ := again.pool.Entry(a.TxID); !e.Time.Equal(old.Time) {
		t.Errorf("time of arrival is %v, want %v", e.Time, old.Time)
	}

	late := newWorld(t)
	late.chain.coins = w.chain.coins
	late.clock = old.Time.Add(late.pool.policy.MempoolExpiry + 1)
	res, err = late.pool.Load(context.Background(), bytes.NewReader(file.Bytes()))
	if err != nil || res.Expired != 1 || res.Accepted != 0 {
		t.Errorf("Load of what has expired: %+v, %v", res, err)
	}
}

// dumpOf encodes transactions and seals them.
func dumpOf(t testing.TB, txs ...*consensus.Tx) []byte {
	var body bytes.Buffer
	var entries []Entry
	for _, tx := range txs {
		entries = append(entries, Entry{Tx: tx, Time: time.Unix(1_700_000_000, 0)})
	}
	if err := writeDump(&body, chaintest.Params(chaintest.ChainFile).GenesisHash, entries); err != nil {
		t.Fatal(err)
	}
	return closeDump(body.Bytes())
}

func closeDump(body []byte) []byte {
	sum := sha256.Sum256(body)
	return append(bytes.Clone(body), sum[:]...)
}

func TestLoadRefusesDamage(t *testing.T) {
	good := dumpOf(t, stray(0, 1), stray(1, 2))
	body := good[:len(good)-sha256.Size]
	change := func(at int, to ...byte) []byte {
		b := bytes.Clone(body)
		copy(b[at:], to)
		return closeDump(b)
	}
	count := len(dumpMagic) + 32
	tests := map[string][]byte{
		"empty":               {},
		"head only":           body[:dumpHead],
		"flipped bit":         append(bytes.Clone(good[:100]), append([]byte{good[100] ^ 1}, good[101:]...)...),
		"cut short":           good[:len(good)-1],
		"other kind":          change(0, 'X'),
		"other version":       change(len(dumpMagic)-1, 2),
		"other chain":         change(len(dumpMagic), 1, 2, 3),
		"one more announced":  change(count, 3),
		"one less announced":  change(count, 1),
		"10 million":          change(count, binary.LittleEndian.AppendUint64(nil, 10_000_000)...),
		"size beyond the end": change(count+8+8, 0xff, 0xff, 0xff, 0xff),
		"no transaction":      change(count+8+12+4, 0xff),
		"bytes at the end":    closeDump(append(bytes.Clone(body), 0)),
	}
	for name, data := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			res, err := w.pool.Load(context.Background(), bytes.NewReader(data))
			if !errors.Is(err, ErrDump) || res != (LoadResult{}) {
				t.Errorf("Load: %+v, %v, want ErrDump", res, err)
			}
		})
	}
	if _, err := decodeDump(good, chaintest.Params(chaintest.ChainFile).GenesisHash); err != nil {
		t.Errorf("the undamaged file: %v", err)
	}
}

func FuzzDecodeDump(f *testing.F) {
	genesis := chaintest.Params(chaintest.ChainFile).GenesisHash
	for _, txs := range [][]*consensus.Tx{nil, {stray(0, 1)}, {stray(0, 1), stray(1, 300)}} {
		good := dumpOf(f, txs...)
		f.Add(good[:len(good)-sha256.Size])
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		data := closeDump(body) // else nothing gets past the checksum
		list, err := decodeDump(data, genesis)
		if err != nil {
			if !errors.Is(err, ErrDump) {
				t.Fatalf("error of another kind: %v", err)
			}
			return
		}
		var entries []Entry
		for _, d := range list {
			entries = append(entries, Entry{Tx: d.tx, Time: d.arrived})
		}
		var again bytes.Buffer
		if err := writeDump(&again, genesis, entries); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again.Bytes(), body) {
			t.Fatalf("decoded and encoded again: %x, was %x", again.Bytes(), body)
		}
	})
}

// The format stays: what version 1 wrote, later versions read.
func TestDumpGolden(t *testing.T) {
	const file = "testdata/pool-v1.dat"
	genesis := chainhash.HashH([]byte("golden"))
	entries := []Entry{
		{Tx: stray(0, 1), Time: time.Unix(1_700_000_000, 0)},
		{Tx: stray(1, 2), Time: time.Unix(1_700_000_001, 0)},
	}
	var body bytes.Buffer
	if err := writeDump(&body, genesis, entries); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := closeDump(body.Bytes()); !bytes.Equal(got, want) {
		t.Errorf("the file is now\n%x\nwas\n%x", got, want)
	}
	list, err := decodeDump(want, genesis)
	if err != nil || len(list) != 2 {
		t.Fatalf("%d transactions, %v", len(list), err)
	}
	for i, d := range list {
		if d.tx.WTxID != entries[i].Tx.WTxID || !d.arrived.Equal(entries[i].Time) {
			t.Errorf("transaction %d is %v of %v", i, d.tx.WTxID, d.arrived)
		}
	}
}
