// Package roster makes the read model of a running cluster: every machine from the claim to its end, every pod that
// waits, NodePools with what their limits and budgets leave, moves, and what all of it costs.
//
// What can be read off objects is looked at each time (Look); what takes planning is thought about apart from that
// (Think), and may be older. The package reads no server and keeps no clock, and nothing of the planner's or the
// controller's decisions is written a second time here.
package roster
