package peer

import (
	"context"
	"fmt"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
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
	"sigs.k8s.io/karpenter/pkg/test"

	"github.com/dovetail-sh/dovetail/bench/workload"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// workers is the parallelism of the peer's own benchmark.
const workers = 5

// Solve plans a workload with a fresh scheduler and leaves it as it was.
func Solve(ctx context.Context, w workload.Workload) (workload.Outcome, error) {
	ctx = log.IntoContext(ctx, logr.Discard())
	ctx = options.ToContext(injection.WithControllerName(ctx, "provisioner"), test.Options())
	w.Pods = copies(w.Pods)
	scheduler, err := prepare(ctx, w)
	if err != nil {
		return workload.Outcome{}, err
	}
	var results scheduling.Results
	out := workload.Measure(func() { results, err = scheduler.Solve(ctx, w.Pods) })
	if err != nil {
		return workload.Outcome{}, fmt.Errorf("solving %s: %w", w.Name, err)
	}
	out.Nodes, out.Unplaced = len(results.NewNodeClaims), len(results.PodErrors)
	for _, claim := range results.NewNodeClaims {
		out.Price += cheapest(claim)
	}
	return out, nil
}

// copies keeps the caller's pods from the peer, which takes preferences out of those it cannot place.
func copies(pods []*corev1.Pod) []*corev1.Pod {
	out := make([]*corev1.Pod, len(pods))
	for i, pod := range pods {
		out[i] = pod.DeepCopy()
	}
	return out
}

func prepare(ctx context.Context, w workload.Workload) (*scheduling.Scheduler, error) {
	pool := test.NodePool(karpenterv1.NodePool{Spec: karpenterv1.NodePoolSpec{Limits: karpenterv1.Limits{
		corev1.ResourceCPU:    resource.MustParse("10000000"),
		corev1.ResourceMemory: resource.MustParse("10000000Gi"),
	}}})
	for _, r := range w.Requirements {
		pool.Spec.Template.Spec.Requirements = append(
			pool.Spec.Template.Spec.Requirements,
			karpenterv1.NodeSelectorRequirementWithMinValues{
				Key: r.Key, Operator: corev1.NodeSelectorOperator(r.Operator.String()), Values: r.Values,
			},
		)
	}
	types := market(w.Types)
	cloud := fakecloud.NewCloudProvider()
	cloud.InstanceTypes = types
	byPool := map[string][]*cloudprovider.InstanceType{pool.Name: types}
	opts := []scheduling.Options{scheduling.NumConcurrentReconciles(workers)}
	if w.IgnorePreferences {
		opts = append(opts, scheduling.IgnorePreferences)
	}
	kube, now := fake.NewFakeClient(), clock.RealClock{}
	cluster := state.NewCluster(now, kube, cloud)
	pools := []*karpenterv1.NodePool{pool}
	topology, err := scheduling.NewTopology(ctx, kube, cluster, nil, pools, byPool, w.Pods, opts...)
	if err != nil {
		return nil, fmt.Errorf("building the peer's topology for %s: %w", w.Name, err)
	}
	return scheduling.NewScheduler(ctx, kube, pools, cluster, nil, topology, byPool, nil,
		events.NewRecorder(&record.FakeRecorder{}), now, nil, nil, opts...), nil
}

// cheapest is what the claim would cost if the cloud delivers its cheapest offering.
func cheapest(claim *scheduling.NodeClaim) shape.Money {
	var best float64
	for _, t := range claim.InstanceTypeOptions {
		offerings := t.Offerings.Available().Compatible(claim.Requirements)
		if len(offerings) == 0 {
			continue
		}
		if price := offerings.Cheapest().Price; best == 0 || price < best {
			best = price
		}
	}
	return shape.Dollars(best)
}
