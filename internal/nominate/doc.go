// Package nominate tells kube-scheduler where pods were planned, in their status.nominatedNodeName.
//
// Kube-scheduler tries the node that a pod is nominated to first and counts the room there as taken. But each failed
// attempt clears the field, so internal/binder has it written when a node that was kept for a plan is about to open;
// what an attempt clears afterwards is written again here.
//
// It is a hint and nothing more: a pod that cannot be written to, or a scheduler that pays no heed, costs some money
// and never a place. Pods are never bound here, and nominations of others are left alone.
package nominate
