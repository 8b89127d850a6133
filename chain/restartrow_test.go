package chain_test

import (
	"fmt"
	"testing"

	"github.com/charterchain/charter/chain/chaintest"
)

// TestUndecidedRestartKept: a restart whose body came before it could be judged
// wins after a start too, against a block of as much work and a lower hash.
func TestUndecidedRestartKept(t *testing.T) {
	net, h := consortium(t, chaintest.ConsortiumOptions{Permissions: "restart_delay = 3600"})
	alpha, beta, gamma := net.Member("alpha"), net.Member("beta"), net.Member("gamma")
	h.Next("b1")
	h.Next("restart", chaintest.Restart(members{alpha, beta}, members{alpha, beta, gamma}))
	rival := ""
	for i := 0; rival == ""; i++ {
		name := fmt.Sprint("rival", i)
		h.On("b1").Next(name, chaintest.Version(0x20000000+int32(i)))
		if low, _ := lower(h, name, "restart"); low == name {
			rival = name
		}
	}
	for _, name := range []string{"restart", rival} {
		if _, err := h.Chain.AcceptSealed(t.Context(), h.Headers("b1", name), [32]byte{1}); err != nil {
			t.Fatal(err)
		}
		h.Again(name).Side()
	}
	h.Close()
	h.Open()
	if _, err := h.Chain.AcceptBlock(t.Context(), h.Block("b1")); err != nil {
		t.Fatal(err)
	}
	h.ExpectTip("restart")
}
