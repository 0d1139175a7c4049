package peer

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/record"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/log"
	karpenterv1 "sigs.k8s.io/karpenter/pkg/apis/v1"
	"sigs.k8s.io/karpenter/pkg/cloudprovider"
	fakecloud "sigs.k8s.io/karpenter/pkg/cloudprovider/fake"
	"sigs.k8s.io/karpenter/pkg/controllers/provisioning/scheduling"
	"sigs.k8s.io/karpenter/pkg/controllers/state"
	"sigs.k8s.io/karpenter/pkg/events"
	"sigs.k8s.io/karpenter/pkg/operator/injection"
	"sigs.k8s.io/karpenter/pkg/operator/options"
	peerscheduling "sigs.k8s.io/karpenter/pkg/scheduling"
	"sigs.k8s.io/karpenter/pkg/test"
	"sigs.k8s.io/karpenter/pkg/utils/daemonset"
	"sigs.k8s.io/karpenter/pkg/utils/nodepool"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/sample"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// Placing is what the peer makes of a cluster, in our planner's words.
type Placing struct {
	// Decision has one option for each node, the cheapest that its claim may be launched from. Its reasons are empty.
	Decision engine.Decision
	// Why is the peer's reason by pod that it did not place.
	Why map[shape.PodID]string
}

// knowLabels tells the peer, as its cloud would when it starts, that the labels of sample's types are known ones. The
// peer keeps them in a map that all its schedulers read.
var knowLabels = sync.OnceFunc(func() { karpenterv1.WellKnownLabels.Insert(sample.SizeLabel, sample.CoreLabel) })

// Place plans a cluster with a fresh scheduler and leaves it as it was. It may be called from several goroutines.
func Place(ctx context.Context, c *sample.Cluster) (Placing, error) {
	ctx = log.IntoContext(ctx, logr.Discard())
	ctx = options.ToContext(injection.WithControllerName(ctx, "provisioner"), test.Options())
	knowLabels()
	pods := copies(c.Pods)
	s, pods, out, err := assemble(ctx, c, pods)
	if err != nil {
		return out, err
	}
	results, err := s.Solve(ctx, pods)
	if err != nil {
		return out, fmt.Errorf("solving cluster %d: %w", c.Seed, err)
	}
	for pod, err := range results.PodErrors {
		out.Why[translate.IDOf(pod)] = err.Error()
	}
	for i, claim := range results.NewNodeClaims {
		claim.FinalizeScheduling()
		node, err := opened(fmt.Sprintf("n%d", i+1), claim)
		if err != nil {
			return out, fmt.Errorf("reading the peer's claim %d of cluster %d: %w", i, c.Seed, err)
		}
		out.Decision.Open = append(out.Decision.Open, node)
		out.Decision.Price += node.Price
	}
	for id := range out.Why {
		out.Decision.Unplaced = append(out.Decision.Unplaced, engine.Unplaced{Pod: id})
	}
	slices.SortFunc(out.Decision.Unplaced, func(a, b engine.Unplaced) int { return cmp.Compare(a.Pod, b.Pod) })
	return out, nil
}

