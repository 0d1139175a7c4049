package ours

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/bench/workload"
	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

const poolName = "default"

// moment is the planner's clock in every run; these workloads have nothing to do with time.
var moment = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// Plan plans a workload from its Kubernetes objects. A decision that loses a pod or overfills a node is an error.
func Plan(w workload.Workload) (workload.Outcome, error) {
	objects, policy := cluster(w), policyOf(w)
	var snapshot shape.Snapshot
	var problems []translate.Problem
	var decision engine.Decision
	out := workload.Measure(func() {
		snapshot, problems = translate.Snapshot(objects, moment)
		decision = engine.Plan(snapshot, policy)
	})
	if len(problems) > 0 {
		return workload.Outcome{}, fmt.Errorf("translating %s: %w", w.Name, problems[0])
	}
	if err := check(snapshot, decision); err != nil {
		return workload.Outcome{}, fmt.Errorf("checking the plan of %s: %w", w.Name, err)
	}
	out.Nodes, out.Unplaced = len(decision.Open), len(decision.Unplaced)
	out.Price, out.Bound = decision.Price, decision.Bound
	return out, nil
}

func policyOf(w workload.Workload) engine.Policy {
	policy := engine.DefaultPolicy()
	if w.IgnorePreferences {
		policy.Preferences = engine.IgnorePreferences
	}
	return policy
}

// cluster holds the pods and one pool, limited as the peer's is.
func cluster(w workload.Workload) translate.Objects {
	pool := &karpenterv1.NodePool{}
	pool.Name = poolName
	pool.Spec.Limits = corev1.ResourceList{
		corev1.ResourceCPU:    resource.MustParse("10000000"),
		corev1.ResourceMemory: resource.MustParse("10000000Gi"),
	}
	pool.Spec.Template.Spec.NodeClassRef = &karpenterv1.NodeClassReference{
		Group: "bench.dovetail.sh",
		Kind:  "Class",
		Name:  poolName,
	}
	for _, r := range w.Requirements {
		pool.Spec.Template.Spec.Requirements = append(pool.Spec.Template.Spec.Requirements, translate.Requirement(r))
	}
	return translate.Objects{
		Pods:       w.Pods,
		NodePools:  []*karpenterv1.NodePool{pool},
		Offers:     map[string]*translate.Offer{poolName: translate.NewOffer(w.Types, "")},
		TrustPools: true,
	}
}
