// Package apply carries decisions out. It is the only creator and deleter of NodeClaims.
//
// It decides nothing; but it is the last to look, so it refuses what has become untrue in the
// meantime: a pool that is gone or full.
package apply
