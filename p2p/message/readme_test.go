package message

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestSpecification: p2p/README.md knows every type, code and feature bit
// by the number that the code gives it.
func TestSpecification(t *testing.T) {
	b, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	lower := strings.ToLower(text)
	for _, typ := range Types() {
		if !strings.Contains(lower, fmt.Sprintf(" %d: %s", typ, typ)) {
			t.Errorf("no heading for type %d, %s", typ, typ)
		}
	}
	for c := range codeNames {
		if row := fmt.Sprintf("\n| %d | %s |", c, Code(c)); !strings.Contains(text, row) {
			t.Errorf("no row %q", row)
		}
	}
	for bit, name := range []string{"chain", "recent", "tx-relay", "peers", "compact-blocks", "filters", "chain-file", "presence", "hints"} {
		if row := fmt.Sprintf("\n| %d | %s |", bit, name); !strings.Contains(text, row) {
			t.Errorf("no row %q", row)
		}
	}
	for _, bound := range []int64{MaxHello, MaxHeadersBytes, MaxChainFile, testLimits().max[TypePeers],
		testLimits().max[TypeInv], testLimits().max[TypeGetHeaders], testLimits().max[TypePresence]} {
		if n := grouped(bound); !strings.Contains(text, n) {
			t.Errorf("bound %s is not there", n)
		}
	}
}

// grouped writes n with commas between thousands.
func grouped(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
