// Package reboot reboots the nodes of claims that ask for it by their condition Rebooting.
//
// A reboot goes through two phases, which the condition's reason names: RebootRequested, in which the node is drained
// and the cloud is asked, and RebootIssued, in which the node boots. All that the next step depends on is written on
// claim and node, so a controller that is killed at any point is followed by one that goes on from there. A reboot that
// fails leaves the claim marked as Unhealthy: internal/controller/disrupt then replaces the node, its replacement
// first.
package reboot
