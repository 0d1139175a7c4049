package provision

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	autoscalingv1beta1 "github.com/dovetail-sh/dovetail/api/autoscaling/v1beta1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/enginetest"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// unscheduled is a cluster without a scheduler: what is planned is bought, and the test says whether nodes take pods.
type unscheduled struct {
	bought   purchases
	reserved map[string]bool
	now      time.Time
	world    *enginetest.World
	nodes    []*shape.Node
	pods     map[shape.PodID]*corev1.Pod
	claims   int
}

func newUnscheduled(pools ...string) *unscheduled {
	m := &unscheduled{
		reserved: map[string]bool{},
		now:      time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC),
		world:    enginetest.NewWorld(),
		pods:     map[shape.PodID]*corev1.Pod{},
	}
	m.bought = newPurchases(func(node string) bool { return m.reserved[node] })
	for _, cores := range []int64{2, 4, 8} {
		room := shape.Vector{CPU: cores * 1000, Memory: cores << 31, Pods: 30}
		m.world.Type(shape.InstanceType{
			Name:        fmt.Sprintf("%d-cores", cores),
			Capacity:    room,
			Allocatable: room,
			Offerings: []shape.Offering{
				{Zone: "a", CapacityType: shape.OnDemand, Price: shape.Money(cores) * 10_000, Available: true},
			},
		})
	}
	for i, pool := range pools {
		m.world.Pool(
			shape.Pool{
				Name:   pool,
				Weight: int32(len(pools) - i),
				Labels: []shape.Label{{Key: shape.LabelNodePool, Value: pool}},
				Types:  []int32{0, 1, 2},
			},
		)
	}
	return m
}

func (m *unscheduled) podOf(id shape.PodID) *corev1.Pod { return m.pods[id] }

func (m *unscheduled) pod(name string) {
	m.pods[shape.PodID("default/"+name)] = &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, UID: types.UID(name)},
	}
	m.world.Pod(
		shape.PodID("default/"+name),
		shape.Class{Namespace: "default", Requests: shape.Vector{CPU: 1000, Memory: 1 << 30, Pods: 1}},
	)
}

// snapshot has those pods pending that are not bound and hold no room.
func (m *unscheduled) snapshot() shape.Snapshot {
	s := m.world.Snapshot()
	s.Now, s.Nodes = m.now, m.nodes
	s.Pods = slices.DeleteFunc(s.Pods, func(p shape.Pod) bool {
		return m.pods[p.ID] == nil || m.pods[p.ID].Spec.NodeName != "" ||
			slices.ContainsFunc(m.nodes, func(n *shape.Node) bool {
				return slices.ContainsFunc(n.Pods, func(q shape.Pod) bool { return q.ID == p.ID })
			})
	})
	return s
}

// pass plans, buys, and returns what was bought, as "pool/type", and what rests.
func (m *unscheduled) pass() (bought []string, resting []engine.Unplaced) {
	m.bought.look(m.snapshot(), m.podOf)
	s, resting, _ := m.bought.apply(m.snapshot())
	d := engine.Plan(s, engine.DefaultPolicy())
	claims := map[string]*karpenterv1.NodeClaim{}
	for i := range d.Open {
		o := &d.Open[i]
		m.claims++
		name := fmt.Sprintf("claim-%d", m.claims)
		claims[o.ID] = &karpenterv1.NodeClaim{ObjectMeta: metav1.ObjectMeta{Name: name}}
		profile := m.world.Profile(
			shape.Profile{
				Labels: shape.LabelsOf(
					map[string]string{shape.LabelNodePool: o.Pool, shape.LabelInstanceType: o.Options[0].Type},
				),
			},
		)
		n := &shape.Node{
			Profile:      profile,
			Name:         name,
			Claim:        name,
			Pool:         o.Pool,
			InstanceType: o.Options[0].Type,
			Stage:        shape.Launching,
		}
		for _, t := range s.Types {
			if t.Name == n.InstanceType {
				n.Allocatable = t.Allocatable
			}
		}
		for _, id := range o.Pods {
			n.Pods = append(n.Pods, shape.Pod{ID: id})
		}
		m.nodes = append(m.nodes, n)
		bought = append(bought, o.Pool+"/"+n.InstanceType)
	}
	m.bought.note(d.Open, claims, s.Types, m.podOf)
	return bought, resting
}

