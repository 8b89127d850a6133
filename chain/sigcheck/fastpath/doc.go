// Package fastpath tells which signatures the scripts of an input need to
// succeed, for the standard kinds of spends, without running the scripts.
//
// It decides nothing. It checks no signature, never says that a script
// fails, and leaves everything but the plainest form of each kind to the
// interpreter.
package fastpath
