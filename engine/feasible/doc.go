// Package feasible answers whether a class of pods may use a node or an offering, and
// says why not.
//
// It compiles a Snapshot once per plan: offerings become columns with integer prices
// and resource vectors, each condition on labels becomes a bitset over the columns,
// and what classes have in common is stored once. After that every question is an AND
// of bitsets or a comparison of integers. Nothing here depends on what else has been
// placed in this plan: that is engine/board's and engine/spread's knowledge.
package feasible
