// Package disrupt gives up nodes that the cluster does not need, within the budgets of their pools.
//
// Each pass looks at everything, decides, and acts on what was decided; no move waits for another one. What is
// remembered between passes, failed attempts and which nodes go together, may be lost: restarts converge from the
// claims' conditions.
package disrupt
