// Package apply carries decisions out. It is the only creator of NodeClaims, and deletes them for every
// reason that is a choice. internal/controller/terminate deletes one case besides: the claim of a Node that a
// user deleted.
//
// It decides nothing; but it is the last to look, so it refuses what has become untrue in the
// meantime: a pool that is gone, a node class that is not ready, a limit that is used up, a node that is
// given up by choice and on which the API server has pods that the cache does not show. What is about
// to be created is entered into the mirror first, so that no second look at the cluster can buy
// the same again. One claim that cannot be created does not stop the others.
package apply
