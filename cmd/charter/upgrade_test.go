package main

import "testing"

// TestUpgradeStory: two of three members schedule a rule change, then move it.
func TestUpgradeStory(t *testing.T) {
	x := newConsortium(t)
	x.show(x.as("alpha", "upgrade", "bigger-records", "1000", "--yes")...) // one too soon
	x.show(x.as("alpha", "upgrade", "Bigger", "5000")...)
	x.show(x.as("alpha", "upgrade", "bigger-records", "-1")...)
	x.show(x.as("alpha", "upgrade", "bigger-records", "2147483648")...)
	x.show(x.as("alpha", "upgrade", "bigger-records")...)
	x.show(x.as("alpha", "upgrade", "bigger-records", "1001", "--dry-run")...)
	if n := len(x.node.Pool()); n != 0 {
		t.Errorf("%d transactions were sent", n)
	}
	x.says("alpha", "upgrade", "bigger-records", "5000")
	x.mine()
	x.ask("permissions", "--pending")
	x.says("beta", "approve", x.pendingID(t)[:12])
	x.mine()
	x.says("gamma", "upgrade", "bigger-records", "6000")
	x.mine()
	x.says("beta", "upgrade", "bigger-records", "6000")
	x.mine()
	x.ask("permissions", "--pending")
	x.golden("upgrade.golden")
}
