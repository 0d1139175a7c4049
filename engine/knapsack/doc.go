// Package knapsack finds the content of one machine that is worth most: how many pods of each item, given what a pod of
// each is worth and how many there are. It is the bounded multi-dimensional knapsack, the pricing problem of column
// generation for cutting stock (Gilmore and Gomory, "A linear programming approach to the cutting-stock problem", 1961
// and 1963; Kellerer, Pferschy and Pisinger, "Knapsack Problems", 2004).
//
// Two resources, cpu and memory, are short at the same time on most machines. Any mix of the two into one size gives a
// knapsack of one dimension whose fractional optimum no content beats (the surrogate relaxation of Glover, 1975); the
// mix with the least optimum gives the tightest bound. The search settles one item after the other (dynamic programming
// with lists, Nemhauser and Ullmann 1969), drops partial contents that another one dominates or whose bound says that
// they cannot beat the best, and keeps at most a given number (beam search).
//
// What is returned is therefore two things: the best content that was found, and a number that no content is worth more
// than. They are equal, but for one part in some thousands, if nothing was dropped for want of width. The second is
// what proofs rest on, so that it must hold whatever is dropped.
package knapsack
