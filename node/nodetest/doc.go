// Package nodetest runs real nodes for tests: it builds both programs as
// they are shipped (static, without the race detector), starts processes on
// 127.0.0.1 with folders of their own, speaks to them over RPC and by the
// command line, and shows all their logs when a test fails.
//
// Only tests import it. Conditions are awaited by asking, with a bound.
package nodetest
