package census

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/observe"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func cpu(text string) corev1.ResourceList {
	return corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(text)}
}

func podOn(name, node, request string, owner string) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:         "default",
			Name:              name,
			CreationTimestamp: metav1.NewTime(noon.Add(-time.Minute)),
		},
	}
	p.Spec.NodeName = node
	p.Spec.Containers = []corev1.Container{
		{Name: "c", Resources: corev1.ResourceRequirements{Requests: cpu(request)}},
	}
	p.Status.Phase = corev1.PodRunning
	if node == "" {
		p.Status.Phase = corev1.PodPending
	}
	if owner != "" {
		p.OwnerReferences = []metav1.OwnerReference{{Kind: owner, Name: "o", Controller: new(true)}}
	}
	return p
}

// counted is a Census of one node of 4 cores, of which a pod has 2 and a DaemonSet 1, and a pod that waits.
func counted(t *testing.T) *Census {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := karpenterv1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	if err := corev1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: "n1", Labels: map[string]string{karpenterv1.NodePoolLabelKey: "general"}},
	}
	node.Spec.ProviderID = "test://1"
	node.Status.Allocatable, node.Status.Capacity = cpu("4"), cpu("5")
	node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	pool := &karpenterv1.NodePool{ObjectMeta: metav1.ObjectMeta{Name: "general"}}
	pool.Spec.Disruption.Budgets = []karpenterv1.Budget{{Nodes: "10%"}}
	claim := &karpenterv1.NodeClaim{
		ObjectMeta: metav1.ObjectMeta{
			Name:   "general-1",
			Labels: map[string]string{karpenterv1.NodePoolLabelKey: "general"},
		},
	}
	claim.Status.ProviderID = "test://1"
	claim.Status.Conditions = []metav1.Condition{
		{Type: karpenterv1.ConditionInitialized, Status: metav1.ConditionTrue},
	}
	objects := []client.Object{
		node,
		pool,
		claim,
		podOn("web", "n1", "2", ""),
		podOn("log", "n1", "1", "DaemonSet"),
		podOn("late", "", "1", ""),
	}
	c := &Census{
		Client:  fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build(),
		Metrics: observe.NewMetrics(), Clock: clocktesting.NewFakePassiveClock(noon),
		Price: func(*karpenterv1.NodeClaim) (float64, bool) { return 0.25, true },
	}
	return c
}

func TestCensus(t *testing.T) {
	t.Parallel()
	c := counted(t)
	if err := c.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	m := c.Metrics
	labels := []string{"cpu", "n1", "general", "", "true", "", "", "", "", "", "", ""}
	checks := map[string]struct{ got, want float64 }{
		"pods' requests":     {testutil.ToFloat64(m.Nodes.PodRequests.WithLabelValues(labels...)), 2},
		"daemons' requests":  {testutil.ToFloat64(m.Nodes.DaemonRequests.WithLabelValues(labels...)), 1},
		"system overhead":    {testutil.ToFloat64(m.Nodes.SystemOverhead.WithLabelValues(labels...)), 1},
		"utilization":        {testutil.ToFloat64(m.Cluster.Utilization.WithLabelValues("cpu")), 75},
		"cost of the pool":   {testutil.ToFloat64(m.Pools.Cost.WithLabelValues("general")), 0.25},
		"allowed to go":      {testutil.ToFloat64(m.Pools.Allowed.WithLabelValues("general", "empty")), 1},
		"seconds unbound":    {testutil.ToFloat64(m.Pods.Unbound.WithLabelValues("late", "default", "false")), 60},
		"series of pods":     {float64(testutil.CollectAndCount(m.Pods.State)), 3},
		"nodes in the state": {testutil.ToFloat64(m.Cluster.Nodes.WithLabelValues()), 1},
	}
	for what, check := range checks {
		if check.got != check.want {
			t.Errorf("%s: %v, want %v", what, check.got, check.want)
		}
	}
}

// How many may go at once does not shrink while some of them go: those that do are a metric of their own.
func TestBudgetsAreShownWhole(t *testing.T) {
	t.Parallel()
	c := counted(t)
	claim := &karpenterv1.NodeClaim{}
	writer := c.Client.(client.Client)
	if err := writer.Get(t.Context(), client.ObjectKey{Name: "general-1"}, claim); err != nil {
		t.Fatal(err)
	}
	claim.Status.Conditions = append(
		claim.Status.Conditions,
		metav1.Condition{Type: karpenterv1.ConditionDisruptionReason, Status: metav1.ConditionTrue},
	)
	if err := writer.Update(t.Context(), claim); err != nil {
		t.Fatal(err)
	}
	if err := c.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	allowed := testutil.ToFloat64(c.Metrics.Pools.Allowed.WithLabelValues("general", "drifted"))
	consuming := testutil.ToFloat64(c.Metrics.Pools.Consuming.WithLabelValues("general", "drifted"))
	if allowed != 1 || consuming != 1 {
		t.Errorf("%v allowed, %v of them used; want 1 and 1", allowed, consuming)
	}
}

