// Package provision makes room for pods that do not fit.
//
// Pods that arrive together are planned together: a batch ends when none has come for a while, or when it has lasted
// long enough. Then one pass: see the cluster, plan in a pure function, carry the plan out. Nothing else is waited for;
// a claim that is stuck is somebody else's business.
package provision
