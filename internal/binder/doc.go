// Package binder brings pods to the nodes that they were planned onto.
//
// A plan packs nodes closely; kube-scheduler spreads pods evenly, and what it puts elsewhere may leave a planned pod
// without room, so that more is bought. So a node that was bought for a plan is kept for it by a taint of our own,
// NoSchedule, from the write that makes it the claim's. Once it is ready for pods, and its real labels, taints and room
// suit, its pods are bound to it, and the taint goes when they are there, or after a while.
//
// Nothing is bound that kube-scheduler's filters would not allow at that moment, and no node is ever promised more than
// it has: a binding counts from before it is sent until its outcome is seen, in every plan and before every other
// binding. That kube-scheduler was faster is an outcome and no error. Pods about which it alone knows enough are left
// to it, with a nomination: see left.
//
// What is known of nodes that are kept is in memory. A controller that starts anew opens those that it finds, after a
// moment.
package binder
