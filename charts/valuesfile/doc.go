// Package valuesfile reads a chart's values.yaml with its comments, and makes of it what must agree with it: the JSON
// schema, the table of the README, and the list by which the chart refuses values that it does not have.
//
// A comment above a key describes it. Lines of the comment that begin with @ say what the default does not show:
//
//	@type integer|string   types that are allowed, where the default is null or others than its own are
//	@enum A|B              the only values; empty is allowed too if it is the default
//	@open                  what is below belongs to Kubernetes: every key is allowed
package valuesfile
