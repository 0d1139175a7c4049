// Package translate is the only place where Kubernetes objects become the planner's
// words, and the planner's decisions Kubernetes objects again.
//
// It is a function of objects: it never fetches, keeps no clock and writes nothing.
// Objects that are handed in are not changed and must not be changed afterwards by
// the caller, since what is made of them refers to their strings, slices and maps.
//
// Requests round up and what nodes offer rounds down, so nothing that fits here fails
// to fit on the node. An object that an API server cannot have accepted gives an error
// that names the field; a pod with such an error becomes one that is refused with that
// text, so it is reported and holds nobody else up.
//
// [Snapshot] translates a whole cluster at once. The mirror uses the same pieces
// (an [Interner] and its methods) to follow a cluster change by change, with equal results.
package translate
