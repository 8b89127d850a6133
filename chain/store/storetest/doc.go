// Package storetest is a disk in memory for tests: it knows which bytes and
// names were synced, loses the others in a crash, and can fail at a chosen
// change. Only tests import it.
package storetest
