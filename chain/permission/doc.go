// Package permission decides who may do what on a chain with permissions: a
// pure state machine that blocks move from state to state by the records in
// their transactions. It knows no disk, clock, log, network or goroutine.
package permission
