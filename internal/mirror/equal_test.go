package mirror

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	clocktesting "k8s.io/utils/clock/testing"
	"pgregory.net/rapid"
	"sigs.k8s.io/controller-runtime/pkg/client"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/devices"
	"github.com/dovetail-sh/dovetail/internal/mirror/objects"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// TestAnyHistoryEqualsTranslatingWhatIsLeftOfIt is the mirror's contract.
func TestAnyHistoryEqualsTranslatingWhatIsLeftOfIt(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		clock := clocktesting.NewFakePassiveClock(noon)
		var defaults []corev1.TopologySpreadConstraint
		if rapid.Bool().Draw(t, "defaults") {
			defaults = []corev1.TopologySpreadConstraint{
				{MaxSkew: 1, TopologyKey: corev1.LabelTopologyZone, WhenUnsatisfiable: corev1.ScheduleAnyway},
			}
		}
		o := Options{Clock: clock, Defaults: defaults, Devices: rapid.Bool().Draw(t, "devices"), Sold: sold}
		m := newMirror(o, rapid.SampledFrom([]int{3, objects.CompactSlack}).Draw(t, "compact at"))
		objects := map[string]client.Object{}
		offers := map[string]*translate.Offer{}
		for range rapid.IntRange(1, 40).Draw(t, "events") {
			step(t, m, clock, objects, offers)
			if rapid.IntRange(0, 3).Draw(t, "look") == 0 {
				compare(t, m, objects, offers)
			}
		}
		compare(t, m, objects, offers)
	})
}

// step makes one thing happen, to the mirror and to the objects.
func step(
	t *rapid.T,
	m *Mirror,
	clock *clocktesting.FakePassiveClock,
	objects map[string]client.Object,
	offers map[string]*translate.Offer,
) {
	switch rapid.IntRange(0, 14).Draw(t, "event") {
	case 0, 1:
		keys := slices.Sorted(maps.Keys(objects))
		if len(keys) == 0 {
			return
		}
		key := rapid.SampledFrom(keys).Draw(t, "dropped")
		m.Drop(objects[key])
		delete(objects, key)
	case 2:
		pool := pick(t, "pool", "q0", "q1")
		if m.Pool(pool) != nil {
			offers[pool] = drawOffer(t)
			m.Offer(pool, offers[pool])
		}
	case 3:
		namespace, name := podKey(t)
		m.Nominate([]shape.PodID{shape.PodID(namespace + "/" + name)}, pick(t, "onto", "n0", "n1", "c0", "c1"))
	case 4:
		namespace, name := podKey(t)
		claim := drawClaim(t).(*karpenterv1.NodeClaim)
		claim.DeletionTimestamp = nil
		m.Expect(claim, []shape.PodID{shape.PodID(namespace + "/" + name)})
	case 5:
		m.Forget(claimName(t))
	case 7:
		node, pods := pick(t, "promised by", "n0", "n1"), slices.Sorted(maps.Keys(m.facts.Pods))
		m.Nominate(pods, node)
		_, seen, _ := m.Ledger().Bound(map[string][]shape.PodID{node: pods})
		m.Ledger().Promise(node, seen[node], pods)
	case 8:
		namespace, name := podKey(t)
		m.Ledger().Withdraw(shape.PodID(namespace + "/" + name))
	case 6:
		clock.SetTime(clock.Now().Add(time.Duration(rapid.IntRange(1, 30).Draw(t, "seconds")) * time.Second))
	default:
		o := rapid.SampledFrom(draws).Draw(t, "kind")(t)
		m.Put(o)
		objects[fmt.Sprintf("%T %s/%s", o, o.GetNamespace(), o.GetName())] = o
	}
}

