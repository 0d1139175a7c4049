// Package nominate tells kube-scheduler where pods were planned, in their status.nominatedNodeName.
//
// A plan packs nodes closely; kube-scheduler spreads pods evenly, and what it places elsewhere may
// leave a planned pod without room, so that more is bought. It tries the node that a pod is nominated to first and
// counts the room there as taken. But each failed attempt clears the field, so it is written at the last
// moment: when our own taint is all that keeps pods off the new node. Nodes of one plan that become ready within
// seconds of each other open together, so that no pod of one finds room on another in between; and what an attempt
// clears afterwards is written again.
//
// It is a hint and nothing more: a pod that cannot be written to, or a scheduler that pays no heed, costs some
// money and never a place. Pods are never bound here, and nominations of others are left alone.
package nominate
