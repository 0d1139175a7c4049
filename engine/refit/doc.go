// Package refit decides which nodes of a running fleet to give up, replace or merge, so that the same pods run for
// less.
//
// It is a pure function like the planner, and uses the planner for every question of where pods may go. A move gives up
// N nodes and opens M, for any N and M; it is independent of every other move of the same result, so they may be
// carried out at once, in any order. Pods that are pending anyway are the business of others: they count as if they
// were not there.
//
// No cycles: the potential is the price of all nodes. A move is proposed only if the price falls, by at least what the
// [Policy] asks for, whichever of its options the cloud picks. So with constant prices and pods no sequence of moves
// comes back to a fleet that was there before.
//
// A move is proposed only if kube-scheduler, which spreads pods where a plan fits them together, would find room for
// each of its pods; scheduler.go is the picture of it. Without that the rule above would hold on paper only: pods that
// are left over have nodes bought for them, which are the next to be moved.
//
// What the package does not do: it does not remember anything, knows no eviction and no PodDisruptionBudget; nodes
// that those hold are named in the Policy. Work is counted in steps, never in time.
package refit