// join has the last node come, with or without the pods that were planned onto it.
func (m *unscheduled) join(with bool) *shape.Node {
	n := m.nodes[len(m.nodes)-1]
	n.Stage = shape.Ready
	if !with {
		n.Pods = nil
	}
	return n
}

func (m *unscheduled) bind(name string, n *shape.Node) {
	m.pods[shape.PodID("default/"+name)].Spec.NodeName = n.Name
}

func (m *unscheduled) expect(t *testing.T, why string, want ...string) {
	t.Helper()
	if got, _ := m.pass(); !slices.Equal(got, want) {
		t.Fatalf("%s: bought %v, want %v (%+v)", why, got, want, m.bought)
	}
}

// The node has a taint that nobody spoke of, or less room than planned: the picture of the cluster shows that it does
// not suit.
func TestWhatDoesNotSuitIsNotBoughtAgain(t *testing.T) {
	t.Parallel()
	m := newUnscheduled("general")
	m.pod("a")
	m.expect(t, "at first", "general/2-cores")
	m.join(false).Allocatable.Memory = 1 << 29
	m.expect(t, "the small one does not take it", "general/4-cores")
	m.join(false)
	got, resting := m.pass()
	if len(got) > 0 || len(resting) != 1 {
		t.Fatalf(
			"after two purchases in vain %v was bought and %d pods rest, want nothing and one (%+v)",
			got,
			len(resting),
			m.bought,
		)
	}
	said := resting[0].Why.Sentence()
	for _, part := range []string{"claim-2", "4-cores", "NodePool general", "planned was room for 4 cpu, 8Gi memory", "it has", "for 1m0s"} {
		if !strings.Contains(said, part) {
			t.Errorf("the pod is told %q, which lacks %q", said, part)
		}
	}
	m.now = m.now.Add(pause.First)
	m.expect(t, "after the rest", "general/8-cores")
	m.join(false)
	m.expect(t, "three in vain")
	m.now = m.now.Add(pause.First)
	m.expect(t, "the rest doubles")
	m.now = m.now.Add(pause.First)
	m.expect(t, "nothing larger is sold")
	m.now = m.now.Add(forgetAfter + time.Minute)
	m.nodes = nil
	m.expect(t, "an hour later it begins anew", "general/2-cores")
}

// A scheduler's plugin refuses what suits by all that can be seen.
func TestWhatIsNotUsedIsNotBoughtAgain(t *testing.T) {
	t.Parallel()
	m := newUnscheduled("general")
	m.pod("a")
	m.expect(t, "at first", "general/2-cores")
	n := m.join(true)
	m.reserved[n.Name] = true
	for range 3 {
		m.expect(t, "the node is kept, and the scheduler's time has not begun")
		m.now = m.now.Add(useWithin)
	}
	m.reserved[n.Name] = false
	m.expect(t, "the scheduler has its time")
	m.now = m.now.Add(useWithin)
	m.expect(t, "the pod is still planned there")
	n.Pods = nil // the plan is given up
	m.expect(t, "a larger one", "general/4-cores")
}

// What is kept from a pod is no volume's doing, though the pod may have volumes.
func TestWhatWasInVainIsCalledThat(t *testing.T) {
	t.Parallel()
	m := newUnscheduled("general")
	m.pod("a")
	for range 3 {
		m.pass()
		m.join(false)
		m.pass()
		m.now = m.now.Add(pause.First)
	}
	m.now = m.now.Add(pause.First)
	s, _, _ := m.bought.apply(m.snapshot())
	unplaced := m.bought.explained(engine.Plan(s, engine.DefaultPolicy()).Unplaced)
	if len(unplaced) != 1 {
		t.Fatalf("%d pods are unplaced, want one (%+v)", len(unplaced), m.bought)
	}
	said := unplaced[0].Why.Sentence()
	in := ": 3 no larger than a node that was bought in vain"
	for _, part := range []string{"8-cores", "pool general" + in, "nodes" + in} {
		if !strings.Contains(said, part) {
			t.Errorf("the pod is told %q, which lacks %q", said, part)
		}
	}
	if strings.Contains(said, "volume") {
		t.Errorf("the pod is told %q, and has no volume", said)
	}
}

