// Package configs holds the chain files that ship with Charter, so that a
// program can be told to use one by its name.
package configs

import (
	"embed"
	"io/fs"
	"strings"
)

//go:embed chains/*.toml
var files embed.FS

// Chain returns the chain file of that name (such as "open"), byte for byte
// as in configs/chains. ok is false where none ships.
func Chain(name string) (file []byte, ok bool) {
	file, err := files.ReadFile("chains/" + name + ".toml")
	return file, err == nil
}

// Chains lists the names of the chain files that ship, sorted.
func Chains() []string {
	paths, err := fs.Glob(files, "chains/*.toml")
	if err != nil {
		return nil // cannot happen: the pattern is well formed
	}
	names := make([]string, len(paths))
	for i, path := range paths {
		names[i] = strings.TrimSuffix(strings.TrimPrefix(path, "chains/"), ".toml")
	}
	return names
}
