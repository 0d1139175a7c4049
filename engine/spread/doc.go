// Package spread counts pods by domain: topology spread, pod affinity and pod
// anti-affinity, all three.
//
// A [Tally] counts pods that some constraint looks at, for each domain of one topology
// key. A [Rule] is what one class of pods demands of a tally before one more of them
// may go to a domain. Anti-affinity works both ways: pods that carry a term are tallied
// too, and pods that the term selects must keep away from them.
//
// Domains of kubernetes.io/hostname are nodes, existing and new, and are numbered by
// the caller; all other domains are values of labels, numbered here. The package counts
// and answers; it does not choose.
package spread
