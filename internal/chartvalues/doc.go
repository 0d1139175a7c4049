// Package chartvalues knows what became of values of Karpenter's older Helm charts, from 0.16 on: which have another
// name now, which are said in an object, and which say nothing any more.
//
// It is a table and a lookup. The chart renders its refusals from the table, and dovetail convert rewrites files by it.
package chartvalues
