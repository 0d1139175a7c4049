// Package simulate plans a cluster that is only written down: objects and a market in, the planner's decision out, or
// what the controller would do to the nodes that are there. It reads no files, calls nobody and knows no clock.
//
// What is not in the objects is assumed as a fresh cluster would have it, and every assumption is
// in Result.Notes: without NodePools there is one named "default"; without its EC2NodeClass a pool's
// nodes are those of an empty one. Decisions about nodes are the controller's own (disrupt.Foresee): nothing of it is
// written a second time here.
package simulate
