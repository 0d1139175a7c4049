package provider

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// Cloud sells machines. All methods may be called at once from many goroutines, may fail
// at any time, and do nothing twice when they are called again after a failure.
type Cloud interface {
	// Name labels metrics and logs: "aws", "kwok".
	Name() string

	// ClassKinds are the NodeClasses that this cloud understands; the first is the default.
	ClassKinds() []schema.GroupKind

	// LabelRules are what this cloud adds to karpenterv1.CoreLabelRules: labels of its own, and names that its drivers
	// use for well-known ones. Always the same.
	LabelRules() karpenterv1.LabelRules

	// Class tells the state of one NodeClass. ErrClassNotFound if there is none.
	Class(ctx context.Context, ref karpenterv1.NodeClassReference) (Class, error)

	// ResolveClass works out the status of a NodeClass (subnets, images, profiles …), writes its
	// conditions, and says when to come again. A NodeClass that is being deleted loses its
	// finalizer here once no claim refers to it.
	ResolveClass(ctx context.Context, ref karpenterv1.NodeClassReference) (again time.Duration, err error)

	// InstanceTypes lists all types that a NodeClass could launch, with those that are sold
	// out marked as not Available. The result is shared and must not be changed. Callers
	// ask often: the cloud caches. ErrClassNotFound and ErrClassNotReady as for Launch.
	InstanceTypes(ctx context.Context, ref karpenterv1.NodeClassReference) ([]*shape.InstanceType, error)

	// Launch buys one machine from the first of the candidates that the cloud can deliver;
	// a cloud may prefer another order for good reason (spot breadth). Two calls with the same
	// Token buy one machine, also when the answer to the first was lost.
	// Errors: ErrNoCapacity, ErrClassNotFound, ErrClassNotReady, ErrClassUndecided, *LaunchError.
	Launch(ctx context.Context, order Order) (Machine, error)

	// Terminate begins to give a machine back. nil means that it has begun; callers repeat it
	// until ErrNotFound says that the machine is gone.
	Terminate(ctx context.Context, providerID string) error

	// Machine finds one machine. ErrNotFound once it is gone.
	Machine(ctx context.Context, providerID string) (Machine, error)

	// Machines lists all machines of this cluster that are not gone, those included whose
	// claim was never told of them.
	Machines(ctx context.Context) ([]Machine, error)

	// Drift tells why a machine no longer matches its NodeClass: a reason in CamelCase, or "".
	Drift(ctx context.Context, claim *karpenterv1.NodeClaim) (reason string, err error)

	// RepairPolicies lists the node conditions that make a node worth replacing.
	RepairPolicies() []RepairPolicy

	// Tasks is the cloud's own regular work, such as refreshing prices. The daemon runs it, most of it on the leader
	// alone.
	Tasks() []Task
}

// Explainer is a Cloud that knows what a user should read of its errors. It is optional.
type Explainer interface {
	// Explain is a phrase without what differs from one failure of a kind to the next, such as IDs of requests.
	Explain(err error) string
}

// Priced is a Cloud that asks for prices. It is optional.
type Priced interface {
	// PricesAt is since when it has those that it plans with; the zero time for those that are built in.
	PricesAt() time.Time
}

// Class is what others may know of a NodeClass.
type Class struct {
	Name       string
	Generation int64

	// Ready is false while nothing can be launched; Reason and Message say why.
	Ready           bool
	Reason, Message string

	// Deleting NodeClasses launch nothing.
	Deleting bool

	// Stamp holds annotations to be put on claims at creation, such as the hash that static drift compares.
	Stamp map[string]string

	// StampVersion is the key in Stamp that says how the rest was worked out; empty if there is only one way. Stamps of
	// another version cannot be compared: they are renewed on claims, whose nodes have not changed.
	StampVersion string
}

// Order is one machine to be bought.
type Order struct {
	Claim *karpenterv1.NodeClaim

	// Token makes Launch idempotent. It is the claim's UID.
	Token string

	// Candidates are the offerings that suit the claim, cheapest first; never empty.
	Candidates []Candidate
}

// Machine is what was bought.
type Machine struct {
	ProviderID string // as the kubelet will report it; unique
	State      State
	Launched   time.Time

	// Claim and Pool are the names that the machine was tagged with, empty if it has none.
	Claim, Pool string

	InstanceType, Zone, CapacityType, Reservation, ImageID string

	// Labels are all labels that the cloud knows of the future node, well-known ones included.
	Labels map[string]string
	// Annotations are to be put on the claim, such as what a later drift check compares.
	Annotations map[string]string

	// Capacity and Allocatable are expected; the node's own figures win once it has joined.
	Capacity, Allocatable corev1.ResourceList
}

// State is how far a machine has come.
type State string

// States of machines. A machine that is gone is ErrNotFound.
const (
	Pending  State = "pending"
	Running  State = "running"
	Stopping State = "stopping" // shutting down or stopped: it will not come back
)

// RepairPolicy says that a node whose condition has had this status for so long is broken, and what mends it.
// Condition and Status name a pair; each pair has one policy without a Reason.
type RepairPolicy struct {
	Condition corev1.NodeConditionType
	Status    corev1.ConditionStatus
	// Reason is a regular expression that the condition's reason must contain a match of. A policy without one is for
	// what no other policy of its pair matches.
	Reason string
	// After is for how long the condition must have been bad; not negative.
	After time.Duration
	// GracePeriod bounds the drain: 0 asks no pod, nil waits for as long as it takes.
	GracePeriod *time.Duration
	// Priority from 0 to 100 orders nodes that are broken at once, the highest first.
	Priority int
	Action   RepairAction
}

// RepairAction is what mends a broken node.
type RepairAction uint8

// Replacing a node is what always mends it; rebooting keeps its machine.
const (
	ReplaceNode RepairAction = iota
	RebootNode
)

// String is the action as it is logged.
func (a RepairAction) String() string {
	if a == RebootNode {
		return "RebootNode"
	}
	return "ReplaceNode"
}

// Rebooter is a Cloud that can reboot its machines. It is optional: a Cloud that is none has no policy that reboots.
type Rebooter interface {
	// Reboot has a machine boot anew. It is called again with the same operation until it succeeds, and may then reboot
	// the machine once more. Errors: ErrNotFound, ErrRebootRefused; any other is tried again.
	Reboot(ctx context.Context, providerID, operation string) error
}

// Task is work that a cloud does at regular intervals, beginning at once. After a failure it is tried again sooner.
type Task struct {
	Name  string // as in Karpenter's controller names: "providers.pricing"
	Every time.Duration
	Run   func(context.Context) error

	// Standby has those who stand by run it too: work that changes nothing, and without which a new leader would begin
	// with what it does not know.
	Standby bool
}
