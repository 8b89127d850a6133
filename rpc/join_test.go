package rpc

import (
	"testing"

	"github.com/charterchain/charter/chain/params"
)

func TestJoinHost(t *testing.T) {
	m := &joinMethods{&Config{Chain: fixedParams{p: &params.Params{Network: params.Network{DefaultPort: 8430}}}}}
	for _, c := range []struct {
		host  string
		known []string
		want  string
	}{
		{"", []string{"a.example:9000", "[::]:8430"}, "a.example:9000"},
		{"", []string{"[::]:8440"}, "127.0.0.1:8440"},
		{"", []string{"10.0.0.1:8440"}, "10.0.0.1:8440"},
		{"b.example", []string{"[::]:8440"}, "b.example:8440"},
		{"b.example", nil, "b.example:8430"},
		{"b.example:1", []string{"[::]:8440"}, "b.example:1"},
		{"2001:db8::1", []string{"[::]:8440"}, "[2001:db8::1]:8440"},
		{"[2001:db8::1]:5", nil, "[2001:db8::1]:5"},
	} {
		if got, err := m.hostPort(c.host, c.known); err != nil || got != c.want {
			t.Errorf("%q with %q: %q, %v; want %q", c.host, c.known, got, err, c.want)
		}
	}
	for _, bad := range []string{"a:0", "a:x", ":1", "a:70000"} {
		if got, err := m.hostPort(bad, nil); err == nil {
			t.Errorf("%q becomes %q", bad, got)
		}
	}
}

// fixedParams is a chain of which only the parameters are asked.
type fixedParams struct {
	Chain
	p *params.Params
}

func (f fixedParams) Params() *params.Params { return f.p }
