package rpc

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"

	"github.com/charterchain/charter/chain/params"
)

// utilMethods need nothing but the chain's prefixes.
type utilMethods struct{ address params.Address }

func (u *utilMethods) methods() []*method {
	return []*method{{
		name: "validateaddress", area: "Util", run: u.validateAddress,
		params:  []param{{name: "address", want: "string", help: "The text to look at."}},
		summary: "Says whether a text is an address of this chain, and what for.",
		result:  "An object; where isvalid is false it says why.",
	}}
}

type addressJSON struct {
	IsValid        bool   `json:"isvalid"`
	Address        string `json:"address"`
	ScriptPubKey   string `json:"scriptPubKey"`
	IsScript       bool   `json:"isscript"`
	IsWitness      bool   `json:"iswitness"`
	WitnessVersion *int   `json:"witness_version,omitempty"`
	WitnessProgram string `json:"witness_program,omitempty"`
}

type badAddressJSON struct {
	IsValid   bool   `json:"isvalid"`
	Locations []int  `json:"error_locations"`
	Error     string `json:"error"`
}

func (u *utilMethods) validateAddress(_ context.Context, c *call) (any, error) {
	text := c.text(0, "")
	if c.err != nil {
		return nil, c.err
	}
	script, err := u.address.Decode(text)
	if err != nil {
		bad := badAddressJSON{Locations: []int{}, Error: err.Error()}
		var why *params.AddressError
		if errors.As(err, &why) {
			bad.Error = why.Reason
			bad.Locations = append(bad.Locations, why.Positions...)
		}
		return bad, nil
	}
	f := recognize(script)
	out := addressJSON{IsValid: true, Address: text, ScriptPubKey: hex.EncodeToString(script)}
	if addr, ok := u.address.Encode(script); ok {
		out.Address = addr // in its one canonical form
	}
	out.IsScript = slices.Contains([]scriptType{typeScriptHash, typeWScriptHash, typeTaproot, typeAnchor}, f.kind)
	if version, program, ok := witnessProgram(script); ok {
		out.IsWitness, out.WitnessVersion, out.WitnessProgram = true, &version, hex.EncodeToString(program)
	}
	return out, nil
}
