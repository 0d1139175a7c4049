// Package feed keeps looking at a cluster, and thinks about what it sees beside that: screens and pages are handed a
// fleet whenever anything changed, with what was thought of it, which may be of a moment before. It draws nothing, and
// asks nobody but its Origin.
package feed