// compare translates everything at once and wants the same. Pods that are finished are not the mirror's any more;
// offers belong to pools that exist.
func compare(t *rapid.T, m *Mirror, objects map[string]client.Object, offers map[string]*translate.Offer) {
	got := m.Snapshot()
	o := translate.Objects{Defaults: m.facts.World.Defaults}
	var seen devices.Objects
	for _, key := range slices.Sorted(maps.Keys(objects)) {
		collect(&o, objects[key])
		put(&seen.Claims, objects[key])
		put(&seen.Templates, objects[key])
		put(&seen.Slices, objects[key])
		put(&seen.Classes, objects[key])
	}
	// What only the mirror knows.
	for name := range m.book.Expected() {
		o.NodeClaims = append(o.NodeClaims, m.facts.Claim(name))
	}
	o.Offers, o.Nominated = map[string]*translate.Offer{}, map[shape.PodID]string{}
	for name, p := range m.pools.all {
		o.Offers[name] = p.offer
	}
	for id, target := range m.book.Plans() {
		o.Nominated[id] = target
	}
	for i, pod := range o.Pods {
		if node, _ := m.book.Sent(translate.IDOf(pod)); m.facts.Node(node) != nil { // as good as bound
			o.Pods[i] = pod.DeepCopy()
			o.Pods[i].Spec.NodeName = node
		}
	}
	if m.devices.On {
		seen.Sold, seen.Learned = sold, m.devices.Learned
		o.Devices = devices.New(seen, nil)
	}
	want, _ := translate.Snapshot(o, got.Now)
	want.Revision = got.Revision
	if diff := cmp.Diff(resolve(want), resolve(got), cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("-translated at once +mirrored\n%s", diff)
	}
}

func collect(o *translate.Objects, object client.Object) {
	put(&o.Pods, object)
	put(&o.Nodes, object)
	put(&o.NodeClaims, object)
	put(&o.NodePools, object)
	put(&o.DaemonSets, object)
	put(&o.Namespaces, object)
	put(&o.Claims, object)
	put(&o.Volumes, object)
	put(&o.StorageClasses, object)
	put(&o.CSINodes, object)
	put(&o.Services, object)
	put(&o.LimitRanges, object)
	put(&o.RuntimeClasses, object)
	if r, ok := object.(*appsv1.ReplicaSet); ok {
		o.Workloads = append(o.Workloads, r)
	}
}

func put[T client.Object](list *[]T, object client.Object) {
	if o, ok := object.(T); ok {
		*list = append(*list, o)
	}
}

// resolved is a Snapshot without its tables: indexes depend on history, what they point to must not.
type resolved struct {
	shape.Snapshot
	PodClasses  []shape.Class
	NodeClasses map[string][]shape.Class
	Profiles    map[string]shape.Profile
	Daemons     []shape.Class
	PoolTypes   map[string][]shape.InstanceType
}

func resolve(s shape.Snapshot) resolved {
	out := resolved{
		Snapshot:    s,
		NodeClasses: map[string][]shape.Class{},
		Profiles:    map[string]shape.Profile{},
		PoolTypes:   map[string][]shape.InstanceType{},
	}
	out.Classes, out.Snapshot.Profiles, out.Types = nil, nil, nil
	out.Pods = slices.Clone(s.Pods)
	for i := range out.Pods {
		out.PodClasses = append(out.PodClasses, classOf(s, out.Pods[i].Class))
		out.Pods[i].Class = 0
	}
	out.Nodes = nil
	for _, n := range s.Nodes {
		c := *n
		c.Pods = slices.Clone(n.Pods)
		out.Profiles[n.Name] = *s.Profiles[n.Profile]
		c.Profile = 0
		for i := range c.Pods {
			out.NodeClasses[n.Name] = append(out.NodeClasses[n.Name], classOf(s, c.Pods[i].Class))
			c.Pods[i].Class = 0
		}
		out.Nodes = append(out.Nodes, &c)
	}
	out.DaemonSets = slices.Clone(s.DaemonSets)
	for i := range out.DaemonSets {
		out.Daemons = append(out.Daemons, classOf(s, out.DaemonSets[i].Class))
		out.DaemonSets[i].Class = 0
	}
	out.Pools = nil
	for _, p := range s.Pools {
		c := *p
		for _, i := range p.Types {
			out.PoolTypes[p.Name] = append(out.PoolTypes[p.Name], *s.Types[i])
		}
		c.Types = nil
		out.Pools = append(out.Pools, &c)
	}
	return out
}

// classOf leaves labels out: the mirror may hold some that nothing looks at any more.
func classOf(s shape.Snapshot, i int32) shape.Class {
	c := *s.Classes[i]
	c.Labels = nil
	return c
}

