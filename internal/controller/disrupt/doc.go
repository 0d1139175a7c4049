// Package disrupt gives up nodes that the cluster does not need, that have drifted, or that are sick, within the
// budgets of their pools.
//
// Each pass looks at everything, decides, and acts on what was decided; no move waits for another one. What is decided
// is a pure function, [Step]. What a move is, another controller finds on the claims of its nodes ([AnnotationMove]),
// and goes on with it; what was tried and failed may be forgotten.
package disrupt
