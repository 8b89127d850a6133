package node

import (
	"log/slog"
	"sync/atomic"
	"time"
)

// warnEvery is how often the log warns of one and the same shortage. What
// others do may bring it about; it must not fill the log.
const warnEvery = time.Hour

// shortage is a time during which something runs short. begin and end are
// for one goroutine.
type shortage struct {
	now    func() time.Time
	on     atomic.Bool
	warned time.Time // the last time
}

// begin logs message as the shortage begins; later calls do nothing until its
// end.
func (s *shortage) begin(log *slog.Logger, message string, attrs ...any) {
	if s.on.Swap(true) {
		return
	}
	if now := s.now(); s.warned.IsZero() || now.Sub(s.warned) >= warnEvery {
		s.warned = now
		log.Warn(message, attrs...)
		return
	}
	log.Debug(message, attrs...)
}

// end logs message as the shortage ends.
func (s *shortage) end(log *slog.Logger, message string, attrs ...any) {
	if s.on.Swap(false) {
		log.Info(message, attrs...)
	}
}
