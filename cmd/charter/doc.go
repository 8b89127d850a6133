// Charter is the command line of the Charter ledger: it keeps a wallet,
// calls a node's RPC and sets up chains.
//
// The program is thin. Each file holds one group of commands: it parses,
// calls the package that does the work, and prints. Keys are used in this
// process only: a node receives signed transactions and nothing else.
//
// Output is for people by default. With --json the result is one JSON
// document on standard output, and an error is one JSON document
// {"error":{"message":"…"}} on standard error. The exit code is 0 when the
// command did what it says, 1 when it could not, and 2 when it was called
// in a wrong way.
//
// With --dev the command finds the chain file, the node's RPC and cookie,
// the wallet and its passphrase file of `charterd dev` by itself.
package main
