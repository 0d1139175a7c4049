package whatif_test

import (
	"fmt"
	"maps"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/hold"
	"github.com/dovetail-sh/dovetail/internal/manifest"
	"github.com/dovetail-sh/dovetail/internal/roster"
	"github.com/dovetail-sh/dovetail/internal/sample"
	"github.com/dovetail-sh/dovetail/internal/simulate"
	"github.com/dovetail-sh/dovetail/internal/translate"
	"github.com/dovetail-sh/dovetail/provider"
)

var now = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// fleet draws a running cluster: what a plan bought for random pods, some of it dearer than needed, after some of the
// pods have gone, with all that may keep a node.
func fleet(t *testing.T, seed uint64) roster.Input {
	t.Helper()
	c := sample.NewCluster(seed, 6)
	d := sample.NewDice(seed + 1_000_000)
	o := c.Objects()
	set := &manifest.Set{
		Pods: c.Pods, NodePools: c.Pools, DaemonSets: c.Daemons, Namespaces: o.Namespaces,
		StorageClasses: o.StorageClasses, Volumes: o.Volumes, Claims: o.Claims,
	}
	in := roster.Input{Input: simulate.Input{
		Set: set, Market: simulate.Market{Types: c.Types}, Policy: engine.DefaultPolicy(), Now: now, Lenient: true,
	}}
	in.Policy.Effort = 200
	ready, err := simulate.Prepare(in.Input)
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	plan, err := ready.Plan()
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	f := &running{d, c, set, map[string]string{}}
	set.Pods = nil
	for i := range plan.Decision.Open {
		f.join(&plan.Decision.Open[i])
	}
	f.start()
	f.daemons()
	f.rules()
	return in
}

// running is a fleet that is being drawn.
type running struct {
	sample.Dice
	*sample.Cluster
	set  *manifest.Set
	home map[string]string // node of each pod
}

// join adds the node of one option, mostly the cheapest, with its claim.
func (f *running) join(n *engine.NewNode) {
	option := n.Options[0]
	if f.Percent(50) {
		option = sample.Pick(f.Dice, n.Options...)
	}
	bought, pool := f.offering(option), f.poolOf(n.Pool)
	claim := translate.NodeClaim(pool, *n, nil)
	claim.Name, claim.GenerateName = "claim-"+n.ID, ""
	claim.UID = types.UID(claim.Name)
	age := sample.Pick(f.Dice, time.Minute, time.Hour, 100*time.Hour)
	claim.CreationTimestamp = metav1.NewTime(now.Add(-age))
	claim.Status.ProviderID, claim.Status.NodeName = "id:///"+n.ID, "node-"+n.ID
	maps.Copy(claim.Labels, bought.Labels())
	claim.Status.Capacity = provider.ResourceListOf(bought.Type.Capacity)
	claim.Status.Allocatable = provider.ResourceListOf(bought.Allocatable())
	if f.Percent(50) {
		last := metav1.NewTime(now.Add(-time.Duration(f.IntN(int(age)))))
		claim.Status.LastPodEventTime = &last
	}
	node := nodeFor(claim, n)
	f.fare(claim, node)
	f.set.Nodes, f.set.NodeClaims = append(f.set.Nodes, node), append(f.set.NodeClaims, claim)
	for _, id := range n.Pods {
		f.home[string(id)] = node.Name
	}
}

// offering is what an option buys.
func (f *running) offering(option engine.Option) (out provider.Candidate) {
	for _, it := range f.Types {
		for i := range it.Offerings {
			o := &it.Offerings[i]
			if it.Name == option.Type && o.Zone == option.Zone && o.CapacityType == option.CapacityType &&
				o.Reservation == option.Reservation {
				out = provider.Candidate{Type: it, Offering: o}
			}
		}
	}
	return out
}

