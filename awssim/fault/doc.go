// Package fault decides which calls to a simulated AWS go wrong, and how.
//
// A Set holds rules. Each names a kind of trouble, the calls that it is for,
// and how often it strikes: the next so many, or each by a chance drawn from a
// seed. The package decides only; wire carries the decision out. It knows no
// protocol and keeps no clock.
package fault
