// Package transition turns changes of conditions into events and metrics, for all kinds
// alike. It reads objects and writes nothing to them.
package transition
