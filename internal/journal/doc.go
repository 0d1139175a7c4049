// Package journal remembers the last plans, and the last searches for moves that found some, with all that they were
// made from, so that they can be explained and replayed. It is bounded in number and in bytes, and it never holds up a
// plan: writing happens beside it, and what cannot be kept is dropped.
//
// A record is JSON, compressed with gzip; a file in the journal's directory is one record, so gunzip and any JSON
// tool read it.
package journal
