// Package census counts nodes, pods and what they hold, for the metrics that describe a state
// and not an event. It looks when it is asked, from the cache, so a series ends with its
// object; and it writes nothing.
package census
