// Package chaintest makes chains for tests: deterministic blocks with real
// proof of work, and a harness that reads like a story.
//
//	h := chaintest.New(t, chaintest.Options{})
//	h.Next("b1").Accept()
//	h.Next("b2", h.Spend("b1")).Accept()
//	h.On("b1").Next("b2a").Side()
//	h.Next("b3a").Accept() // reorganisation
//	h.ExpectTip("b3a")
//
// A [Key] is paid with any kind of output and spends it; [Breaches] are blocks
// that break one rule each:
//
//	key := chaintest.NewKey(chaintest.P2TRScript, 1)
//	paid := chaintest.Pay(chaintest.NewKey(chaintest.Anyone, 0), []chaintest.Output{h.Coin("b1")}, key, 1, 0)
//	h.Next("b4", chaintest.Tx(paid, 0)).Accept()
//
// Only tests import it. A Maker and a Harness belong to one goroutine.
package chaintest
