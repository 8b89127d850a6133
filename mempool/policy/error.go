package policy

// Code names one reason for which policy refuses a transaction. Its text is
// stable: RPC replies, logs and metric labels use it.
type Code string

func (c Code) Error() string { return string(c) }

// The reasons that lie in the transaction alone.
const (
	CodeVersion      Code = "version"
	CodeTxSize       Code = "tx-size"
	CodeTxSizeSmall  Code = "tx-size-small"
	CodeSigScript    Code = "scriptsig-size"
	CodeNotPushOnly  Code = "scriptsig-not-pushonly"
	CodeOutputScript Code = "scriptpubkey"
	CodeDataOutput   Code = "datacarrier"
	CodeDust         Code = "dust"
)

// The reasons that depend on the coins that a transaction spends.
const (
	CodeInputs     Code = "bad-txns-nonstandard-inputs"
	CodeWitness    Code = "bad-witness-nonstandard"
	CodeSigOps     Code = "bad-txns-too-many-sigops"
	CodeScript     Code = "mempool-script-verify-flag-failed"
	CodeImmature   Code = "bad-txns-premature-spend-of-coinbase"
	CodeNotFinal   Code = "non-final"
	CodeLocked     Code = "non-BIP68-final"
	CodeNoWitness  Code = "no-witness-yet"
	CodeCleanUp    Code = "not-under-bip54" // legal now, no longer from the height that the chain file gives
	CodeMinRelay   Code = "min relay fee not met"
	CodeMempoolFee Code = "mempool min fee not met"
)

// The reasons that depend on what else is in the pool.
const (
	CodeConflict Code = "txn-mempool-conflict"
	CodeLongWay  Code = "too-long-mempool-chain"
	CodeFull     Code = "mempool full"
	CodeRecords  Code = "too-many-waiting-records" // of one member
)

// Codes returns every code, for metric labels.
func Codes() []Code {
	return []Code{
		CodeVersion, CodeTxSize, CodeTxSizeSmall, CodeSigScript, CodeNotPushOnly,
		CodeOutputScript, CodeDataOutput, CodeDust,
		CodeInputs, CodeWitness, CodeSigOps, CodeScript, CodeImmature,
		CodeNotFinal, CodeLocked, CodeNoWitness, CodeCleanUp, CodeMinRelay, CodeMempoolFee,
		CodeConflict, CodeLongWay, CodeFull, CodeRecords,
	}
}

// Error reports a transaction that policy refuses, though it may break no
// rule. errors.Is works on its Code and on its cause.
type Error struct {
	Code   Code
	Detail string // observed and allowed values, for people
	Err    error  // the cause, where another package found it
}

func (e *Error) Error() string {
	if e.Detail == "" {
		return string(e.Code)
	}
	return string(e.Code) + ": " + e.Detail
}

// Unwrap makes errors.Is work on both the code and the cause.
func (e *Error) Unwrap() []error {
	if e.Err != nil {
		return []error{e.Code, e.Err}
	}
	return []error{e.Code}
}