func TestAnotherPoolMayStillHaveTheSame(t *testing.T) {
	t.Parallel()
	m := newUnscheduled("tainted", "good")
	m.pod("a")
	m.expect(t, "the heavier pool first", "tainted/2-cores")
	m.join(false)
	got, _ := m.pass()
	if len(got) != 1 || got[0] == "tainted/2-cores" {
		t.Fatalf("bought %v, want one of another kind", got)
	}
}

func TestWhatHelpsIsForgotten(t *testing.T) {
	t.Parallel()
	m := newUnscheduled("general")
	m.pod("a")
	m.expect(t, "at first", "general/2-cores")
	m.bind("a", m.join(true))
	m.now = m.now.Add(time.Hour)
	m.expect(t, "it runs")
	if len(m.bought.open)+len(m.bought.missed) > 0 {
		t.Errorf("remembered are %d purchases and %d pods", len(m.bought.open), len(m.bought.missed))
	}
}

// Others were faster: that says nothing against the machine.
func TestRoomThatOthersTookWasNotInVain(t *testing.T) {
	t.Parallel()
	m := newUnscheduled("general")
	m.pod("a")
	m.expect(t, "at first", "general/2-cores")
	n := m.join(false)
	m.pods["default/other"] = &corev1.Pod{Spec: corev1.PodSpec{NodeName: n.Name}}
	n.Pods = []shape.Pod{{ID: "default/other"}}
	n.Requested = &shape.Vector{CPU: 2000, Memory: 1 << 30, Pods: 1}
	m.expect(t, "the same again", "general/2-cores")
}

func TestAPodOfTheSameNameBeginsAnew(t *testing.T) {
	t.Parallel()
	m := newUnscheduled("general")
	m.pod("a")
	m.expect(t, "at first", "general/2-cores")
	m.join(false)
	m.pods["default/a"] = &corev1.Pod{ObjectMeta: metav1.ObjectMeta{UID: "another"}}
	m.nodes = nil
	m.expect(t, "another pod", "general/2-cores")
}

// Of many pods kube-scheduler binds one after the other: a node whose turn has not come was not bought in vain.
func TestASchedulerThatIsBusyHasItsTime(t *testing.T) {
	t.Parallel()
	m := newUnscheduled("general")
	for i := range 20 {
		m.pod(fmt.Sprint("first-", i))
	}
	m.pass()
	m.pod("last")
	m.expect(t, "at first", "general/2-cores")
	n := m.join(true)
	for i := range 20 {
		m.bind(fmt.Sprint("first-", i), m.nodes[0])
		m.expect(t, "the scheduler is at work")
		m.now = m.now.Add(useWithin - time.Second)
	}
	m.bind("last", n)
	m.expect(t, "it runs")
	if len(m.bought.missed)+len(m.bought.waiting) > 0 {
		t.Errorf("remembered are %+v", m.bought)
	}
}

// No scheduler binds the stand-ins of a buffer: their nodes are never bought in vain.
func TestStandInsWaitForEver(t *testing.T) {
	t.Parallel()
	m := newUnscheduled("general")
	m.pod("spare")
	stand := m.pods["default/spare"]
	stand.UID, stand.Annotations = "", map[string]string{autoscalingv1beta1.FakePodAnnotationKey: "true"}
	m.expect(t, "at first", "general/2-cores")
	n := m.join(true)
	m.expect(t, "the room is there")
	m.now = m.now.Add(time.Hour)
	m.expect(t, "and stays")
	m.pods["default/other"] = &corev1.Pod{Spec: corev1.PodSpec{NodeName: n.Name}} // takes it
	n.Pods, n.Requested = []shape.Pod{{ID: "default/other"}}, &shape.Vector{CPU: 2000, Memory: 1 << 30, Pods: 1}
	m.expect(t, "other room is bought", "general/2-cores")
}

// A job may be over before anybody looks.
func TestAPodThatHasFinishedWasHelped(t *testing.T) {
	t.Parallel()
	m := newUnscheduled("general")
	m.pod("a")
	m.pod("b")
	m.expect(t, "at first", "general/2-cores")
	n := m.join(true)
	m.bind("a", n)
	n.Pods = []shape.Pod{{ID: "default/b"}}
	m.now = m.now.Add(useWithin)
	m.expect(t, "one of two has run there")
	if len(m.bought.missed) > 0 {
		t.Errorf("remembered as bought in vain: %+v", m.bought.missed)
	}
}
