// Package gauge measures a run from outside, in the same way for every controller: it watches pods and nodes as the API
// server shows them, reads what the kernel says of processes, and asks the API server what it was asked.
//
// It asks no controller anything.
package gauge
