// Package nodehealth says what is wrong with a node, for how long, and what the cloud's repair policies say of it.
//
// It is pure: who repairs nodes, and whether budgets let them, is decided elsewhere.
package nodehealth