func (f *running) poolOf(name string) *karpenterv1.NodePool {
	for _, p := range f.Pools {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// nodeFor is the node that a claim's machine becomes.
func nodeFor(claim *karpenterv1.NodeClaim, n *engine.NewNode) *corev1.Node {
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{
		Name: claim.Status.NodeName, CreationTimestamp: claim.CreationTimestamp, Labels: maps.Clone(claim.Labels),
		Annotations: map[string]string{},
	}}
	for _, r := range n.Requirements {
		if r.Operator == shape.In && len(r.Values) == 1 {
			node.Labels[r.Key] = r.Values[0]
		}
	}
	maps.Copy(node.Labels, map[string]string{
		karpenterv1.NodePoolLabelKey: n.Pool, shape.LabelHostname: node.Name,
		karpenterv1.NodeRegisteredLabelKey: "true", karpenterv1.NodeInitializedLabelKey: "true",
	})
	node.Status.Capacity, node.Status.Allocatable = claim.Status.Capacity, claim.Status.Allocatable
	for _, taint := range claim.Spec.Taints {
		node.Spec.Taints = append(node.Spec.Taints, corev1.Taint(taint))
	}
	node.Spec.ProviderID = claim.Status.ProviderID
	node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	return node
}

// fare is how far a machine has come, and what is said of it.
func (f *running) fare(claim *karpenterv1.NodeClaim, node *corev1.Node) {
	steps := []string{
		karpenterv1.ConditionLaunched, karpenterv1.ConditionRegistered, karpenterv1.ConditionInitialized,
	}
	if f.Percent(5) {
		steps = steps[:f.Between(1, 2)]
		delete(node.Labels, karpenterv1.NodeInitializedLabelKey)
	}
	for _, step := range steps {
		condition.True(claim, claim.CreationTimestamp.Time, step)
	}
	if f.Percent(5) {
		condition.True(claim, claim.CreationTimestamp.Time, karpenterv1.ConditionDrifted)
	}
	if f.Percent(4) {
		deleted := metav1.NewTime(now.Add(-time.Minute))
		claim.DeletionTimestamp, claim.Finalizers = &deleted, []string{karpenterv1.TerminationFinalizer}
	}
	if f.Percent(10) {
		node.Annotations[karpenterv1.DoNotDisruptAnnotationKey] = "true"
	}
}

// daemons run on nodes that they may always run on.
func (f *running) daemons() {
	yes := true
	for _, ds := range f.Daemons {
		spec := ds.Spec.Template.Spec
		if len(spec.NodeSelector) > 0 || spec.Affinity != nil {
			continue
		}
		for _, n := range f.set.Nodes {
			if len(n.Spec.Taints) > 0 {
				continue
			}
			p := &corev1.Pod{ObjectMeta: *ds.Spec.Template.ObjectMeta.DeepCopy(), Spec: *spec.DeepCopy()}
			p.Namespace, p.Name = ds.Namespace, ds.Name+"-"+n.Name
			p.UID = types.UID(p.Name)
			p.OwnerReferences = []metav1.OwnerReference{
				{APIVersion: "apps/v1", Kind: "DaemonSet", Name: ds.Name, Controller: &yes},
			}
			p.Spec.NodeName, p.Status.Phase = n.Name, corev1.PodRunning
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
			f.set.Pods = append(f.set.Pods, p)
		}
	}
}

// start runs the pods that have a node, most of them.
func (f *running) start() {
	for _, p := range f.Pods {
		at := f.home[string(translate.IDOf(p))]
		if at == "" || f.Percent(30) {
			continue
		}
		p = p.DeepCopy()
		p.Spec.NodeName, p.Status.Phase = at, corev1.PodRunning
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
		p.CreationTimestamp = metav1.NewTime(now.Add(-sample.Pick(f.Dice, time.Minute, time.Hour, 50*time.Hour)))
		yes := true
		p.OwnerReferences = []metav1.OwnerReference{{
			APIVersion: "apps/v1", Kind: "StatefulSet", Name: "set-" + p.Name[4:5], Controller: &yes,
			UID: types.UID("set-" + p.Namespace + p.Name[4:5]), // of new-0-3
		}}
		if f.Percent(8) {
			p.OwnerReferences = nil
		}
		if f.Percent(6) {
			p.Annotations = map[string]string{karpenterv1.DoNotDisruptAnnotationKey: "true"}
		}
		f.set.Pods = append(f.set.Pods, p)
	}
}

// rules are what NodePools and PodDisruptionBudgets say.
func (f *running) rules() {
	for _, np := range f.Pools {
		disruption := &np.Spec.Disruption
		after := sample.Pick(f.Dice, 0, 0, 0, 30*time.Second, 2*time.Hour)
		disruption.ConsolidateAfter = karpenterv1.NillableDuration{Duration: &after}
		if f.Percent(8) {
			disruption.ConsolidateAfter = karpenterv1.NillableDuration{}
		}
		disruption.ConsolidationPolicy = sample.Pick(f.Dice, "", "", "", karpenterv1.ConsolidationPolicyWhenEmpty,
			karpenterv1.ConsolidationPolicyBalanced)
		for range f.IntN(3) {
			b := karpenterv1.Budget{Nodes: sample.Pick(f.Dice, "0", "1", "2", "10%", "50%", "100%")}
			if f.Percent(30) {
				b.Reasons = []karpenterv1.DisruptionReason{sample.Pick(f.Dice, karpenterv1.DisruptionReasonDrifted,
					karpenterv1.DisruptionReasonEmpty, karpenterv1.DisruptionReasonUnderutilized)}
			}
			disruption.Budgets = append(disruption.Budgets, b)
		}
		if f.Percent(6) {
			np.Annotations = map[string]string{hold.AnnotationUntil: now.Add(time.Hour).Format(time.RFC3339)}
			if f.Percent(50) {
				np.Annotations[hold.AnnotationScope] = hold.ScopeCluster
			}
		}
		if f.Percent(4) {
			n := int64(f.Between(1, 3))
			np.Spec.Replicas = &n
		}
	}
	for i, app := range []string{"a", "b", "c", "d"} {
		if !f.Percent(35) {
			continue
		}
		b := &policyv1.PodDisruptionBudget{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: sample.Pick(f.Dice, "default", "team-a", "team-b"), Name: fmt.Sprint("guard-", i),
			},
			Spec: policyv1.PodDisruptionBudgetSpec{
				Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}},
			},
		}
		value := intstr.FromInt32(int32(f.Between(0, 3)))
		if f.Percent(30) {
			value = intstr.FromString(sample.Pick(f.Dice, "0%", "25%", "50%", "100%"))
		}
		if f.Percent(50) {
			b.Spec.MaxUnavailable = &value
		} else {
			b.Spec.MinAvailable = &value
		}
		f.set.Budgets = append(f.set.Budgets, b)
	}
}
