package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/charterchain/charter/chain/permission/packet"
	"github.com/charterchain/charter/chain/permission/record"
	"github.com/charterchain/charter/rpc/client"
)

// outcome is what a command that changes members shows: of what it did, or
// with --dry-run would do.
type outcome struct {
	g       *governance
	sim     *client.Simulation
	packet  *packet.Packet
	records []record.Record
}

// outcomeJSON is its form for programs.
type outcomeJSON struct {
	TxID         string                   `json:"txid"`
	Sent         bool                     `json:"sent"`
	PSBT         string                   `json:"psbt,omitempty"`
	Notes        []string                 `json:"notes,omitempty"`
	Records      []client.SimulatedRecord `json:"records"`
	LetsIn       []client.AccessChange    `json:"lets_in"`
	CutsOff      []client.AccessChange    `json:"cuts_off"`
	MinersBefore client.MinerCount        `json:"miners_before"`
	MinersAfter  client.MinerCount        `json:"miners_after"`
	Decided      *client.Decision         `json:"decided,omitempty"`
}

func (o *outcome) json() outcomeJSON {
	return outcomeJSON{
		TxID: o.packet.TxID().String(), Notes: o.g.notes, Records: o.sim.Records, LetsIn: o.sim.LetsIn, CutsOff: o.sim.CutsOff,
		MinersBefore: o.sim.MinersBefore, MinersAfter: o.sim.MinersAfter, Decided: o.sim.Decided,
	}
}

// print says what was sent, or what would be where txid is empty.
func (o *outcome) print(txid string) error {
	e := o.g.e
	if e.flags.json {
		doc := o.json()
		doc.Sent = txid != ""
		return e.printJSON(doc)
	}
	last := "Nothing was sent.\n"
	if txid != "" {
		last = fmt.Sprintf("Sent in transaction %s.\n", txid)
		if slices.ContainsFunc(o.sim.Records, func(r client.SimulatedRecord) bool { return r.Completes }) {
			last = fmt.Sprintf("Sent in transaction %s; what it decides holds from the block after the one that takes it in.\n", txid)
		}
	}
	_, err := fmt.Fprint(e.stdout, o.text(), last)
	return err
}

// text says in words what the transaction does.
func (o *outcome) text() string {
	var b strings.Builder
	for i := range o.sim.Records {
		o.recordText(&b, i)
	}
	for _, note := range o.g.notes {
		fmt.Fprintln(&b, note)
	}
	effects(&b, false, o.sim.LetsIn, o.sim.CutsOff, o.sim.MinersBefore, o.sim.MinersAfter)
	switch d := o.sim.Decided; {
	case d == nil:
	case d.Error != nil:
		fmt.Fprintf(&b, "It cannot come about as things stand: %s: %s.\n", d.Error.Rule, d.Error.Detail)
	default:
		effects(&b, true, d.LetsIn, d.CutsOff, o.sim.MinersBefore, d.MinersAfter)
	}
	return b.String()
}

// effects says who can do what from then on, and how many miners may fail;
// later: if what is missing comes.
func effects(b *strings.Builder, later bool, letsIn, cutsOff []client.AccessChange, before, after client.MinerCount) {
	when, on := "", "on"
	if later {
		when, on = "Once decided: ", "on at the earliest"
	}
	changes(b, when+"Lets in", on, letsIn)
	changes(b, when+"Cuts off", on, cutsOff)
	if before == after {
		return
	}
	fmt.Fprintf(b, "%sMiners: %d now, of which %d may fail; %d then, of which %d may fail.\n",
		when, before.Mining, before.MayFail, after.Mining, after.MayFail)
	if after.MayFail == 0 && before.MayFail > 0 {
		fmt.Fprintln(b, "Careful: then the chain stops as soon as one miner fails.")
	}
}

// recordText says what a record asks for, in this program's own words, and how
// its vote stands.
func (o *outcome) recordText(b *strings.Builder, i int) {
	r, sim := o.records[i], &o.sim.Records[i]
	fmt.Fprintln(b, record.Describe(r, o.g.namer(o.records), o.g.addressText))
	switch {
	case sim.Completes:
		fmt.Fprintln(b, "  It takes effect with this transaction.")
	case !sim.Effective:
		fmt.Fprintln(b, "  It changes nothing: these votes are counted already, or it was decided before.")
	default:
		fmt.Fprintf(b, "  With this it has %d of the %d votes it needs; missing is one of: %s.\n", sim.Have, sim.Need, names(sim.Missing))
		fmt.Fprintf(b, "  They agree with: charter approve %s\n", shortID(sim.ID))
	}
}

func changes(b *strings.Builder, what, on string, list []client.AccessChange) {
	for _, c := range list {
		fmt.Fprintf(b, "%s: %s: %s from block %d %s.\n", what, c.Name, strings.Join(c.Permissions, ", "), c.From, on)
	}
}

// printPacket says that a PSBT was written.
func (o *outcome) printPacket(path, text string) error {
	e := o.g.e
	if e.flags.json {
		doc := o.json()
		doc.PSBT = text
		return e.printJSON(doc)
	}
	signers := make([]string, 0, len(o.packet.Coins))
	for _, script := range o.packet.Missing() {
		address, _ := o.g.chain.Address.Encode(script)
		if m, ok := o.g.lookup(address); ok {
			address = m.Name
		}
		signers = append(signers, address)
	}
	_, err := fmt.Fprintf(e.stderr, "%sThe PSBT has to be signed by: %s (charter psbt sign FILE), then charter psbt combine and charter psbt send.\n",
		o.text(), strings.Join(signers, ", "))
	if err == nil && path != "-" {
		_, err = fmt.Fprintf(e.stdout, "Wrote %s.\n", path)
	}
	return err
}
