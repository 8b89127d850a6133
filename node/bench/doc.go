// Package bench measures this program on this machine: what `charterd bench`
// runs.
//
// Run makes the chain that an instrument needs (package workload), measures
// round by round, each in a process of its own where Options.Start is given,
// and returns a Report: medians, what lies around them, and the same in U.
//
// # U
//
// U is the time of one btcec Schnorr check on one core. It is measured before,
// between and after the rounds, and each round is divided by the mean of what
// was measured right before and right after it. So figures in U say how much
// faster or slower than that library something is, on a slow or busy machine
// as well as on another. Figures of computing time (us cpu) are divided by the
// computing time of a check.
//
// # Nodes
//
// What is measured is a whole node (package node) with nobody connected, in a
// folder of its own that is removed afterwards. The clock runs for the part
// that the figure is about; profiles cover the same part.
package bench
