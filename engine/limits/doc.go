// Package limits is what NodePools and capacity reservations may still grow by.
//
// Budgets are counted down while nodes are planned: each new node takes what its planned machine takes, or what it has
// to keep so that its launch has as many types as minValues asks for. Shares narrow launches afterwards, so that
// whichever of its options the cloud delivers for each, no limit is exceeded: what is left is divided among the nodes.
// It is the only place that does; the planner narrows by it, and so does whoever carries a plan out and finds other
// figures by then.
package limits
