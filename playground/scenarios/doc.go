// Package scenarios plays what people really run on a whole cluster: operators' StatefulSets with zonal volumes,
// service meshes and network agents with startup taints, bursts, CI runners, mixed operating systems, GPUs, rollouts.
//
// A story is one text archive in scripts/: its comment is a script, its files are the manifests. A script is a user
// with kubectl and somebody who watches; see [Reference] for its words. The harness plays the cloud's drivers and the
// agents that no simulated machine runs (see actor.go). It never reaches into Dovetail.
//
// Each story starts on a cluster without machines and must end so that
//   - every pod runs or has completed, and the kubelet of its node took it,
//   - every machine that was ever bought was used by a pod that was not a DaemonSet's, but for those that the story
//     declares as spare,
//
// - the fleet costs at most 3 % more than the bound that the planner proves for the same pods on an empty cluster, or
// than its own
//
//	plan from nothing where that is more, unless the script says why it may cost more.
//
// After that the story's objects are deleted, and the last machine must go.
package scenarios
