package rpc

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// controlMethods are about the server itself.
type controlMethods struct {
	cfg     *Config
	table   *table
	started time.Time
}

func (m *controlMethods) methods() []*method {
	const area = "Control"
	return []*method{
		{
			name: "help", area: area, run: m.help,
			params:  []param{{name: "command", want: "string", fallback: "all commands", help: "The method to explain."}},
			summary: "Lists all methods, or explains one.", result: "A string.",
		},
		{
			name: "getrpcinfo", area: area, run: m.getRPCInfo,
			summary: "Returns the calls under way.", result: "An object: active_commands is an array of {method, duration in microseconds}.",
		},
		{
			name: "stop", area: area, run: m.stop,
			params:  []param{{name: "wait", want: "number, milliseconds", fallback: "0", help: "Not used: calls under way are answered before the node ends."}},
			summary: "Ends the node in order.", result: "A string.",
		},
		{
			name: "uptime", area: area, run: m.uptime,
			summary: "Returns how long the node has been running.", result: "A number of seconds.",
		},
	}
}

func (m *controlMethods) help(_ context.Context, c *call) (any, error) {
	name := c.text(0, "")
	if c.err != nil {
		return nil, c.err
	}
	if name == "" {
		return m.listing(), nil
	}
	// As in Bitcoin Core this is an answer, not an error.
	one := m.table.methods[name]
	if one == nil {
		return "help: unknown command: " + excerpt([]byte(name)), nil
	}
	return one.help(), nil
}

// listing has one line per method below the heading of its area.
func (m *controlMethods) listing() string {
	all := slices.SortedFunc(maps.Values(m.table.methods), func(x, y *method) int {
		return cmp.Or(cmp.Compare(x.area, y.area), cmp.Compare(x.name, y.name))
	})
	var b strings.Builder
	area := ""
	for _, one := range all {
		if one.area != area {
			if area != "" {
				b.WriteByte('\n')
			}
			area = one.area
			fmt.Fprintf(&b, "== %s ==\n", area)
		}
		b.WriteString(one.usage() + "\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func (m *controlMethods) stop(_ context.Context, c *call) (any, error) {
	c.integer(0, 0, 0, 1<<31)
	if c.err != nil {
		return nil, c.err
	}
	m.cfg.Stop()
	return "Charter stopping", nil
}

func (m *controlMethods) uptime(context.Context, *call) (any, error) {
	return int64(m.cfg.Now().Sub(m.started) / time.Second), nil
}

type activeJSON struct {
	Method   string `json:"method"`
	Duration int64  `json:"duration"` // microseconds
}

func (m *controlMethods) getRPCInfo(context.Context, *call) (any, error) {
	return struct {
		Active []activeJSON `json:"active_commands"`
	}{m.table.underWay()}, nil
}

// underWay lists the active calls, the oldest first.
func (t *table) underWay() []activeJSON {
	now := t.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make([]activeJSON, 0, len(t.active))
	for c, since := range t.active {
		out = append(out, activeJSON{c.method.name, now.Sub(since).Microseconds()})
	}
	slices.SortFunc(out, func(x, y activeJSON) int {
		return cmp.Or(cmp.Compare(y.Duration, x.Duration), cmp.Compare(x.Method, y.Method))
	})
	return out
}
