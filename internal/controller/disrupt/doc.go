// Package disrupt gives up nodes that the cluster does not need, within the budgets of their pools.
//
// Each pass looks at everything, decides in a pure function, and acts on what was decided; nothing is
// kept from one pass to the next, and no move waits for another one.
package disrupt
