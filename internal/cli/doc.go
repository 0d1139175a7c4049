// Package cli is the command line: one file per command. Commands read flags and call the
// packages that do the work; they hold none of it.
package cli
