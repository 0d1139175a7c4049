// Package lifecycle brings a NodeClaim to life: it has the cloud launch the machine, matches
// the Node that joins with the claim, and says when the node is ready for pods. Claims that
// do not get there in time are given up.
//
// It writes the claim's labels and status and, until a node is initialized, the node. It
// never plans and never ends a machine: giving up is deleting the claim, and what follows
// from that is terminate's work. A daemon that dies at any point here is repeated by the
// next one: a launch is bought under the claim's UID, so it is bought once.
package lifecycle
