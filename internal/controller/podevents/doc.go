// Package podevents notes on each NodeClaim when a pod last came to its node or left it.
// consolidateAfter counts from there.
package podevents
