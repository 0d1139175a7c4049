package shape

import "time"

// PodID is a pod's namespace and name, "default/web-1". It is unique in a Snapshot.
type PodID string

// Pod is one pod, pending or running.
type Pod struct {
	ID    PodID `json:"id"`
	Class int32 `json:"class"` // index into Snapshot.Classes

	// Created breaks ties between pods of equal priority: older first.
	Created time.Time `json:"created,omitzero"`

	// Role says what a running pod means for its node. Pending pods are Movable.
	Role Role `json:"role,omitempty"`

	// EvictionCost weighs the disturbance of moving this pod, in thousandths of an
	// ordinary pod's cost: 1000 unless priority or the pod-deletion-cost annotation say otherwise.
	EvictionCost int32 `json:"evictionCost,omitempty"`

	// From is the node that a reschedulable pod has to leave, empty for pods that are on none.
	From string `json:"from,omitempty"`

	// Home names the node, or the claim, on which a plan before this one saw the pod, empty if there was none. It is
	// tried before all others, so that a plan which is being carried out is not thrown over.
	Home string `json:"home,omitempty"`
}

// Role says what becomes of a running pod when its node goes.
type Role uint8

const (
	// Movable pods are evicted and need room elsewhere.
	Movable Role = iota
	// Daemon pods belong to a DaemonSet: they go with the node.
	Daemon
	// Static pods are mirrors of the node's own manifests: they go with the node.
	Static
	// Ending pods are being deleted already: they hold their room but need none elsewhere.
	Ending
	// Pinned pods must not be disrupted: their node stays.
	Pinned
)

// DaemonSet is what the planner must leave room for on every node it fits.
type DaemonSet struct {
	Name  string `json:"name"`  // namespace and name
	Class int32  `json:"class"` // index into Snapshot.Classes
}
