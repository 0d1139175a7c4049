// Package redact takes names, labels, addresses and whatever else somebody may not want to show out of a plan, so that
// it can be sent to strangers, and leaves what the planner makes of it as it was.
//
// What is public stays: Kubernetes', Karpenter's and AWS's own label keys and their values, instance types, zones,
// resources, small numbers. Every other text is replaced by one that sorts as it did among all others, since plans
// break
// ties by name; the same text becomes the same one everywhere. Decisions are not translated but made again from what is
// left: no sentence of the old ones survives.
package redact
