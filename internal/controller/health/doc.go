// Package health says on a NodePool, in NodeRegistrationHealthy, whether the nodes that were
// launched for it lately joined the cluster. It forgets what it knows when the pool or its
// class changes, and with the daemon.
package health
