// Package config holds the settings of a node and reads them: defaults,
// then the file, then the environment, then the command line; later wins. The
// file is DATADIR/charterd.toml and, after it, charterd.toml in the chain's
// folder; or that in the chain's folder and, after it, the one that --config
// names.
//
// Every setting is defined once, in Register: its name is the flag, the key
// in the TOML file and, in capitals with CHARTER_ before it and _ for -,
// the environment variable. Unknown keys and variables are errors. Rules of
// the chain are no settings: they are in the chain file (chain/params).
package config
