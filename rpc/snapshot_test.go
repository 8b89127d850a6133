package rpc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/charterchain/charter/chain"
)

// fromSnapshot returns a node that has started from a snapshot of b3 in the
// story, and has checked nothing below.
func fromSnapshot(t *testing.T) (on, at *fixture) {
	t.Helper()
	on, at = newFixture(t), newFixture(t)
	story(at)
	ctx := context.Background()
	var file bytes.Buffer
	dump, err := at.Chain.DumpSnapshot(ctx, &file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := on.Chain.LoadSnapshot(ctx, bytes.NewReader(file.Bytes()), &dump.Digest); err != nil {
		t.Fatal(err)
	}
	return on, at
}

// TestInvalidateBelowSnapshot: blocks at and below the base cannot be left,
// which is a refusal, and no failure to decide.
func TestInvalidateBelowSnapshot(t *testing.T) {
	f, from := fromSnapshot(t)
	for height, name := range []string{"b1", "b2", "b3"} {
		hash := from.Block(name).Hash
		want := fmt.Sprintf("block %v at height %d: %v", hash, height+1, chain.ErrBelowSnapshot)
		if _, err := f.call("invalidateblock", `["`+hash.String()+`"]`); err == nil || err.Code != codeMisc || err.Message != want {
			t.Errorf("%s: %+v, want code %d, %q", name, err, codeMisc, want)
		}
	}
	f.expect("getblockcount", `[]`, `3`)
}

// steered is a chain whose best branch cannot be moved.
type steered struct {
	Chain
	err error
}

func (s *steered) Invalidate(context.Context, chainhash.Hash) error { return s.err }
func (s *steered) Reconsider(context.Context, chainhash.Hash) error { return s.err }
func (s *steered) Precious(context.Context, chainhash.Hash) error   { return s.err }

// TestSteerRefused: where the best branch cannot go back so far that is a
// refusal; an error of the disk still decides nothing.
func TestSteerRefused(t *testing.T) {
	f := newFixture(t)
	story(f)
	s := &steered{}
	f.serve(func(cfg *Config) { s.Chain, cfg.Chain = cfg.Chain, s })
	for _, tt := range []struct {
		err  error
		code int
		text string
	}{
		{fmt.Errorf("block x: %w", chain.ErrBelowSnapshot), codeMisc, "block x: " + chain.ErrBelowSnapshot.Error()},
		{fmt.Errorf("block x: %w", chain.ErrTooDeep), codeMisc, "block x: " + chain.ErrTooDeep.Error()},
		{errors.New("disk on fire"), codeInternal, "could not decide: disk on fire"},
	} {
		s.err = tt.err
		for _, method := range []string{"invalidateblock", "reconsiderblock", "preciousblock"} {
			if _, err := f.call(method, `["`+f.Block("b2").Hash.String()+`"]`); err == nil || err.Code != tt.code || err.Message != tt.text {
				t.Errorf("%s: %+v, want code %d, %q", method, err, tt.code, tt.text)
			}
		}
	}
}

// halting is a chain that shows a check that cannot go on.
type halting struct{ Chain }

func (h halting) Background() (chain.Background, bool) {
	b, ok := h.Chain.Background()
	b.Halt = "read indexes/background: input/output error"
	return b, ok
}

// TestChainStatesHalt: getchainstates says of the check why it cannot go on.
func TestChainStatesHalt(t *testing.T) {
	f, _ := fromSnapshot(t)
	errorsOf := func() string {
		var states struct {
			States []struct {
				Error string `json:"error"`
			} `json:"chainstates"`
		}
		if err := json.Unmarshal(f.get("getchainstates", `[]`), &states); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(states.States)
	}
	if got := errorsOf(); got != "[{} {}]" {
		t.Errorf("errors %s, want none", got)
	}
	f.serve(func(cfg *Config) { cfg.Chain = halting{cfg.Chain} })
	if got := errorsOf(); got != "[{read indexes/background: input/output error} {}]" {
		t.Errorf("errors %s", got)
	}
}
