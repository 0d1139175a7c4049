// Package sample draws random clusters: instance types, NodePools, DaemonSets, pods and what these ask of nodes and of
// each other. Several oracles hold plans for them against somebody who knows better: kube-scheduler, or the peer.
//
// Equal seeds draw equal objects, for ever: oracles name clusters by their seeds. What is new is drawn from dice of its
// own.
package sample
