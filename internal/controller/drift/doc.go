// Package drift says on a NodeClaim, in its condition Drifted, that its node is no longer what
// its NodePool or node class asks for. Replacing it is disrupt's work.
package drift
