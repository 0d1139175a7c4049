// Package apply carries decisions out. It is the only creator and deleter of NodeClaims.
//
// It decides nothing; but it is the last to look, so it refuses what has become untrue in the
// meantime: a pool that is gone, a node class that is not ready, a limit that is used up. What is about
// to be created is entered into the mirror first, so that no second look at the cluster can buy
// the same again. One claim that cannot be created does not stop the others.
package apply
