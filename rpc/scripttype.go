package rpc

// scriptType names the form of an output script as Bitcoin Core does.
type scriptType string

const (
	typeNonStandard scriptType = "nonstandard"
	typePubKey      scriptType = "pubkey"
	typePubKeyHash  scriptType = "pubkeyhash"
	typeScriptHash  scriptType = "scripthash"
	typeMultiSig    scriptType = "multisig"
	typeNullData    scriptType = "nulldata"
	typeAnchor      scriptType = "anchor"
	typeWPubKeyHash scriptType = "witness_v0_keyhash"
	typeWScriptHash scriptType = "witness_v0_scripthash"
	typeTaproot     scriptType = "witness_v1_taproot"
	typeWitness     scriptType = "witness_unknown"
	typeRecord      scriptType = "record" // shown in place of nulldata; recognize does not know it
)

// form is what an output script is recognised as.
type form struct {
	kind scriptType

	// hash is the hash or program of the forms that hold one.
	hash []byte

	// required of keys must sign: typeMultiSig, and one of one typePubKey.
	required int
	keys     [][]byte

	witnessVersion int // of the witness forms
}

// recognize finds the form of a script.
func recognize(script []byte) form {
	if h := scriptHashOf(script); h != nil {
		return form{kind: typeScriptHash, hash: h}
	}
	if version, program, ok := witnessProgram(script); ok {
		return witnessForm(version, program)
	}
	if len(script) > 0 && script[0] == opReturn && pushOnly(script[1:]) {
		return form{kind: typeNullData}
	}
	if n := len(script); n >= 35 && int(script[0]) == n-2 && script[n-1] == opCheckSig && pubKeySize(script[1:n-1]) {
		return form{kind: typePubKey, required: 1, keys: [][]byte{script[1 : n-1]}}
	}
	if len(script) == 25 && script[0] == opDup && script[1] == opHash160 && script[2] == 20 &&
		script[23] == opEqualVerify && script[24] == opCheckSig {
		return form{kind: typePubKeyHash, hash: script[3:23]}
	}
	if required, keys, ok := multiSig(script); ok {
		return form{kind: typeMultiSig, required: required, keys: keys}
	}
	return form{kind: typeNonStandard}
}

func scriptHashOf(script []byte) []byte {
	if len(script) == 23 && script[0] == opHash160 && script[1] == 20 && script[22] == opEqual {
		return script[2:22]
	}
	return nil
}

// witnessProgram splits a script of one small number and one push of 2 to 40
// bytes (BIP141).
func witnessProgram(script []byte) (version int, program []byte, ok bool) {
	if len(script) < 4 || len(script) > 42 || int(script[1]) != len(script)-2 {
		return 0, nil, false
	}
	switch op := script[0]; {
	case op == op0:
		return 0, script[2:], true
	case op >= op1 && op <= op16:
		return int(op) - op1 + 1, script[2:], true
	}
	return 0, nil, false
}

func witnessForm(version int, program []byte) form {
	f := form{hash: program, witnessVersion: version, kind: typeWitness}
	switch {
	case version == 0 && len(program) == 20:
		f.kind = typeWPubKeyHash
	case version == 0 && len(program) == 32:
		f.kind = typeWScriptHash
	case version == 0:
		f.kind = typeNonStandard
	case version == 1 && len(program) == 32:
		f.kind = typeTaproot
	case version == 1 && string(program) == "\x4e\x73":
		f.kind = typeAnchor
	}
	return f
}

// pubKeySize reports whether the first byte of a public key fits its length.
// The hybrid forms 6 and 7 count.
func pubKeySize(key []byte) bool {
	if len(key) == 0 {
		return false
	}
	switch key[0] {
	case 2, 3:
		return len(key) == 33
	case 4, 6, 7:
		return len(key) == 65
	}
	return false
}

// multiSig splits m <key>… n OP_CHECKMULTISIG with 1 ≤ m ≤ n ≤ 20.
func multiSig(script []byte) (required int, keys [][]byte, ok bool) {
	if len(script) == 0 || script[len(script)-1] != opCheckMultiSig {
		return 0, nil, false
	}
	list, ok := instructions(script[:len(script)-1])
	if !ok || len(list) < 3 {
		return 0, nil, false
	}
	required, ok1 := keyCount(list[0])
	total, ok2 := keyCount(list[len(list)-1])
	for _, in := range list[1 : len(list)-1] {
		if !pubKeySize(in.data) {
			return 0, nil, false
		}
		keys = append(keys, in.data)
	}
	if !ok1 || !ok2 || total != len(keys) || required > total {
		return 0, nil, false
	}
	return required, keys, true
}

// keyCount reads a number from 1 to 20, minimally encoded: above 16 it is a push
// of one byte.
func keyCount(in instruction) (int, bool) {
	if in.op >= op1 && in.op <= op16 {
		return int(in.op) - op1 + 1, true
	}
	if in.op == 1 && in.data[0] > 16 && in.data[0] <= 20 {
		return int(in.data[0]), true
	}
	return 0, false
}
