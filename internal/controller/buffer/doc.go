// Package buffer keeps room free, as CapacityBuffers ask for.
//
// It works out what one pod of each buffer looks like and how many there are to be, hands that to the mirror, where
// stand-ins are planned like pods, after all others; and it writes on each buffer what came of it. It watches what
// buffers refer to, so a workload that grows grows its buffers at once. What the room is, and which nodes are bought
// for it, the planner decides.
package buffer
