// Package version holds the version of the programs. It imports nothing, so
// that the command line need not hold a node to tell it.
package version

// Number is the version as major.minor.patch.
const Number = "0.1.0"
