package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
)

// load parses a command line, environment and settings file.
func load(t *testing.T, args, environ []string, file string) (*Config, error) {
	t.Helper()
	fs := pflag.NewFlagSet("test", pflag.ContinueOnError)
	c := Register(fs, t.TempDir())
	if file != "" {
		path := filepath.Join(t.TempDir(), "settings.toml")
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append([]string{"--config", path}, args...)
	}
	if err := fs.Parse(args); err != nil {
		t.Fatal(err)
	}
	err := Load(c, fs, environ)
	return c, err
}

func TestLaterSourceWins(t *testing.T) {
	file := "chain = \"open\"\ndbcache = 20\npar = 2\naddnode = [\"f:1\", \"f:2\"]\nmine-threads = 3\n"
	environ := []string{"CHARTER_PAR=5", "CHARTER_MINE_THREADS=6", "CHARTER_VECTORS=/somewhere", "HOME=/"}
	c, err := load(t, []string{"--mine-threads", "7", "--addnode", "a:1"}, environ, file)
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintln(c.Chain, c.DBCache, c.Par, c.MineThreads, c.AddNode, c.LogLevel)
	if want := "open 20 5 7 [a:1] info\n"; got != want {
		t.Errorf("chain, dbcache (file), par (environment), mine-threads, addnode (flag), log-level (default):\n%s, want\n%s", got, want)
	}
}