// Gauges of budgets follow the time of day, and end with their pool: between two passes of anybody nothing is stale for
// longer than a count takes.
func TestGaugesOfBudgetsFollowTheClock(t *testing.T) {
	t.Parallel()
	c := counted(t)
	writer := c.Client.(client.Client)
	pool := &karpenterv1.NodePool{}
	if err := writer.Get(t.Context(), client.ObjectKey{Name: "general"}, pool); err != nil {
		t.Fatal(err)
	}
	schedule := "0 13 * * *"
	pool.Spec.Disruption.Budgets = []karpenterv1.Budget{
		{Nodes: "0", Schedule: &schedule, Duration: &metav1.Duration{Duration: time.Hour}},
	}
	if err := writer.Update(t.Context(), pool); err != nil {
		t.Fatal(err)
	}
	at := time.Date(noon.Year(), noon.Month(), noon.Day(), 12, 59, 0, 0, time.UTC)
	const all = 1<<31 - 1 // what Karpenter shows where no budget holds
	for _, step := range []struct {
		after time.Duration
		want  float64
	}{{0, all}, {time.Minute, 0}, {61 * time.Minute, all}} {
		c.Clock = clocktesting.NewFakePassiveClock(at.Add(step.after))
		if err := c.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := testutil.ToFloat64(c.Metrics.Pools.Allowed.WithLabelValues("general", "empty")); got != step.want {
			t.Errorf("%s after 12:59: %v may go, want %v", step.after, got, step.want)
		}
	}
	if err := writer.Delete(t.Context(), pool); err != nil {
		t.Fatal(err)
	}
	if err := c.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, err := testutil.GatherAndCount(
		c.Metrics.Gatherer(),
		"karpenter_nodepools_allowed_disruptions",
	); n != 0 ||
		err != nil {
		t.Errorf("%d series are left of a pool that is gone (%v)", n, err)
	}
}

func TestTheOwnerOfAPodIsAPath(t *testing.T) {
	t.Parallel()
	p := podOn("web-1", "", "1", "ReplicaSet")
	p.OwnerReferences[0].APIVersion = "apps/v1"
	if got, want := podLabels(p, nil)[2], "/apis/apps/v1/namespaces/default/replicasets/o"; got != want {
		t.Errorf("owner is %q, want %q", got, want)
	}
}

func TestAggregateHasNoSeriesForEachNodeOrPod(t *testing.T) {
	t.Parallel()
	c := counted(t)
	c.Aggregate = true
	if err := c.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := testutil.CollectAndCount(
		c.Metrics.Pods.State,
	) + testutil.CollectAndCount(
		c.Metrics.Nodes.Allocatable,
	); n != 0 {
		t.Errorf("%d series, want none", n)
	}
	if got := testutil.ToFloat64(c.Metrics.Cluster.Utilization.WithLabelValues("cpu")); got != 75 {
		t.Errorf("utilization %v, want 75: what is counted over all nodes stays", got)
	}
}

