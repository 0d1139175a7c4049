// Package play is the workloads of the arena: what a user does to a cluster, and what is waited for in between. A play
// does not know which controller it is played to.
package play
