// Package consolidatable says on each NodeClaim whether its node has been quiet for its pool's consolidateAfter.
// It decides nothing: what to do with quiet nodes is the disrupt package's business.
package consolidatable