// assemble builds the scheduler, and leaves out pods whose volumes the peer refuses.
func assemble(
	ctx context.Context,
	c *sample.Cluster,
	pods []*corev1.Pod,
) (*scheduling.Scheduler, []*corev1.Pod, Placing, error) {
	out := Placing{Why: map[shape.PodID]string{}}
	instanceTypes := market(c.Types)
	var pools []*karpenterv1.NodePool
	byPool := map[string][]*cloudprovider.InstanceType{}
	for _, p := range c.Pools {
		pool := &karpenterv1.NodePool{}
		if err := convert(p, pool); err != nil {
			return nil, nil, out, fmt.Errorf("converting NodePool %s: %w", p.Name, err)
		}
		pools, byPool[pool.Name] = append(pools, pool), instanceTypes
	}
	nodepool.OrderByWeight(pools)
	kube := fake.NewClientBuilder().WithRuntimeObjects(sample.Landscape()...).Build()
	volumes := scheduling.NewVolumeTopology(kube)
	requirements := map[types.UID][]peerscheduling.Requirements{}
	var wanted []*corev1.Pod
	for _, pod := range pods {
		err := volumes.ValidatePersistentVolumeClaims(ctx, pod)
		var own []peerscheduling.Requirements
		if err == nil {
			own, err = volumes.GetRequirements(ctx, pod)
		}
		if err != nil {
			out.Why[translate.IDOf(pod)] = err.Error()
			continue
		}
		if len(own) > 0 {
			requirements[pod.UID] = own
		}
		wanted = append(wanted, pod)
	}
	cloud := fakecloud.NewCloudProvider()
	cloud.InstanceTypes = instanceTypes
	now := clock.RealClock{}
	cluster := state.NewCluster(now, kube, cloud)
	opts := []scheduling.Options{scheduling.DisableReservedCapacityFallback, scheduling.NumConcurrentReconciles(1)}
	topology, err := scheduling.NewTopology(ctx, kube, cluster, nil, pools, byPool, wanted, opts...)
	if err != nil {
		return nil, nil, out, fmt.Errorf("building the peer's topology of cluster %d: %w", c.Seed, err)
	}
	var daemons []*corev1.Pod
	for _, ds := range c.Daemons {
		daemons = append(daemons, daemonset.PodForDaemonSet(ds))
	}
	s := scheduling.NewScheduler(ctx, kube, pools, cluster, nil, topology, byPool, daemons,
		events.NewRecorder(&record.FakeRecorder{}), now, requirements, nil, opts...)
	return s, wanted, out, nil
}

// convert is an object of one module's type as another's of the same form.
func convert(from runtime.Object, to runtime.Object) error {
	text, err := json.Marshal(from)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, to)
}

// opened is a claim as a new node with its cheapest option.
func opened(id string, claim *scheduling.NodeClaim) (engine.NewNode, error) {
	node := engine.NewNode{ID: id, Pool: claim.NodePoolName}
	for _, pod := range claim.Pods {
		node.Pods = append(node.Pods, translate.IDOf(pod))
	}
	slices.Sort(node.Pods)
	for _, t := range claim.InstanceTypeOptions {
		for _, o := range t.Offerings.Available().Compatible(claim.Requirements) {
			option := engine.Option{
				Type: t.Name, Zone: o.Zone(), CapacityType: o.CapacityType(), Price: shape.Dollars(o.Price),
			}
			if option.CapacityType == karpenterv1.CapacityTypeReserved {
				option.Reservation = o.ReservationID()
			}
			if len(node.Options) == 0 || option.Price < node.Options[0].Price {
				node.Options = []engine.Option{option}
			}
		}
	}
	if len(node.Options) == 0 {
		return node, fmt.Errorf(
			"no offering of its %d instance types goes with what it requires",
			len(claim.InstanceTypeOptions),
		)
	}
	node.Price = node.Options[0].Price
	var names []string
	for _, t := range claim.InstanceTypeOptions {
		names = append(names, t.Name)
	}
	node.Requirements = append(
		node.Requirements,
		requirement(corev1.LabelInstanceTypeStable, corev1.NodeSelectorOpIn, names),
	)
	for _, r := range claim.Requirements.NodeSelectorRequirements() {
		if r.Key == corev1.LabelInstanceTypeStable {
			continue // the claim's options are what is left of it
		}
		node.Requirements = append(node.Requirements, requirement(r.Key, r.Operator, r.Values))
	}
	return node, nil
}

// requirement is one of the peer's in our words.
func requirement(key string, operator corev1.NodeSelectorOperator, values []string) shape.Requirement {
	r := shape.Requirement{Key: key, Values: slices.Sorted(slices.Values(values))}
	for _, op := range []shape.Operator{shape.In, shape.NotIn, shape.Exists, shape.DoesNotExist, shape.Gt, shape.Lt} {
		if op.String() == string(operator) {
			r.Operator = op
		}
	}
	return r
}
