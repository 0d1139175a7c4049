// Package daemon puts the controller together: configuration in, a running controller out.
//
// It is the only place that knows all the parts, and it holds no behaviour of its own
// beyond starting them, serving metrics and health, and saying clearly why it cannot
// start. Several daemons may run in one process; they share nothing.
package daemon
