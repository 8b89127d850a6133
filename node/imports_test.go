package node

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/charterchain/charter/"

// order lists the packages from the top down: a package may import itself
// and what stands below it. Packages below a listed one count as it, unless
// they are listed themselves.
var order = []string{
	"cmd", "node", "rpc", "p2p", "wallet", "mempool", "chain",
	"chain/index", "chain/utxo", "chain/sigcheck", "chain/permission",
	"chain/permission/seal", "chain/permission/record",
	"chain/consensus", "chain/params", "chain/store", "configs",
}

// apart lists packages that must not import each other although they stand
// side by side in order.
var apart = []string{"rpc", "p2p", "wallet", "mempool"}

// forbidden lists what a package, and those below it, must not import; "="
// means this package alone, not those below it.
var forbidden = map[string][]string{
	"chain/params":     {"log/slog", "os", "net"},
	"chain/consensus":  {"log/slog", "os", "net"},
	"chain/permission": {"log/slog", "os", "net"},
	"chain/utxo":       {"github.com/syndtr/goleveldb/"},
	"p2p":              {"=chain", "chain/store", "mempool", "rpc", "wallet"},
	"wallet":           {"=chain", "chain/store", "mempool", "p2p", "rpc"},
	"rpc":              {"chain/store", "p2p", "wallet", "mempool"},
	"mempool":          {"chain/store", "p2p", "wallet", "rpc"},
}

// leaves may import nothing of ours but what is listed.
var leaves = map[string][]string{
	"chain/store":          {"chain/store"},
	"chain/sigcheck/curve": {"chain/sigcheck/curve"},
	"p2p/transport":        {"p2p/transport", "p2p/message", "chain/params"},
	"p2p/message":          {"p2p/message", "chain/params"},
}

// onlyUser may be imported by the packages listed only.
var onlyUser = map[string][]string{
	"github.com/syndtr/goleveldb/": {"chain/store"},
}

// wallClock lists the functions that read the clock or sleep.
var wallClock = []string{"Now", "Since", "Until", "Sleep"}

// mayUseClock lists where the wall clock enters the program.
var mayUseClock = []string{"cmd", "node"}

type goPackage struct {
	ImportPath, Dir string
	GoFiles         []string
	Imports         []string
}

// TestImports checks the layering that ARCHITECTURE.md describes.
func TestImports(t *testing.T) {
	for _, p := range listPackages(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		if testOnly(name) {
			continue
		}
		for _, imp := range p.Imports {
			ours := strings.HasPrefix(imp, module)
			short := strings.TrimPrefix(imp, module)
			if ours && testOnly(short) {
				t.Errorf("%s imports %s, which only tests may import", name, short)
			}
			if ours {
				checkOrder(t, name, short)
			}
			checkForbidden(t, name, imp, short)
			checkOnlyUser(t, name, imp)
		}
	}
}

// TestNoWallClock: below node nobody reads the clock but through what they
// were given.
func TestNoWallClock(t *testing.T) {
	for _, p := range listPackages(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		if testOnly(name) || under(name, mayUseClock...) {
			continue
		}
		for _, file := range p.GoFiles {
			checkClock(t, name, filepath.Join(p.Dir, file))
		}
	}
}

func checkOrder(t *testing.T, from, to string) {
	t.Helper()
	a, b := rank(from), rank(to)
	switch {
	case a < 0:
		t.Errorf("%s stands nowhere in the order of packages", from)
	case b < 0:
		t.Errorf("%s, imported by %s, stands nowhere in the order of packages", to, from)
	case b < a:
		t.Errorf("%s imports %s, which stands above it", from, to)
	case a != b && slices.Contains(apart, order[a]) && slices.Contains(apart, order[b]):
		t.Errorf("%s imports %s: each declares what it needs and node hands it over", from, to)
	}
}

func checkForbidden(t *testing.T, name, imp, short string) {
	t.Helper()
	for at, list := range forbidden {
		if !under(name, at) {
			continue
		}
		for _, bad := range list {
			exact, isExact := strings.CutPrefix(bad, "=")
			if isExact && short == exact || !isExact && (under(short, bad) || strings.HasPrefix(imp, bad+"/") || imp == bad) {
				t.Errorf("%s must not import %s", name, imp)
			}
		}
	}
	for at, allowed := range leaves {
		if under(name, at) && strings.HasPrefix(imp, module) && !under(short, allowed...) {
			t.Errorf("%s may import of ours %v only, not %s", name, allowed, short)
		}
	}
}

func checkOnlyUser(t *testing.T, name, imp string) {
	t.Helper()
	for prefix, users := range onlyUser {
		if strings.HasPrefix(imp, prefix) && !under(name, users...) {
			t.Errorf("%s imports %s, which only %v may", name, imp, users)
		}
	}
}

func checkClock(t *testing.T, name, file string) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if pkg, ok := sel.X.(*ast.Ident); ok && pkg.Name == "time" && slices.Contains(wallClock, sel.Sel.Name) {
			t.Errorf("%s: %s uses time.%s; take the clock as an argument", name, filepath.Base(file), sel.Sel.Name)
		}
		return true
	})
}

// rank is the place of the listed package that name is, or lies below; -1 if
// there is none.
func rank(name string) int {
	best := -1
	for i, at := range order {
		if under(name, at) && (best < 0 || len(at) > len(order[best])) {
			best = i
		}
	}
	return best
}

func under(name string, parents ...string) bool {
	for _, p := range parents {
		if name == p || strings.HasPrefix(name, p+"/") {
			return true
		}
	}
	return false
}

// testOnly reports whether a package exists for tests: its name ends in
// "test", as that of httptest does, or it is what another is compared with.
func testOnly(name string) bool {
	return strings.HasSuffix(name, "test") || name == "chain/permission/model"
}

func listPackages(t *testing.T) []goPackage {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Dir,GoFiles,Imports", module+"...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []goPackage
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p goPackage
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) < 10 {
		t.Fatalf("go list found %d packages only", len(all))
	}
	return all
}
