package permission_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/charterchain/charter/chain/consensus"
	"github.com/charterchain/charter/chain/permission"
	"github.com/charterchain/charter/chain/permission/seal"
)

// TestReadme: the tests that README.md names exist, each attack has one, and
// its table of rules has those of the code.
func TestReadme(t *testing.T) {
	b, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	attacks, rules, ok := strings.Cut(string(b), "\n## Rules\n")
	if !ok {
		t.Fatal("README.md has no section Rules")
	}
	t.Run("tests", func(t *testing.T) { checkTests(t, attacks) })
	t.Run("rules", func(t *testing.T) { checkRules(t, rules) })
}

func checkTests(t *testing.T, attacks string) {
	_, table, _ := strings.Cut(attacks, "\n| --- | --- | --- |\n")
	named := regexp.MustCompile("`([a-z0-9/]+)\\.(Test[A-Za-z0-9]+)`")
	there := make(map[string]map[string]bool) // by folder
	rows := 0
	for row := range strings.Lines(table) {
		if !strings.HasPrefix(row, "| ") {
			break
		}
		rows++
		tests := named.FindAllStringSubmatch(row, -1)
		if len(tests) == 0 {
			t.Errorf("no test for %q", row)
		}
		for _, m := range tests {
			if there[m[1]] == nil {
				there[m[1]] = testsIn(t, m[1])
			}
			if !there[m[1]][m[2]] {
				t.Errorf("%s has no test %s", m[1], m[2])
			}
		}
	}
	if rows < 20 {
		t.Errorf("found %d attacks only", rows)
	}
}

// testsIn returns the names of the tests of a package, by its path from the
// root.
func testsIn(t *testing.T, pkg string) map[string]bool {
	t.Helper()
	names := make(map[string]bool)
	for _, f := range parse(t, filepath.Join("..", "..", pkg), "_test.go") {
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil {
				names[fn.Name.Name] = true
			}
		}
	}
	return names
}

// parse reads the files of a folder whose names end so.
func parse(t *testing.T, dir, suffix string) (files []*ast.File) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*"+suffix))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no files *%s in %s: %v", suffix, dir, err)
	}
	for _, path := range paths {
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return files
}

func checkRules(t *testing.T, table string) {
	got := make(map[string][]consensus.Rule)
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z0-9-]+)` \\| .+ \\| ([a-z]+) \\|$").FindAllStringSubmatch(table, -1) {
		got[m[2]] = append(got[m[2]], consensus.Rule(m[1]))
	}
	want := map[string][]consensus.Rule{
		"record": rulesIn(t, "record"), "seal": rulesIn(t, "seal"), "permission": rulesIn(t, "."), "chain": rulesIn(t, ".."),
	}
	for pkg, list := range want {
		slices.Sort(got[pkg])
		if slices.Sort(list); !slices.Equal(got[pkg], list) {
			t.Errorf("rules of %s are %q in README.md, %q in the code", pkg, got[pkg], list)
		}
	}
	if len(got) != len(want) {
		t.Errorf("README.md has rules of the packages %v", slices.Sorted(maps.Keys(got)))
	}
	for pkg, list := range map[string][]consensus.Rule{"permission": permission.Rules(), "seal": seal.Rules()} {
		if slices.Sort(list); !slices.Equal(list, want[pkg]) {
			t.Errorf("Rules of %s are not all of its rules", pkg)
		}
	}
}

// rulesIn returns the constants of type consensus.Rule that a package
// declares.
func rulesIn(t *testing.T, dir string) (rules []consensus.Rule) {
	t.Helper()
	for _, f := range parse(t, dir, ".go") {
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 {
				return true
			}
			sel, typed := spec.Type.(*ast.SelectorExpr)
			lit, text := spec.Values[0].(*ast.BasicLit)
			if typed && text && sel.Sel.Name == "Rule" {
				rule, err := strconv.Unquote(lit.Value)
				if err != nil {
					t.Fatal(err)
				}
				rules = append(rules, consensus.Rule(rule))
			}
			return true
		})
	}
	return rules
}