// TestChainsOwnFile: the settings file in the chain's folder stands between
// the one of all chains and the one that is named.
func TestChainsOwnFile(t *testing.T) {
	base := t.TempDir()
	dir := filepath.Join(base, "acme")
	write := func(path, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(base, FileName), "addnode = [\"all:1\", \"all:2\"]\ndbcache = 20\npar = 2\n")
	write(filepath.Join(dir, FileName), "addnode = [\"own:1\"]\npar = 3\nmine-threads = 3\nmaxmempool = 30\n")
	named := filepath.Join(base, "named.toml")
	write(named, "mine-threads = 4\n")
	loadDir := func(args, environ []string) (*Config, error) {
		t.Helper()
		fs := pflag.NewFlagSet("test", pflag.ContinueOnError)
		c := Register(fs, "")
		if err := fs.Parse(append([]string{"--chain", "acme", "--datadir", base}, args...)); err != nil {
			t.Fatal(err)
		}
		if err := Load(c, fs, environ); err != nil {
			t.Fatal(err)
		}
		return c, LoadDir(c, fs, dir)
	}
	show := func(c *Config) string { return fmt.Sprint(c.AddNode, c.DBCache, c.Par, c.MineThreads, c.MaxMempool) }

	c, err := loadDir([]string{"--maxmempool", "50"}, nil)
	if got, want := show(c), "[own:1] 20 3 3 50"; err != nil || got != want {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
	c, err = loadDir([]string{"--config", named}, []string{"CHARTER_MAXMEMPOOL=40"})
	if got, want := show(c), "[own:1] 450 3 4 40"; err != nil || got != want {
		t.Errorf("with a named file: %s, %v; want %s", got, err, want)
	}
	write(filepath.Join(dir, FileName), "dbcache = 1\n")
	if _, err = loadDir(nil, nil); err == nil || !strings.Contains(err.Error(), "dbcache") {
		t.Errorf("out of range: %v", err)
	}
	write(filepath.Join(dir, FileName), "datadir = \"/\"\nfoo = 1\n")
	if _, err = loadDir(nil, nil); err == nil || !strings.Contains(err.Error(), "\"foo\": no such") || !strings.Contains(err.Error(), "\"datadir\": cannot") {
		t.Errorf("bad keys: %v", err)
	}
}

func TestSettled(t *testing.T) {
	hash := strings.Repeat("0a", 32)
	height, got, err := ParseSettled("120:" + hash)
	if err != nil || height != 120 || got.String() != hash {
		t.Errorf("%d, %v, %v", height, got, err)
	}
	for _, bad := range []string{"120", ":" + hash, "0:" + hash, "-1:" + hash, "120:" + hash[1:], "120:x" + hash[1:], "2147483648:" + hash} {
		if _, _, err := ParseSettled(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestHomeFolder(t *testing.T) {
	fs := pflag.NewFlagSet("test", pflag.ContinueOnError)
	c := Register(fs, "/home/me")
	if err := Load(c, fs, []string{"CHARTER_CHAIN=open", "CHARTER_DATADIR=~/ledger", "CHARTER_LISTEN="}); err != nil {
		t.Fatal(err)
	}
	if c.DataDir != "/home/me/ledger" || len(c.Listen) != 0 {
		t.Errorf("datadir %q, listen %q", c.DataDir, c.Listen)
	}
	t.Run("none", func(t *testing.T) {
		t.Chdir(t.TempDir())
		if err := os.WriteFile(FileName, []byte("chain = \"not for us\"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		fs := pflag.NewFlagSet("test", pflag.ContinueOnError)
		c := Register(fs, "")
		err := Load(c, fs, []string{"CHARTER_CHAIN=open"})
		if err == nil || !strings.Contains(err.Error(), "datadir") || c.Chain != "open" || c.File != "" {
			t.Errorf("error %v, chain %q, file %q", err, c.Chain, c.File)
		}
	})
}

func TestFaultsAreNamed(t *testing.T) {
	tests := []struct {
		name          string
		args, environ []string
		file          string
		want          []string
	}{
		{"no chain", nil, nil, "", []string{"chain", "charter init"}},
		{"several at once", []string{"--chain", "x", "--dbcache", "3", "--log-level", "loud"}, nil, "", []string{"dbcache", "between 4 and", "log-level"}},
		{"unknown key", nil, nil, "chain = \"x\"\ndbcash = 5\n", []string{"dbcash", "no such setting"}},
		{"table", nil, nil, "[rpc]\nx = 1\n", []string{"[rpc]", "no tables"}},
		{"syntax", nil, nil, "chain = \"x\"\npar = =\n", []string{"line 2"}},
		{"wrong type", nil, nil, "chain = \"x\"\npar = \"many\"\n", []string{"par", "many"}},
		{"list for one value", nil, nil, "chain = \"x\"\npar = [1, 2]\n", []string{"par", "takes one value"}},
		{"a file cannot name a file", nil, nil, "config = \"x\"\n", []string{"config", "no such setting"}},
		{"unknown variable", nil, []string{"CHARTER_DBCASH=5"}, "", []string{"CHARTER_DBCASH"}},
		{"bad variable", nil, []string{"CHARTER_PAR=many"}, "", []string{"CHARTER_PAR", "many"}},
		{"address", []string{"--chain", "x", "--rpclisten", "8431"}, nil, "", []string{"rpclisten", "host:port"}},
		{"port", []string{"--chain", "x", "--listen", "h:70000"}, nil, "", []string{"listen", "65535"}},
		{"profiler in the open", []string{"--chain", "x", "--pprof", "0.0.0.0:1"}, nil, "", []string{"pprof", "loopback"}},
		{"user without password", []string{"--chain", "x", "--rpcuser", "u"}, nil, "", []string{"rpcuser", "go together"}},
		{"settled too late", []string{"--chain", "x", "--settle-depth", "1000001"}, nil, "", []string{"settle-depth"}},
		{"pruned to too little", []string{"--chain", "x", "--prune", "549"}, nil, "", []string{"prune", "550"}},
		{"small files", []string{"--chain", "x", "--block-file-size", "1000", "--prune", "-1"}, nil, "", []string{"prune"}},
		{"pruned and indexed", []string{"--chain", "x", "--prune", "550", "--txindex", "--addrindex"}, nil, "", []string{"txindex", "addrindex", "exclude"}},
		{"listen and not", []string{"--chain", "x", "--no-listen", "--listen", "h:1"}, nil, "", []string{"no-listen"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := load(t, tt.args, tt.environ, tt.file)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error does not say %q:\n%v", want, err)
				}
			}
		})
	}
}

// TestBlockFileSize: the setting that only tests need lets them prune to
// little, and is not shown.
func TestBlockFileSize(t *testing.T) {
	c, err := load(t, []string{"--chain", "x", "--block-file-size", "1000", "--prune", "2"}, nil, "")
	if err != nil || c.BlockFileSize != 1000 {
		t.Errorf("block file size %d, %v", c.BlockFileSize, err)
	}
	fs := pflag.NewFlagSet("test", pflag.ContinueOnError)
	Register(fs, "")
	if usage := fs.FlagUsages(); strings.Contains(usage, "block-file-size") || !strings.Contains(usage, "maxmempool") {
		t.Errorf("help:\n%s", usage)
	}
}

func TestMissingExplicitFile(t *testing.T) {
	if _, err := load(t, []string{"--chain", "x", "--config", "/does/not/exist"}, nil, ""); err == nil {
		t.Error("a missing --config file was passed over")
	}
}

// TestSample: the shipped sample names every setting once, with its default.
func TestSample(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "configs", FileName))
	if err != nil {
		t.Fatal(err)
	}
	var active []string
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "#"); ok && !strings.HasPrefix(rest, " ") && strings.Contains(rest, " = ") {
			active = append(active, rest)
		}
	}
	values, err := parseFile([]byte(strings.Join(active, "")))
	if err != nil {
		t.Fatal(err)
	}
	fs := pflag.NewFlagSet("test", pflag.ContinueOnError)
	Register(fs, "~")
	want := make(map[string][]string)
	fs.VisitAll(func(f *pflag.Flag) {
		switch {
		case onlyFlag(f.Name), f.Hidden:
		case f.Value.Type() == "stringArray":
			want[f.Name] = []string{}
		default:
			want[f.Name] = []string{f.DefValue}
		}
	})
	if diff := cmp.Diff(want, values); diff != "" {
		t.Errorf("settings and their defaults (-flags +sample):\n%s", diff)
	}
}

func TestIsLoopback(t *testing.T) {
	for addr, want := range map[string]bool{
		"127.0.0.1:1": true, "127.8.8.8:1": true, "[::1]:1": true, "localhost:1": true,
		"0.0.0.0:1": false, ":1": false, "[::]:1": false, "example.org:1": false, "nonsense": false,
	} {
		if got := IsLoopback(addr); got != want {
			t.Errorf("IsLoopback(%q) = %v", addr, got)
		}
	}
}
