package translate_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

func offer() *translate.Offer {
	offerings := func(price shape.Money) []shape.Offering {
		return []shape.Offering{{Zone: "a", CapacityType: shape.Spot, Price: price, Available: true}}
	}
	return translate.NewOffer([]*shape.InstanceType{
		{
			Name:        "small",
			Capacity:    shape.Vector{CPU: 2000, Pods: 10},
			Allocatable: shape.Vector{CPU: 1900, Pods: 8},
			Offerings:   offerings(100),
		},
		{
			Name:        "big",
			Capacity:    shape.Vector{CPU: 8000, Pods: 10},
			Allocatable: shape.Vector{CPU: 7800, Pods: 7},
			Offerings:   offerings(400),
		},
	}, "")
}

func nodePool() *karpenterv1.NodePool {
	p := &karpenterv1.NodePool{ObjectMeta: metav1.ObjectMeta{Name: "general", UID: "u1"}}
	p.Spec.Template.Labels = map[string]karpenterv1.LabelValue{"team": "x"}
	p.Spec.Template.Spec.NodeClassRef = &karpenterv1.NodeClassReference{
		Group: "karpenter.k8s.aws",
		Kind:  "EC2NodeClass",
		Name:  "default",
	}
	p.Spec.Template.Spec.Taints = []karpenterv1.Taint{{Key: "mine", Effect: corev1.TaintEffectNoSchedule}}
	p.Spec.Template.Spec.StartupTaints = []karpenterv1.Taint{{Key: "warming", Effect: corev1.TaintEffectNoSchedule}}
	p.Spec.Limits = requests("cpu", "100", "nodes", "5").Requests
	return p
}

// bought is a claim as provisioning makes it.
func bought() *karpenterv1.NodeClaim {
	c := translate.NodeClaim(nodePool(), engine.NewNode{
		Requirements: []shape.Requirement{
			{Key: shape.LabelInstanceType, Values: []string{"small", "big"}},
			{Key: shape.LabelZone, Values: []string{"a"}},
		},
		Requests: shape.Vector{CPU: 1500, Pods: 3},
	}, map[string]string{"stamp": "s"})
	c.Name = "general-1"
	return c
}

// launched is the same once the cloud has answered.
func launched() *karpenterv1.NodeClaim {
	c := bought()
	c.Labels[shape.LabelInstanceType], c.Labels[shape.LabelZone], c.Labels[shape.LabelCapacityType] = "small", "a", shape.Spot
	c.Status.ProviderID = "m1"
	c.Status.Capacity = requests("cpu", "2", "pods", "10").Requests
	c.Status.Allocatable = requests("cpu", "1900m", "pods", "10", "nvidia.com/gpu", "1").Requests
	return c
}

func joined(labels map[string]string, taints ...corev1.Taint) *corev1.Node {
	n := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name: "ip-1",
			Labels: map[string]string{
				shape.LabelHostname:     "ip-1",
				shape.LabelInstanceType: "small",
				shape.LabelZone:         "a",
				shape.LabelCapacityType: shape.Spot,
			},
		},
	}
	for k, v := range labels {
		n.Labels[k] = v
	}
	n.Spec.ProviderID, n.Spec.Taints = "m1", taints
	n.Status.Allocatable = requests("cpu", "1800m", "pods", "10").Requests
	return n
}

