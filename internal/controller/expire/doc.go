// Package expire deletes claims that are older than their expireAfter. It is forceful, as the
// API specifies: no budget is asked and no replacement is made first.
package expire
