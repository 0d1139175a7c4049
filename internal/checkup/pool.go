package checkup

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	kwokv1alpha1 "github.com/dovetail-sh/dovetail/api/kwok/v1alpha1"
	"github.com/dovetail-sh/dovetail/internal/simulate"
)

func editPool(np *karpenterv1.NodePool) string { return "kubectl edit nodepool " + np.Name }

// missingClass finds pools whose node class is not there. Kinds that are not known here are not looked for.
func missingClass(in *Input) (out []found, err error) {
	for _, np := range in.Set.NodePools {
		if ref := np.Spec.Template.Spec.NodeClassRef; ref != nil && !classThere(in, ref) {
			out = append(
				out,
				found{"NodePool " + np.Name, fmt.Sprintf("refers to %s %s, which is not there", ref.Kind, ref.Name),
					fmt.Sprintf("kubectl get %s   # then: %s", plural(ref.Kind), editPool(np))},
			)
		}
	}
	return out, nil
}

func plural(kind string) string {
	if kind == "EC2NodeClass" {
		return "ec2nodeclasses"
	}
	return "kwoknodeclasses"
}

func classThere(in *Input, ref *karpenterv1.NodeClassReference) bool {
	switch {
	case ref.Group == awsv1.Group && ref.Kind == "EC2NodeClass":
		return slices.ContainsFunc(
			in.Set.EC2NodeClasses,
			func(c *awsv1.EC2NodeClass) bool { return c.Name == ref.Name },
		)
	case ref.Group == kwokv1alpha1.Group:
		return slices.ContainsFunc(
			in.Set.KWOKNodeClasses,
			func(c *kwokv1alpha1.KWOKNodeClass) bool { return c.Name == ref.Name },
		)
	}
	return true
}

// sellsNothing has the planner look for a node for the smallest pod that there is, which tolerates everything.
func sellsNothing(in *Input) (out []found, err error) {
	for _, np := range in.Set.NodePools {
		if np.Spec.Replicas != nil || len(np.Validate()) > 0 || limitZero(np) != "" ||
			condition.IsFalse(np, karpenterv1.ConditionReady) {
			continue // said by another check
		}
		set := *in.Set
		set.NodePools, set.Nodes, set.NodeClaims, set.Pods = []*karpenterv1.NodePool{
			np,
		}, nil, nil, []*corev1.Pod{
			smallest(),
		}
		probe := in.Input
		probe.Set = &set
		ready, err := simulate.Prepare(probe)
		if err != nil {
			return nil, err
		}
		r, err := ready.Plan()
		if err != nil {
			return nil, err
		}
		for i := range r.Decision.Unplaced {
			out = append(
				out,
				found{
					"NodePool " + np.Name,
					"no offering satisfies it: " + r.Decision.Unplaced[i].Why.Brief(300),
					editPool(np) + "   # widen its requirements",
				},
			)
		}
	}
	return out, nil
}

func smallest() *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "smallest", Namespace: metav1.NamespaceDefault}}
	p.Spec.Containers = []corev1.Container{{Name: "main", Image: "none"}}
	p.Spec.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
	return p
}

func limitZero(np *karpenterv1.NodePool) string {
	for name, q := range np.Spec.Limits {
		if q.Sign() <= 0 {
			return string(name)
		}
	}
	return ""
}

func zeroLimit(in *Input) (out []found, err error) {
	for _, np := range in.Set.NodePools {
		if name := limitZero(np); name != "" && np.Spec.Replicas == nil {
			out = append(
				out,
				found{
					"NodePool " + np.Name,
					"its limit of " + name + " is 0, which switches it off",
					editPool(np) + "   # raise or remove spec.limits." + name,
				},
			)
		}
	}
	return out, nil
}

func invalidPool(in *Input) (out []found, err error) {
	for _, np := range in.Set.NodePools {
		if errs := np.Validate(); len(errs) > 0 && !brokenSchedule(np, in.Now) {
			out = append(out, found{"NodePool " + np.Name, errs[0].Error(), editPool(np)})
		}
	}
	return out, nil
}

