// Package lp solves covering problems of linear programming: the least cost at which variables, bought in fractions,
// cover a demand in every row.
//
//	minimise    Σ cost[j]·x[j]
//	subject to  Σ coefficient[i,j]·x[j] ≥ demand[i]   for every row i
//	            x[j] ≥ 0
//
// It is the revised simplex method with an explicit inverse of the basis (Dantzig, "Linear Programming and
// Extensions", 1963, chapter 9), in two phases, for programs of up to a few hundred rows of which variables
// are found while it is being solved: column generation adds them ([github.com/dovetail-sh/dovetail/engine/colgen]).
//
// The dual values are the point. By weak duality, prices for the rows under which no variable is worth more than it
// costs give a cost that no cover can go below; by strong duality those of an optimal solution give exactly its cost. A
// plan's bound rests on the first, which holds for any rounding error in the second.
//
// The package knows rows, costs and coefficients only. Every choice in it is the first best one: equal programs give
// equal results, on any machine.
package lp
