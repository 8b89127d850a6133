package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/rpc/client"
	"github.com/charterchain/charter/wallet"
)

// join replaces records by those of open votes that ask for the same: equal
// votes add up, and lapse and salt are part of what has to be equal. Votes that
// wait for a block, as far as the wallet saw them, come after those in blocks.
func (g *governance) join(ctx context.Context, w *wallet.Wallet, records []record.Record) ([]record.Record, error) {
	if !slices.ContainsFunc(records, func(r record.Record) bool { _, ok := record.Lapse(r); return ok }) {
		return records, nil
	}
	pending, err := g.node.Pending(ctx)
	if err != nil {
		return nil, asFailure(err)
	}
	slices.SortStableFunc(pending, func(a, b client.PendingVote) int { return b.Have - a.Have })
	out, joined := slices.Clone(records), make([]bool, len(records))
	for i := range pending {
		v := &pending[i]
		if v.Done {
			continue
		}
		open, err := recordOf(v)
		if err != nil {
			return nil, err
		}
		for j, r := range records {
			if joined[j] || !sameContent(r, open) {
				continue
			}
			out[j], joined[j] = open, true
			if record.ID(r) == record.ID(open) { // charter approve
				continue
			}
			g.note("This joins the vote %s, which is open for the same (%d of %d votes, from %s; it lapses after block %d).",
				shortID(v.ID), v.Have, v.Need, names(v.Voters), v.Lapse)
		}
	}
	if w == nil {
		return out, nil
	}
	for _, open := range w.Waiting() {
		for j, r := range records {
			if !joined[j] && sameContent(r, open) && record.ID(r) != record.ID(open) {
				out[j], joined[j] = open, true
				id := record.ID(open)
				g.note("This joins the vote %s for the same, which waits for a block.", shortID(hex.EncodeToString(id[:])))
			}
		}
	}
	return out, nil
}

// recordOf decodes the record of a vote that the node lists.
func recordOf(v *client.PendingVote) (record.Record, error) {
	data, err := hex.DecodeString(v.Record)
	if err != nil {
		return nil, fmt.Errorf("listpending: vote %s: %w", v.ID, err)
	}
	r, err := record.Decode(data)
	if err != nil {
		return nil, fmt.Errorf("listpending: vote %s: %w", v.ID, err)
	}
	return r, nil
}

// sameContent reports whether two records ask for the same: they differ at
// most in lapse, salt and signature.
func sameContent(a, b record.Record) bool {
	x, errX := record.Encode(bare(a))
	y, errY := record.Encode(bare(b))
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// bare is a record without what may differ between votes for the same.
func bare(r record.Record) record.Record {
	blank := func(sig *[64]byte) *[64]byte {
		if sig == nil {
			return nil
		}
		return new([64]byte)
	}
	var salt [4]byte
	switch r := r.(type) {
	case record.CreateMember:
		r.Lapse, r.Salt, r.Sig = 0, salt, blank(r.Sig)
		return r
	case record.RenameMember:
		r.Lapse, r.Salt = 0, salt
		return r
	case record.Grant:
		r.Lapse, r.Salt = 0, salt
		return r
	case record.AddKey:
		r.Lapse, r.Salt, r.Sig = 0, salt, blank(r.Sig)
		return r
	case record.ChangeKey:
		r.Lapse, r.Salt, r.Sig = 0, salt, blank(r.Sig)
		return r
	case record.RemoveKey:
		r.Lapse, r.Salt = 0, salt
		return r
	case record.Upgrade:
		r.Lapse, r.Salt = 0, salt
		return r
	}
	return r
}

// shortID is as much of a vote's id as people read.
func shortID(id string) string { return id[:min(len(id), 12)] }

// names lists members in words.
func names(list []client.MemberRef) string {
	if len(list) == 0 {
		return "nobody"
	}
	out := make([]string, len(list))
	for i := range list {
		out[i] = list[i].Name
	}
	return strings.Join(out, ", ")
}
