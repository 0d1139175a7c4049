// Package reserve keeps claims true to the reservations that their machines were launched into.
//
// A machine whose reservation has ended runs on, as on demand: its claim and node are relabelled, so that nobody counts
// on what is no longer reserved. A machine whose reservation is about to take it away is given up while there is still
// time to drain it.
package reserve
