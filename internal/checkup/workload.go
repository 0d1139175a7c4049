package checkup

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/translate"
	"github.com/dovetail-sh/dovetail/internal/whatif"
)

// guarded are the pods that a PodDisruptionBudget is over.
func guarded(in *Input, b *policyv1.PodDisruptionBudget) (out []*corev1.Pod) {
	selector, err := metav1.LabelSelectorAsSelector(b.Spec.Selector)
	if err != nil {
		return nil
	}
	for _, p := range in.Set.Pods {
		if p.Namespace == b.Namespace && !translate.Finished(p) && selector.Matches(labels.Set(p.Labels)) {
			out = append(out, p)
		}
	}
	return out
}

// guardWithoutRoom finds PodDisruptionBudgets that let nothing go even while all their pods are well.
func guardWithoutRoom(in *Input) (out []found, err error) {
	for _, b := range in.Set.Budgets {
		pods := len(guarded(in, b))
		if pods == 0 {
			continue
		}
		keep := 0
		switch {
		case b.Spec.MaxUnavailable != nil:
			keep = pods - scaled(b.Spec.MaxUnavailable.String(), pods)
		case b.Spec.MinAvailable != nil:
			keep = scaled(b.Spec.MinAvailable.String(), pods)
		}
		if keep < pods {
			continue
		}
		out = append(out, found{
			"PodDisruptionBudget " + b.Namespace + "/" + b.Name,
			fmt.Sprintf(
				"wants %d of its %d pods at all times, so none can be evicted and their nodes stay",
				keep,
				pods,
			),
			fmt.Sprintf(
				"kubectl -n %s patch pdb %s --type merge -p '{\"spec\":{\"minAvailable\":null,\"maxUnavailable\":1}}'   "+
					"# or run one more replica",
				b.Namespace,
				b.Name,
			),
		})
	}
	return out, nil
}

// scaled is a number, or a percentage of so many rounded up, as the disruption controller rounds.
func scaled(text string, of int) (n int) {
	if digits, percent := strings.CutSuffix(text, "%"); percent {
		if _, err := fmt.Sscan(digits, &n); err == nil {
			return (n*of + 99) / 100
		}
	}
	if _, err := fmt.Sscan(text, &n); err != nil {
		return 0
	}
	return n
}

func guardedTwice(in *Input) (out []found, err error) {
	over := map[*corev1.Pod][]string{}
	for _, b := range in.Set.Budgets {
		for _, p := range guarded(in, b) {
			over[p] = append(over[p], b.Name)
		}
	}
	told := map[string]bool{}
	for _, p := range in.Set.Pods {
		names := over[p]
		key := p.Namespace + "/" + strings.Join(names, ",")
		if len(names) < 2 || told[key] {
			continue
		}
		told[key] = true
		out = append(
			out,
			found{
				"Pod " + string(translate.IDOf(p)),
				"has the PodDisruptionBudgets " + strings.Join(names, " and ") + ", so it cannot be evicted at all",
				fmt.Sprintf("kubectl -n %s delete pdb %s", p.Namespace, names[len(names)-1]),
			},
		)
	}
	return out, nil
}

// withoutRequests finds workloads that ask for nothing, on pools that consolidate: to the planner any number of them
// fits anywhere.
func withoutRequests(in *Input) (out []found, err error) {
	consolidates := map[string]bool{}
	for _, np := range in.Set.NodePools {
		consolidates[np.Name] = !np.Spec.Disruption.ConsolidateAfter.IsNever() && np.Spec.Replicas == nil
	}
	on := map[string]bool{}
	for _, n := range in.Set.Nodes {
		on[n.Name] = consolidates[n.Labels[karpenterv1.NodePoolLabelKey]]
	}
	count := map[string]int{}
	var order []string
	for _, p := range in.Set.Pods {
		owner := metav1.GetControllerOf(p)
		if !on[p.Spec.NodeName] || translate.Finished(p) || asks(p) ||
			owner != nil && (owner.Kind == "DaemonSet" || owner.Kind == "Node") {
			continue
		}
		name := cmp.Or(whatif.Workload(p), string(translate.IDOf(p)))
		if count[name]++; count[name] == 1 {
			order = append(order, name)
		}
	}
	slices.Sort(order)
	for _, name := range order {
		namespace, short, _ := strings.Cut(name, "/")
		out = append(
			out,
			found{
				"Workload " + name,
				fmt.Sprintf(
					"%d of its pods ask for neither CPU nor memory, so nodes are packed as if they took none",
					count[name],
				),
				fmt.Sprintf(
					"kubectl -n %s set resources deployment %s --requests cpu=100m,memory=128Mi",
					namespace,
					short,
				),
			},
		)
	}
	return out, nil
}

func asks(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Spec.Containers, func(c corev1.Container) bool {
		return !c.Resources.Requests.Cpu().IsZero() || !c.Resources.Requests.Memory().IsZero() ||
			!c.Resources.Limits.Cpu().IsZero() ||
			!c.Resources.Limits.Memory().IsZero()
	}) || p.Spec.Resources != nil && len(p.Spec.Resources.Requests) > 0
}

const (
	// longStart is when a machine that has not become a node is no longer on its way: it is deleted after 15 minutes.
	longStart = 10 * time.Minute
	// longDrain is when somebody should look at what holds a drain.
	longDrain = time.Hour
)

func stuckStarting(in *Input) (out []found, err error) {
	for _, c := range in.Set.NodeClaims {
		if c.DeletionTimestamp != nil || len(c.Status.Conditions) == 0 ||
			condition.IsTrue(c, karpenterv1.ConditionInitialized) ||
			age(in.Now, c.CreationTimestamp.Time) < longStart {
			continue
		}
		message := "it has been starting for " + age(in.Now, c.CreationTimestamp.Time).Round(time.Minute).String()
		for _, step := range []string{karpenterv1.ConditionLaunched, karpenterv1.ConditionRegistered,
			karpenterv1.ConditionInitialized} {
			if s := condition.Get(c, step); s != nil && s.Status != metav1.ConditionTrue {
				message += "; " + step + ": " + cmp.Or(s.Message, s.Reason)
				break
			}
		}
		out = append(out, found{"NodeClaim " + c.Name, message, "kubectl describe nodeclaim " + c.Name})
	}
	return out, nil
}

func stuckDraining(in *Input) (out []found, err error) {
	for _, c := range in.Set.NodeClaims {
		if c.DeletionTimestamp != nil && age(in.Now, c.DeletionTimestamp.Time) >= longDrain {
			out = append(
				out,
				found{
					"NodeClaim " + c.Name,
					"it has been draining for " + age(in.Now, c.DeletionTimestamp.Time).Round(time.Minute).String(),
					"dovetail top --once --filter " + c.Name +
						"   # names the pod or PodDisruptionBudget that it waits for",
				},
			)
		}
	}
	return out, nil
}
