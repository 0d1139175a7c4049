// Package verify holds a finished plan against what kube-scheduler will see when it is carried out: the nodes that the
// plan leads to and no others, and pods that come one after the other.
//
// Pods that could be bound in no order that was tried are taken back. Stuck pods that the estimates refused and
// kube-scheduler would not get a place. Options of new nodes that would make a difference to any pod are dropped. It
// changes the board and nothing else.
package verify
