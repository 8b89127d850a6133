package consensus

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"
)

// TestRulesIsComplete compares Rules with the constants of rules.go.
func TestRulesIsComplete(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "rules.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	declared := map[Rule]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Values) == 1 {
			text := spec.Values[0].(*ast.BasicLit).Value
			declared[Rule(strings.Trim(text, `"`))] = true
		}
		return true
	})
	listed := map[Rule]bool{}
	for _, rule := range Rules() {
		if listed[rule] || !declared[rule] {
			t.Errorf("%q is listed twice or not declared", rule)
		}
		listed[rule] = true
	}
	if len(listed) != len(declared) {
		t.Errorf("%d rules listed, %d declared", len(listed), len(declared))
	}
}

// TestRulesAreDocumented looks for each rule in the package's documentation.
func TestRulesAreDocumented(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "doc.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	words := make(map[string]bool)
	for _, word := range strings.Fields(file.Doc.Text()) {
		words[strings.TrimSuffix(word, ",")] = true
	}
	for _, rule := range Rules() {
		if !words[string(rule)] {
			t.Errorf("doc.go does not list %s", rule)
		}
	}
}

func TestRuleError(t *testing.T) {
	cause := errors.New("cause")
	err := error(&RuleError{Rule: RuleVersion, Note: "(0x00000001)", Detail: "too old", Err: cause})
	if got := err.Error(); got != "bad-version(0x00000001): too old" {
		t.Errorf("got %q", got)
	}
	if !errors.Is(err, RuleVersion) || !errors.Is(err, cause) || errors.Is(err, RuleBits) {
		t.Error("is not what it wraps")
	}
	if got := (&RuleError{Rule: RuleBits}).Error(); got != "bad-diffbits" {
		t.Errorf("got %q", got)
	}
	if AsRule(nil) != nil || AsRule(cause) != nil || AsRule(errors.Join(cause, err)) == nil {
		t.Error("AsRule")
	}
}
