package oracle

import (
	"fmt"
	"maps"
	"slices"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/dynamic-resource-allocation/deviceclass/extendedresourcecache"
	"k8s.io/dynamic-resource-allocation/structured"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/names"
)

// inventory shows the scheduler the devices and claims of its board: what it would know from the API server and from
// its own assumptions.
type inventory struct{ scheduler *scheduler }

func (i inventory) ResourceClaims() fwk.ResourceClaimTracker { return claimTracker{i.scheduler} }
func (i inventory) ResourceSlices() fwk.ResourceSliceLister  { return i }
func (i inventory) DeviceClasses() fwk.DeviceClassLister     { return classLister{i.scheduler} }
func (i inventory) PodGroups() fwk.PodGroupLister            { return nil }

func (i inventory) DeviceClassResolver() fwk.DeviceClassResolver { return i.scheduler.served }

// ListWithDeviceTaintRules lists what the nodes of the board publish.
func (i inventory) ListWithDeviceTaintRules() ([]*resourcev1.ResourceSlice, error) {
	e := i.scheduler.equipment
	if e == nil {
		return nil, nil
	}
	out := slices.Clone(e.common)
	for _, n := range i.scheduler.board.list {
		out = append(out, e.published(n.Node())...)
	}
	return out, nil
}

type classLister struct{ scheduler *scheduler }

func (c classLister) List() ([]*resourcev1.DeviceClass, error) {
	if c.scheduler.equipment == nil {
		return nil, nil
	}
	return c.scheduler.equipment.classes, nil
}

func (c classLister) Get(name string) (*resourcev1.DeviceClass, error) {
	list, _ := c.List()
	for _, class := range list {
		if class.Name == name {
			return class, nil
		}
	}
	return nil, apierrors.NewNotFound(resourcev1.Resource("deviceclasses"), name)
}

// claimTracker keeps claims on the board. An allocation is as good as written.
type claimTracker struct{ scheduler *scheduler }

func (t claimTracker) all() claims { return t.scheduler.board.claims }

// List lists all claims.
func (t claimTracker) List() ([]*resourcev1.ResourceClaim, error) {
	return slices.Collect(maps.Values(t.all())), nil
}

// Get finds a claim.
func (t claimTracker) Get(namespace, name string) (*resourcev1.ResourceClaim, error) {
	if c := t.all()[types.NamespacedName{Namespace: namespace, Name: name}]; c != nil {
		return c, nil
	}
	return nil, apierrors.NewNotFound(resourcev1.Resource("resourceclaims"), name)
}

// ListAllAllocatedDevices is for a scheduler without consumable capacity, which this one is not.
func (t claimTracker) ListAllAllocatedDevices() (sets.Set[structured.DeviceID], error) {
	state, err := t.GatherAllocatedState()
	return state.AllocatedDevices, err
}

// GatherAllocatedState adds up what is allocated. Admin access takes nothing.
func (t claimTracker) GatherAllocatedState() (*structured.AllocatedState, error) {
	out := &structured.AllocatedState{
		AllocatedDevices:         sets.New[structured.DeviceID](),
		AllocatedSharedDeviceIDs: sets.New[structured.SharedDeviceID](),
		AggregatedCapacity:       structured.NewConsumedCapacityCollection(),
	}
	for _, c := range t.all() {
		if c.Status.Allocation == nil {
			continue
		}
		for _, r := range c.Status.Allocation.Devices.Results {
			id := structured.MakeDeviceID(r.Driver, r.Pool, r.Device)
			switch {
			case r.AdminAccess != nil && *r.AdminAccess:
			case r.ShareID == nil:
				out.AllocatedDevices.Insert(id)
			default:
				out.AllocatedSharedDeviceIDs.Insert(structured.MakeSharedDeviceID(id, r.ShareID))
				out.AggregatedCapacity.Insert(structured.NewDeviceConsumedCapacity(id, r.ConsumedCapacity))
			}
		}
	}
	return out, nil
}

// SignalClaimPendingAllocation keeps an allocated claim.
func (t claimTracker) SignalClaimPendingAllocation(uid types.UID, c *resourcev1.ResourceClaim) error {
	name := types.NamespacedName{Namespace: c.Namespace, Name: c.Name}
	if c.Annotations[resourcev1.ExtendedResourceClaimAnnotation] == "true" {
		name.Name = c.GenerateName + string(uid)
		c.Name = name.Name
	}
	t.all()[name] = c
	return nil
}

func (claimTracker) GetPendingAllocation(types.UID) *resourcev1.AllocationResult { return nil }
func (claimTracker) MaybeRemoveClaimPendingAllocation(types.UID, bool) bool      { return false }
func (claimTracker) AssumeClaimAfterAPICall(*resourcev1.ResourceClaim) error     { return nil }
func (claimTracker) AssumedClaimRestore(string, string)                          {}

// use shows the scheduler a cluster's equipment, nil for none, on boards that are new from now on.
func (s *scheduler) use(e *equipment) {
	s.equipment = e
	s.served = extendedresourcecache.NewExtendedResourceCache(logr.Discard())
	if e != nil {
		for _, c := range e.classes {
			s.served.OnAdd(c, true)
		}
	}
}

// seat puts a pod on a node that did not refuse it, with what was allocated for it there.
func (a *attempt) seat(pod *corev1.Pod, node string) {
	b := a.scheduler.board
	b.seat(pod, b.byName[node])
	if a.scheduler.equipment == nil {
		return
	}
	plugin := a.scheduler.alone[names.DynamicResources].(fwk.ReservePlugin)
	if status := plugin.Reserve(a.ctx, a.state, a.pod, node); !status.IsSuccess() {
		panic(fmt.Sprintf("reserving devices of %s for %s: %s", node, pod.Name, status.Message()))
	}
	b.reserve(pod)
}

// reserve has a pod use its claims.
func (b *board) reserve(pod *corev1.Pod) {
	user := resourcev1.ResourceClaimConsumerReference{Resource: "pods", Name: pod.Name, UID: pod.UID}
	for name, c := range b.claims {
		if c.Status.Allocation == nil || !uses(pod, c) || slices.Contains(c.Status.ReservedFor, user) {
			continue
		}
		own := c.DeepCopy()
		own.Status.ReservedFor = append(own.Status.ReservedFor, user)
		b.claims[name] = own
	}
}

// uses reports whether a claim is one of a pod's.
func uses(pod *corev1.Pod, c *resourcev1.ResourceClaim) bool {
	if pod.Namespace != c.Namespace {
		return false
	}
	for _, o := range c.OwnerReferences {
		if o.UID == pod.UID {
			return true
		}
	}
	return slices.ContainsFunc(pod.Spec.ResourceClaims, func(e corev1.PodResourceClaim) bool {
		return e.ResourceClaimName != nil && *e.ResourceClaimName == c.Name
	})
}

// newBoard is one of machines, with the claims as they are then.
func (s *scheduler) newBoard(machines []machine) *board {
	b := newBoard(machines)
	b.claims = claims{}
	if s.equipment != nil {
		b.claims = s.equipment.freed(machines)
	}
	return b
}

// undo is what takes back what happens on the board to claims.
func (b *board) undo() func() {
	before := maps.Clone(b.claims)
	return func() { b.claims = before }
}

var _ fwk.SharedDRAManager = inventory{}
