// Package p2ptest runs whole networks of p2p nodes inside one process: an
// in-memory network with latency, cuts and silence, and a chain and a pool
// that are simple enough to be right at a glance. Only tests import it. It
// is meant for testing/synctest bubbles, where its time is virtual.
package p2ptest
