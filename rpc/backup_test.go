package rpc

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/charterchain/charter/chain"
)

func TestBackup(t *testing.T) {
	var gotDir string
	var gotKey bool
	var answer error
	f := newFixture(t, func(cfg *Config) {
		cfg.Backup = func(_ context.Context, dir string, withKey bool) (chain.BackupReport, error) {
			gotDir, gotKey = dir, withKey
			return chain.BackupReport{Bytes: 7, Held: time.Millisecond, Took: 2 * time.Second}, answer
		}
	})
	f.expect("backup", `["/srv/../srv/x", true]`,
		`{"path":"/srv/x","hash":"0000000000000000000000000000000000000000000000000000000000000000","height":0,"bytes":7,"held":0.001,"took":2}`)
	if gotDir != "/srv/x" || !gotKey {
		t.Errorf("asked for %q, %v", gotDir, gotKey)
	}
	f.fails("backup", `["srv/x"]`, codeInvalidParam, "absolute")
	answer = &chain.BackupTargetError{Dir: "/srv/x", Why: "it is not empty"}
	f.fails("backup", `["/srv/x"]`, codeInvalidParam, "not empty")
	answer = errors.New("disk full")
	f.fails("backup", `["/srv/x"]`, codeMisc, "disk full")
}
