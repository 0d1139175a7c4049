// Package verdict turns the results of an arena into what people read: a table for the terminal, results.json, and a
// page with plots. All of it is a function of the results, so that a page can be made anew without a run.
package verdict