func TestTimesOfAPod(t *testing.T) {
	t.Parallel()
	m := observe.NewMetrics()
	clock := clocktesting.NewFakePassiveClock(noon)
	times := NewTimes(m.Pods, clock, func() bool { return true })
	pending := podOn("late", "", "1", "")
	pending.UID = "u"
	pending.Status.Conditions = []corev1.PodCondition{
		{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable},
	}
	times.OnAdd(pending, false)
	times.set(noon)
	if n := testutil.CollectAndCount(
		m.Pods.Undecided,
	) + testutil.CollectAndCount(
		m.Pods.ProvisioningUnbound,
	) + testutil.CollectAndCount(
		m.Pods.ProvisioningUnstarted,
	); n != 3 {
		t.Errorf("%d series of a pod that waits, want 3", n)
	}
	clock.SetTime(noon.Add(2 * time.Second))
	times.Decided([]shape.PodID{"default/late", "default/unknown"})
	times.Decided([]shape.PodID{"default/late"})
	times.set(noon.Add(2 * time.Second))
	if n := testutil.CollectAndCount(m.Pods.Undecided); n != 0 {
		t.Errorf("%d pods are undecided", n)
	}
	clock.SetTime(noon.Add(3 * time.Second))
	bound := pending.DeepCopy()
	bound.Spec.NodeName = "n1"
	bound.Status.Conditions = nil
	times.OnUpdate(pending, bound)
	running := bound.DeepCopy()
	running.Status.Phase = corev1.PodRunning
	times.OnUpdate(bound, running)
	for what, n := range map[string]int{
		"decided":                testutil.CollectAndCount(m.Pods.Decision),
		"bound":                  testutil.CollectAndCount(m.Pods.Bound),
		"bound after planning":   testutil.CollectAndCount(m.Pods.ProvisioningBound),
		"started":                testutil.CollectAndCount(m.Pods.Startup),
		"started after planning": testutil.CollectAndCount(m.Pods.ProvisioningStartup),
	} {
		if n != 1 {
			t.Errorf("%s: %d measurements, want 1", what, n)
		}
	}
	if len(times.waiting) != 0 {
		t.Error("a pod that runs is still remembered")
	}
}

// The kubelet may tell of a short job only when it is over.
func TestAJobThatNobodySawRunDoesNotWaitForEver(t *testing.T) {
	t.Parallel()
	for _, phase := range []corev1.PodPhase{corev1.PodSucceeded, corev1.PodFailed} {
		m := observe.NewMetrics()
		times := NewTimes(m.Pods, clocktesting.NewFakePassiveClock(noon), func() bool { return true })
		pending := podOn("job", "", "1", "")
		pending.UID = "u"
		pending.Status.Conditions = []corev1.PodCondition{
			{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable},
		}
		times.OnAdd(pending, false)
		over := pending.DeepCopy()
		over.Spec.NodeName, over.Status.Phase = "n1", phase
		times.OnUpdate(pending, over)
		times.set(noon)
		if n := testutil.CollectAndCount(m.Pods.ProvisioningUnstarted); n != 0 {
			t.Errorf("%d pods have not started, one of them is %s", n, phase)
		}
	}
}

// With groups, the series are as many as pools, zones and capacity types, however many nodes there are.
func TestNodesByGroup(t *testing.T) {
	t.Parallel()
	c := counted(t)
	c.ByGroup = true
	for i := range 50 {
		n := &corev1.Node{
			ObjectMeta: metav1.ObjectMeta{
				Name:   fmt.Sprintf("more-%d", i),
				Labels: map[string]string{karpenterv1.NodePoolLabelKey: "general"},
			},
		}
		n.Status.Allocatable = cpu("4")
		if err := c.Client.(client.Client).Create(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := testutil.CollectAndCount(c.Metrics.Nodes.Allocatable); n != 1 {
		t.Errorf("%d series for one pool", n)
	}
	if got := testutil.ToFloat64(
		c.Metrics.Nodes.Allocatable.WithLabelValues("cpu", "", "general", "", "true", "", "", "", "", "", "", ""),
	); got != 204 {
		t.Errorf("51 nodes of 4 cores have %v", got)
	}
}

func TestZoneOfAPod(t *testing.T) {
	t.Parallel()
	in := func(zones ...string) corev1.NodeSelectorTerm {
		return corev1.NodeSelectorTerm{
			MatchExpressions: []corev1.NodeSelectorRequirement{
				{Key: corev1.LabelTopologyZone, Operator: corev1.NodeSelectorOpIn, Values: zones},
			},
		}
	}
	affine := func(terms ...corev1.NodeSelectorTerm) *corev1.PodSpec {
		return &corev1.PodSpec{Affinity: &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
			RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: terms},
		}}}
	}
	for why, tc := range map[string]struct {
		spec *corev1.PodSpec
		want string
	}{
		"a selector names it":        {&corev1.PodSpec{NodeSelector: map[string]string{corev1.LabelTopologyZone: "a"}}, "a"},
		"the only term names it":     {affine(in("b")), "b"},
		"one term leaves a choice":   {affine(in("a", "b")), ""},
		"two terms leave a choice":   {affine(in("a"), in("b")), ""},
		"two terms agree":            {affine(in("a"), in("a")), "a"},
		"a term says nothing of it":  {affine(in("a"), corev1.NodeSelectorTerm{}), ""},
		"the pod says nothing of it": {&corev1.PodSpec{}, ""},
	} {
		if got := zoneOf(tc.spec); got != tc.want {
			t.Errorf("%s: %q, want %q", why, got, tc.want)
		}
	}
}
