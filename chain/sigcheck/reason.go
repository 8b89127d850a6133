package sigcheck

import (
	"errors"

	"github.com/btcsuite/btcd/txscript/v2"
)

// reason is what Bitcoin Core calls the failure of a script, as far as the
// engine tells the cases apart.
func reason(err error) string {
	var failed txscript.Error
	if !errors.As(err, &failed) {
		return "unknown error"
	}
	return failed.ErrorCode.String()
}
