// Package nodepool keeps what a NodePool says of itself true: its hash, whether it is valid
// and its class is ready, and how much its nodes hold together.
//
// It writes NodePools' annotations and status and nothing else, but for one thing: when the
// way of hashing changes, it stamps the pool's claims anew, so that nothing drifts for it.
package nodepool
