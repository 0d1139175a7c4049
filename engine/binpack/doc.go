// Package binpack packs items into new nodes at the least price: vector bin packing with bins of several sizes.
//
// Machines are opened for what their content is worth, by the duals of the fractional relaxation, until every pod has a
// place (greedy.go). Column generation looks for a cheaper packing and proves how cheap any could be (columns.go,
// prove.go). Then pods move between machines that were opened (shift.go), and machines are merged where one of both is
// no dearer (merge.go).
//
// Items that are alike while packing are one row. A bin has a column that it is planned for, the cheapest that holds
// its pods, and keeps every other column that could hold them too: the cloud may choose among those.
package binpack