func notReadyPool(in *Input) (out []found, err error) {
	for _, np := range in.Set.NodePools {
		ref := np.Spec.Template.Spec.NodeClassRef
		if c := condition.Get(
			np,
			karpenterv1.ConditionReady,
		); c != nil && c.Status == metav1.ConditionFalse && ref != nil && classThere(in, ref) &&
			!classBad(in, ref) {
			out = append(
				out,
				found{
					"NodePool " + np.Name,
					"it is not ready: " + c.Reason + ": " + c.Message,
					"kubectl describe nodepool " + np.Name,
				},
			)
		}
	}
	return out, nil
}

func classBad(in *Input, ref *karpenterv1.NodeClassReference) bool {
	return slices.ContainsFunc(in.Set.EC2NodeClasses, func(c *awsv1.EC2NodeClass) bool {
		return c.Name == ref.Name && condition.IsFalse(c, karpenterv1.ConditionReady)
	})
}

func notReadyClass(in *Input) (out []found, err error) {
	for _, c := range in.Set.EC2NodeClasses {
		if r := condition.Get(c, karpenterv1.ConditionReady); r != nil && r.Status == metav1.ConditionFalse {
			out = append(
				out,
				found{
					"EC2NodeClass " + c.Name,
					"it is not ready: " + r.Reason + ": " + r.Message,
					"kubectl describe ec2nodeclass " + c.Name,
				},
			)
		}
	}
	return out, nil
}

// manyNodes is a pool so large that any budget that lets nodes go in percent lets one go.
const manyNodes = 1_000_000

// closedBudget finds pools of whose nodes none may go, for some reason, at any time: a budget of nothing without a
// schedule.
func closedBudget(in *Input) (out []found, err error) {
	for _, np := range in.Set.NodePools {
		for i := range np.Spec.Disruption.Budgets {
			b := &np.Spec.Disruption.Budgets[i]
			n, err := b.Allowed(in.Now, manyNodes)
			if b.Schedule != nil || err != nil || n > 0 {
				continue
			}
			reasons := "whatever the reason"
			if len(b.Reasons) > 0 {
				reasons = fmt.Sprintf("for %v", b.Reasons)
			}
			out = append(
				out,
				found{
					"NodePool " + np.Name,
					fmt.Sprintf("budget %d lets %s nodes go, at any time, %s", i, b.Nodes, reasons),
					editPool(np) + "   # give the budget a schedule and a duration, or more nodes",
				},
			)
		}
	}
	return out, nil
}

// brokenSchedule reports whether a budget of a pool cannot be read.
func brokenSchedule(np *karpenterv1.NodePool, now time.Time) bool {
	return slices.ContainsFunc(
		np.Spec.Disruption.Budgets,
		func(b karpenterv1.Budget) bool { _, err := b.Allowed(now, 1); return err != nil },
	)
}

// aYear is how far ahead a schedule is looked at.
const aYear = 366 * 24 * time.Hour

// fourYears is how far ahead a schedule may have its first hit: one of 29 February has none for so long.
const fourYears = 4 * aYear

func brokenBudget(in *Input) (out []found, err error) {
	for _, np := range in.Set.NodePools {
		for i := range np.Spec.Disruption.Budgets {
			b := np.Spec.Disruption.Budgets[i]
			if _, err := b.Allowed(in.Now, 1); err != nil {
				out = append(
					out,
					found{
						"NodePool " + np.Name,
						fmt.Sprintf("budget %d cannot be read, so no node goes: %v", i, err),
						editPool(np),
					},
				)
				continue
			}
			if b.Schedule == nil {
				continue
			}
			year := b
			year.Duration = &metav1.Duration{Duration: fourYears}
			if hits, err := year.Active(in.Now); err == nil && !hits {
				out = append(
					out,
					found{
						"NodePool " + np.Name,
						fmt.Sprintf("budget %d never begins: no day is as its schedule %q says", i, *b.Schedule),
						editPool(np),
					},
				)
			}
		}
	}
	return out, nil
}
