// Package interrupt acts upon what the cloud says of machines that it takes away: their claims are deleted at once, so
// that replacements start while the old nodes drain, and offerings that were taken away are left alone for a while.
// Planned maintenance is noted on the claim and the node given up shortly before it begins, not when it is announced.
//
// It asks no budget: the machine goes in any case. A message leaves the queue only once it was acted upon, and no
// message stops the others.
package interrupt
