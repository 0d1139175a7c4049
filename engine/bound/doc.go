// Package bound computes prices that no plan can go below.
//
// Two bounds, both linear programs. The fractional bound lets machines be bought and
// filled in fractions: quick, and weak when there are few pods. The configuration bound
// lets whole fillings of machines be bought in fractions; its fillings are found on
// demand by the caller, and the figure stays valid when the search for them stops early
// (Farley's bound). The package knows rows, prices and columns of numbers only.
package bound
