// Package workload builds the inputs on which both planners are measured: the pods and
// the market of instance types, once, in neutral form. The same seed gives the same input.
//
// The diverse and the preference pods follow the description of Karpenter's own scheduling
// benchmark; the trace is a public one of virtual machines.
package workload
