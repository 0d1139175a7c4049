// Package match plays the plays: each to one contestant after the other, every time on a control plane of its own.
//
// It never gives up for one run: what failed is in the result, and what there was no time for is named.
package match
