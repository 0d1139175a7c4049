// Package colgen packs pods into machines by column generation, and proves how cheap any packing could be.
//
// A pattern is one way to fill one machine. The cheapest way to buy patterns, in fractions, so that every pod is in one
// is a covering program (Gilmore and Gomory, "A linear programming approach to the cutting-stock problem", Operations
// Research 9, 1961, and part II, 11, 1963). It has far too many patterns to list. So it is solved for those that are
// known; its dual values say what a pod of each row is worth; a knapsack for each machine finds the content that is
// worth most; and patterns that are worth more than they cost join, until there are none.
//
// The bound does not wait for that. If no content of any machine is worth more than 1/s of its price, the worths times
// s are prices for all pods that no packing can beat (Farley, "A note on bounding a class of linear programming
// problems, including cutting stock problems", Operations Research 38, 1990). The knapsacks give upper bounds, so that
// s is certain also where they stopped early.
//
// From the fractions a packing in whole machines is made by diving: patterns that are bought at least once are fixed,
// the rest is solved again, and when nothing reaches one, the largest fraction is rounded up.
//
// The package knows rows, machines and prices. What lies beyond arithmetic, such as rules about pods that share a node,
// it asks a Packer.
package colgen