func TestANodeOnItsWay(t *testing.T) {
	t.Parallel()
	registered := map[string]string{karpenterv1.NodeRegisteredLabelKey: "true"}
	initialized := map[string]string{
		karpenterv1.NodeRegisteredLabelKey:  "true",
		karpenterv1.NodeInitializedLabelKey: "true",
	}
	taint := func(key string) corev1.Taint { return corev1.Taint{Key: key, Effect: corev1.TaintEffectNoSchedule} }
	mine := []shape.Taint{{Key: "mine", Effect: shape.NoSchedule}}
	vague := bought()
	vague.Spec.Requirements[0].Values = append(vague.Spec.Requirements[0].Values, "gone")
	leaving := joined(initialized)
	leaving.DeletionTimestamp = &metav1.Time{Time: noon}
	cases := map[string]struct {
		why         string
		claim       *karpenterv1.NodeClaim
		node        *corev1.Node
		name        string
		stage       shape.Stage
		taints      []shape.Taint
		allocatable shape.Vector
		price       shape.Money
		used        int64
	}{
		"Bought": {
			"Before the launch there is as much as every type has that it may become, and limits count the largest.",
			bought(),
			nil,
			"general-1",
			shape.Launching,
			mine,
			shape.Vector{CPU: 1900, Pods: 7},
			0,
			8000,
		},
		"Unknown": {
			"Of a type that is not offered any more nothing is known but that it is enough for what was planned.",
			vague,
			nil,
			"general-1",
			shape.Launching,
			mine,
			shape.Vector{CPU: 1500, Pods: 3},
			0,
			8000,
		},
		"Launched": {
			"The cloud says what to expect.",
			launched(),
			nil,
			"general-1",
			shape.Launching,
			mine,
			shape.Vector{CPU: 1900, Pods: 10, Extended: []shape.Amount{{Resource: "nvidia.com/gpu", Value: 1}}},
			100,
			2000,
		},
		"Joined": {
			"Not registered yet: the claim's taints count, and those that go by themselves do not.",
			launched(),
			joined(
				nil,
				taint(karpenterv1.UnregisteredTaintKey),
				taint(corev1.TaintNodeNotReady),
				taint("warming"),
				taint("readiness.k8s.io/net"),
			),
			"ip-1",
			shape.Joined,
			mine,
			shape.Vector{CPU: 1800, Pods: 10, Extended: []shape.Amount{{Resource: "nvidia.com/gpu", Value: 1}}},
			100,
			2000,
		},
		"Registered": {
			"The node's own taints count, but for startup taints.",
			launched(),
			joined(registered, taint("warming"), taint("odd")),
			"ip-1",
			shape.Joined,
			[]shape.Taint{{Key: "odd", Effect: shape.NoSchedule}},
			shape.Vector{CPU: 1800, Pods: 10, Extended: []shape.Amount{{Resource: "nvidia.com/gpu", Value: 1}}},
			100,
			2000,
		},
		"Initialized": {
			"From now on the node is taken at its word.",
			launched(),
			joined(initialized, taint("warming")),
			"ip-1",
			shape.Ready,
			[]shape.Taint{{Key: "warming", Effect: shape.NoSchedule}},
			shape.Vector{CPU: 1800, Pods: 10},
			100,
			2000,
		},
		"Leaving": {
			"Nothing is placed there any more.",
			launched(),
			leaving,
			"ip-1",
			shape.Leaving,
			nil,
			shape.Vector{CPU: 1800, Pods: 10},
			100,
			2000,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := translate.Objects{
				NodeClaims: []*karpenterv1.NodeClaim{tc.claim},
				NodePools:  []*karpenterv1.NodePool{nodePool()},
				Offers:     map[string]*translate.Offer{"general": offer()},
			}
			if tc.node != nil {
				o.Nodes = []*corev1.Node{tc.node}
			}
			s, _ := translate.Snapshot(o, noon)
			if len(s.Nodes) != 1 {
				t.Fatalf("%d nodes, want one", len(s.Nodes))
			}
			n := s.Nodes[0]
			type facts struct {
				Name, Claim, Pool string
				Stage             shape.Stage
				Taints            []shape.Taint
				Allocatable       shape.Vector
				Price             shape.Money
				CPU, Nodes        int64
			}
			got := facts{
				n.Name,
				n.Claim,
				n.Pool,
				n.Stage,
				s.Profiles[n.Profile].Taints,
				n.Allocatable,
				n.Price,
				s.Pools[0].Limits[0].Used,
				s.Pools[0].Limits[1].Used,
			}
			want := facts{tc.name, "general-1", "general", tc.stage, tc.taints, tc.allocatable, tc.price, tc.used, 1}
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s\n-want +got\n%s", tc.why, diff)
			}
		})
	}
}

