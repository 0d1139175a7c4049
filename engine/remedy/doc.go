// Package remedy finds the smallest change that would give a pod without a place one: it relaxes one thing, or if that
// is
// not enough two, plans again, and keeps what works. What it offers is proven by a plan, never guessed from reasons.
//
// Like the planner it is a function of a Snapshot: it works on a live cluster, on files and on plans of the past alike.
package remedy
