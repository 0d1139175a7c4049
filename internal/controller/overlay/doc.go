// Package overlay puts NodeOverlays into force.
//
// The Reconciler checks all overlays against what the clouds sell to all NodePools, says on each whether it holds, and
// hands those that do to a Store, from which everybody who plans or buys takes instance types with overlays
// applied. Until overlays were checked once, the Store refuses: a plan with wrong prices is worse than a late one.
package overlay
