// Package journal remembers the last plans with all that they were made from, so that they can be explained and
// replayed. It is bounded in number and in bytes, and it never holds up a plan: what cannot be kept is dropped.
package journal
