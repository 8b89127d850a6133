package fastpath

import (
	"crypto/sha256"
	"testing"
)

func TestTag(t *testing.T) {
	if want := sha256.Sum256([]byte("TapSighash")); string(want[:]) != tapSighashTag {
		t.Errorf("tag is %x, want %x", tapSighashTag, want)
	}
}
