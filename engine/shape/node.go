package shape

import "time"

// Profile is what nodes have in common: labels and taints.
type Profile struct {
	// Labels ascend by key and leave out kubernetes.io/hostname.
	Labels []Label `json:"labels,omitempty"`

	// Taints are those that matter to pods: a node that is still starting does not
	// carry the taints that will go by themselves.
	Taints []Taint `json:"taints,omitempty"`
}

// Node is a machine that runs or is on its way.
type Node struct {
	// Name is the Node's name, or the NodeClaim's while there is no Node. Unique in a Snapshot.
	Name string `json:"name"`

	// Claim is the NodeClaim's name, empty for nodes that we do not manage.
	Claim string `json:"claim,omitempty"`

	// Pool is the NodePool's name, empty for nodes that we do not manage.
	Pool string `json:"pool,omitempty"`

	// Hostname is the value of kubernetes.io/hostname.
	Hostname string `json:"hostname"`

	// Profile is an index into Snapshot.Profiles.
	Profile int32 `json:"profile"`

	Allocatable Vector `json:"allocatable"`
	Stage       Stage  `json:"stage"`

	// Pods are all pods that hold room on the node, ascending by ID: bound ones, and
	// those that the scheduler has nominated to it.
	Pods []Pod `json:"pods,omitempty"`

	// Requested is what Pods ask for together, for whoever keeps count of it; nil leaves it to
	// the planner to add up. On large clusters that is most of the time of a small plan.
	Requested *Vector `json:"requested,omitempty"`

	// Daemons are indexes into Snapshot.DaemonSets whose pod is among Pods already, ascending.
	Daemons []int32 `json:"daemons,omitempty"`

	// Attachable is how many volumes each CSI driver can attach here; a driver that is not named has no limit.
	Attachable []Amount `json:"attachable,omitempty"`

	// What was bought, and for how much. Empty and 0 for nodes that we do not manage.
	InstanceType string `json:"instanceType,omitempty"`
	Zone         string `json:"zone,omitempty"`
	CapacityType string `json:"capacityType,omitempty"`
	Price        Money  `json:"price,omitempty"`

	// Created is when the machine was asked for.
	Created time.Time `json:"created,omitzero"`

	// Kept is why the node must not be disrupted voluntarily, one sentence; empty if it may.
	Kept string `json:"kept,omitempty"`

	// Unwelcome marks nodes that take no new pods of ours in a refit: they are marked for deletion.
	Unwelcome bool `json:"unwelcome,omitempty"`

	// Unsettled nodes are inside consolidateAfter: a refit must not give them up yet. They take pods as long as any
	// runs there: one without is about to go by itself.
	Unsettled bool `json:"unsettled,omitempty"`
}

// Stage is how far a node has come.
type Stage uint8

const (
	// Launching nodes are bought or being bought; no Node object yet.
	Launching Stage = iota
	// Joined nodes have a Node object but are not initialized.
	Joined
	// Ready nodes are initialized.
	Ready
	// Leaving nodes are being deleted: nothing is placed on them.
	Leaving
)
