// Package control speaks to a simulated AWS over its admin API: what the
// account looks like, and what is to happen in it. It holds the API's types
// and a client; it does not simulate anything, so that a command line may have
// it without the simulator.
package control
