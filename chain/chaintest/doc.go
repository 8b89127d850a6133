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
// Only tests import it. A Maker and a Harness belong to one goroutine.
package chaintest
