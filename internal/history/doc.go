// Package history remembers every NodeClaim that ever was, why it came and why it went.
//
// A Keeper watches claims and is told what objects do not say: what a plan wanted a claim for, and why it is deleted.
// It
// writes both to a file in the journal's directory, one JSON document a line, before they are carried out, so that a
// process that dies in between leaves nothing without a reason. Lines are never changed; those of one claim are laid
// over each other. A claim's last words are an event as well, with its whole life as an annotation, for clusters
// without such
// a volume. The package decides nothing and holds nothing up: what cannot be written is logged.
package history