func TestLabelsThatASelectorLooksAtAreInTheClass(t *testing.T) {
	t.Parallel()
	m := New(Options{})
	plain := &corev1.Pod{}
	plain.Namespace, plain.Name, plain.Labels = "a", "plain", map[string]string{"app": "x", "unseen": "z"}
	plain.Status.Conditions = []corev1.PodCondition{
		{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable},
	}
	m.Put(plain)
	s := m.Snapshot()
	if got := s.Classes[s.Pods[0].Class].Labels; len(got) != 0 {
		t.Errorf("labels %v although nothing looks at them", got)
	}
	picky := plain.DeepCopy()
	picky.Name = "picky"
	picky.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{
		{MaxSkew: 1, TopologyKey: "zone", WhenUnsatisfiable: corev1.DoNotSchedule,
			LabelSelector: selectorFor("app", "x")},
	}
	m.Put(picky)
	s = m.Snapshot()
	for _, p := range s.Pods {
		if diff := cmp.Diff([]shape.Label{{Key: "app", Value: "x"}}, s.Classes[p.Class].Labels); diff != "" {
			t.Errorf("labels of %s: -want +got\n%s", p.ID, diff)
		}
	}
}

// pendingPod is one that kube-scheduler has tried.
func pendingPod(name, cpu string) *corev1.Pod {
	p := &corev1.Pod{}
	p.Namespace, p.Name = "a", name
	p.Spec.Containers = []corev1.Container{
		{
			Resources: corev1.ResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu)},
			},
		},
	}
	p.Status.Conditions = []corev1.PodCondition{
		{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable},
	}
	return p
}

func TestAPodWhosePlaceIsTakenIsPlannedAgain(t *testing.T) {
	t.Parallel()
	planned := map[bool]int{}
	m := New(Options{Bound: func(b Binding) { planned[b.Why == AsPlanned]++ }})
	n := &corev1.Node{}
	n.Name = "n0"
	n.Status.Allocatable = corev1.ResourceList{
		corev1.ResourceCPU:  resource.MustParse("2"),
		corev1.ResourcePods: resource.MustParse("10"),
	}
	m.Put(n)
	one, two, thief := pendingPod("one", "1"), pendingPod("two", "1"), pendingPod("thief", "1")
	two.CreationTimestamp.Time = noon // later than the others
	m.Put(one)
	m.Put(two)
	m.Snapshot()
	m.Nominate([]shape.PodID{"a/one", "a/two"}, "n0")
	if s := m.Snapshot(); len(s.Pods) != 0 {
		t.Fatalf("%v are to be placed although they are planned", s.Pods)
	}
	var heard Change
	m.Hear(func(c Change) { heard |= c })
	thief.Spec.NodeName = "n0"
	m.Put(thief)
	if heard&Wanted == 0 {
		t.Error("nobody was told that a pod has lost its place")
	}
	s := m.Snapshot()
	if len(s.Pods) != 1 || s.Pods[0].ID != "a/two" {
		t.Errorf("%v are to be placed, want the younger one, a/two", s.Pods)
	}
	bound := one.DeepCopy()
	bound.Spec.NodeName = "n0"
	m.Put(bound)
	if diff := cmp.Diff(map[bool]int{true: 1}, planned); diff != "" {
		t.Errorf("bound as planned: -want +got\n%s", diff)
	}
}

func TestPodsThatAreStillInTheSchedulersQueueArePlannedAlong(t *testing.T) {
	t.Parallel()
	m := New(Options{})
	waiting := pendingPod("waiting", "1")
	waiting.Status.Conditions = nil
	m.Put(waiting)
	if s := m.Snapshot(); len(s.Pods) != 0 {
		t.Errorf("%v are to be placed, want none: the scheduler may well find room", s.Pods)
	}
	m.Put(pendingPod("tried", "1"))
	if s := m.Snapshot(); len(s.Pods) != 2 {
		t.Errorf(
			"%d pods are to be placed, want both: what is bought for one would be taken by the other",
			len(s.Pods),
		)
	}
	other := waiting.DeepCopy()
	other.Name, other.Spec.SchedulerName = "other", "mine"
	m.Put(other)
	if s := m.Snapshot(); len(s.Pods) != 2 {
		t.Errorf("%d pods are to be placed, want two: nobody knows how the third one's scheduler works", len(s.Pods))
	}
}

