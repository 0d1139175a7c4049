// Package cut keeps the lists that a Snapshot consists of, in order, so that cutting the next Snapshot costs what has
// changed since the last one.
//
// A list that was given out never changes: those that come after it are copies that share what is the same. The package
// is handed what was translated already. It knows no objects of the cluster, and it is not safe for concurrent use.
package cut
