package workload

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestSameSpecSameChain(t *testing.T) {
	for _, kind := range Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			spec := Spec{Kind: kind, Blocks: 1, Weight: minWeight, Seed: 7}
			var first []byte
			for range 2 {
				dir := t.TempDir()
				c, err := Open(t.Context(), dir, spec, nil)
				if err != nil {
					t.Fatal(err)
				}
				data, err := os.ReadFile(c.Blocks)
				if err != nil {
					t.Fatal(err)
				}
				if first != nil && !bytes.Equal(first, data) {
					t.Error("the same spec made another chain")
				}
				first = data
				files, _ := filepath.Glob(filepath.Join(dir, "*"))
				if len(files) != 3 {
					t.Errorf("files %q, want three", files)
				}
			}
		})
	}
}
