package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/spf13/pflag"
)

// FileName is the settings file that is read from the data directory where
// no --config is given.
const FileName = "charterd.toml"

// envPrefix begins the name of every environment variable of ours.
const envPrefix = "CHARTER_"

// foreignEnv are variables with our prefix that are no settings of a node.
var foreignEnv = map[string]bool{"CHARTER_VECTORS": true}

// onlyFlag lists flags that a file cannot hold: they say which file, or are
// no settings.
func onlyFlag(name string) bool { return name == "config" || noSetting(name) }

// noSetting lists flags that are commands.
func noSetting(name string) bool { return name == "help" || name == "version" }

// Load completes c, which Register returned for fs after the command line
// was parsed, from the environment (entries NAME=value) and the settings
// file. It reports all faults at once and validates the result.
func Load(c *Config, fs *pflag.FlagSet, environ []string) error {
	given := make(map[string]bool)
	fs.Visit(func(f *pflag.Flag) { given[f.Name] = true })
	c.given = given
	envErr := applyEnv(c, fs, environ, given)
	fileErr := applyFile(c, fs)
	if err := errors.Join(envErr, fileErr); err != nil {
		return err
	}
	return c.Validate()
}

// LoadDir completes c, as Load left it, from the settings file in the chain's
// folder, if there is one. It comes after DATADIR/charterd.toml, and before the
// file that --config names, the environment and the command line.
func LoadDir(c *Config, fs *pflag.FlagSet, dir string) error {
	path := filepath.Join(dir, FileName)
	if other, err := os.Stat(c.File); err == nil {
		if same, err := os.Stat(path); err == nil && os.SameFile(other, same) {
			return nil
		}
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("settings file: %w", err)
	}
	if err := c.applyText(fs, path, data, []string{"chain", "datadir"}, true); err != nil {
		return err
	}
	return c.Validate()
}

func applyEnv(c *Config, fs *pflag.FlagSet, environ []string, given map[string]bool) error {
	var errs []error
	sort.Strings(environ)
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, envPrefix) || foreignEnv[name] {
			continue
		}
		key := strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(name, envPrefix)), "_", "-")
		f := fs.Lookup(key)
		if f == nil || noSetting(key) {
			errs = append(errs, fmt.Errorf("environment variable %s: no such setting; `charterd --help` lists them", name))
			continue
		}
		if given[key] {
			continue
		}
		values := []string{value}
		if f.Value.Type() == "stringArray" {
			values = strings.FieldsFunc(value, func(r rune) bool { return r == ',' })
		}
		if err := c.set(f, values); err != nil {
			errs = append(errs, fmt.Errorf("environment variable %s = %q: %w", name, value, err))
		}
		given[key] = true
	}
	return errors.Join(errs...)
}

// applyFile reads the settings file, if there is one, and sets what neither
// the command line nor the environment has set.
func applyFile(c *Config, fs *pflag.FlagSet) error {
	explicit := c.File != ""
	if !explicit && c.DataDir == "" {
		return nil // Validate reports it
	}
	if !explicit {
		c.File = filepath.Join(c.DataDir, FileName)
	}
	data, err := os.ReadFile(c.File)
	if errors.Is(err, os.ErrNotExist) && !explicit {
		c.File = ""
		return nil
	}
	if err != nil {
		return fmt.Errorf("settings file: %w", err)
	}
	return c.applyText(fs, c.File, data, nil, explicit)
}

// applyText sets what a settings file says and nothing before it has set.
// misplaced lists keys that make no sense in this file; final says that nothing
// after it changes what it sets.
func (c *Config) applyText(fs *pflag.FlagSet, path string, data []byte, misplaced []string, final bool) error {
	values, err := parseFile(data)
	if err != nil {
		return fmt.Errorf("settings file %s: %w", path, err)
	}
	var errs []error
	for _, key := range sortedKeys(values) {
		f := fs.Lookup(key)
		if f == nil || onlyFlag(key) {
			errs = append(errs, fmt.Errorf("settings file %s, key %q: no such setting; `charterd --help` lists them", path, key))
			continue
		}
		if slices.Contains(misplaced, key) {
			errs = append(errs, fmt.Errorf("settings file %s, key %q: cannot be set in a chain's own folder", path, key))
			continue
		}
		if c.given[key] {
			continue
		}
		if err := c.set(f, values[key]); err != nil {
			errs = append(errs, fmt.Errorf("settings file %s, key %q: %w", path, key, err))
		}
		c.given[key] = final
	}
	return errors.Join(errs...)
}

// parseFile returns the values of each key as they would be written on the
// command line.
func parseFile(data []byte) (map[string][]string, error) {
	var raw map[string]any
	if err := toml.Unmarshal(data, &raw); err != nil {
		var decode *toml.DecodeError
		if errors.As(err, &decode) {
			line, column := decode.Position()
			return nil, fmt.Errorf("line %d, column %d: %w", line, column, err)
		}
		return nil, err
	}
	values := make(map[string][]string, len(raw))
	for key, v := range raw {
		switch v := v.(type) {
		case []any:
			list := make([]string, 0, len(v))
			for _, item := range v {
				list = append(list, fmt.Sprint(item))
			}
			values[key] = list
		case map[string]any:
			return nil, fmt.Errorf("[%s]: settings have no tables", key)
		default:
			values[key] = []string{fmt.Sprint(v)}
		}
	}
	return values, nil
}

// set gives a flag its values. No shell has expanded them: ~/ at the start
// is the home folder.
func (c *Config) set(f *pflag.Flag, values []string) error {
	if f.Value.Type() != "stringArray" && len(values) != 1 {
		return fmt.Errorf("takes one value, not a list of %d", len(values))
	}
	values = slices.Clone(values)
	for i, v := range values {
		if rest, ok := strings.CutPrefix(v, "~/"); ok && c.home != "" {
			values[i] = filepath.Join(c.home, rest)
		}
	}
	if list, ok := f.Value.(pflag.SliceValue); ok {
		return list.Replace(values)
	}
	if err := f.Value.Set(values[0]); err != nil {
		return fmt.Errorf("%q is not a valid value (%s): %w", values[0], f.Value.Type(), err)
	}
	return nil
}

func sortedKeys(m map[string][]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