// Limits count nodes by the label that names their pool: the claim of one may be gone, or nobody has written it down.
func TestANodeWithoutAClaimCountsForLimits(t *testing.T) {
	t.Parallel()
	pool := nodePool()
	pool.Spec.Limits["nvidia.com/gpu"] = resource.MustParse("8")
	pool.Spec.Limits["memory"] = resource.MustParse("100Gi")
	node := joined(map[string]string{karpenterv1.NodePoolLabelKey: "general"})
	node.Status.Capacity = requests("cpu", "2", "memory", "1Gi", "nvidia.com/gpu", "4").Requests
	terse := joined(map[string]string{karpenterv1.NodePoolLabelKey: "general"})
	terse.Name, terse.Spec.ProviderID = "ip-2", "m2"
	stranger := joined(nil)
	stranger.Name, stranger.Spec.ProviderID = "ip-3", "m3"
	s, problems := translate.Snapshot(
		translate.Objects{Nodes: []*corev1.Node{node, terse, stranger}, NodePools: []*karpenterv1.NodePool{pool}},
		noon,
	)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	got := map[string]int64{}
	for _, l := range s.Pools[0].Limits {
		got[l.Resource] = l.Used
	}
	want := map[string]int64{"cpu": 2000 + 1800, "memory": 1 << 30, "nvidia.com/gpu": 4, "nodes": 2}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("used -want +got\n%s", diff)
	}
}

func TestPodsOfLeavingNodesNeedRoomElsewhere(t *testing.T) {
	t.Parallel()
	node := joined(nil)
	node.DeletionTimestamp = &metav1.Time{Time: noon}
	yes := true
	pods := []*corev1.Pod{}
	add := func(name string, change func(*corev1.Pod)) {
		p := pod(corev1.PodSpec{NodeName: "ip-1"})
		p.Name = name
		change(p)
		pods = append(pods, p)
	}
	add("plain", func(*corev1.Pod) {})
	add("daemon", func(p *corev1.Pod) {
		p.OwnerReferences = []metav1.OwnerReference{{Kind: "DaemonSet", Name: "d", Controller: &yes}}
	})
	add("static", func(p *corev1.Pod) { p.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "x"} })
	add("ending", func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: noon} })
	add("done", func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded })
	s, _ := translate.Snapshot(translate.Objects{Pods: pods, Nodes: []*corev1.Node{node}}, noon)
	roles := map[shape.PodID]shape.Role{}
	for _, p := range s.Nodes[0].Pods {
		roles[p.ID] = p.Role
	}
	want := map[shape.PodID]shape.Role{
		"default/daemon": shape.Daemon,
		"default/static": shape.Static,
		"default/ending": shape.Ending,
	}
	if diff := cmp.Diff(want, roles); diff != "" {
		t.Errorf("pods that stay: -want +got\n%s", diff)
	}
	if r := s.Nodes[0].Requested; r == nil || r.Pods != 3 {
		t.Errorf("requested %+v, want the sum of the three pods that stay", r)
	}
	if len(s.Pods) != 1 || s.Pods[0].ID != "default/plain" || s.Pods[0].From != "ip-1" {
		t.Errorf("pods to be placed: %+v, want default/plain from ip-1", s.Pods)
	}
}

func TestDoNotDisruptForAWhile(t *testing.T) {
	t.Parallel()
	p := pod(corev1.PodSpec{NodeName: "ip-1"})
	p.Annotations = map[string]string{karpenterv1.DoNotDisruptAnnotationKey: "10m"}
	p.Status.StartTime = &metav1.Time{Time: noon}
	for after, want := range map[time.Duration]shape.Role{9 * time.Minute: shape.Pinned, 10 * time.Minute: shape.Movable} {
		s, _ := translate.Snapshot(
			translate.Objects{Pods: []*corev1.Pod{p}, Nodes: []*corev1.Node{joined(nil)}},
			noon.Add(after),
		)
		if got := s.Nodes[0].Pods[0].Role; got != want {
			t.Errorf("%s after its start the role is %d, want %d", after, got, want)
		}
	}
}

