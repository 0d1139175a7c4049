// Package place puts pods on nodes that exist and settles the domain of every pod that a topology rule looks at.
//
// What it cannot put on a node it turns into items: pods of one class in one domain, with a count. Whatever still binds
// an item binds it within one node only, so that how many of them fit a machine is arithmetic, and packing them is a
// problem of its own.
//
// A domain is chosen by what is known before nodes are opened: room that is there costs nothing; a pod on a new node
// costs its dominant share of the cheapest machine (Ghodsi and others, "Dominant Resource Fairness", 2011); of equals
// the domain with the fewest pods that its rules count wins. These are estimates: packing may find that no node can be
// opened there, and tells by Close.
package place
