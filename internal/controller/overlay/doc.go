// Package overlay puts NodeOverlays into force.
//
// The Reconciler checks all overlays against what the clouds sell to all NodePools, says on each whether it holds, and
// hands those that do to internal/market, which applies them to what is planned and bought.
// Until overlays were checked once, the market refuses: a plan with wrong prices is worse than a late one.
package overlay