func TestEvictionCost(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		deletion, disruption string
		priority             int32
		own                  bool // the controller writes the deletion cost
		want                 int32
	}{
		"Ordinary":    {want: 1000},
		"Cost":        {deletion: "134217728", want: 2000},
		"Negative":    {deletion: "-2147483648", want: -10000},
		"Priority":    {priority: 1 << 25, want: 2000},
		"Both":        {deletion: "134217728", priority: 2_000_000_000, want: 10000},
		"NotANumber":  {deletion: "much", want: 1000},
		"NotWhole":    {deletion: "134217728.5", want: 1000},
		"OutOfBounds": {deletion: "99999999999", want: 1000},
		"First":       {deletion: "134217728", disruption: "268435456", want: 3000},
		"FirstIsNone": {deletion: "134217728", disruption: "much", want: 2000},
		"Own":         {deletion: "-2147483648", own: true, want: 1000},
		"OwnAndFirst": {deletion: "-2147483648", disruption: "134217728", own: true, want: 2000},
	} {
		p := pod(corev1.PodSpec{NodeName: "ip-1", Priority: &tc.priority})
		p.Annotations = map[string]string{}
		if tc.deletion != "" {
			p.Annotations[corev1.PodDeletionCost] = tc.deletion
		}
		if tc.disruption != "" {
			p.Annotations[karpenterv1.DisruptionCostAnnotationKey] = tc.disruption
		}
		s, _ := translate.Snapshot(
			translate.Objects{Pods: []*corev1.Pod{p}, Nodes: []*corev1.Node{joined(nil)}, OwnDeletionCosts: tc.own},
			noon,
		)
		if got := s.Nodes[0].Pods[0].EvictionCost; got != tc.want {
			t.Errorf("%s: %d, want %d", name, got, tc.want)
		}
	}
}