func TestACreatedClaimIsNotBelievedForEver(t *testing.T) {
	t.Parallel()
	clock := clocktesting.NewFakePassiveClock(noon)
	m := New(Options{Clock: clock})
	m.Put(pendingPod("one", "1"))
	claim := &karpenterv1.NodeClaim{}
	claim.Name = "c0"
	m.Expect(claim, []shape.PodID{"a/one"})
	if s := m.Snapshot(); len(s.Nodes) != 1 || len(s.Pods) != 0 {
		t.Fatalf("%d nodes, %d pods to be placed; want the claim with its pod", len(s.Nodes), len(s.Pods))
	}
	clock.SetTime(noon.Add(believeFor))
	if s := m.Snapshot(); len(s.Nodes) != 0 || len(s.Pods) != 1 {
		t.Errorf(
			"%d nodes, %d pods to be placed; want the pod only: no informer has ever shown the claim",
			len(s.Nodes),
			len(s.Pods),
		)
	}
}

func TestAPlannedPodKeepsItsPlaceUntilSomeTimeAfterTheNodeIsReady(t *testing.T) {
	t.Parallel()
	clock := clocktesting.NewFakePassiveClock(noon)
	m := New(Options{Clock: clock})
	m.Put(pendingPod("one", "1"))
	claim := &karpenterv1.NodeClaim{}
	claim.Name, claim.Status.ProviderID = "c0", "m0"
	m.Put(claim)
	m.Nominate([]shape.PodID{"a/one"}, "c0")
	clock.SetTime(noon.Add(10 * time.Minute)) // a slow machine
	if s := m.Snapshot(); len(s.Pods) != 0 {
		t.Fatal("the place was given up although the node is still on its way")
	}
	n := &corev1.Node{}
	n.Name, n.Spec.ProviderID, n.Labels = "n0", "m0", map[string]string{karpenterv1.NodeInitializedLabelKey: "true"}
	n.Status.Allocatable = corev1.ResourceList{
		corev1.ResourceCPU:  resource.MustParse("2"),
		corev1.ResourcePods: resource.MustParse("10"),
	}
	m.Put(n)
	if s := m.Snapshot(); len(s.Pods) != 0 || len(s.Nodes[0].Pods) != 1 {
		t.Fatal("the place was given up when the node came")
	}
	clock.SetTime(clock.Now().Add(defaultNomination))
	if s := m.Snapshot(); len(s.Pods) != 1 {
		t.Error("the pod was not bound in time and must be planned again")
	}
}

func TestPodsOfOneClassMaySwapPlaces(t *testing.T) {
	t.Parallel()
	planned := map[bool]int{}
	m := New(Options{Bound: func(b Binding) { planned[b.Why == AsPlanned]++ }})
	for _, name := range []string{"0", "1"} {
		claim := &karpenterv1.NodeClaim{}
		claim.Name, claim.Status.ProviderID = "c"+name, "m"+name
		m.Put(claim)
		n := &corev1.Node{}
		n.Name, n.Spec.ProviderID = "n"+name, "m"+name
		n.Status.Allocatable = corev1.ResourceList{
			corev1.ResourceCPU:  resource.MustParse("1"),
			corev1.ResourcePods: resource.MustParse("1"),
		}
		m.Put(n)
	}
	one, two := pendingPod("one", "1"), pendingPod("two", "1")
	m.Put(one)
	m.Put(two)
	m.Nominate([]shape.PodID{"a/one"}, "c0")
	m.Nominate([]shape.PodID{"a/two"}, "c1")

	bound := two.DeepCopy()
	bound.Spec.NodeName = "n0"
	m.Put(bound)
	if s := m.Snapshot(); len(s.Pods) != 0 {
		t.Errorf("%v are to be placed, want none: the other pod has the other place now", s.Pods)
	}
	targets := m.Ledger().Targets()
	if len(targets) != 1 || targets[0].Claim != "c1" || targets[0].Node == nil {
		t.Errorf("pods are planned onto %v, want c1 with its node", targets)
	}
	if diff := cmp.Diff(map[bool]int{true: 1}, planned); diff != "" {
		t.Errorf("bound as planned: -want +got\n%s", diff)
	}
}
