// Package pack decides which pods share which new nodes, at the least price.
//
// It works in two stages. Assign fills nodes that exist and settles the domain of every
// pod that a topology rule looks at, so that what is left are items: pods of one class in
// one domain, with a count. Solve then packs items into new nodes; whatever still binds
// an item binds it within one node only, so how many of an item fit is arithmetic.
//
// A bin has a column that it is planned for, the cheapest that holds its pods, and keeps
// every other column that could hold them too: the cloud may choose among those.
package pack