func TestProvisionable(t *testing.T) {
	t.Parallel()
	yes := true
	for name, tc := range map[string]struct {
		change func(*corev1.Pod)
		want   bool
	}{
		"Unschedulable": {func(*corev1.Pod) {}, true},
		"NotTried":      {func(p *corev1.Pod) { p.Status.Conditions = nil }, false},
		"Gated":         {func(p *corev1.Pod) { p.Status.Conditions[0].Reason = corev1.PodReasonSchedulingGated }, false},
		"Bound":         {func(p *corev1.Pod) { p.Spec.NodeName = "n" }, false},
		"Ending":        {func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{} }, false},
		"Daemon": {func(p *corev1.Pod) {
			p.OwnerReferences = []metav1.OwnerReference{{Kind: "DaemonSet", Controller: &yes}}
		}, false},
		"Static":   {func(p *corev1.Pod) { p.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "x"} }, false},
		"Finished": {func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed }, false},
	} {
		p := pod(corev1.PodSpec{})
		p.Status.Conditions = []corev1.PodCondition{
			{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable},
		}
		tc.change(p)
		if got := translate.Provisionable(p); got != tc.want {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}

func TestANominatedPodHoldsRoomWhereItIsExpected(t *testing.T) {
	t.Parallel()
	p := pod(corev1.PodSpec{})
	p.Status.Conditions = []corev1.PodCondition{
		{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable},
	}
	preempts := p.DeepCopy()
	preempts.Name, preempts.Status.NominatedNodeName = "preempts", "ip-1"
	lost := p.DeepCopy()
	lost.Name, lost.Status.NominatedNodeName = "lost", "gone"
	s, _ := translate.Snapshot(translate.Objects{
		Pods: []*corev1.Pod{
			p,
			preempts,
			lost,
		},
		Nodes:      []*corev1.Node{joined(nil)},
		NodeClaims: []*karpenterv1.NodeClaim{launched()},
		Nominated:  map[shape.PodID]string{"default/web-1": "general-1"},
	}, noon)
	var on []shape.PodID
	for _, sp := range s.Nodes[0].Pods {
		on = append(on, sp.ID)
	}
	if diff := cmp.Diff([]shape.PodID{"default/preempts", "default/web-1"}, on); diff != "" {
		t.Errorf("on the node: -want +got\n%s", diff)
	}
	if len(s.Pods) != 1 || s.Pods[0].ID != "default/lost" {
		t.Errorf("to be placed: %+v, want default/lost: the node that it was nominated to does not exist", s.Pods)
	}
}

func TestNodeClaim(t *testing.T) {
	t.Parallel()
	c := bought()
	np := nodePool()
	want := map[string]string{
		"stamp":                               "s",
		karpenterv1.NodePoolHashAnnotationKey: np.Hash(),
		karpenterv1.NodePoolHashVersionAnnotationKey: karpenterv1.NodePoolHashVersion,
	}
	if diff := cmp.Diff(want, c.Annotations); diff != "" {
		t.Errorf("annotations: -want +got\n%s", diff)
	}
	labels := map[string]string{
		"team":                           "x",
		karpenterv1.NodePoolLabelKey:     "general",
		"karpenter.k8s.aws/ec2nodeclass": "default",
	}
	if diff := cmp.Diff(labels, c.Labels); diff != "" {
		t.Errorf("labels: -want +got\n%s", diff)
	}
	if diff := cmp.Diff([]string{karpenterv1.TerminationFinalizer}, c.Finalizers); diff != "" {
		t.Errorf("finalizers: -want +got\n%s", diff)
	}
	if o := c.OwnerReferences[0]; o.Kind != "NodePool" || o.Name != "general" || o.UID != "u1" ||
		o.APIVersion != "karpenter.sh/v1" {
		t.Errorf("owner %+v, want the NodePool", o)
	}
	if got := c.Spec.Resources.Requests.Cpu().MilliValue(); got != 1500 {
		t.Errorf("requests %d milli-cores, want 1500", got)
	}
	if len(c.Spec.StartupTaints) != 1 || len(c.Spec.Requirements) != 2 {
		t.Errorf("startup taints %v, requirements %v", c.Spec.StartupTaints, c.Spec.Requirements)
	}
}

// What a plan reckoned a machine to cost goes with its claim; nonsense that somebody wrote there counts as nothing.
func TestAClaimSaysWhatItWasPlannedToCost(t *testing.T) {
	t.Parallel()
	claim := translate.NodeClaim(nodePool(), engine.NewNode{Price: 96_500}, nil)
	if got, ok := translate.PlannedPrice(claim); !ok || got != 0.0965 {
		t.Errorf("planned at %v, %v", got, ok)
	}
	for _, text := range []string{"", "NaN", "Inf", "-1", "cheap"} {
		claim.Annotations[translate.AnnotationPlannedPrice] = text
		if got, ok := translate.PlannedPrice(claim); ok {
			t.Errorf("%q reads as %v", text, got)
		}
	}
}

func TestAPoolThatCannotLaunchSaysWhy(t *testing.T) {
	t.Parallel()
	three := int64(3)
	for name, tc := range map[string]struct {
		change func(*karpenterv1.NodePool, *translate.Objects)
		want   string
	}{
		"Ready":     {func(*karpenterv1.NodePool, *translate.Objects) {}, ""},
		"Deleting":  {func(p *karpenterv1.NodePool, _ *translate.Objects) { p.DeletionTimestamp = &metav1.Time{} }, "the NodePool is being deleted"},
		"Static":    {func(p *karpenterv1.NodePool, _ *translate.Objects) { p.Spec.Replicas = &three }, "the NodePool keeps a fixed number of nodes (spec.replicas)"},
		"Unchecked": {func(p *karpenterv1.NodePool, _ *translate.Objects) { p.Status.Conditions = nil }, "the NodePool has not been looked at yet"},
		"NotReady": {func(p *karpenterv1.NodePool, _ *translate.Objects) {
			p.Status.Conditions[0].Status, p.Status.Conditions[0].Message = metav1.ConditionFalse, "EC2NodeClass default does not exist"
		}, "EC2NodeClass default does not exist"},
		"NoOffer": {func(_ *karpenterv1.NodePool, o *translate.Objects) { o.Offers = nil }, "its instance types are not known yet"},
		"SoldOut": {func(_ *karpenterv1.NodePool, o *translate.Objects) {
			o.Offers["general"] = translate.NewOffer(nil, "nothing on sale")
		}, "nothing on sale"},
	} {
		p := nodePool()
		p.Status.Conditions = []metav1.Condition{{Type: "Ready", Status: metav1.ConditionTrue}}
		o := translate.Objects{
			NodePools: []*karpenterv1.NodePool{p},
			Offers:    map[string]*translate.Offer{"general": offer()},
		}
		tc.change(p, &o)
		s, _ := translate.Snapshot(o, noon)
		if got := s.Pools[0].NotReady; got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}
